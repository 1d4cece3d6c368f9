"""Sends a checked loan book: contact points to the notifier's door, loans to the scheduler's.

Every request is idempotent, so an import that broke off is simply repeated.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from services.scheduler import bodies
from services.scheduler.book import Row, Unreadable
from services.scheduler.book_cells import RowError

CHUNK_ROWS = 500
CHUNKS_IN_FLIGHT = 3
PUTS_IN_FLIGHT = 16
TIMEOUT_SECONDS = 60.0
ATTEMPTS = 6

_HTTP = re.compile(r"https?://[^/\s]")
_PORTS = {"scheduler": 8010, "notifier": 8030}

# No outage, when it is the first thing that is heard of a door.
_NO_HTTP = (aiohttp.ClientSSLError, aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError)

# Columns by the fields that the scheduler's door names.
_COLUMN = {"amount_minor": "amount"}


class DoorError(Exception):
    """A door doesn't do its work, though asked several times: repeat the import."""


class KeyRefused(Exception):
    """A door doesn't know our key, or the key lacks the scope."""


class WrongDoor(Exception):
    """A variable names no URL, or that of something else."""


class NoHttp(DoorError):
    """Something is there, but didn't answer in HTTP: another protocol, TLS or none, or it ended."""


class Doors(NamedTuple):
    """Where the two doors are, and the keys to them."""

    session: aiohttp.ClientSession
    scheduler_url: str
    scheduler_key: str
    notifier_url: str
    notifier_key: str

    async def check(self) -> None:
        """Each door is the one it should be, by what it says of itself; no key is shown yet."""
        for service, url in (("scheduler", self.scheduler_url), ("notifier", self.notifier_url)):
            variable = f"DUNWELL_{service.upper()}_URL"
            if not _HTTP.match(url):
                port = _PORTS[service]
                raise WrongDoor(f"{variable} is no URL: write it as http://127.0.0.1:{port}")
            try:
                _, document = await self._call("GET", f"{url}/openapi.json", "")
            except NoHttp as error:
                scheme, why = url.partition(":")[0], type(error.__cause__).__name__
                raise WrongDoor(
                    f"what {variable} names does not speak {scheme} ({why}):"
                    f" is the port the {service}'s, and its door http:// or https://?"
                ) from None
            except (WrongDoor, KeyRefused):
                document = {}
            if document.get("info", {}).get("title") != f"Dunwell {service}":
                raise WrongDoor(f"what {variable} names is not the {service}'s door: mend it")

    async def cadences(self) -> list[str]:
        """The names of the cadences that the scheduler knows."""
        _, answer = await self._call("GET", f"{self.scheduler_url}/v1/cadences", self.scheduler_key)
        return [str(name) for name in answer["cadences"]]

    async def loans(self, loans: Sequence[bodies.LoanBody]) -> list[dict[str, Any]]:
        """The answer for each loan, in order."""
        url = f"{self.scheduler_url}/v1/loans:bulk"
        status, answer = await self._call("POST", url, self.scheduler_key, {"loans": loans})
        if status != 200:
            raise DoorError(f"the scheduler refused a batch: {answer.get('detail', status)}")
        results: list[dict[str, Any]] = answer["results"]
        return results

    async def contact_points(self, row: Row) -> list[RowError] | None:
        """Tell where the row's borrower can be reached; None if a newer list is stored.

        An empty list is told as well: it ends what was known before.
        """
        reference = quote(row.loan.borrower_ref, safe="")
        status, answer = await self._call(
            "PUT",
            f"{self.notifier_url}/v1/borrowers/{reference}/contact-points",
            self.notifier_key,
            {
                "version": row.loan.version,
                "contact_points": [
                    {"kind": a.kind, "value": a.value, "place": a.place}
                    for a in row.addresses or ()
                ],
            },
        )
        if status in (200, 204):
            return []
        if status == 409:
            return None
        return [
            RowError(row.number, _column(error["field"], row), error["problem"], error["fix"])
            for error in answer.get("errors", ())
        ] or [RowError(row.number, "", "was refused by the notifier", answer.get("detail", ""))]

    async def _call(
        self, method: str, url: str, key: str, body: object = None
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        data = None if body is None else msgspec.json.encode(body)
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(DoorError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.2, max=5),
            reraise=True,
        ):
            with attempt:
                status, answer = await self._once(method, url, headers, data)
        if status in (401, 403):
            why = answer.get("detail", "refuses the key")
            raise KeyRefused(f"{url.partition('/v1/')[0]}: {why}")
        return status, answer

    async def _once(
        self, method: str, url: str, headers: dict[str, str], data: bytes | None
    ) -> tuple[int, dict[str, Any]]:
        """Once; a DoorError is worth asking again."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        door = url.partition("/v1/")[0]
        try:
            async with self.session.request(
                method, url, headers=headers, data=data, timeout=timeout
            ) as answer:
                status, raw = answer.status, await answer.read()
        except _NO_HTTP as error:  # before ValueError, which a refused certificate is as well
            why = f"{door} does not answer ({type(error).__name__})"
            raise NoHttp(f"{why}: repeat the import") from error
        except ValueError:
            raise WrongDoor("a door's variable is no URL") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = f"{door} does not answer ({type(error).__name__})"
            raise DoorError(f"{why}: repeat the import") from None
        if status >= 500:
            raise DoorError(f"{door} answered {status}: repeat the import")
        try:
            return status, msgspec.json.decode(raw, type=dict[str, Any]) if raw else {}
        except msgspec.DecodeError:
            raise WrongDoor("a door did not answer in JSON: is there something else?") from None


class Tally:
    """What an import did."""

    def __init__(self) -> None:
        self.begun = False  # something may be in, though no answer said so yet
        self.rows = 0
        self.borrowers = 0
        self.recorded = 0
        self.unchanged = 0
        self.older = 0  # loans of which a newer version is stored
        self.older_addresses = 0  # borrowers of whose addresses one is
        self.stored_version = 0  # the highest that was met so
        self.errors: list[RowError] = []

    @property
    def taken(self) -> bool:
        """Everything is in, now or before."""
        return not (self.errors or self.older or self.older_addresses)


async def send(
    rows: Iterable[Row], doors: Doors, tally: Tally, done: Callable[[int], None]
) -> None:
    """Send all rows; `done` is called with the number of rows of each batch that has arrived.

    The tally is true at any moment, also of an import that broke off.  A borrower's
    contact points go before their loans, so that no reminder finds nobody to write to.
    """
    tally.begun = True
    told: set[str] = set()
    puts = asyncio.Semaphore(PUTS_IN_FLIGHT)
    slots = asyncio.Semaphore(CHUNKS_IN_FLIGHT)
    async with _all_or_first_error() as tasks:
        for chunk in _chunks(rows):
            await slots.acquire()
            people = [row for row in _first_of_each(chunk) if row.loan.borrower_ref not in told]
            told.update(row.loan.borrower_ref for row in people)
            task = tasks.create_task(_send_chunk(chunk, people, doors, puts, tally, done))
            task.add_done_callback(lambda _: slots.release())
    tally.errors.sort()


@asynccontextmanager
async def _all_or_first_error() -> AsyncIterator[asyncio.TaskGroup]:
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except* (DoorError, KeyRefused, WrongDoor, Unreadable) as group:
        raise group.exceptions[0] from None


async def _send_chunk(
    chunk: Sequence[Row],
    people: Sequence[Row],
    doors: Doors,
    puts: asyncio.Semaphore,
    tally: Tally,
    done: Callable[[int], None],
) -> None:
    async def put(row: Row) -> list[RowError] | None:
        async with puts:
            return await doors.contact_points(row)

    for errors in await asyncio.gather(*(put(row) for row in people if row.addresses is not None)):
        tally.errors += errors or ()
        tally.older_addresses += errors is None
    loans = list(_loans(chunk))
    for answer, (line, _) in zip(
        await doors.loans([loan for _, loan in loans]), loans, strict=True
    ):
        match answer["status"]:
            case "recorded":
                tally.recorded += 1
            case "unchanged" if "stored_version" in answer:
                tally.older += 1
                tally.stored_version = max(tally.stored_version, answer["stored_version"])
            case "unchanged":
                tally.unchanged += 1
            case _:
                tally.errors += [
                    RowError(line, _COLUMN.get(e["field"], e["field"]), e["problem"], e["fix"])
                    for e in answer["errors"]
                ]
    tally.rows += len(chunk)
    tally.borrowers += len(people)
    done(len(chunk))


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) >= CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _first_of_each(chunk: Sequence[Row]) -> list[Row]:
    """One row a borrower; all of theirs say the same."""
    return list({row.loan.borrower_ref: row for row in reversed(chunk)}.values())[::-1]


def _loans(chunk: Sequence[Row]) -> Iterator[tuple[int, bodies.LoanBody]]:
    """The chunk's loans with all their installments in it, each with its first row's number.

    A loan may go on in another chunk: installments are recorded each for itself.
    """
    gathered: dict[str, list[Row]] = {}
    for row in chunk:
        gathered.setdefault(row.loan.loan_id, []).append(row)
    for rows in gathered.values():
        installments = tuple(row.loan.installments[0] for row in rows)
        yield rows[0].number, msgspec.structs.replace(rows[0].loan, installments=installments)


def _column(field: str, row: Row) -> str:
    """`contact_points[1].value` is the row's second address."""
    index = field.partition("[")[2].partition("]")[0]
    addresses = row.addresses or ()
    if index.isdigit() and int(index) < len(addresses):
        return addresses[int(index)].column
    return field
