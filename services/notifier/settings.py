"""What the notifier needs beside what every service needs."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from services.events.base import TENANT_PATTERN
from services.notifier.addresses import parse_keys
from services.notifier.channels.google_token import read_service_account
from services.runtime.settings import ServiceSettings

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def parse_names(text: str) -> dict[str, str]:
    """Who writes, by tenant: `acme=Acme Bank;zeta=Zeta Credit`.  ValueError says what is wrong."""
    names: dict[str, str] = {}
    for entry in filter(None, map(str.strip, text.split(";"))):
        tenant, _, name = (part.strip() for part in entry.partition("="))
        if not TENANT_PATTERN.match(tenant) or not 1 <= len(name) <= 60 or tenant in names:
            raise ValueError("must be tenant=name;tenant=name, a tenant once, a name of 1 to 60")
        names[tenant] = _line(name)
    return names


def _line(text: str) -> str:
    if not text.isprintable() or "=?" in text:
        raise ValueError("must be one printable line")
    return text


class Settings(ServiceSettings):
    """Each field is the variable `DUNWELL_<FIELD>`.  A channel without its variables is off."""

    http_port: int = Field(default=8030, ge=0, le=65535)
    admin_port: int = Field(default=8031, ge=0, le=65535)
    database_pool_size: int = Field(default=12, ge=4, le=100)
    policy_url: str = "http://127.0.0.1:8020"
    service_key: SecretStr
    public_url: str = Field(description="what providers call back; signatures are checked by it")
    address_keys: SecretStr = Field(description="id:base64key,… the first seals, all open")
    sender_name: str | None = Field(default=None, min_length=1, max_length=60)
    sender_names: str = Field(
        default="", description="tenant=name;tenant=name, where a tenant has one of its own"
    )

    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_from: str | None = Field(default=None, description="a number, or a service's MG…")
    twilio_api_url: str | None = None  # default: Twilio's own
    sms_per_second: float = Field(default=1000.0, gt=0)
    sms_connections: int = Field(default=512, ge=1, le=5000)

    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["none", "starttls", "tls"] = "starttls"
    mail_from: str | None = None
    email_per_second: float = Field(default=1000.0, gt=0)
    smtp_connections: int = Field(default=20, ge=1, le=500)

    fcm_service_account_file: Path | None = None
    fcm_api_url: str = "https://fcm.googleapis.com"
    push_per_second: float = Field(default=1000.0, gt=0)
    fcm_connections: int = Field(default=512, ge=1, le=5000)

    retry_seconds: float = Field(default=5.0, gt=0, description="first backoff; then 4 times it")
    abandon_seconds: float = Field(
        default=3600.0, gt=0, description="an unknown outcome without proof ends after this"
    )
    look_up_seconds: float = Field(default=30.0, gt=0)

    @field_validator("policy_url", "public_url", "twilio_api_url", "fcm_api_url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("must begin with http:// or https://")
        return url.rstrip("/") if url else url

    @field_validator("address_keys")
    @classmethod
    def _keys(cls, keys: SecretStr) -> SecretStr:
        parse_keys(keys.get_secret_value())
        return keys

    @field_validator("fcm_service_account_file")
    @classmethod
    def _account(cls, path: Path | None) -> Path | None:
        if path is not None:
            read_service_account(path)
        return path

    @field_validator("sender_name", "mail_from")
    @classmethod
    def _one_line(cls, text: str | None) -> str | None:
        return None if text is None else _line(text)

    @field_validator("sender_names")
    @classmethod
    def _names(cls, text: str) -> str:
        parse_names(text)
        return text

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not (self.sender_name or self.sender_names or self.only_on_this_machine()):
            foreign = ", ".join(self.foreign_providers())
            why = f", and beyond this machine is {foreign}" if self.sandbox else ""
            raise ValueError(
                f"who writes is not said{why}: set DUNWELL_SENDER_NAME, or DUNWELL_SENDER_NAMES for"
                " each tenant"
            )
        twilio = (self.twilio_account_sid, self.twilio_auth_token, self.twilio_from)
        if any(twilio) and not all(twilio):
            raise ValueError(
                "SMS needs DUNWELL_TWILIO_ACCOUNT_SID, DUNWELL_TWILIO_AUTH_TOKEN and "
                "DUNWELL_TWILIO_FROM together"
            )
        if self.smtp_host and not self.mail_from:
            raise ValueError("e-mail needs DUNWELL_MAIL_FROM beside DUNWELL_SMTP_HOST")
        if not (all(twilio) or self.smtp_host or self.fcm_service_account_file):
            raise ValueError(
                "no channel is set up: set the variables of Twilio, of a mail server or of FCM"
            )
        return self

    def only_on_this_machine(self) -> bool:
        """Nobody real gets what is sent: only then may it be in nobody's name."""
        return self.sandbox and not self.foreign_providers()

    def foreign_providers(self) -> list[str]:
        """Variables that point beyond this machine: not with a stepped clock, nor for nobody."""
        named = {
            "DUNWELL_TWILIO_API_URL": (self.twilio_account_sid, _host(self.twilio_api_url)),
            "DUNWELL_SMTP_HOST": (self.smtp_host, self.smtp_host),
            "DUNWELL_FCM_API_URL": (self.fcm_service_account_file, _host(self.fcm_api_url)),
        }
        return [name for name, (used, host) in named.items() if used and host not in LOOPBACK]


def _host(url: str | None) -> str | None:
    return urlsplit(url).hostname if url else None
