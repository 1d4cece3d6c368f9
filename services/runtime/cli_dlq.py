"""`dunwell dlq list` and `replay`: dead letters, for people."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table

from services.events.topics import TOPICS
from services.runtime.cli_outage import place_of, stream_reached
from services.runtime.deadletters import (
    CODES,
    DeadLetter,
    list_all_dead_letters,
    list_dead_letters,
    replay,
)
from services.runtime.settings import StreamSettings, load
from services.runtime.streams import open_stream


@click.group()
def dlq() -> None:
    """Dead letters: messages that could never be handled as they are.

    \b
    A message is put aside, with its reason, when it
      malformed, unknown_type, wrong_topic …   can't be decoded
      handler_failed                           breaks the database's rules, alone and each time
      anything else                            was refused by the service that read it
    Nothing is lost: the rest of the topic goes on, and `replay` sends it through the front door
    again once the cause is mended (a newer version is running, or data that was missing is there).

    Which stream: DUNWELL_STREAM and its settings, as for the services.
    """


def _topics(_context: click.Context, _option: click.Parameter, names: Sequence[str]) -> list[str]:
    chosen = [name.removesuffix(".dlq") for name in names]
    if unknown := sorted(set(chosen) - set(TOPICS)):
        raise click.BadParameter(f"{unknown[0]} is none of: {', '.join(TOPICS)}")
    return chosen or list(TOPICS)


def _code(_context: click.Context, _option: click.Parameter, code: str | None) -> str | None:
    """A mistyped one would read as good news."""
    if code is not None and code not in CODES:
        raise click.BadParameter(f"{code!r} is none of: {', '.join(CODES)}")
    return code


_topic_option = click.option(
    "--topic", "topics", multiple=True, callback=_topics, help="Only this topic; may be repeated."
)
_code_option = click.option("--code", callback=_code, help="Only this reason, as `list` shows it.")
_tenant_option = click.option("--tenant", help="Only this tenant's.")


@dlq.command("list")
@_topic_option
@_code_option
@_tenant_option
@click.option("--all", "everything", is_flag=True, help="Those that were replayed, too.")
def list_command(topics: list[str], code: str | None, tenant: str | None, everything: bool) -> None:
    """What was put aside, by topic, tenant, reason and detail.  Never shows a value."""
    settings = load(StreamSettings)
    with stream_reached(settings):
        found = asyncio.run(_read(settings, topics, everything))
    letters = _chosen(found, code, tenant)
    if not letters:
        click.echo(f"No dead letters on {place_of(settings)}.")
        return
    table = Table(box=None, header_style="bold")
    for column in ("topic", "tenant", "reason", "count", "oldest", "where", "detail"):
        table.add_column(column, justify="right" if column == "count" else "left")
    kinds = Counter(_kind(x) for x in letters)
    for kind, count in kinds.most_common():
        same = [x for x in letters if _kind(x) == kind]
        topic, whose, reason, detail = kind
        table.add_row(
            topic,
            whose or "?",
            reason,
            str(count),
            _age(same[0].at),
            _places(same),
            detail + (" (value withheld)" if same[-1].withheld else ""),
        )
    Console(width=160, soft_wrap=True).print(table)
    click.echo(f"{len(letters)} in all.  Mend the cause, then: dunwell dlq replay --help")


@dlq.command("replay")
@_topic_option
@_code_option
@_tenant_option
@click.option("--limit", type=click.IntRange(min=1), help="At most this many, oldest first.")
@click.option("--dry-run", is_flag=True, help="Only say how many.")
@click.option("--again", is_flag=True, help="Those that were replayed before, too.")
def replay_command(
    topics: list[str],
    code: str | None,
    tenant: str | None,
    limit: int | None,
    dry_run: bool,
    again: bool,
) -> None:
    """Send dead letters back to the topics they came from, in order.

    Each is marked, so that a second replay leaves it out.  One that fails again becomes a new dead
    letter.  Handlers are idempotent: replaying what was handled after all does nothing.

    \b
    Try it with a few first:
      dunwell dlq replay --topic loan.events --code unknown_type --limit 10 --dry-run
    """

    settings = load(StreamSettings)

    async def run() -> tuple[int, int]:
        async with open_stream(settings) as stream:
            read = list_all_dead_letters if again else list_dead_letters
            letters = _chosen(await read(stream, topics), code, tenant)[:limit]
            able = sum(not letter.withheld for letter in letters)
            return (able if dry_run else await replay(stream, letters)), len(letters) - able

    with stream_reached(settings):
        count, withheld = asyncio.run(run())
    click.echo(f"{count} {'would be ' if dry_run else ''}replayed.")
    if withheld:
        click.echo(
            f"{withheld} can't be: their values were not kept (too large, or an address that was "
            "not sealed). Ask the sender to send them again."
        )


async def _read(
    settings: StreamSettings, topics: Sequence[str], everything: bool
) -> list[DeadLetter]:
    async with open_stream(settings) as stream:
        read = list_all_dead_letters if everything else list_dead_letters
        return await read(stream, topics)


def _chosen(
    letters: Sequence[DeadLetter], code: str | None, tenant: str | None
) -> list[DeadLetter]:
    return [
        letter
        for letter in letters
        if code in (None, letter.code) and tenant in (None, letter.tenant)
    ]


def _kind(letter: DeadLetter) -> tuple[str, str | None, str, str]:
    """What has one cause: the detail, too, or four mistakes of a lender would look like one."""
    return letter.topic, letter.tenant, letter.code, letter.detail


def _places(letters: Sequence[DeadLetter]) -> str:
    """Partition/offset of the first few: where they were in their own topic."""
    places = [f"{letter.partition}/{letter.offset}" for letter in letters[:3]]
    return ", ".join(places) + (" …" if len(letters) > 3 else "")


def _age(at: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - at).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
