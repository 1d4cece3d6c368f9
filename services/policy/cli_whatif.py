"""`dunwell policy whatif`: when contact with a borrower is possible, and why not."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec
from rich.console import Console
from rich.table import Table

from services.policy import whatif_facts, words
from services.policy.cli_options import borrower_options, found_borrower
from services.policy.cli_reading import Instant, database_url, pack_text, reading
from services.policy.facts import FactsError
from services.policy.pack import Pack, PackError, load_text
from services.policy.replay import NotReplayable
from services.policy.ruleset import RuleSet
from services.policy.whatif import Interval, intervals
from services.policy.whatif_facts import DEFAULT_RANGE, DryRun, Question, Whose
from services.policy.whatif_picture import cause, drawn, legend, nameless, picture
from services.policy.whatif_svg import svg

LONGEST_RANGE = timedelta(days=366)


@click.command("whatif")
@click.option("--tenant", help="Whose borrower.")
@borrower_options
@click.option("--loan", help="Which of their loans; default: the one due first.")
@click.option(
    "--facts",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead of a borrower: facts v1 in YAML, or a map with `facts`. Needs no database.",
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    type=click.Choice(get_args(words.Channel)),
    help="May be repeated. Default: those of the borrower's contact points, or the file's.",
)
@click.option("--packs", help="Ask these instead of what is in force: us-fed,us-ma,my-pack.yaml")
@click.option(
    "--draft",
    "drafts",
    multiple=True,
    metavar="DRAFT",
    help="Try a pack file, or a kept draft: in the place of the pack of its id, or added."
    " May be repeated.",
)
@click.option("--from", "start", type=Instant(), help="Default: now, or the `now` of --facts.")
@click.option("--to", "end", type=Instant(), help="Not included. Default: 7 days on.")
@click.option("--zone", help="Show this zone's clock. Default: the borrower's, best evidence.")
@click.option("--every-rule", is_flag=True, help="Name all rules that bar, not just the first.")
@click.option("--svg", "svg_file", type=click.Path(path_type=Path), help="Write the picture, too.")
@click.option("--json", "as_json", is_flag=True, help="One object a channel, one a line.")
def whatif_command(
    tenant: str | None,
    borrower_ref: str | None,
    borrower_id: UUID | None,
    loan: str | None,
    file: Path | None,
    channels: tuple[words.Channel, ...],
    packs: str | None,
    drafts: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
    zone: str | None,
    every_rule: bool,
    svg_file: Path | None,
    as_json: bool,
) -> None:
    """When is contact with a borrower possible, and why not?

    A table of open and closed times, exact to the second, each closed one with the rules that bar
    it; and a picture, a row a day, a sign a quarter of an hour.  Only the clock moves: balance,
    days past due and earlier contacts stay as they are at the beginning.  Packs scheduled to begin
    or end within the range do so.

    Where several rules bar, the table names the one that would be named to the borrower;
    --every-rule names all, and cuts where one of them begins or ends.

    \b
    dunwell policy whatif --tenant acme --borrower-ref B-1001
    dunwell policy whatif --tenant acme --borrower-ref B-1001 --draft my-house.yaml --svg week.svg
    dunwell policy whatif --facts facts.yaml --packs us-fed,us-ma --channel sms --channel call
    """
    try:
        asked = [_pack(name, tenant) for name in packs.split(",")] if packs else []
        tried = [_pack(name, tenant) for name in drafts]
        if file is not None:
            if borrower_ref or borrower_id or tenant:
                raise click.UsageError("--facts needs no --tenant and no borrower")
            if not (asked or tried):
                raise click.UsageError("a file has no packs in force: name --packs, or a --draft")
            run = whatif_facts.from_file(file, channels, whatif_facts.rules_of(asked, tried))
        else:
            whose = _whose(tenant, borrower_ref, borrower_id, loan)
            run = asyncio.run(_from_database(whose, channels, start, end, asked, tried))
        first = start or run.start or datetime.now(UTC).replace(microsecond=0)
        last = end or first + DEFAULT_RANGE
        if not first < last <= first + LONGEST_RANGE:
            raise click.UsageError("--to must be after --from, and at most 366 days")
        for question in run.questions:
            found = intervals(run.rules, question.facts, first, last, run.later)
            name = zone or whatif_facts.zone_shown(question.facts)
            if as_json:
                click.echo(msgspec.json.encode(_values(run, question, found, name)))
            else:
                _tell(question, found if every_rule else _by_cause(found), _zone(name))
                _tell_changes(run, _zone(name))
            if svg_file is not None:
                several = len(run.questions) > 1
                path = _numbered(svg_file, run.questions.index(question)) if several else svg_file
                _draw(path, question, found, name)
                if not as_json:
                    click.echo(f"The picture is in {path}.")
    except (PackError, FactsError, NotReplayable) as error:
        raise click.ClickException(str(error)) from error


def _draw(path: Path, question: Question, found: Sequence[Interval], zone: str) -> None:
    text = svg(picture(found, _zone(zone)), _title(question, zone), zone)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} can't be written: {error.strerror}") from error


async def _from_database(
    whose: Whose,
    channels: Sequence[words.Channel],
    start: datetime | None,
    end: datetime | None,
    packs: list[Pack],
    drafts: list[Pack],
) -> DryRun:
    async with reading(database_url()) as connection:
        return await whatif_facts.from_database(
            connection, whose, channels, start, end, packs, drafts
        )


def _whose(
    tenant: str | None, reference: str | None, borrower_id: UUID | None, loan: str | None
) -> Whose:
    if not tenant or (reference is None) == (borrower_id is None):
        raise click.UsageError(
            "name --tenant and --borrower-ref (or --borrower-id), or give --facts FILE"
        )
    return Whose(tenant, found_borrower(tenant, reference, borrower_id), loan)


def _pack(named: str, tenant: str | None = None) -> Pack:
    name, text = pack_text(named.strip(), tenant)
    return load_text(text, name)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise click.BadParameter(f"{name!r} is not an IANA time zone", None, None) from error


def _title(question: Question, zone: str) -> str:
    where = f" to {question.contact_point}" if question.contact_point else ""
    contact = question.facts.contact
    return f"{question.channel}{where}, {contact.purpose} to {contact.recipient}, {zone}"


def _tell(question: Question, found: list[Interval], zone: ZoneInfo) -> None:
    terminal = Console()
    console = Console(width=None if terminal.is_terminal else 140, highlight=False)
    console.print(_title(question, zone.key), style="bold")
    image = picture(found, zone)
    console.print()
    for line in (*drawn(image, console.width), *legend(image)):
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("from", "to", "", "code", "rule", "citation"):
        table.add_column(column, overflow="fold", no_wrap=column in ("from", "to", ""))
    for interval in found:
        reasons = interval.reasons
        table.add_row(
            _local(interval.start, zone),
            _local(interval.end, zone),
            "open" if interval.open else "closed",
            "\n".join(reason.code for reason in reasons),
            "\n".join(r.rule or nameless(r, "(all together)") for r in reasons),
            "\n".join("; ".join(reason.cite) for reason in reasons),
            style="green" if interval.open else "",
        )
    console.print()
    console.print(table)
    possible = sum(((i.end - i.start) for i in found if i.open), timedelta())
    whole = found[-1].end - found[0].start
    click.echo(f"Possible for {possible} of {whole}.")


def _tell_changes(run: DryRun, zone: ZoneInfo) -> None:
    before = run.rules
    for at, rules in run.later:
        click.echo(f"From {_local(at, zone)} on: {_changed(before, rules)}.")
        before = rules


def _changed(before: RuleSet | None, after: RuleSet | None) -> str:
    if after is None:
        return "no pack of the borrower's place is active, whatever is due is held"
    old = {pack.id: pack.content for pack in before.packs} if before else {}
    new = {pack.id: pack.content for pack in after.packs}
    said = [f"{pack} ends" for pack in old if pack not in new]
    said += [f"{pack} begins" for pack in new if pack not in old]
    said += [f"{pack} has another text" for pack in new if old.get(pack, new[pack]) != new[pack]]
    return ", ".join(said)


def _by_cause(found: list[Interval]) -> list[Interval]:
    """Closed neighbors that are closed for the same first reason become one, with that reason."""
    merged: list[Interval] = []
    for interval in found:
        first = [r for r in interval.reasons if (r.rule, r.code) == cause(interval)]
        one = msgspec.structs.replace(interval, reasons=tuple(first or interval.reasons[:1]))
        if merged and not interval.open and not merged[-1].open:
            before = merged[-1].reasons[0]
            if (before.rule, before.code) == (one.reasons[0].rule, one.reasons[0].code):
                merged[-1] = msgspec.structs.replace(merged[-1], end=interval.end)
                continue
        merged.append(one)
    return merged


def _local(instant: datetime, zone: ZoneInfo) -> str:
    """With the name of the offset, which tells the two passes of a repeated hour apart."""
    return f"{instant.astimezone(zone):%a %Y-%m-%d %H:%M:%S %Z}"


def _values(run: DryRun, question: Question, found: list[Interval], zone: str) -> dict[str, object]:
    return {
        "channel": question.channel,
        "contact_point": question.contact_point,
        "zone": zone,
        **_of(run.rules),
        "changes": [{"at": at, **_of(rules)} for at, rules in run.later],
        "intervals": [
            {
                "from": interval.start,
                "to": interval.end,
                "from_local": interval.start.astimezone(_zone(zone)),
                "to_local": interval.end.astimezone(_zone(zone)),
                "open": interval.open,
                "until": interval.until,
                "reasons": interval.reasons,
            }
            for interval in found
        ],
    }


def _of(rules: RuleSet | None) -> dict[str, object]:
    return {
        "rule_set": rules.version if rules else None,
        "packs": [pack.id for pack in rules.packs] if rules else [],
    }


def _numbered(path: Path, index: int) -> Path:
    return path.with_name(f"{path.stem}-{index + 1}{path.suffix}")
