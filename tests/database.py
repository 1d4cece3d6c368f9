"""A test's own database, as its `database` fixture gets it."""

from dataclasses import dataclass

from services.runtime.embedded_postgres import EmbeddedPostgres
from services.runtime.migrate import SERVICES, role_url

PASSWORDS = {service: f"{service}-test-password" for service in SERVICES}


@dataclass(frozen=True)
class Database:
    """A migrated, empty database, with the connection URLs of those who may enter."""

    server: EmbeddedPostgres
    name: str

    @property
    def admin_dsn(self) -> str:
        """The superuser's: with it a test looks into any schema."""
        return self.server.dsn_of(self.name)

    def dsn(self, service: str) -> str:
        """The URL of a service's own role: scheduler, policy or notifier."""
        return role_url(self.admin_dsn, service, PASSWORDS[service])
