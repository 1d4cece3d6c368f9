"""What the demo's last page says: each reminder in one state, and whether the promises held."""

import io
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rich.console import Console

from services.runtime.database import Connection
from services.trial import promises, stepping, summary
from services.trial.world import World
from tests.database import Database

NOW = datetime(2026, 11, 17, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(days=2), NOW - timedelta(hours=1)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    connection = await stepping.connect(database.admin_dsn, NOW)
    yield connection
    await connection.close()


async def put(
    owner: Connection,
    status: str,
    *,
    emission: int = 1,
    reason: str | None = None,
    due_at: datetime = EARLIER,
) -> str:
    """One reminder in the scheduler's books."""
    reminder_id = uuid4()
    await owner.execute(
        "INSERT INTO scheduler.reminders (tenant, reminder_id, borrower_id, loan_id,"
        " installment_number, cycle, step, days_from_due, stage, due_date, due_at, valid_until,"
        " zone, priority, channels, status, emission, reason, settled_at)"
        " VALUES ('demo', $1, $2, 'L-1', 1, 0, '0', 0, 'due', $3, $4, $5, 'UTC', 40, '{sms}',"
        " $6, $7, $8, $9)",
        *(reminder_id, uuid4(), due_at.date(), due_at, due_at + timedelta(days=3), status),
        *(emission, reason, None if status in ("planned", "due") else NOW),
    )
    return str(reminder_id)


async def put_attempt(owner: Connection, reminder_id: str, state: str) -> str:
    """One attempt to deliver it."""
    attempt_id = uuid4()
    await owner.execute(
        "INSERT INTO notifier.attempts (attempt_id, tenant, reminder_id, emission, borrower_id,"
        " priority, state, channel, provider, contact_point_id, in_flight_at, wire_deadline, owner)"
        " VALUES ($1, 'demo', $2, 1, $3, 40, $4, 'sms', 'twilio', 'c', now(), now(), $1)",
        *(attempt_id, reminder_id, uuid4(), state),
    )
    return str(attempt_id)


async def hold(owner: Connection, reminder_id: str, code: str) -> None:
    """Policy can't answer until a person mends something."""
    await owner.execute(
        "INSERT INTO policy.held (tenant, reminder_id, borrower_id, emission, code, held_since,"
        " valid_until, tries, retry_at, due) VALUES ('demo', $1, $1, 1, $2, $3, $4, 0, $4, '')",
        *(reminder_id, code, NOW, LATER),
    )


def request(attempt_id: str, **fields: Any) -> dict[str, Any]:
    """A line of the sandbox's record: a message that its provider took."""
    at = EARLIER.isoformat()
    line = {"event": "request", "accepted": True, "attempt_id": attempt_id, "channel": "sms"}
    return (
        line
        | {"to": "+12025550101", "t_business": at, "t_recv": at, "validity_seconds": 60}
        | fields
    )


def world_in(folder: Path, *lines: Mapping[str, Any]) -> World:
    world = World(folder=folder, admin_url="postgresql://127.0.0.1:1/trial")
    world.history.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return world


def page(report: summary.Report) -> str:
    printed = io.StringIO()
    summary.show(report, Console(file=printed, width=200), steps=1)
    return printed.getvalue()


def cells(said: str, words: str) -> list[str]:
    """The row of a table that begins with these words."""
    [row] = [line for line in said.splitlines() if line.strip("│┃ ").startswith(words)]
    return [cell.strip() for cell in row.strip().strip("│┃").replace("┃", "│").split("│")]


async def test_every_planned_reminder_is_counted_once_in_words_that_explain_themselves(
    owner: Connection, tmp_path: Path
) -> None:
    await put(owner, "planned", emission=0, due_at=LATER)
    await put(owner, "planned", emission=2, due_at=LATER)
    await put(owner, "cancelled", emission=0, reason="paid")
    await put(owner, "cancelled", reason="paid")
    await put(owner, "suppressed", reason="opted_out")
    await put_attempt(owner, await put(owner, "due"), "unknown")
    await hold(owner, await put(owner, "due"), "held_address")
    sent = await put_attempt(owner, await put(owner, "sent"), "accepted")
    planned = await summary.planned(owner)
    world = world_in(tmp_path, request(sent))
    report = await summary.gather(owner, world, [], [], planned)
    said = page(report)
    assert cells(said, "waiting for its hour")[1:] == ["not yet due", "1"]
    assert cells(said, "waiting for its next hour")[1:] == ["was deferred", "1"]
    assert cells(said, "waiting for proof")[1:] == ["the provider's answer is unknown", "1"]
    assert cells(said, "waiting for a person")[1:] == ["held address", "1"]
    assert cells(said, "cancelled")[1:] == ["paid", "2"]
    assert cells(said, "all that were planned")[1:] == ["", "8"]
    assert "unsettled" not in said
    assert cells(said, "lost")[1:] == ["0"]


def standing(status: str, **fields: Any) -> promises.Standing:
    told: dict[str, Any] = {"reason": None, "due_at": LATER, "awaited": False}
    return promises.Standing(status=status, **told | fields)


@pytest.mark.parametrize(
    ("found", "breach"),
    [
        (standing("planned"), ""),
        (standing("planned", due_at=EARLIER), "waits, though its hour has come"),
        (standing("due", awaited=True), ""),
        (standing("due"), "was asked about, and nobody is at work on it"),
        (standing("suppressed", reason="opted_out"), ""),
        (standing("suppressed"), "is suppressed for no reason"),
        (standing("sent"), "counts as sent, and no provider took it"),
        (standing("forgotten"), "is in no state that has a name"),
        (None, "is gone"),
    ],
)
def test_a_reminder_is_lost_unless_it_is_where_somebody_will_find_it(
    found: promises.Standing | None, breach: str
) -> None:
    books = {"R-1": found} if found else {}
    verdict = promises.lost({"R-1"}, books, took=set(), now=NOW)
    assert verdict.violations == ([f"reminder R-1 {breach}"] if breach else [])


def test_a_reminder_that_a_provider_took_is_not_lost() -> None:
    verdict = promises.lost({"R-1"}, {"R-1": standing("sent")}, took={"R-1"}, now=NOW)
    assert verdict.violations == []


async def put_decision(owner: Connection, reminder_id: str, verdict: str, **fields: Any) -> str:
    """One answer of policy's about it, in the decision log."""
    decision_id = uuid4()
    told: dict[str, Any] = {"code": None, "until": None, "repeats": 0, "attempt": None} | fields
    await owner.execute(
        "INSERT INTO policy.decisions (tenant, decision_id, decided_at, checkpoint, reminder_id,"
        " emission, attempt_id, borrower_id, loan_id, installment_number, verdict, until, code,"
        " answers, repeats, last_at) VALUES ('demo', $1, $2, 'redeem', $3, 1, $4, $3, 'L-1', 1,"
        " $5, $6, $7, '[]', $8, $2)",
        *(decision_id, EARLIER, reminder_id, told["attempt"], verdict, told["until"]),
        *(told["code"], told["repeats"]),
    )
    return str(decision_id)


async def test_deferrals_are_counted_apart_from_reminders_and_say_what_is_counted(
    owner: Connection, tmp_path: Path
) -> None:
    waits = await put(owner, "planned", emission=5, due_at=LATER)
    for repeats in (0, 2):
        await put_decision(
            owner, waits, "defer", code="frequency_cap", until=LATER, repeats=repeats
        )
    report = await summary.gather(owner, world_in(tmp_path), [], [], await summary.planned(owner))
    outcomes, deferrals = page(report).split("Deferred on the way")
    assert "frequency cap" not in outcomes
    assert cells(deferrals, "why")[1:] == ["deferrals", "of reminders"]
    assert cells(deferrals, "frequency cap")[1:] == ["4", "1"]


@pytest.mark.parametrize(("seconds", "told"), [(3600, True), (None, False)])
async def test_a_story_tells_of_an_expiry_only_where_the_provider_was_given_one(
    owner: Connection, tmp_path: Path, seconds: int | None, told: bool
) -> None:
    sent = await put(owner, "sent")
    attempt = await put_attempt(owner, sent, "accepted")
    decision = await put_decision(owner, sent, "allow", attempt=attempt)
    await owner.execute(
        "INSERT INTO policy.permits (tenant, attempt_id, permit_id, reminder_id, emission,"
        " decision_id, rule_set, issued_at, send_by, gate_now, allowed_until)"
        " VALUES ('demo', $1, $1, $2, 1, $3, 'v', $4, $4, $4, $5)",
        *(attempt, sent, decision, EARLIER, LATER),
    )
    world = world_in(tmp_path, request(attempt, validity_seconds=seconds))
    report = await summary.gather(owner, world, [], [], await summary.planned(owner))
    said = page(report)
    assert "The permit ran until Thu 19 Nov 00:00 UTC" in said
    assert ("told to drop the message" in said) == told
