"""`dunwell policy backtest`: what a draft would have changed, on the record."""

import asyncio
import os
import sys
from datetime import datetime, timedelta

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.policy import backtest_contacts, backtest_run
from services.policy.backtest import Sums
from services.policy.backtest_report import Report
from services.policy.backtest_run import Draft, Plan
from services.policy.cli_reading import Instant, database_url, pack_text, reading
from services.policy.pack import PackError
from services.policy.replay import Shelf
from services.runtime.clock import gate_now
from services.runtime.database import Connection

DEFAULT_RANGE = timedelta(days=30)
CHANGED = 3  # exit code of --fail-on-change


@click.command("backtest")
@click.option(
    "--against",
    "drafts",
    multiple=True,
    metavar="DRAFT",
    help="A pack file, a shipped pack's id, or with --tenant a kept draft's; may be repeated.",
)
@click.option("--verify", is_flag=True, help="No draft: ask under the rules recorded, as a proof.")
@click.option("--from", "start", type=Instant(), help="Default: 30 days before --to.")
@click.option("--to", "end", type=Instant(), help="Not included. Default: now.")
@click.option("--tenant", help="Only this tenant's; default: all.")
@click.option(
    "--ignore-dates",
    is_flag=True,
    help="Ask the drafts as if their `effective` dates had begun long ago.",
)
@click.option("--show", default=20, show_default=True, help="How many changes to list.")
@click.option("--json", "as_json", is_flag=True, help="Every change, one a line; the sums last.")
@click.option("--fail-on-change", is_flag=True, help=f"Exit {CHANGED} if anything changes.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    help="Processes that ask.  Default: as many as there are processors.",
)
def backtest_command(
    drafts: tuple[str, ...],
    verify: bool,
    start: datetime | None,
    end: datetime | None,
    tenant: str | None,
    ignore_dates: bool,
    show: int,
    as_json: bool,
    fail_on_change: bool,
    jobs: int,
) -> None:
    """Ask recorded decisions again under a DRAFT, and say what would have been different.

    A draft takes the place of the pack of its id; if that pack decided nothing, it is added: where
    it governs by place, or everywhere if it is a pack of no place.  Each decision is asked on the
    facts it was made on, at its own instant.  Counted are decisions that change (allow to defer,
    later, earlier …), and contacts that were made and the draft would have refused.

    Contacts that others reported have no decision of ours: they are judged on what is known of
    them today, without balance and days past due, and counted apart.

    Works on policy's own database (DUNWELL_DATABASE_URL) and changes nothing in it.

    \b
    dunwell policy backtest --against my-us-fed.yaml --from 2026-05-01 --to 2026-06-01
    dunwell policy backtest --against us-fed --tenant acme --json | jq .change
    dunwell policy backtest --against acme-hours@1f0c2a --tenant acme
    dunwell policy backtest --verify --fail-on-change

    \b
    Exit status:  0  done
                  1  it could not be done
                  3  something changes, and --fail-on-change was said
    """
    if bool(drafts) == verify:
        raise click.UsageError("say --against DRAFT, or --verify, and not both")
    plan = (start, end, tenant, tuple(Draft(*pack_text(draft, tenant)) for draft in drafts))
    console = Console(stderr=True)
    report = Report(show=show, as_json=as_json, verify=verify)
    try:
        sums = asyncio.run(_run(database_url(), plan, ignore_dates, jobs, report, console))
    except PackError as error:
        raise click.ClickException(str(error)) from error
    report.end(sums)
    failed = sums.changes or (verify and sums.missing)
    sys.exit(CHANGED if fail_on_change and failed else 0)


async def _run(
    url: str,
    asked: tuple[datetime | None, datetime | None, str | None, tuple[Draft, ...]],
    ignore_dates: bool,
    jobs: int,
    report: Report,
    console: Console,
) -> Sums:
    start, end, tenant, drafts = asked
    async with reading(url) as connection:
        end = end or await gate_now(connection)
        start = start or end - DEFAULT_RANGE
        if start >= end:
            raise click.UsageError("--from must be before --to")
        plan = Plan(
            start=start,
            end=end,
            tenant=tenant,
            drafts=drafts,
            ignore_dates=ignore_dates,
            jobs=jobs,
        )
        backtest_run.packs_of(plan)  # a draft that can't be read is refused before anything else
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>8,.0f}/s"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            return await backtest(connection, plan, report, progress)


async def backtest(connection: Connection, plan: Plan, report: Report, progress: Progress) -> Sums:
    """Ask again, telling `report` of each change; returns the sums."""
    sums = Sums()
    kept = await backtest_run.shelf(connection, plan.tenant)
    total = await backtest_run.number_of_decisions(connection, plan)
    task = progress.add_task("decisions", total=total, rate=0)
    clock = progress.get_time
    began = clock()
    async for heard in backtest_run.decisions(connection, plan, kept):
        rows, compared = heard.rows, heard.compared
        sums.decisions += len(rows) + heard.service_refusals
        sums.service_refusals += heard.service_refusals
        sums.asked += compared.asked
        sums.contacts += sum(row["contact_id"] is not None for row in rows)
        sums.missing.update(compared.missing)
        for index, difference in compared.differences:
            row = rows[index]
            sums.add(difference, contact=row["contact_id"] is not None)
            report.decision(row, difference)
        progress.update(task, completed=sums.decisions, rate=_rate(sums, clock() - began))
    if plan.drafts:
        await _others(connection, plan, kept, sums, report)
    return sums


async def _others(
    connection: Connection,
    plan: Plan,
    kept: Shelf,
    sums: Sums,
    report: Report,
) -> None:
    async for batch in backtest_contacts.other_contacts(connection, plan, kept):
        for contacted in batch:
            sums.contacts += 1
            if contacted.missing:
                sums.missing[f"contact: {contacted.missing}"] += 1
                continue
            sums.contacts_reconstructed += 1
            difference = contacted.difference()
            if difference is not None:
                sums.add_contact(difference)
                report.contact(contacted.row, difference)


def _rate(sums: Sums, seconds: float) -> float:
    return sums.decisions / seconds if seconds else 0
