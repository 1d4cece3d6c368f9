"""`dunwell import book.csv`: check a whole loan book, then send it, with progress."""

import asyncio
import json
import os
import sys
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from services.runtime.cli_database import setting
from services.scheduler import book, cadence
from services.scheduler.book import Consistency, Row, Unreadable
from services.scheduler.book_cells import COLUMNS, RowError
from services.scheduler.import_book import (
    DoorError,
    Doors,
    KeyRefused,
    Tally,
    WrongDoor,
    send,
)

SHOWN = 50
CHECKED_AT_ONCE = 100  # rows: a few hundredths of a second, in which Ctrl-C is not heard

WRONG_ROWS, WRONG_USE, BROKE_OFF = 1, 2, 3  # exit codes

_HELP = "\n".join(f"  {name:<20}{meaning}" for name, meaning in COLUMNS.items())


@click.command(
    "import",
    help=f"""Bring in a loan book from a CSV file: one row an installment.

The whole file is checked first; if a single row is wrong nothing is sent, and every error is
listed with its row, column and fix.  Then contact points go to the notifier and loans to the
scheduler.  Importing the same file again changes nothing, so an import that broke off is simply
repeated.

\b
Columns (UTF-8, separated by comma or semicolon, in any order):
{_HELP}

Amounts already paid belong into `paid` only if they were never reported as payments.

Empty address cells end the addresses used before; a book without any address column leaves
addresses as they are.

\b
Environment:
  DUNWELL_SCHEDULER_URL   the scheduler's door       [http://127.0.0.1:8010]
  DUNWELL_NOTIFIER_URL    the notifier's door        [http://127.0.0.1:8030]
  DUNWELL_API_KEY         a key with scope ingest for both doors
  DUNWELL_NOTIFIER_API_KEY  if the notifier's is another one
  DUNWELL_CADENCES_DIR    your own cadences, for --check without a running scheduler

\b
Exit codes: 0 done, 1 rows are wrong or older than what is stored, 2 wrong use, door or key,
3 a door went away, or Ctrl-C: repeat.

\b
Examples:
  dunwell import --check book.csv
  DUNWELL_API_KEY=dw_… dunwell import book.csv
""",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only check the file; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.option(
    "--version",
    "version",
    type=click.IntRange(1, 2**53 - 1),
    help="The book's version; a higher one replaces a lower one.  Default: the file's time of"
    " change, in seconds since 1970.",
)
def import_command(file: Path, check: bool, as_json: bool, version: int | None) -> None:
    """The command; its help is above."""
    version = version or int(file.stat().st_mtime)
    tally = Tally()
    try:
        code = asyncio.run(_run(file, check, as_json, version, tally))
    except KeyboardInterrupt:
        repeat = ": repeat the same import to complete it" * tally.begun
        _broken_off(f"stopped by Ctrl-C{repeat}", as_json, tally)
        code = BROKE_OFF
    sys.exit(code)


async def _run(file: Path, check: bool, as_json: bool, version: int, tally: Tally) -> int:
    console = Console(stderr=True, quiet=as_json)
    key = _variable("API_KEY", "")
    if not check and not key:
        click.echo(
            "DUNWELL_API_KEY is required: a key with scope ingest.  Or use --check.", err=True
        )
        return WRONG_USE
    async with aiohttp.ClientSession() as session:
        doors = Doors(
            session,
            _variable("SCHEDULER_URL", "http://127.0.0.1:8010").rstrip("/"),
            key,
            _variable("NOTIFIER_URL", "http://127.0.0.1:8030").rstrip("/"),
            _variable("NOTIFIER_API_KEY", key),
        )
        try:
            if not check:
                await doors.check()
            cadences = _own_cadences() if check else await doors.cadences()
            rows, errors = await _check(file, cadences, version, console)
            if errors or check:
                _report(console, as_json, version, rows, errors, None)
                return WRONG_ROWS if errors else 0
            await _send(file, cadences, version, doors, console, rows, tally)
        except (DoorError, KeyRefused, WrongDoor, Unreadable, cadence.CadenceError) as error:
            _broken_off(str(error), as_json, tally)
            return BROKE_OFF if isinstance(error, DoorError) else WRONG_USE
    _report(console, as_json, version, rows, tally.errors, tally)
    return 0 if tally.taken else WRONG_ROWS


def _variable(name: str, default: str) -> str:
    return setting(name) or default


def _own_cadences() -> Collection[str]:
    own = os.environ.get("DUNWELL_CADENCES_DIR")
    return cadence.load(cadence.SHIPPED, *([Path(own)] if own else [])).keys()


async def _check(
    file: Path, cadences: Collection[str], version: int, console: Console
) -> tuple[int, list[RowError]]:
    """The whole file once: how many rows, and everything wrong with them."""
    rows, errors, consistency = 0, list[RowError](), Consistency()
    with console.status("Checking …") as status:
        for number, row in enumerate(book.read(file, cadences, version, datetime.now(UTC)), 1):
            if number % CHECKED_AT_ONCE == 0:
                status.update(f"Checking … {number} rows")
                await asyncio.sleep(0)  # else Ctrl-C, a cancellation, waits for the last row
            if isinstance(row, RowError):
                errors.append(row)
            else:
                rows += 1
                errors += consistency.look_at(row)
    if rows == 0 and not errors:
        errors.append(RowError(1, "", "has no rows below it", "one row an installment"))
    return rows, errors


async def _send(
    file: Path,
    cadences: Collection[str],
    version: int,
    doors: Doors,
    console: Console,
    total: int,
    tally: Tally,
) -> None:
    def rows() -> Iterator[Row]:
        for row in book.read(file, cadences, version, datetime.now(UTC)):
            if isinstance(row, RowError):
                raise Unreadable("the file changed while it was imported; import it again")
            yield row

    progress = Progress(
        TextColumn("Importing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("installments"),
        TimeRemainingColumn(),
        console=console,
    )
    with progress:
        task = progress.add_task("", total=total)
        await send(rows(), doors, tally, lambda arrived: progress.advance(task, arrived))


def _broken_off(problem: str, as_json: bool, tally: Tally) -> None:
    """Why it ended before its end, and what of it is in."""
    said = f"Not imported: {problem}; nothing was sent."
    if tally.begun:
        # More may have arrived: what was under way is not known.
        refused = f", {_count(len(tally.errors), 'error')} among them" * bool(tally.errors)
        said = f"Broken off: {problem}; {_count(tally.rows, 'installment')} arrived{refused}."
    if as_json:
        click.echo(json.dumps({"ok": False, "problem": said, "errors": []}))
    else:
        click.echo(said, err=True)


def _report(
    console: Console,
    as_json: bool,
    version: int,
    rows: int,
    errors: list[RowError],
    tally: Tally | None,
) -> None:
    """To people on standard error, to programs on standard output."""
    if as_json:
        answer = {
            "ok": not errors if tally is None else tally.taken,
            "rows": rows,
            "sent": 0 if tally is None else tally.rows,
            "recorded": 0 if tally is None else tally.recorded,
            "unchanged": 0 if tally is None else tally.unchanged,
            "older": 0 if tally is None else tally.older,
            "older_addresses": 0 if tally is None else tally.older_addresses,
            "errors": [error._asdict() for error in errors],
        }
        click.echo(json.dumps(answer))
        return
    if errors:
        table = Table("row", "column", "problem", "fix", title="What to mend")
        for error in errors[:SHOWN]:
            table.add_row(str(error.row), error.column, error.problem, error.fix)
        console.print(table)
        if len(errors) > SHOWN:
            console.print(f"… and {len(errors) - SHOWN} more; --json lists them all.")
    if tally is None:
        wrong = f"{_count(len(errors), 'error')}: nothing was sent."
        sound = f"{_count(rows, 'row')} {'is' if rows == 1 else 'are'} sound"
        console.print(f"{sound}; {wrong if errors else 'so is the book.'}")
        return
    console.print(
        f"{_count(tally.rows, 'installment')} of {_count(tally.borrowers, 'borrower')} sent:"
        f" {_count(tally.recorded, 'loan')} recorded, {tally.unchanged} unchanged,"
        f" {_count(len(errors), 'error')}."
    )
    if errors:
        console.print("The rows above were refused, all others are in; mend them and import again.")
    if tally.older or tally.older_addresses:
        higher = max(tally.stored_version + 1, version + 1, int(datetime.now(UTC).timestamp()))
        console.print(
            f"Not taken: {_count(tally.older, 'loan')} and the addresses of"
            f" {_count(tally.older_addresses, 'borrower')}, for a version newer than this"
            f" book's {version} is stored.\nIf this book is the right one, say so:"
            f" dunwell import --version {higher}",
            soft_wrap=True,
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
