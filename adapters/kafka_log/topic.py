"""The topic: made as designed, and inspected. Nothing here alters a topic that is there (design, section 5)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, OffsetSpec
from kafka.errors import CoordinatorNotAvailableError, TopicAlreadyExistsError, for_code
from kafka.protocol.consumer.offsets import IsolationLevel

from adapters.kafka_log.client import CLIENT_ID, RECONNECT_BACKOFF_MAX_MS, connect
from adapters.kafka_log.failure import Security, translated
from domain.books import LogState

#: What the topic must take in one record: the body and its headers.
MAX_RECORD_BYTES = 4_194_304

#: Room for headers beside the body.
HEADER_ROOM_BYTES = 65_536

SETTINGS: Mapping[str, str] = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": str(MAX_RECORD_BYTES),
}

_TIMEOUT_MS = 5_000


class KafkaTopic:
    """`domain.ports.Log`, and what `migrate` and `doctor` ask. Thread-safe. Connects at the first call.

    LogUnavailable where no broker answers; TopicError where there is no topic, or we may not look at it.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        security: Security | None = None,
        settings: Mapping[str, str] = SETTINGS,
    ) -> None:
        """`settings`: how the topic is designed; by default as the record of truth."""
        self.name = topic
        self._bootstrap = bootstrap
        self._topic = topic
        self._security = security or {}
        self._settings = settings
        self._client: Any = None
        self._connecting = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Calling again opens another."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def inspect(self) -> LogState:
        """Cluster id, topic id, and of each partition the first offset and the last stable one (KIP-98).

        The topic is looked at after its offsets: those of a topic that is deleted meanwhile never get a new one's id.
        """
        with translated(self._bootstrap, self._topic):
            client = self._connect()
            cluster_id = client.describe_cluster()["cluster_id"]
            offsets = _offsets(client, self._topic, self._describe(client))
            found = self._describe(client)
        return LogState(cluster_id, found["topic_id"], offsets)

    def ends(self) -> dict[int, int]:
        """Partition → the last stable offset: what `inspect` says of it, for a quarter of the work."""
        with translated(self._bootstrap, self._topic):
            client = self._connect()
            return _list(client, _partitions(self._topic, self._describe(client)), OffsetSpec.LATEST)

    def identify(self) -> str:
        """The topic's id (KIP-516): another topic of the same name has another. In about a millisecond."""
        with translated(self._bootstrap, self._topic):
            return str(self._describe(self._connect())["topic_id"])

    def group_offsets(self, group: str) -> dict[int, int]:
        """Partition → the offset that a consumer group has committed; empty where it has committed none yet."""
        with translated(self._bootstrap, self._topic):
            try:
                committed = self._connect().list_group_offsets(group)[group]
            except CoordinatorNotAvailableError:  # as on a cluster where no group has ever been
                return {}
        return {named.partition: said.offset for named, said in committed.items() if named.topic == self._topic}

    def create(self, partitions: int) -> bool:
        """Make the topic as designed; False where it is there already, as it was."""
        with translated(self._bootstrap, self._topic):
            options = {"num_partitions": partitions, "replication_factor": -1, "configs": dict(self._settings)}
            try:
                self._connect().create_topics({self._topic: options}, wait_for_metadata=True)
            except TopicAlreadyExistsError:
                return False
        return True

    def problems(self, max_body_bytes: int, partitions: int | None = None) -> list[str]:
        """A sentence for each setting that is not as designed. `partitions`: how many the ledger knows, where it
        knows. TopicError where there is no topic."""
        with translated(self._bootstrap, self._topic):
            client = self._connect()
            found = self._describe(client)
            described = client.describe_configs([ConfigResource("TOPIC", self._topic)], config_filter="all")
        configs = {name: setting["value"] for name, setting in described["topic"][self._topic].items()}
        problems = [_compare(name, wanted, configs.get(name)) for name, wanted in self._settings.items()]
        problems.append(_compare_room(configs.get("max.message.bytes"), max_body_bytes))
        if partitions is not None and len(found["partitions"]) != partitions:
            problems.append(
                f"it has {len(found['partitions'])} partitions, the ledger was begun with {partitions}: "
                "inquiries may now lie in two partitions, and their revisions are in order of commit"
            )
        return [f"topic {self._topic}: {problem}" for problem in dict.fromkeys(problems) if problem]

    def _connect(self) -> Any:
        with self._connecting:
            if self._client is None:
                self._client = connect(
                    KafkaAdminClient,
                    self._bootstrap,
                    client_id=CLIENT_ID,
                    request_timeout_ms=_TIMEOUT_MS,
                    bootstrap_timeout_ms=_TIMEOUT_MS,
                    reconnect_backoff_max_ms=RECONNECT_BACKOFF_MAX_MS,
                    **self._security,
                )
            return self._client

    def _describe(self, client: Any) -> Any:
        (found,) = client.describe_topics([self._topic])
        if found["error_code"]:
            raise for_code(found["error_code"])
        return found


def _offsets(client: Any, topic: str, found: Any) -> dict[int, tuple[int, int]]:
    """Partition → (first offset, end for a reader of what is committed)."""
    partitions = _partitions(topic, found)
    first, end = _list(client, partitions, OffsetSpec.EARLIEST), _list(client, partitions, OffsetSpec.LATEST)
    return {number: (first[number], end[number]) for number in first}


def _partitions(topic: str, found: Any) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in sorted(p["partition_index"] for p in found["partitions"])]


def _list(client: Any, partitions: list[TopicPartition], which: Any) -> dict[int, int]:
    """Partition → offset, for a reader of what is committed."""
    wanted = dict.fromkeys(partitions, which)
    found = client.list_partition_offsets(wanted, IsolationLevel.READ_COMMITTED)
    return {partition.partition: found[partition].offset for partition in partitions}


def _compare(name: str, wanted: str, actual: str | None) -> str | None:
    if actual is None:
        return "its settings cannot be read: allow DescribeConfigs on the topic"
    if name == "max.message.bytes":
        return None if int(actual) >= int(wanted) else f"{name} is {actual}, less than the designed {wanted}"
    return None if actual == wanted else f"{name} is {actual}, not {wanted}"


def _compare_room(actual: str | None, max_body_bytes: int) -> str | None:
    needed = max_body_bytes + HEADER_ROOM_BYTES
    if actual is None or int(actual) >= needed:
        return None
    return f"max.message.bytes is {actual}, LEDGER_MAX_BODY_BYTES and the headers need {needed}"
