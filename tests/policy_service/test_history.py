"""Contacts of long ago count where a rule counts so far back, or asks whether there was any."""

from datetime import timedelta

import pytest

from services.events.permits import ContentFacts, Verdict
from services.events.words import AttemptState
from tests.policy_service.events import AFTERNOON, WINDOW, attempt, due, pack, receipt
from tests.policy_service.world import World

LONG_AGO = timedelta(days=100)
TWO_IN_HALF_A_YEAR = (
    "{id: t-cap, kind: frequency_cap, cite: [test], max: 2, window: {days: 180}, key: [person]}"
)
REST = (
    "{id: t-rest, kind: cooldown_after, cite: [test], trigger: {unit: attempt},"
    " lasts: {days: 150}, key: [person]}"
)
FIRST_SAYS_WHO = (
    "{id: t-first, kind: content_must_include, cite: [test],"
    " applies: {sequence: [first]}, elements: [creditor_name]}"
)


async def sent(world: World, **content: tuple[str, ...]) -> Verdict:
    """What became of a reminder of ada's; if it was allowed it was sent."""
    now = await world.db.fetchval("SELECT policy.gate_now()")
    asked = due("ada", due_at=now, valid_until=now + timedelta(days=2))
    await world.send("reminder.due", asked)
    redeem = attempt(asked, content=ContentFacts(opt_out="reply", **content))
    answer = await world.redeem_one(redeem)
    if answer.verdict is Verdict.ALLOW:
        await world.send("delivery.receipt", receipt(redeem, AttemptState.ACCEPTED))
    return answer.verdict


async def test_a_cap_counts_as_far_back_as_it_says(world: World) -> None:
    await world.rules(pack(WINDOW, TWO_IN_HALF_A_YEAR))
    await world.person("ada")
    assert [await sent(world) for _ in range(2)] == [Verdict.ALLOW] * 2
    await world.at(AFTERNOON + LONG_AGO)
    assert await sent(world) is not Verdict.ALLOW
    await world.at(AFTERNOON + timedelta(days=180))
    assert await sent(world) is Verdict.ALLOW


async def test_a_rest_lasts_as_long_as_it_says(world: World) -> None:
    await world.rules(pack(WINDOW, REST))
    await world.person("ada")
    assert await sent(world) is Verdict.ALLOW
    await world.at(AFTERNOON + LONG_AGO)
    assert await sent(world) is not Verdict.ALLOW


@pytest.mark.parametrize("spoken", [True, False], ids=["spoken to", "a stranger"])
async def test_whom_we_wrote_to_long_ago_is_not_written_to_for_the_first_time(
    world: World, spoken: bool
) -> None:
    await world.rules(pack(WINDOW, FIRST_SAYS_WHO))
    await world.person("ada")
    if spoken:
        assert await sent(world, elements=("creditor_name",)) is Verdict.ALLOW
    await world.at(AFTERNOON + LONG_AGO)
    assert (await sent(world) is Verdict.ALLOW) == spoken


async def test_of_old_contacts_the_latest_of_each_sort_is_read(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    assert [await sent(world) for _ in range(3)] == [Verdict.ALLOW] * 3
    await world.at(AFTERNOON + LONG_AGO)
    assert await sent(world) is Verdict.ALLOW
    facts = await world.owner.fetchval(
        "SELECT f.facts::text FROM policy.decisions d"
        " JOIN policy.decision_facts f USING (facts_hash)"
        " WHERE d.checkpoint = 'redeem' ORDER BY d.decided_at DESC LIMIT 1"
    )
    assert facts.count('"outcome"') == 1
