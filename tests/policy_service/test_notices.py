"""Formal notices and duties: what a rule wants first, and what must be done before any contact."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.events.notices import DutyArisen, NoticeSent
from services.policy.stop_problems import problems
from services.policy.timeline import page_of, timeline
from services.runtime.database import transaction
from tests.policy_service.events import AFTERNOON, TENANT, WINDOW, pack, who
from tests.policy_service.world import World

NOTICE_FIRST = (
    "{id: t-notice, kind: sequence_gate, cite: [test],"
    " require: {notice: first_notice, min_age: {days: 6}}}"
)
ANSWER_DUE = (
    "{id: t-answer, kind: obligation, cite: [test], duty: complaint_answer, due: {days: 10}}"
)


def notice(name: str, **changes: Any) -> NoticeSent:
    """The lender's first letter to an invented person."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "notice_id": uuid4(),
        "borrower_id": who(name),
        "kind": "first_notice",
        "sent_at": AFTERNOON - timedelta(days=2),
    }
    return NoticeSent(**{**defaults, **changes})


def duty(name: str, **changes: Any) -> DutyArisen:
    """An invented person has complained."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "duty_id": uuid4(),
        "borrower_id": who(name),
        "kind": "complaint_answer",
        "since": AFTERNOON - timedelta(days=30),
    }
    return DutyArisen(**{**defaults, **changes})


async def answer(world: World) -> tuple[str, str | None]:
    """What policy says now of a reminder of ada's."""
    await world.ready("ada")
    last = (await world.rows("decisions"))[-1]
    return last["verdict"], last["code"]


async def test_a_reminder_waits_until_the_notice_is_old_enough(world: World) -> None:
    await world.rules(pack(WINDOW, NOTICE_FIRST))
    await world.person("ada")
    assert await answer(world) == ("suppress", "escalation_gate")
    sent = notice("ada")
    assert await world.send("stop.events", sent) == []
    assert await answer(world) == ("defer", "escalation_gate")
    await world.at(AFTERNOON + timedelta(days=4))
    redeemed = await world.redeem_one(await world.ready("ada"))
    assert redeemed.verdict == "allow"
    back = notice("ada", notice_id=sent.notice_id, returned_at=AFTERNOON + timedelta(days=4))
    await world.send("stop.events", back)
    assert await answer(world) == ("suppress", "escalation_gate")
    # A late repeat of the first telling doesn't undo that.
    await world.send("stop.events", sent)
    assert await answer(world) == ("suppress", "escalation_gate")


async def test_a_notice_about_another_loan_is_none(world: World) -> None:
    await world.rules(pack(WINDOW, NOTICE_FIRST))
    await world.person("ada")
    old = AFTERNOON - timedelta(days=60)
    await world.send("stop.events", notice("ada", sent_at=old, loan_ids=("another",)))
    assert await answer(world) == ("suppress", "escalation_gate")
    await world.send("stop.events", notice("ada", sent_at=old, loan_ids=("loan-ada",)))
    assert (await answer(world))[0] == "allow"


@pytest.mark.parametrize(
    "began",
    [{}, {"since": None, "since_date": (AFTERNOON - timedelta(days=30)).date()}],
    ids=["instant", "day"],
)
async def test_nobody_is_contacted_while_a_duty_is_overdue(
    world: World, began: dict[str, Any]
) -> None:
    await world.rules(pack(WINDOW, ANSWER_DUE))
    await world.person("ada")
    ready = await world.ready("ada")
    arisen = duty("ada", **began)
    await world.send("stop.events", arisen)
    assert (await world.redeem_one(ready)).verdict == "suppress"
    assert await answer(world) == ("suppress", "required_action_overdue")
    done = duty("ada", **began, duty_id=arisen.duty_id, done_at=AFTERNOON)
    await world.send("stop.events", done)
    assert (await answer(world))[0] == "allow"


async def test_both_stand_in_the_borrowers_timeline(world: World) -> None:
    await world.person("ada")
    await world.send(
        "stop.events",
        notice("ada", returned_at=AFTERNOON),
        duty("ada", done_at=AFTERNOON),
    )
    async with transaction(world.db) as connection:
        found = await timeline(connection, TENANT, who("ada"), page_of({}))
    assert [item["kind"] for item in found["items"]] == [
        "duty",
        "notice",
        "duty_done",
        "notice_returned",
    ]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (notice("ada", kind="postcard"), "kind"),
        (notice("ada", borrower_id=None), "borrower_ref"),
        (duty("ada", kind="chores"), "kind"),
        (duty("ada", since=None), "since"),
        (duty("ada", since_date=AFTERNOON.date()), "since"),
    ],
)
async def test_what_is_wrong_is_put_aside_with_the_name_of_its_field(
    world: World, event: NoticeSent | DutyArisen, field: str
) -> None:
    assert [problem.field for problem in problems(event)] == [field]
    (rejection,) = await world.send("stop.events", event)
    assert rejection.code == "invalid"
    assert await world.rows("notices") == await world.rows("duties") == []
