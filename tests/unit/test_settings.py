"""Settings: names, defaults, the file, and errors that never repeat a value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.kafka_log import topic
from adapters.settings import HEADER_ROOM_BYTES, MAX_RECORD_BYTES, Settings, load_settings, variables
from domain.errors import SettingsError


def load(config_file: Path | None = None, **said: str) -> Settings:
    return load_settings(
        {"HOME": "elsewhere", **{f"LEDGER_{name}": value for name, value in said.items()}}, config_file
    )


def fails(config_file: Path | None = None, **said: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(config_file, **said)
    return str(caught.value)


def test_without_variables_the_defaults_of_the_design_hold() -> None:
    settings = load()
    assert (settings.kafka_bootstrap, settings.database_url, settings.policy) == (None, None, None)
    assert (settings.topic, settings.partitions, settings.group) == ("persona.events", 6, "inquiry-ledger")
    assert (settings.edge_port, settings.api_port) == (8080, 8081)
    assert (settings.max_body_bytes, settings.signature_tolerance_s) == (2_000_000, 187_200)
    assert settings.kafka_security == {}
    assert settings.sources == {}
    assert settings.data_dir.name == "inquiry-ledger"


def test_a_body_is_given_the_room_that_the_topic_has() -> None:
    """Two rooms that do not know each other say it."""
    assert (MAX_RECORD_BYTES, HEADER_ROOM_BYTES) == (topic.MAX_RECORD_BYTES, topic.HEADER_ROOM_BYTES)


def test_every_variable_of_the_design_is_known() -> None:
    settings = load(
        KAFKA_BOOTSTRAP="one:9092,two:9092",
        TOPIC="persona.test",
        PARTITIONS="12",
        GROUP="ledger-two",
        DATABASE_URL="postgresql://ledger@db/ledger",
        HTTP_HOST="0.0.0.0",
        EDGE_PORT="0",
        API_PORT="9000",
        MAX_BODY_BYTES="1000000",
        SIGNATURE_TOLERANCE_S="0",
        POLICY="policy.toml",
        DATA_DIR="data",
    )
    assert settings.kafka_bootstrap == "one:9092,two:9092"
    assert (settings.topic, settings.partitions, settings.group) == ("persona.test", 12, "ledger-two")
    assert settings.database_url == "postgresql://ledger@db/ledger"
    assert (settings.http_host, settings.edge_port, settings.api_port) == ("0.0.0.0", 0, 9000)
    assert (settings.max_body_bytes, settings.signature_tolerance_s) == (1_000_000, 0)
    assert (settings.policy, settings.data_dir) == (Path("policy.toml"), Path("data"))


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert load(EDGE_PORT="", WEBHOOK_SECRET="", DATABASE_URL="") == load()


def test_names_of_later_commands_are_not_refused() -> None:
    assert load(PERSONA_API_KEY="x", PERSONA_API_URL="x") == load()


def test_kafka_security_becomes_arguments_of_the_clients(tmp_path: Path) -> None:
    authorities = tmp_path / "ca.pem"
    authorities.touch()
    settings = load(
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SECURITY_SSL_CAFILE=str(authorities),
        KAFKA_SECURITY_SSL_CHECK_HOSTNAME="false",
        KAFKA_SECURITY_SASL_MECHANISM="SCRAM-SHA-512",
        KAFKA_SECURITY_SASL_PLAIN_USERNAME="ledger",
        KAFKA_SECURITY_SASL_PLAIN_PASSWORD="hush",
    )
    assert settings.kafka_security == {
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(authorities),
        "ssl_check_hostname": False,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ledger",
        "sasl_plain_password": "hush",
    }


def test_sasl_needs_a_mechanism_a_user_and_a_password() -> None:
    assert "LEDGER_KAFKA_SECURITY_SASL_MECHANISM" in fails(KAFKA_SECURITY_PROTOCOL="SASL_SSL")


def test_webhook_secret_holds_the_secrets_of_the_default_source() -> None:
    assert load(WEBHOOK_SECRET="new, old,").sources["default"].secrets == ("new", "old")


def test_sources_stand_beside_the_default_one() -> None:
    settings = load(WEBHOOK_SECRET="one", SOURCES='{"eu": {"secrets": ["two"], "environment": "production"}}')
    assert {name: (source.secrets, source.environment) for name, source in settings.sources.items()} == {
        "default": (("one",), None),
        "eu": (("two",), "production"),
    }


def test_the_default_source_is_said_once() -> None:
    assert "LEDGER_WEBHOOK_SECRET" in fails(WEBHOOK_SECRET="one", SOURCES='{"default": {"secrets": ["two"]}}')


def test_a_body_and_its_headers_fit_into_one_record() -> None:
    largest = MAX_RECORD_BYTES - HEADER_ROOM_BYTES
    assert load(MAX_BODY_BYTES=str(largest)).max_body_bytes == largest
    assert str(MAX_RECORD_BYTES) in fails(MAX_BODY_BYTES=str(largest + 1))


@pytest.mark.parametrize(
    ("name", "closest"),
    [("DATABSE_URL", "DATABASE_URL"), ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP"), ("edge_port", "EDGE_PORT")],
)
def test_an_unknown_variable_is_refused_with_the_closest_known_one(name: str, closest: str) -> None:
    assert fails(None, **{name: "x"}) == f"LEDGER_{name}: unknown variable; the closest known one is LEDGER_{closest}"


BAD: list[tuple[str, str, str]] = [
    ("KAFKA_BOOTSTRAP", "kafka://s3cret:9092", "text"),
    ("KAFKA_SECURITY_PROTOCOL", "s3cret", "text"),
    ("KAFKA_SECURITY_SSL_CAFILE", "no/such/s3cret", "text"),
    ("KAFKA_SECURITY_SSL_CHECK_HOSTNAME", "s3cret", "text"),
    ("TOPIC", "s3cret topic", "text"),
    ("PARTITIONS", "0", "a number"),
    ("DATABASE_URL", "mysql://u:s3cret@db", "text"),
    ("WEBHOOK_SECRET", " , ", "an array"),
    ("SOURCES", "s3cret", "text"),
    ("SOURCES", '["s3cret"]', "an array"),
    ("SOURCES", '{"eu": "s3cret"}', "text in it"),
    ("SOURCES", '{"eu": {"secrets": "s3cret"}}', "text in it"),
    ("SOURCES", '{"eu": {"secrets": []}}', "an array in it"),
    ("SOURCES", '{"eu": {"secrets": ["a"], "s3cret": 1}}', "a number in it"),
    ("SOURCES", '{"s3/cret": {"secrets": ["a"]}}', "text"),
    ("EDGE_PORT", "s3cret", "text"),
    ("EDGE_PORT", "65536", "a number"),
    ("MAX_BODY_BYTES", "-1", "a number"),
    ("SIGNATURE_TOLERANCE_S", "-1", "a number"),
]


@pytest.mark.parametrize(("name", "value", "kind"), BAD)
def test_a_bad_value_is_named_by_its_kind_in_one_line_and_never_repeated(name: str, value: str, kind: str) -> None:
    message = fails(None, **{name: value})
    assert message.startswith(f"LEDGER_{name}: got {kind}, expected ")
    assert "\n" not in message
    assert not re.search("s3/?cret", message)


def test_an_error_drags_no_value_along() -> None:
    """What shows a chain of errors would show the value too."""
    with pytest.raises(SettingsError) as caught:
        load(DATABASE_URL="mysql://u:s3cret@db")
    assert caught.value.__suppress_context__
    assert "s3cret" not in str(caught.value.__context__)


def test_no_secret_is_shown() -> None:
    shown = repr(
        load(
            DATABASE_URL="postgresql://u:s3cret@db/x",
            WEBHOOK_SECRET="s3cret",
            SOURCES='{"eu": {"secrets": ["s3cret"]}}',
            KAFKA_SECURITY_SASL_PLAIN_USERNAME="s3cret",
            KAFKA_SECURITY_SASL_PLAIN_PASSWORD="s3cret",
            KAFKA_SECURITY_SSL_PASSWORD="s3cret",
            API_TOKENS="s3cret",
        )
    )
    assert "s3cret" not in shown


def test_a_token_is_itself_or_its_hash() -> None:
    hashed = f"sha256:{'0a' * 32}"
    assert load(API_TOKENS=f"one, {hashed}").api_tokens == ("one", hashed)
    assert load(API_TOKENS="").api_tokens is None


@pytest.mark.parametrize("tokens", [",", "s3cret two", "sha256:s3cret", f"sha256:{'0a' * 31}", "s3crét", "s3cret\x00"])
def test_what_is_no_token_is_refused(tokens: str) -> None:
    told = fails(API_TOKENS=tokens)
    assert told.startswith("LEDGER_API_TOKENS: got ")
    assert "s3cr" not in told


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().topic = "another"


def test_a_file_says_the_same_in_lower_case_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "ledger.toml"
    file.write_text(
        'kafka_bootstrap = "file:9092"\nedge_port = 9000\napi_port = 9001\napi_tokens = "x"\n'
        '[sources.eu]\nsecrets = ["one"]\n'
    )
    settings = load(file, EDGE_PORT="9999")
    assert (settings.kafka_bootstrap, settings.edge_port, settings.api_port) == ("file:9092", 9999, 9001)
    assert settings.sources["eu"].secrets == ("one",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('kafka_bootstap = "a:1"', "unknown key kafka_bootstap; the closest known one is kafka_bootstrap"),
        ("named_sources = 1", "unknown key named_sources"),
        ("edge_port = ", "is not TOML"),
        ('edge_port = "s3cret"', "edge_port: got text, expected a port"),
        ("topic = 7", "topic: got a number, expected a topic name"),
        ("[database_url]", "database_url: got a table, expected postgresql://"),
    ],
)
def test_a_bad_file_is_named_with_its_key(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "ledger.toml"
    file.write_text(text)
    message = fails(file)
    assert str(file) in message
    assert problem in message
    assert "s3cret" not in message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert fails(tmp_path / "none.toml").startswith("--config: ")


def test_each_variable_says_what_it_expects() -> None:
    assert all(variables().values())
    assert "LEDGER_SOURCES" in variables()
