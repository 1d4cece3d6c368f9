"""Settings are read once; a wrong one stops the start with a sentence that names the variable."""

import os
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, get_args

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "DUNWELL_"
MIN_SECRET_BYTES = 32


class StreamSettings(BaseSettings):
    """What it takes to reach the stream, and all that a command on it asks for."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    database_url: str | None = None
    stream: Literal["kafka", "postgres"] = "postgres"
    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Path | None = None
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None
    kafka_session_timeout_seconds: float = Field(default=10.0, ge=1, le=300)
    kafka_replication_factor: int = Field(default=1, ge=1, le=9)
    stream_database_url: str | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `read` hands over: it has looked at the environment and at the files."""
        return (init_settings,)

    @field_validator("database_url", "stream_database_url")
    @classmethod
    def _postgresql(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return url

    @field_validator("kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None:
            try:
                path.read_bytes()
            except OSError as error:
                raise ValueError(f"cannot read that file ({error.strerror})") from None
        return path

    @model_validator(mode="after")
    def _certificates(self) -> Self:
        """Tried here, as a client would use them: there a wrong file ends the start unexplained."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.kafka_ssl_cafile:
                context.load_verify_locations(self.kafka_ssl_cafile)
        except ssl.SSLError:
            raise ValueError(f"{PREFIX}KAFKA_SSL_CAFILE holds no certificate in PEM") from None
        try:
            if self.kafka_ssl_certfile:
                context.load_cert_chain(self.kafka_ssl_certfile, self.kafka_ssl_keyfile, lambda: "")
        except ssl.SSLError:
            raise ValueError(
                f"{PREFIX}KAFKA_SSL_CERTFILE and {PREFIX}KAFKA_SSL_KEYFILE are not a certificate"
                " and its key, in PEM and without a password"
            ) from None
        return self

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.stream == "postgres" and not self.postgres_url:
            raise ValueError(
                "the PostgreSQL stream is nowhere: set DUNWELL_DATABASE_URL (of any service), or"
                " DUNWELL_STREAM_DATABASE_URL, or DUNWELL_STREAM=kafka"
            )
        return self

    @property
    def postgres_url(self) -> str:
        """Where the PostgreSQL stream is."""
        return self.stream_database_url or self.database_url or ""


class ServiceSettings(StreamSettings):
    """What every service needs.  Each field is the variable `DUNWELL_<FIELD>`.

    Any but a path may instead come from a file named by `DUNWELL_<FIELD>_FILE` (secrets).
    """

    database_url: str = Field(description="postgresql:// URL of this service's own role")
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535)
    admin_host: str = "127.0.0.1"
    admin_port: int = Field(default=0, ge=0, le=65535)
    identity_key: SecretStr
    api_key_pepper: SecretStr
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sandbox: bool = Field(default=False, description="every provider is the sandbox")

    @field_validator("identity_key", "api_key_pepper")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"must be at least {MIN_SECRET_BYTES} bytes of random text")
        return secret


S = TypeVar("S", bound=BaseSettings)
_NUMBERS: dict[Any, str] = {int: "a whole number", float: "a number"}
_BOUNDS = {"gt": "above", "ge": "from", "le": "to"}


class SettingsError(Exception):
    """What is wrong, a sentence a variable."""


def load(settings: type[S]) -> S:
    """The settings from the environment, or exit code 2 with a sentence for each wrong variable."""
    try:
        return read(settings, dict(os.environ))
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def read(settings: type[S], environment: dict[str, str]) -> S:
    """The settings from `environment`; SettingsError names every variable that is wrong."""
    values, sentences = {}, []
    for field, info in settings.model_fields.items():
        try:
            # A field that is itself a path (kafka_ssl_cafile) has no second, `_FILE`, spelling.
            if Path in (info.annotation, *get_args(info.annotation)):
                value = environment.get(PREFIX + field.upper())
            else:
                value = given(field.upper(), environment)
        except SettingsError as error:
            sentences.append(str(error))
        else:
            if value:
                values[field] = value
    if not sentences:
        try:
            return settings.model_validate(values)
        except ValidationError as error:
            for problem in error.errors(include_input=False, include_url=False):
                name = PREFIX + str(problem["loc"][0]).upper() if problem["loc"] else "settings"
                sentences.append(f"{name}: {_sentence(settings, problem)}")
    raise SettingsError("\n".join(sentences))


def given(name: str, environment: Mapping[str, str]) -> str | None:
    """The variable, or the content of the file that its `_FILE` twin names; None: neither is set.

    SettingsError names the variable whose file holds nothing to use, and quotes none of it.
    """
    if value := environment.get(PREFIX + name):
        return value
    path = environment.get(f"{PREFIX}{name}_FILE")
    if not path:
        return None
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(
            f"{PREFIX}{name}_FILE: cannot read that file ({error.strerror})."
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{PREFIX}{name}_FILE: cannot read that file (no text).") from None
    if not text:
        raise SettingsError(f"{PREFIX}{name}_FILE: that file is empty.")
    return text


def _sentence(settings: type[BaseSettings], problem: "ErrorDetails") -> str:
    """What it must be, in an operator's words rather than in pydantic's."""
    kind, message = problem["type"], problem["msg"]
    if kind == "missing":
        return "is required; set it, or put it in a file and name that in the variable with _FILE."
    info = settings.model_fields.get(str(problem["loc"][0])) if problem["loc"] else None
    if info is not None and info.annotation in _NUMBERS:
        return f"must be {_NUMBERS[info.annotation]}{_range(info)}."
    if info is not None and info.annotation is bool:
        return "must be true or false."
    return message.removeprefix("Value error, ").replace("Input should be", "must be") + "."


def _range(info: FieldInfo) -> str:
    """` from 0 to 65535`, ` above 0`, or nothing: as the field says."""
    bounds = {name: getattr(m, name) for m in info.metadata for name in _BOUNDS if hasattr(m, name)}
    return "".join(f" {word} {bounds[name]:g}" for name, word in _BOUNDS.items() if name in bounds)
