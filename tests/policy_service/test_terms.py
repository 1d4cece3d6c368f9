"""What the lender says of the loan itself, as far as a rule asks for it."""

from typing import Any

import msgspec

from services.events.permits import ContentFacts
from tests.policy_service.events import WINDOW, debt, pack
from tests.policy_service.world import World

# As in New York City: collectors always, creditors once they are in procedures.
ASKS_FIRST = (
    "{id: t-consent, kind: consent_required, cite: [test], to: channel,"
    " unless: [{role: [creditor], stage: [upcoming, due, overdue]}]}"
)
NO_SUIT = (
    "{id: t-suit, kind: content_must_not, cite: [test],"
    " applies: {time_barred: true}, labels: [suit_threat]}"
)
TWO_MEETINGS = (
    "{id: t-meetings, kind: sequence_gate, cite: [test],"
    " require: {fact: missed_meetings, at_least: 2}}"
)


async def told(world: World, version: int, **terms: Any) -> None:
    """The scheduler tells ada's debt again, under other terms."""
    changed = msgspec.structs.replace(debt("ada", version=version), **terms)
    assert await world.send("loan.changed", changed) == []


async def test_a_creditor_in_procedures_is_bound_by_what_binds_them_only_then(world: World) -> None:
    await world.rules(pack(WINDOW, ASKS_FIRST))
    await world.person("ada")
    ready = await world.ready("ada")
    await told(world, 2, in_procedures=True)
    answer = await world.redeem_one(ready)
    assert (answer.verdict, answer.code) == ("suppress", "consent_missing")
    await told(world, 3, in_procedures=False)
    assert (await world.redeem_one(await world.ready("ada"))).verdict == "allow"


async def test_nobody_is_threatened_with_a_court_over_a_time_barred_debt(world: World) -> None:
    await world.rules(pack(WINDOW, NO_SUIT))
    await world.person("ada")
    threat = ContentFacts(opt_out="reply", labels=("suit_threat",))
    first = msgspec.structs.replace(await world.ready("ada"), content=threat)
    assert (await world.redeem_one(first)).verdict == "allow"
    await told(world, 2, time_barred=True)
    second = msgspec.structs.replace(await world.ready("ada"), content=threat)
    answer = await world.redeem_one(second)
    assert (answer.verdict, answer.code) == ("suppress", "content_prohibited")


async def test_missed_meetings_open_the_gate_that_asks_for_them(world: World) -> None:
    await world.rules(pack(WINDOW, TWO_MEETINGS))
    await world.person("ada")
    await told(world, 2, missed_meetings=1)
    await world.ready("ada")
    await told(world, 3, missed_meetings=2)
    await world.ready("ada")
    verdicts = [(row["verdict"], row["code"]) for row in await world.rows("decisions")]
    assert verdicts == [("suppress", "escalation_gate"), ("allow", None)]
