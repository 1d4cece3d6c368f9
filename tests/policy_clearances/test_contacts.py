"""What happened, as others tell it: in the same ledger, under the same caps."""

from datetime import timedelta
from uuid import uuid4

import pytest

from services.events.permits import Verdict
from services.policy.clearances import filed
from services.policy.clearances.question import Actor
from services.policy.clearances.release import release
from services.runtime.web import Problem
from tests.policy_clearances.asking import ask, redeem, report
from tests.policy_service.events import AFTERNOON, TENANT, WINDOW, cap, pack
from tests.policy_service.world import World

TALK = (
    "{id: t-talk, kind: cooldown_after, cite: [test], trigger: {channels: [voice]},"
    " lasts: {days: 7}, key: [person, debt, collector]}"
)


async def test_a_reported_contact_counts_and_takes_the_reservations_place(world: World) -> None:
    await world.rules(pack(WINDOW, cap(2, "person")))
    await world.person("ada")
    attempt, another = await world.ready("ada"), await world.ready("ada")
    call = await ask(world, "ada")
    await redeem(world, call.clearance_id)
    told = await report(world, "ada", clearance_id=call.clearance_id)
    assert (told["known"], told["cleared"]) == (False, True)
    shown = await filed.shown(world.db, TENANT, call.clearance_id)
    assert shown["state"] == "reported"
    counted = [row["outcome"] for row in await world.rows("contacts")]
    assert sorted(counted) == ["cancelled", "no_answer"]
    assert (await world.redeem_one(attempt)).verdict is Verdict.ALLOW
    assert (await world.redeem_one(another)).verdict is Verdict.DEFER
    # What was reported is used up, and can't be taken back.
    assert (await redeem(world, call.clearance_id)).code == "superseded"
    with pytest.raises(Problem) as problem:
        await release(world.db, TENANT, call.clearance_id)
    assert problem.value.status == 409


async def test_a_report_comes_twice_and_counts_once(world: World) -> None:
    await world.rules(pack(WINDOW, cap(2, "person")))
    await world.person("ada")
    own = uuid4()
    assert not (await report(world, "ada", contact_id=own))["known"]
    assert (await report(world, "ada", contact_id=own))["known"]
    assert len(await world.rows("contacts")) == 1
    with pytest.raises(Problem) as problem:
        await report(world, "ada", contact_id=own, outcome="conversation")
    assert problem.value.status == 409


async def test_what_is_told_late_counts_when_it_happened_from_now_on(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person", window="{rolling: 24h}")))
    await world.person("ada")
    await report(world, "ada", at=AFTERNOON - timedelta(hours=20))
    answer = await ask(world, "ada")
    assert (answer.verdict, answer.until) == ("defer", AFTERNOON + timedelta(hours=4))
    await world.person("bea")
    await report(world, "bea", at=AFTERNOON - timedelta(days=2))
    assert (await ask(world, "bea")).verdict == "allow"


@pytest.mark.parametrize(("outcome", "verdict"), [("conversation", "defer"), ("busy", "allow")])
async def test_only_a_conversation_starts_the_rest_after_it(
    world: World, outcome: str, verdict: str
) -> None:
    await world.rules(pack(WINDOW, TALK))
    await world.person("ada")
    await report(world, "ada", outcome=outcome)
    assert (await ask(world, "ada")).verdict == verdict


async def test_lenders_and_collectors_count_together_where_the_rule_counts_the_debt(
    world: World,
) -> None:
    await world.rules(pack(WINDOW, cap(2, "debt"), TALK))
    await world.person("ada")
    await report(world, "ada", collector="agency-1", outcome="conversation")
    # The rest after a talk is each collector's own; the cap is the debt's.
    agency = await ask(world, "ada", actor=Actor(id="agency-1", role="collector"))
    assert agency.verdict == "defer"
    lender = await ask(world, "ada")
    assert lender.verdict == "allow"
    other = await ask(world, "ada", actor=Actor(id="agency-2", role="collector"))
    assert (other.verdict, other.code) == ("defer", "frequency_cap")


async def test_one_contact_about_several_loans_counts_for_each(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "debt")))
    await world.person("ada")
    await report(world, "ada", loan_ids=("loan-x", "loan-ada"))
    assert (await ask(world, "ada")).code == "frequency_cap"


async def test_an_answer_to_the_borrowers_own_call_needs_that_call_on_record(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    inbound = uuid4()
    with pytest.raises(Problem) as problem:
        await report(world, "ada", in_reply_to=inbound)
    assert [error.field for error in problem.value.errors] == ["in_reply_to"]
    await report(
        world,
        "ada",
        contact_id=inbound,
        direction="inbound",
        outcome="message",
        requests_contact=True,
    )
    await report(world, "ada", in_reply_to=inbound)
    assert (await ask(world, "ada")).verdict == "allow"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"outcome": "reserved"}, "outcome"),
        ({"outcome": "message"}, "outcome"),
        ({"direction": "inbound", "outcome": "busy"}, "outcome"),
        ({"allocated_to": ("loan-x",)}, "allocated_to"),
        ({"at": AFTERNOON + timedelta(hours=1)}, "at"),
    ],
)
async def test_a_report_that_can_not_be_true_is_refused_by_field(
    world: World, changes: dict[str, object], field: str
) -> None:
    await world.person("ada")
    with pytest.raises(Problem) as problem:
        await report(world, "ada", **changes)
    assert problem.value.status == 422
    assert [error.field for error in problem.value.errors] == [field]
    assert await world.rows("contacts") == []


async def test_a_report_under_another_borrowers_clearance_is_refused(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.person("bea")
    call = await ask(world, "ada")
    with pytest.raises(Problem) as problem:
        await report(world, "bea", clearance_id=call.clearance_id)
    assert [error.field for error in problem.value.errors] == ["clearance_id"]
