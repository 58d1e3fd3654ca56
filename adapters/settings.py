"""Environment variables and a TOML file → frozen values. The only place that knows their names (design, section 7).

The environment wins over the file. A value is never repeated in an error, since it may be a secret: an error names the
variable, the kind of the value, and what is expected.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FilePath,
    Json,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from domain.errors import SettingsError

PREFIX = "LEDGER_"

#: What the topic takes in one record (design, section 5), and what of it is kept for headers.
MAX_RECORD_BYTES = 4_194_304
HEADER_ROOM_BYTES = 65_536

#: Public names that only other commands use: known here, and not looked at.
_USED_ELSEWHERE = frozenset({"persona_api_key", "persona_api_url"})

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_DEFAULT_SOURCE = "default"
_HASHED = "sha256:"
_HASH = re.compile(r"sha256:[0-9a-fA-F]{64}")
_TOKEN = re.compile(r"[!-~]+")


def _parse_json(value: object) -> object:
    """An environment variable holds JSON; a TOML file holds the table itself."""
    return TypeAdapter(Json[Any]).validate_python(value) if isinstance(value, str) else value


def _split(value: object) -> object:
    """Comma-separated text → its parts."""
    return [part for part in map(str.strip, value.split(",")) if part] if isinstance(value, str) else value


def _named(sources: Mapping[str, Any]) -> Mapping[str, Any]:
    if not all(_NAME.fullmatch(name) for name in sources):
        raise ValueError
    return sources


def _check_token(token: str) -> str:
    is_good = _HASH.fullmatch(token) if token.startswith(_HASHED) else _TOKEN.fullmatch(token)
    if not is_good:
        raise ValueError
    return token


Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Secrets = Annotated[tuple[Text, ...], Field(min_length=1)]
#: What a client can send in a header; a hash is told from a token by its beginning.
Token = Annotated[str, AfterValidator(_check_token)]
Tokens = Annotated[tuple[Token, ...], Field(min_length=1)]
Port = Annotated[int, Field(ge=0, le=65535)]


class SourceSettings(BaseModel):
    """Who may send to `/webhooks/persona/<source>`. Any of the secrets is good: two while one is being replaced."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    secrets: Secrets = Field(repr=False)
    environment: Text | None = None


class Settings(BaseModel):
    """One field a variable, named alike in lower case; each description says what is expected of the value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)

    kafka_bootstrap: Annotated[str, StringConstraints(pattern=r"^[^\s,/@]+(,[^\s,/@]+)*$")] | None = Field(
        default=None, description="host:port, or several of them, comma-separated"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] | None = Field(
        default=None, description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    kafka_security_ssl_cafile: FilePath | None = Field(default=None, description="a file of CA certificates (PEM)")
    kafka_security_ssl_certfile: FilePath | None = Field(default=None, description="a file with our certificate (PEM)")
    kafka_security_ssl_keyfile: FilePath | None = Field(default=None, description="a file with our private key (PEM)")
    kafka_security_ssl_password: Text | None = Field(default=None, repr=False, description="the private key's password")
    kafka_security_ssl_check_hostname: bool | None = Field(default=None, description="true or false")
    kafka_security_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    kafka_security_sasl_plain_username: Text | None = Field(default=None, repr=False, description="the SASL user")
    kafka_security_sasl_plain_password: Text | None = Field(
        default=None, repr=False, description="the SASL user's password"
    )
    topic: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = Field(
        default="persona.events", description="a topic name: letters, digits, `.`, `_` and `-`, at most 249"
    )
    partitions: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=6, description="a number from 1 to 10000: how many partitions `migrate` gives a topic it creates"
    )
    group: Text = Field(default="inquiry-ledger", description="the name of the consumer group")
    database_url: Annotated[str, StringConstraints(pattern=r"^(postgres(ql)?://\S+|\s*\w+\s*=.*)$")] | None = Field(
        default=None, repr=False, description="postgresql://user:password@host:port/database"
    )
    webhook_secret: Annotated[Secrets | None, BeforeValidator(_split)] = Field(
        default=None, repr=False, description="the secrets of source `default`, comma-separated"
    )
    named_sources: Annotated[dict[str, SourceSettings], BeforeValidator(_parse_json), AfterValidator(_named)] = Field(
        default_factory=dict,
        alias="sources",
        description='JSON such as {"eu": {"secrets": ["…"], "environment": "production"}}, names of letters and digits',
    )
    http_host: Text = Field(default="127.0.0.1", description="the address to listen on")
    edge_port: Port = Field(default=8080, description="a port from 0 to 65535 (0: any free one)")
    api_port: Port = Field(default=8081, description="a port from 0 to 65535 (0: any free one)")
    api_tokens: Annotated[Tokens | None, BeforeValidator(_split)] = Field(
        default=None,
        repr=False,
        description="the bearer tokens of the read API, comma-separated, each as it is sent (ASCII, no spaces) or as "
        "`sha256:` and the 64 hex digits of its SHA-256; without any only this machine may read",
    )
    max_body_bytes: Annotated[int, Field(ge=1, le=MAX_RECORD_BYTES - HEADER_ROOM_BYTES)] = Field(
        default=2_000_000,
        description=f"a number from 1 to {MAX_RECORD_BYTES - HEADER_ROOM_BYTES}: a body must fit into a record of the "
        f"topic ({MAX_RECORD_BYTES} bytes) with its headers",
    )
    signature_tolerance_s: Annotated[int, Field(ge=0)] = Field(
        default=187_200, description="a number of seconds, 0 or more (0: any age)"
    )
    policy: Path | None = Field(default=None, description="the path of a policy file (TOML)")
    data_dir: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("inquiry-ledger"), description="the path of a folder"
    )

    @property
    def kafka_security(self) -> dict[str, object]:
        """What kafka-python's clients take: `security_protocol`, `ssl_…`, `sasl_…`; only what is set."""
        said = {name: getattr(self, name) for name in type(self).model_fields if name.startswith(_SECURITY)}
        shown = {name.removeprefix(_SECURITY): value for name, value in said.items() if value is not None}
        shown = {name: str(value) if isinstance(value, Path) else value for name, value in shown.items()}
        return {"security_protocol" if name == "protocol" else name: value for name, value in shown.items()}

    @property
    def sources(self) -> dict[str, SourceSettings]:
        """Source → who may send there; `default` from WEBHOOK_SECRET."""
        if self.webhook_secret is None:
            return dict(self.named_sources)
        return {_DEFAULT_SOURCE: SourceSettings(secrets=self.webhook_secret), **self.named_sources}

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.webhook_secret is not None and _DEFAULT_SOURCE in self.named_sources:
            raise SettingsError(
                f"{PREFIX}SOURCES", f"has a source `default`, and so has {PREFIX}WEBHOOK_SECRET: keep one"
            )
        if (self.kafka_security_protocol or "").startswith("SASL"):
            _require(self, "sasl_mechanism", "sasl_plain_username", "sasl_plain_password")
        return self


_SECURITY = "kafka_security_"


def _require(settings: Settings, *names: str) -> None:
    for name in names:
        if getattr(settings, _SECURITY + name) is None:
            raise SettingsError(
                _variable(_SECURITY + name), f"is needed with {_variable(_SECURITY + 'protocol')}=SASL_…"
            )


def load_settings(environ: Mapping[str, str], config_file: Path | None = None) -> Settings:
    """The settings of this process. `config_file`: TOML, keys in lower case. SettingsError names what to mend."""
    said = _read_environment(environ)
    filed = _read_file(config_file) if config_file else {}
    try:
        return Settings.model_validate({**filed, **said})
    except ValidationError as error:
        key, kind = _first_problem(error)
        where = _variable(key) if key in said else f"{config_file}: {key}"
        raise SettingsError(where, f"got {kind}, expected {_expected(key)}") from None


def variables() -> dict[str, str]:
    """Variable → what is expected of it, in the order of the settings: for the documentation."""
    return {_variable(field.alias or name): field.description or "" for name, field in Settings.model_fields.items()}


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """An empty variable is one that is not set."""
    said = {name.removeprefix(PREFIX).lower(): name for name in environ if name.startswith(PREFIX)}
    for key, name in said.items():
        if _variable(key) != name or key not in _known():
            raise SettingsError(name, f"unknown variable; the closest known one is {_variable(_closest(key))}")
    return {key: environ[name] for key, name in said.items() if environ[name] and key not in _USED_ELSEWHERE}


def _read_file(path: Path) -> dict[str, Any]:
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("--config", f"{path} cannot be read ({type(error).__name__})") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError("--config", f"{path} is not TOML: {error}") from None
    for key in said:
        if key not in _known():
            raise SettingsError("--config", f"{path}: unknown key {key}; the closest known one is {_closest(key)}")
    return {key: value for key, value in said.items() if key not in _USED_ELSEWHERE}


def _known() -> set[str]:
    return {field.alias or name for name, field in Settings.model_fields.items()} | _USED_ELSEWHERE


def _closest(key: str) -> str:
    return difflib.get_close_matches(key.lower(), sorted(_known()), n=1, cutoff=0.0)[0]


def _variable(key: str) -> str:
    return PREFIX + key.upper()


def _expected(key: str) -> str:
    fields = {field.alias or name: field for name, field in Settings.model_fields.items()}
    return fields[key].description or ""


def _first_problem(error: ValidationError) -> tuple[str, str]:
    """(key, kind of its value), without the value."""
    problem = error.errors(include_url=False, include_context=False)[0]
    return str(problem["loc"][0]), _kind(problem["input"], nested=len(problem["loc"]) > 1)


def _kind(value: object, *, nested: bool) -> str:
    kinds: dict[type, str] = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "an array"}
    kind = kinds.get(type(value), "a table")
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9_.]+", value):
        kind = "a number"
    return f"{kind} in it" if nested else kind
