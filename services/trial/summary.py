"""What a demo ends with: what was sent, deferred and suppressed, three stories, the promises."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from services.runtime.clock import gate_now
from services.runtime.database import Connection
from services.trial import promises
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
                     AND a.state = 'unknown') AS awaited
  FROM scheduler.reminders r
"""
_DEFERRED = """
SELECT code, count(*) AS deferrals FROM policy.decisions WHERE verdict = 'defer'
 GROUP BY code ORDER BY 2 DESC
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

# One decision of each verdict that shows something: the story a compliance officer would be told.
# A law's citation tells more than our own house's, a wait over a night more than one of minutes.
_STORIES = """
SELECT DISTINCT ON (d.verdict) d.verdict, d.decided_at, d.until, d.code, d.answers, d.rule_set,
       d.reminder_id, r.stage, r.due_date, r.loan_id, r.channels, p.allowed_until, s.packs
  FROM policy.decisions d
  JOIN scheduler.reminders r USING (tenant, reminder_id)
  LEFT JOIN policy.permits p ON p.decision_id = d.decision_id
  LEFT JOIN policy.rule_sets s ON s.tenant = d.tenant AND s.version = d.rule_set
 WHERE (d.verdict = 'allow' AND d.checkpoint = 'redeem' AND r.status = 'sent')
    OR (d.verdict = 'defer' AND d.code = 'outside_contact_window' AND r.status = 'sent'
        AND d.until - d.decided_at > interval '6 hours')
    OR (d.verdict = 'suppress' AND d.rule IS NOT NULL AND d.code <> 'stale_step')
 ORDER BY d.verdict, (coalesce(d.rule, '') LIKE 'house%'), r.loan_id NOT LIKE '%-2', d.decided_at
"""


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
        stories=[dict(row) for row in await owner.fetch(_STORIES)],
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
    console.print(_where(report))
    for story in report.stories:
        console.print(_story(story))
    console.print(_promises(report))
    console.print(f"{steps} steps of business time.", style="dim")


def _outcomes(report: Report) -> Table:
    table = Table("what became of the reminders", "why", "reminders", title="Outcomes")
    for row in report.ledger:
        style = {"sent": "green", "suppressed": "yellow", "failed": "red"}.get(row["status"], "")
        table.add_row(*_in_words(row), str(row["reminders"]), style=style)
    total = sum(row["reminders"] for row in report.ledger)
    table.add_row("all that were planned", "", str(total), style="bold")
    for row in report.deferred:
        why = (row["code"] or "").replace("_", " ")
        table.add_row("deferred on the way", why, str(row["deferrals"]), style="cyan")
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


def _story(story: Mapping[str, Any]) -> Panel:
    told = {
        "allow": ("Why was this one sent?", "green"),
        "defer": ("Why did this one wait?", "cyan"),
        "suppress": ("Why was this one never sent?", "yellow"),
    }
    title, style = told[story["verdict"]]
    lines = [
        f"Reminder for loan {story['loan_id']} ({story['stage']}, due {story['due_date']}),"
        f" asked on {story['decided_at']:%a %d %b %Y %H:%M} UTC."
    ]
    if story["verdict"] == "allow":
        packs = ", ".join(sorted(_packs(story["packs"])))
        lines.append(f"Asked when due and again at hand-off; no rule of {packs} objected.")
        lines.append(
            f"The permit ran until {story['allowed_until']:%a %d %b %H:%M} UTC, when the next rule"
            " would have objected; the provider was told to drop the message then."
        )
    for reason in _reasons(story["answers"]):
        cite = "; ".join(reason.get("cite") or [])
        lines.append(
            f"{reason.get('says') or reason.get('code')}  [dim]{reason.get('rule')}"
            f"{', ' + cite if cite else ''}[/dim]"
        )
    if story["until"]:
        lines.append(f"Next permitted instant: {story['until']:%a %d %b %H:%M} UTC.")
    lines.append(f"[dim]rule set {str(story['rule_set'])[:12]}[/dim]")
    return Panel("\n".join(lines), title=title, border_style=style)


def _packs(packs: Any) -> list[str]:
    """Pack ids of a rule set, as the decision log names them."""
    parsed = json.loads(packs) if isinstance(packs, str) else packs
    return [str(entry["pack"]) if isinstance(entry, dict) else str(entry) for entry in parsed or ()]


def _reasons(answers: Any) -> list[Mapping[str, Any]]:
    """The reasons of the first channel that has some, at most three."""
    parsed = json.loads(answers) if isinstance(answers, str) else answers
    listed = parsed if isinstance(parsed, list) else list(parsed.values())
    for answer in listed:
        if reasons := answer.get("reasons"):
            return list(reasons)[:3]
    return []


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
