"""What a command, or a service at its start, says when PostgreSQL or Kafka is away or refuses.

One sentence: what was tried, and what to set.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn
from urllib.parse import urlsplit

import asyncpg
import click

from services.runtime.database import ACQUIRE_SECONDS, Connection
from services.runtime.settings import PREFIX, StreamSettings

_EXAMPLE = "postgresql://role:password@host:5432/database"
_AWAY = (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError)
_NOT_MIGRATED = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)
_PROBE = {"stream": "stream.messages"}  # a table that is there, and readable by whom it is for


class WrongSetting(click.ClickException):
    """It is there and refuses what it was given: waiting cures nothing."""


async def ask(url: str, schema: str) -> None:
    """Inside `database_reached`: the database answers, and this role may read `schema`."""
    connection = await asyncpg.connect(url, timeout=ACQUIRE_SECONDS)
    try:
        await may_read(connection, schema)
    finally:
        await connection.close(timeout=2)


async def may_read(connection: Connection, schema: str) -> None:
    """Inside `database_reached`: whose database this is shows before anything is done in it."""
    await connection.execute(f"SELECT FROM {_PROBE.get(schema, f'{schema}.api_keys')} LIMIT 0")


@contextmanager
def database_reached(url: str, variable: str, schema: str | None = None) -> Iterator[None]:
    """Inside, PostgreSQL at `url` is asked; whatever it has against that is a sentence and exit 1.

    `variable` is where the URL came from, `schema` whose tables are wanted.  A URL that is none
    exits with 2.
    """
    try:
        where = f"PostgreSQL at {_place(url)}"
    except ValueError:
        raise click.UsageError(f"{variable} is no usable URL: write {_EXAMPLE}") from None
    try:
        yield
    except asyncpg.InvalidAuthorizationSpecificationError:
        _wrong(f"{where} refused the role or its password: correct {variable}")
    except asyncpg.InvalidCatalogNameError:
        _wrong(f"{where}: there is no such database; create it, or correct {variable}")
    except asyncpg.InsufficientPrivilegeError:
        tables, whose = (
            (f"{schema}'s tables", f"{schema}'s") if schema else ("them", "its service's")
        )
        _wrong(f"{where}: this role may not read {tables}: {variable} must be {whose} own")
    except _NOT_MIGRATED:
        _wrong(f"{where} lacks our tables: run `dunwell migrate`, or correct {variable}")
    except _AWAY as error:
        _fail(f"{where} can't be reached ({_why(error)}): start it, or correct {variable}")
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if isinstance(error, ValueError):  # an option of the URL that PostgreSQL has not
            raise click.UsageError(f"{variable} is no usable URL: write {_EXAMPLE}") from None
        _fail(f"{where} went away ({_why(error)}): try again, or correct {variable}")
    except asyncpg.TooManyConnectionsError:
        _fail(f"{where} has no connection free: end some, or raise its max_connections")
    except asyncpg.PostgresError as error:
        _fail(f"{where}: the database said no: {error.args[0] if error.args else _why(error)}")


@contextmanager
def stream_reached(settings: StreamSettings) -> Iterator[None]:
    """Inside, the stream that the settings name is asked."""
    if settings.stream == "postgres":
        name = "STREAM_DATABASE_URL" if settings.stream_database_url else "DATABASE_URL"
        with database_reached(settings.postgres_url, PREFIX + name):
            try:
                yield
            except LookupError as error:
                _fail(str(error.args[0]))
        return
    from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

    from services.runtime.stream_kafka import TopicsWrong

    where = f"Kafka at {settings.kafka_bootstrap_servers}"
    variable = f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS"
    try:
        yield
    except (TopicsWrong, LookupError) as error:
        _fail(f"{where}: {error.args[0]}")
    except (OSError, KafkaConnectionError, KafkaTimeoutError) as error:
        also = f"{PREFIX}KAFKA_SECURITY_PROTOCOL"
        _fail(
            f"{where} can't be reached ({_why(error)}): start it, or correct {variable}"
            f" (or {also}, if it wants TLS)"
        )
    except KafkaError as error:
        _fail(f"{where} said no ({_why(error)}): check {variable} and what this user may do there")


def place_of(settings: StreamSettings) -> str:
    """Which stream was asked, in words: where the wrong one answered, that has to show."""
    if settings.stream == "postgres":
        return f"the stream of PostgreSQL at {_place(settings.postgres_url)}"
    return f"Kafka at {settings.kafka_bootstrap_servers}"


def _place(url: str) -> str:
    """Host, port and database; never the password, nor the name of a role.  Or ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError
    return f"{parts.hostname or 'its socket'}:{parts.port or 5432}{parts.path}"


def _why(error: BaseException) -> str:
    """Its kind: the text may be empty, or many lines."""
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or type(error).__name__


def _fail(sentence: str) -> NoReturn:
    raise click.ClickException(_ended(sentence)) from None


def _wrong(sentence: str) -> NoReturn:
    raise WrongSetting(_ended(sentence)) from None


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?")) else sentence + "."
