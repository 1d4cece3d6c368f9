"""A test's own database, as its `database` fixture gets it."""

from dataclasses import dataclass

from services.runtime.embedded_postgres import EmbeddedPostgres


@dataclass(frozen=True)
class Database:
    """A migrated database of one test's own, with the connection URLs of those who may enter."""

    server: EmbeddedPostgres
    name: str

    @property
    def admin_dsn(self) -> str:
        """The superuser's; tests look at any schema with it."""
        return self.server.dsn_of(self.name)

    def dsn(self, role: str) -> str:
        """The URL of a service's own role: scheduler, policy, notifier or stream."""
        return self.server.dsn_of(self.name, role, role_password(role))


def role_password(role: str) -> str:
    """Each role's password in the tests."""
    return f"{role}-test-password"
