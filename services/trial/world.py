"""One complete installation on loopback: ports, secrets and the environment of each process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from services.runtime.child_process import free_ports
from services.runtime.migrate import SERVICES, migrate_all, role_url
from services.runtime.settings import ServiceSettings, read
from services.runtime.streams import open_stream
from services.trial import first_keys, folders

TENANT = "demo"
SANDBOX_ACCOUNT = "AC5a4db0c5a4db0c5a4db0c5a4db0c5a4d"
SANDBOX_TOKEN = "sandbox-auth-token"
SMS_FROM = "+12025550100"  # 555-01xx: kept for fiction


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything that the processes of one installation must agree on."""

    folder: Path  # logs, the sandbox's history, throw-away credentials
    admin_url: str  # the database's owner
    stream: Literal["postgres", "kafka"] = "postgres"
    kafka_bootstrap_servers: str = ""
    tenant: str = TENANT
    extra: Mapping[str, str] = field(default_factory=dict)  # more variables for every service
    passwords: Mapping[str, str] = field(
        default_factory=lambda: {s: first_keys.secret() for s in SERVICES}
    )
    ports: Mapping[str, int] = field(
        default_factory=lambda: dict(
            zip(
                [f"{name}.{door}" for name in (*SERVICES, "sandbox") for door in ("http", "admin")],
                free_ports(8),
                strict=True,
            )
        )
    )
    identity_key: str = field(default_factory=first_keys.secret)
    pepper: str = field(default_factory=first_keys.secret)
    address_keys: str = field(default_factory=first_keys.address_keys)
    service_key: str = field(default_factory=first_keys.api_key)
    tenant_key: str = field(default_factory=first_keys.api_key)

    def url(self, name: str) -> str:
        """Where a service's (or the sandbox's) HTTP door is."""
        return f"http://127.0.0.1:{self.ports[f'{name}.http']}"

    def admin_door(self, name: str) -> str:
        """Where a service answers /readyz and /metrics."""
        return f"http://127.0.0.1:{self.ports[f'{name}.admin']}"

    @property
    def history(self) -> Path:
        """The sandbox's own record of what reached it."""
        return self.folder / folders.HISTORY

    @property
    def service_account(self) -> Path:
        """Throw-away FCM credentials whose token endpoint is the sandbox."""
        return self.folder / "fcm-service-account.json"

    async def prepare(self) -> None:
        """Migrate the database, make both keys known to every service, create the topics."""
        await migrate_all(self.admin_url, self.passwords)
        keys = first_keys.Keys(self.service_key, self.tenant_key, self.tenant)
        await first_keys.make_known(self.admin_url, self.pepper.encode(), keys)
        async with open_stream(read(ServiceSettings, self.environment("scheduler"))) as stream:
            await stream.ensure_topics()

    def environment(self, service: str) -> dict[str, str]:
        """The variables of one service, as an operator would set them."""
        variables = {
            "DATABASE_URL": role_url(self.admin_url, service, self.passwords[service]),
            "STREAM": self.stream,
            "HTTP_PORT": str(self.ports[f"{service}.http"]),
            "ADMIN_PORT": str(self.ports[f"{service}.admin"]),
            "IDENTITY_KEY": self.identity_key,
            "API_KEY_PEPPER": self.pepper,
            "POLICY_URL": self.url("policy"),
            "SERVICE_KEY": self.service_key,
            "SANDBOX": "1",
        }
        if self.stream == "kafka":
            variables["KAFKA_BOOTSTRAP_SERVERS"] = self.kafka_bootstrap_servers
        if service == "notifier":
            variables |= self._providers()
        return {f"DUNWELL_{name}": value for name, value in (variables | dict(self.extra)).items()}

    def _providers(self) -> dict[str, str]:
        sandbox = self.url("sandbox")
        return {
            "PUBLIC_URL": self.url("notifier"),
            "TWILIO_ACCOUNT_SID": SANDBOX_ACCOUNT,
            "TWILIO_AUTH_TOKEN": SANDBOX_TOKEN,
            "TWILIO_FROM": SMS_FROM,
            "TWILIO_API_URL": sandbox,
            "SMTP_HOST": "127.0.0.1",
            # The sandbox has no admin port: the second of its two ports is SMTP.
            "SMTP_PORT": str(self.ports["sandbox.admin"]),
            "SMTP_TLS": "none",
            "SENDER_NAME": "Demo Lender",
            "MAIL_FROM": "reminders@lender.example.com",
            "FCM_SERVICE_ACCOUNT_FILE": str(self.service_account),
            "FCM_API_URL": sandbox,
            "ADDRESS_KEYS": self.address_keys,
        }
