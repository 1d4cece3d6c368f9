"""On whose word a stop ends: what a person said is not taken back by a program."""

from typing import Any, get_args
from uuid import UUID, uuid4

import pytest

from services.events.permits import Verdict
from services.events.stops import StopLifted
from services.policy import words
from services.policy.stop_lifters import MAY_LIFT
from services.policy.timeline import page_of, timeline
from services.runtime.database import transaction
from tests.policy_service.events import AFTERNOON, TENANT, WINDOW, pack, stop, who
from tests.policy_service.house import ON_HER_WORD, House, a_stop
from tests.policy_service.world import World

BY_A_PROGRAM = {"ended_at": AFTERNOON, "lifted_by": "nightly job"}
BY_AN_OFFICER = {**ON_HER_WORD, "lifted_by": "ann", "on_word_of": "officer"}


def lift(stop_id: UUID, **changes: Any) -> StopLifted:
    """The end of a stop, on the borrower's own word."""
    said: dict[str, Any] = {**ON_HER_WORD, **changes}
    return StopLifted(tenant=TENANT, stop_id=stop_id, **said)


async def allowed(world: World) -> bool:
    return (await world.redeem_one(await world.ready("ada"))).verdict is Verdict.ALLOW


def test_every_kind_of_stop_ends_on_somebodys_word_and_an_officer_may_mend_a_mistake() -> None:
    assert set(MAY_LIFT) == set(get_args(words.StopKind))
    assert all("officer" in lifters for lifters in MAY_LIFT.values())


async def test_a_lenders_program_can_not_take_back_what_the_borrower_said(house: House) -> None:
    body = a_stop()
    path = f"/v1/stops/{body['stop_id']}:lift"
    await house("lender", "POST", "/v1/stops", body)
    status, said = await house("lender", "POST", path, BY_A_PROGRAM)
    assert (status, said["code"]) == (422, "may_not_lift")
    assert said["errors"] == [
        {
            "field": "on_word_of",
            "problem": "does not end this stop",
            "fix": "this stop ends on the word of: borrower, officer",
        }
    ]
    assert not await allowed(house.world)
    unfounded = {**ON_HER_WORD, "evidence": None}
    status, said = await house("lender", "POST", path, unfounded)
    assert (status, said["errors"][0]["field"]) == (422, "evidence")
    assert not await allowed(house.world)
    assert (await house("lender", "POST", path, ON_HER_WORD))[0] == 200
    assert await allowed(house.world)


async def test_an_officers_word_comes_with_an_officers_key(house: House) -> None:
    body = a_stop()
    path = f"/v1/stops/{body['stop_id']}:lift"
    await house("lender", "POST", "/v1/stops", body)
    status, said = await house("lender", "POST", path, BY_AN_OFFICER)
    assert (status, said["code"]) == (403, "scope_missing")
    assert not await allowed(house.world)
    assert (await house("officer", "POST", path, ON_HER_WORD))[0] == 403
    assert (await house("officer", "POST", path, BY_AN_OFFICER))[0] == 200
    assert await allowed(house.world)


async def test_what_the_lenders_system_began_it_may_end(house: House) -> None:
    body = a_stop(kind="promise")
    await house("lender", "POST", "/v1/stops", body)
    path = f"/v1/stops/{body['stop_id']}:lift"
    assert (await house("lender", "POST", path, BY_A_PROGRAM))[0] == 200


async def test_a_word_that_came_early_ends_only_what_it_may(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    given = stop("ada")
    await world.send("stop.events", lift(given.stop_id, on_word_of="lender"))
    await world.send("stop.events", given)
    assert not await allowed(world)
    await world.send("stop.events", lift(given.stop_id))
    assert await allowed(world)
    async with transaction(world.db) as connection:
        found = await timeline(connection, TENANT, who("ada"), page_of({}))
    [ended] = [item for item in found["items"] if item["kind"] == "stop_lifted"]
    assert b'"on_word_of" : "borrower"' in bytes(ended["said"])


async def test_by_event_it_becomes_a_dead_letter_and_the_rest_of_the_batch_counts(
    world: World,
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    given, later = stop("ada"), stop("ada", "hardship")
    await world.send("stop.events", given)
    refused = lift(given.stop_id, on_word_of="lender")
    [rejection] = await world.send("stop.events", refused, later)
    assert rejection.code == "invalid"
    assert rejection.detail.startswith("on_word_of ")
    assert not await allowed(world)
    assert len(await world.rows("stops")) == 2


async def test_who_may_lift_can_be_narrowed_for_a_stop_and_not_widened(house: House) -> None:
    path = "/v1/stops"
    status, said = await house("lender", "POST", path, a_stop(may_lift=["borrower", "lender"]))
    assert (status, said["errors"][0]["field"]) == (422, "may_lift[1]")
    body = a_stop(kind="promise", may_lift=["officer"])
    assert (await house("lender", "POST", path, body))[0] == 200
    path = f"/v1/stops/{body['stop_id']}:lift"
    assert (await house("lender", "POST", path, BY_A_PROGRAM))[0] == 422
    assert (await house("officer", "POST", path, BY_AN_OFFICER))[0] == 200


@pytest.mark.parametrize("word", ["", "her sister"])
async def test_a_word_of_nobody_we_know_is_refused_by_field(house: House, word: str) -> None:
    path = f"/v1/stops/{uuid4()}:lift"
    status, said = await house("lender", "POST", path, {**ON_HER_WORD, "on_word_of": word})
    assert status == 422
    assert "on_word_of" in said["errors"][0]["field"]
