"""What a demo ends with: what was sent, deferred and suppressed, three stories, the promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from services.runtime.clock import gate_now
from services.runtime.database import Connection
from services.trial import promises, stories
from services.trial.scenario import Done, Row
from services.trial.world import World

# All that is planned: what has not come due counts as much as what was sent.
_LEDGER = """
SELECT r.status, r.status = 'planned' AND r.emission > 0 AS deferred,
       coalesce(r.reason, h.code, '') AS reason, h.code IS NOT NULL AS held, count(*) AS reminders
  FROM scheduler.reminders r
  LEFT JOIN policy.held h
    ON h.tenant = r.tenant AND h.reminder_id = r.reminder_id AND r.status = 'due'
 GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC
"""
_PLANNED = "SELECT reminder_id::text FROM scheduler.reminders"
_STANDING = """
SELECT r.reminder_id::text AS reminder, r.status, r.reason, r.due_at,
       EXISTS (SELECT FROM policy.held h
                WHERE h.tenant = r.tenant AND h.reminder_id = r.reminder_id)
       OR EXISTS (SELECT FROM notifier.attempts a
                   WHERE a.tenant = r.tenant AND a.reminder_id = r.reminder_id
                     AND a.state IN ('intent', 'in_flight', 'unknown')) AS awaited
  FROM scheduler.reminders r
"""
_DEFERRED = """
SELECT code, sum(1 + repeats) AS deferrals, count(DISTINCT reminder_id) AS reminders
  FROM policy.decisions WHERE verdict = 'defer' GROUP BY code ORDER BY 2 DESC
"""
_REMINDER_OF = """
SELECT a.attempt_id::text AS attempt, r.reminder_id::text AS reminder, r.loan_id AS loan
  FROM notifier.attempts a JOIN scheduler.reminders r USING (tenant, reminder_id)
"""
_EXPLAINED = """
SELECT DISTINCT reminder_id::text FROM policy.decisions
 WHERE verdict = 'allow' AND checkpoint = 'redeem' AND rule_set IS NOT NULL
"""
_STATES = "SELECT state, count(*) AS attempts FROM notifier.attempts GROUP BY 1 ORDER BY 2 DESC"


@dataclass(frozen=True)
class Report:
    """Everything the last page shows."""

    ledger: Sequence[Mapping[str, Any]]
    deferred: Sequence[Mapping[str, Any]]
    attempts: Sequence[Mapping[str, Any]]
    sent: Sequence[promises.Sent]
    stories: Sequence[Mapping[str, Any]]
    verdicts: Sequence[promises.Verdict]

    @property
    def kept(self) -> bool:
        """Whether every promise held."""
        return not any(verdict.violations for verdict in self.verdicts)


async def planned(owner: Connection) -> frozenset[str]:
    """Every reminder there is; read before the first step, it is what none may be missing from."""
    return frozenset([row["reminder_id"] for row in await owner.fetch(_PLANNED)])


async def gather(
    owner: Connection,
    world: World,
    rows: Sequence[Row],
    done: Sequence[Done],
    planned: frozenset[str],
) -> Report:
    """Read the record of the sandbox and the services' own books."""
    reminder_of = {
        row["attempt"]: (row["reminder"], row["loan"]) for row in await owner.fetch(_REMINDER_OF)
    }
    explained = {row["reminder_id"] for row in await owner.fetch(_EXPLAINED)}
    history = promises.read_history(world.history)
    sent = promises.accepted(history, reminder_of, rows)
    books = {
        row["reminder"]: promises.Standing(
            row["status"], row["reason"], row["due_at"], row["awaited"]
        )
        for row in await owner.fetch(_STANDING)
    }
    took = {message.reminder_id for message in sent}
    return Report(
        ledger=[dict(row) for row in await owner.fetch(_LEDGER)],
        deferred=[dict(row) for row in await owner.fetch(_DEFERRED)],
        attempts=[dict(row) for row in await owner.fetch(_STATES)],
        sent=sent,
        stories=await stories.found(owner, history),
        verdicts=[
            *promises.check(sent, done, explained),
            promises.lost(planned, books, took, await gate_now(owner)),
        ],
    )


def show(report: Report, console: Console, *, steps: int) -> None:
    """Print it all."""
    console.print()
    console.rule("45 days of a loan book")
    console.print(_outcomes(report))
    console.print(_deferrals(report))
    console.print(_where(report))
    for story in report.stories:
        console.print(stories.panel(story))
    console.print(_promises(report))
    console.print(f"{steps} steps of business time.", style="dim")


def _outcomes(report: Report) -> Table:
    table = Table("what became of the reminders", "why", "reminders", title="Outcomes")
    for row in report.ledger:
        style = {"sent": "green", "suppressed": "yellow", "failed": "red"}.get(row["status"], "")
        table.add_row(*_in_words(row), str(row["reminders"]), style=style)
    total = sum(row["reminders"] for row in report.ledger)
    table.add_row("all that were planned", "", str(total), style="bold")
    return table


def _deferrals(report: Report) -> Table:
    """Answers, not reminders: one reminder may be put off often, and for several reasons."""
    table = Table("why", "deferrals", "of reminders", title="Deferred on the way")
    for row in report.deferred:
        why = (row["code"] or "").replace("_", " ")
        table.add_row(why, str(row["deferrals"]), str(row["reminders"]), style="cyan")
    return table


def _in_words(row: Mapping[str, Any]) -> tuple[str, str]:
    """A state and why, to somebody who doesn't know the words of the code."""
    if row["status"] == "planned" and row["deferred"]:
        return "waiting for its next hour", "was deferred"
    if row["status"] == "planned":
        return "waiting for its hour", "not yet due"
    if row["status"] == "due" and row["held"]:
        return "waiting for a person", row["reason"].replace("_", " ")
    if row["status"] == "due":
        return "waiting for proof", "the provider's answer is unknown"
    return row["status"], row["reason"].replace("_", " ")


def _where(report: Report) -> Table:
    channels = ("push", "sms", "email")
    countries: dict[str, dict[str, int]] = {}
    for message in report.sent:
        counts = countries.setdefault(message.row.get("country", "?"), dict.fromkeys(channels, 0))
        counts[message.channel] += 1
    table = Table("country", *channels, "all", title="Accepted by the providers")
    for country, counts in sorted(countries.items()):
        numbers = [counts[channel] for channel in channels]
        table.add_row(country, *map(str, numbers), str(sum(numbers)))
    total = [sum(counts[channel] for counts in countries.values()) for channel in channels]
    table.add_row("all", *map(str, total), str(sum(total)), style="bold")
    return table


def _promises(report: Report) -> Table:
    table = Table(
        "promise", "violations", title="Checked against the sandbox's record and the books"
    )
    for verdict in report.verdicts:
        count = len(verdict.violations)
        table.add_row(verdict.name, str(count), style="red" if count else "green")
        for breach in verdict.violations[:3]:
            table.add_row(f"  {breach}", "")
    return table
