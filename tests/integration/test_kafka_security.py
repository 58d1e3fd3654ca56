"""A broker that asks for a password, and one that shows a certificate: what is refused is named, with its variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from adapters.embedded.folder import keep_port
from adapters.embedded.kafka import EmbeddedKafka
from adapters.kafka_log.append import KafkaAppender
from adapters.kafka_log.feed import KafkaFeed
from adapters.kafka_log.topic import KafkaTopic
from domain.errors import LogUnavailable, SettingsError
from tests.feeds import wait_for

#: Of 127.0.0.1, signed by itself, made for this test and good for nothing else.
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvp0yAU+NffeiWqQi
1mrGf8hL4QEhGmMmFcgkinPIQbKhRANCAARHnE5NkvD0dHeKAempD2k8M8dqlZLA
Y2RtAuU53wYsLx+p60BrwqXBaNgDLZ9A/F9tXhuIJW813rlvQfTH9YQg
-----END PRIVATE KEY-----
"""
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBWzCCAQKgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlvZiBhIHRl
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CW9mIGEgdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEecTk2S8PR0d4oB
6akPaTwzx2qVksBjZG0C5TnfBiwvH6nrQGvCpcFo2AMtn0D8X21eG4glbzXeuW9B
9Mf1hCCjQzBBMA8GA1UdEwEB/wQFMAMBAf8wDwYDVR0RBAgwBocEfwAAATAdBgNV
HQ4EFgQUrd9GSZ1+bxbTqaiOLZ+4/sH2WMowCgYIKoZIzj0EAwIDRwAwRAIgXA0k
jHtb/2OJTugLlSjXAwuk7NTXHGHR5hyKfhktaz0CIG379/aoe1GNFqrWfoYe4HIi
FBzPefeDTcHUSk0FVgH6
-----END CERTIFICATE-----
"""

#: Of somebody else.
ANOTHER = """\
-----BEGIN CERTIFICATE-----
MIIBbDCCAROgAwIBAgIBATAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9vZiBhbm90
aGVyIHRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBoxGDAW
BgNVBAMMD29mIGFub3RoZXIgdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BLw3Uns4XbH69hMCHHv5pyqQ0AAuXJs7R7XhTCdOxgyuy6SlZe2OE8/Z5HkZFCRP
yTmyA2D6e6QFmw9E3xVTgqijSDBGMA8GA1UdEwEB/wQFMAMBAf8wFAYDVR0RBA0w
C4IJbG9jYWxob3N0MB0GA1UdDgQWBBTrLOL6F8WwlKOAhckPPHTN2G3pFzAKBggq
hkjOPQQDAgNHADBEAiBzoE5Ug3L+BCsOuKlbLKyqRJr+03+7WlKOz9a7QfoNQwIg
eVM7yneuZethoVLdMwIJweHcXY9vctzo1zc3GKypqnI=
-----END CERTIFICATE-----
"""

SETTINGS = """\
listeners={plain},SASL_PLAINTEXT://127.0.0.1:{sasl_port},SSL://127.0.0.1:{tls_port},{controller}
advertised.listeners={plain},SASL_PLAINTEXT://127.0.0.1:{sasl_port},SSL://127.0.0.1:{tls_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_ledger="right";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location=server.pem
"""

LOGIN = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "ledger",
    "sasl_plain_password": "right",
}
WRONG = {**LOGIN, "sasl_plain_password": "wrong-one"}


class SecureKafka(EmbeddedKafka):
    """Listens on two more ports: one asks for a password, one speaks TLS."""

    def _write_settings(self) -> None:
        super()._write_settings()
        self.sasl_port = keep_port(self._folder / "sasl-port")
        self.tls_port = keep_port(self._folder / "tls-port")
        (self._folder / "server.pem").write_text(KEY + CERTIFICATE)
        properties = self._folder / "server.properties"
        said = dict(line.split("=", 1) for line in properties.read_text().splitlines())
        plain, controller = said["listeners"].split(",")
        more = SETTINGS.format(plain=plain, controller=controller, sasl_port=self.sasl_port, tls_port=self.tls_port)
        properties.write_text(properties.read_text() + more)  # of a key given twice the last counts


@pytest.fixture(scope="module")
def secure(data_dir: Path) -> Iterator[SecureKafka]:
    with SecureKafka(data_dir / "secure-kafka") as server:
        with KafkaTopic(server.bootstrap, "events") as topic:
            topic.create(1)
        yield server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("append._REQUEST_TIMEOUT_MS", "feed._CONNECT_MS", "topic._TIMEOUT_MS"):
        monkeypatch.setattr(f"adapters.kafka_log.{name}", 700)


def trusting(folder: Path, certificate: str) -> dict[str, object]:
    """Settings for TLS."""
    (folder / "ca.pem").write_text(certificate)
    return {"security_protocol": "SSL", "ssl_cafile": str(folder / "ca.pem")}


def refusal(bootstrap: str, security: Mapping[str, object]) -> SettingsError:
    with KafkaTopic(bootstrap, "events", security) as topic, pytest.raises(SettingsError) as refused:
        topic.identify()
    assert bootstrap in str(refused.value)
    assert "wrong-one" not in str(refused.value)
    return refused.value


def test_who_says_the_right_password_or_trusts_the_certificate_comes_in(secure: SecureKafka, tmp_path: Path) -> None:
    with KafkaTopic(secure.bootstrap, "events") as topic:
        topic_id = topic.identify()
    for port, security in ((secure.sasl_port, LOGIN), (secure.tls_port, trusting(tmp_path, CERTIFICATE))):
        with KafkaTopic(f"127.0.0.1:{port}", "events", security) as topic:
            assert topic.identify() == topic_id


def test_a_wrong_password_is_named_by_every_client(
    secure: SecureKafka, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrap, variable = f"127.0.0.1:{secure.sasl_port}", "LEDGER_KAFKA_SECURITY_SASL_PLAIN_PASSWORD"
    refused = refusal(bootstrap, WRONG)
    assert refused.variable == variable
    assert "refuses this user or password" in refused.problem
    with closing(KafkaFeed(bootstrap, "events", "group", WRONG)) as feed, pytest.raises(SettingsError, match=variable):
        feed.poll(1)
    with closing(KafkaAppender(bootstrap, "events", WRONG)) as appender, pytest.raises(LogUnavailable):
        appender.wait_ready(1.5)
    assert variable in capsys.readouterr().out


def test_settings_that_may_not_be_read_are_one_problem(secure: SecureKafka) -> None:
    found = ResourcePattern(ResourceType.TOPIC, "events")
    may = ACL("User:ledger", "*", ACLOperation.DESCRIBE, ACLPermissionType.ALLOW, found)
    with KafkaAdminClient(bootstrap_servers=secure.bootstrap) as admin:
        admin.create_acls([may])
    with KafkaTopic(f"127.0.0.1:{secure.sasl_port}", "events", LOGIN) as topic:
        wait_for(lambda: topic.problems(2_000_000))
        assert topic.problems(2_000_000) == [
            "topic events: its settings cannot be read: allow DescribeConfigs on the topic"
        ]


def test_a_mechanism_that_the_broker_does_not_have_is_named(secure: SecureKafka) -> None:
    refused = refusal(f"127.0.0.1:{secure.sasl_port}", {**LOGIN, "sasl_mechanism": "SCRAM-SHA-256"})
    assert refused.variable == "LEDGER_KAFKA_SECURITY_SASL_MECHANISM"


def test_a_certificate_that_is_not_trusted_is_named(secure: SecureKafka, tmp_path: Path) -> None:
    refused = refusal(f"127.0.0.1:{secure.tls_port}", trusting(tmp_path, ANOTHER))
    assert refused.variable == "LEDGER_KAFKA_SECURITY_SSL_CAFILE"
    assert "not trusted (self-signed certificate)" in refused.problem


def test_a_certificate_of_another_host_is_named(secure: SecureKafka, tmp_path: Path) -> None:
    refused = refusal(f"localhost:{secure.tls_port}", trusting(tmp_path, CERTIFICATE))
    assert "not valid for 'localhost'" in refused.problem


def test_a_file_without_a_certificate_is_named(secure: SecureKafka, tmp_path: Path) -> None:
    refused = refusal(f"127.0.0.1:{secure.tls_port}", trusting(tmp_path, "no certificate"))
    assert refused.variable == "LEDGER_KAFKA_SECURITY_SSL_…"
    assert "NO_CERTIFICATE" in refused.problem


def test_a_broker_that_cuts_off_the_handshake_may_be_there_again_later(secure: SecureKafka, tmp_path: Path) -> None:
    security = trusting(tmp_path, CERTIFICATE)
    with KafkaTopic(secure.bootstrap, "events", security) as topic, pytest.raises(LogUnavailable):
        topic.identify()


def test_a_broker_that_asks_for_no_password_is_named(secure: SecureKafka) -> None:
    assert refusal(secure.bootstrap, LOGIN).variable == "LEDGER_KAFKA_SECURITY_PROTOCOL"
