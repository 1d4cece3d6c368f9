"""Somebody rings at a door only with evidence, two people, a window, a plan, and a report after."""

import datetime as dt
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.policy.clearances import visit_limits
from services.policy.clearances.filed import Answered
from services.policy.clearances.question import Point
from services.policy.clearances.visits import Limits
from services.runtime.database import transaction
from tests.policy_clearances.asking import ask, plan, redeem, report
from tests.policy_service.events import AFTERNOON, TENANT, WINDOW, debt, pack
from tests.policy_service.world import World


async def a_late_borrower(world: World, *rules: str) -> None:
    """A hundred days past due; called twice and written to once, all recorded."""
    await world.rules(pack(WINDOW, *rules))
    await world.borrower("ada")
    owed = msgspec.structs.replace(debt("ada", owed=50_000), due_date=dt.date(2026, 2, 22))
    await world.send("loan.changed", owed)
    for days, channel, outcome in (
        (3, "call", "no_answer"),
        (5, "call", "busy"),
        (9, "letter", "sent"),
    ):
        at = AFTERNOON - timedelta(days=days)
        await report(world, "ada", channel=channel, outcome=outcome, at=at)


async def visit(world: World, **changes: Any) -> Answered:
    asked: dict[str, Any] = {
        "channel": "visit",
        "purpose": "collection",
        "contact_point": Point(kind="address", place="home"),
        "visit": plan(AFTERNOON - timedelta(minutes=10)),
    }
    return await ask(world, "ada", **{**asked, **changes})


async def test_a_visit_with_everything_on_record_is_allowed_within_its_window(
    world: World,
) -> None:
    await a_late_borrower(world)
    answer = await visit(world)
    assert answer.verdict == "allow", answer
    assert answer.allowed_until == AFTERNOON + timedelta(minutes=110)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"people": ("staff-1", " STAFF-1")}, "visit_people_missing"),
        ({"window_from": None}, "visit_window_missing"),
        ({"window_to": AFTERNOON + timedelta(days=1)}, "visit_window_missing"),
        ({"window_to": AFTERNOON - timedelta(minutes=1)}, "visit_outside_window"),
        ({"plan_id": None}, "visit_plan_missing"),
        ({"approved_by": "Staff-1"}, "visit_plan_not_approved"),
        ({"approved_by": None}, "visit_plan_not_approved"),
    ],
)
async def test_a_visit_without_one_of_its_gates_is_refused(
    world: World, changes: dict[str, Any], code: str
) -> None:
    await a_late_borrower(world)
    answer = await visit(world, visit=plan(AFTERNOON - timedelta(minutes=10), **changes))
    assert (answer.verdict, answer.code) == ("suppress", code)
    assert [reason.code for reason in answer.reasons] == [code]


async def test_a_visit_without_evidence_is_refused_with_every_reason(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.borrower("ada")
    await world.debt("ada", owed=500)
    answer = await visit(world, visit=None)
    assert answer.verdict == "suppress"
    assert {reason.code for reason in answer.reasons} == {
        "visit_evidence_missing",
        "visit_debt_too_small",
        "visit_too_early",
        "visit_people_missing",
        "visit_plan_missing",
        "visit_window_missing",
    }
    assert await world.rows("contacts") == []


async def test_a_pack_that_forbids_visits_beats_a_plan_that_is_in_order(world: World) -> None:
    forbids = "{id: t-no-visits, kind: contact_point_rule, cite: [test], deny: {channel: [visit]}}"
    await a_late_borrower(world, forbids)
    answer = await visit(world)
    assert (answer.verdict, answer.rule) == ("suppress", "t-no-visits")


async def test_a_visit_before_its_window_is_deferred_to_it_if_the_rules_allow_then(
    world: World,
) -> None:
    await a_late_borrower(world)
    opens = AFTERNOON + timedelta(hours=2)
    answer = await visit(world, visit=plan(opens))
    assert (answer.verdict, answer.until, answer.code) == ("defer", opens, "visit_outside_window")
    # 21:00 to 23:00 in New York: no hour of it is allowed.
    night = await visit(world, visit=plan(AFTERNOON + timedelta(hours=7)))
    assert (night.verdict, night.code) == ("suppress", "visit_outside_window")


async def test_an_unreported_visit_blocks_the_next_until_it_is_reported(world: World) -> None:
    await a_late_borrower(world)
    first = await visit(world)
    assert (await redeem(world, first.clearance_id)).verdict == "allow"
    # Its own visit does not block it when it is redeemed again.
    assert (await redeem(world, first.clearance_id)).verdict == "allow"
    second = await visit(world)
    assert (second.verdict, second.code) == ("suppress", "visit_report_missing")
    await report(
        world,
        "ada",
        channel="visit",
        outcome="no_answer",
        place="home",
        people_present=("spouse",),
        clearance_id=first.clearance_id,
    )
    assert (await visit(world)).verdict == "allow"
    [told] = await world.rows("contact_reports", clearance_id=first.clearance_id)
    assert told["people_present"] == ["spouse"]


async def test_a_visit_that_was_made_stays_unreported_though_its_redeem_is_repeated(
    world: World,
) -> None:
    await a_late_borrower(world)
    made = await visit(world)
    assert (await redeem(world, made.clearance_id)).verdict == "allow"
    await world.at(AFTERNOON + timedelta(hours=7))  # 21:00 in New York, and after its window
    assert (await redeem(world, made.clearance_id)).verdict != "allow"
    await world.at(AFTERNOON + timedelta(hours=7, minutes=1))
    second = await visit(world, visit=plan(AFTERNOON + timedelta(hours=6)))
    assert "visit_report_missing" in {reason.code for reason in second.reasons}


async def test_a_tenants_own_thresholds_count(world: World) -> None:
    await a_late_borrower(world)
    strict = Limits(min_days_past_due=101)
    async with transaction(world.db) as connection:
        await visit_limits.write(connection, TENANT, strict, "ann", "bob")
    answer = await visit(world)
    assert (answer.verdict, answer.code) == ("suppress", "visit_too_early")
