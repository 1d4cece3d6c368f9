"""The place that a yes books: until it ends, is redeemed or released."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.events.permits import Verdict
from services.policy.clearances import filed
from services.policy.clearances.question import Actor
from services.policy.clearances.release import release
from services.runtime.database import transaction
from services.runtime.web import Problem
from tests.policy_clearances.asking import ask, redeem
from tests.policy_service.events import AFTERNOON, TENANT, WINDOW, cap, pack, stop
from tests.policy_service.world import World


async def test_a_yes_books_a_place_that_ends(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    answer = await ask(world, "ada", actor=Actor(id="agency-1"), expires_in_seconds=600)
    assert (answer.verdict, answer.state) == ("allow", "reserved")
    assert answer.expires_at == AFTERNOON + timedelta(minutes=10)
    assert answer.allowed_until is not None
    assert answer.allowed_until > AFTERNOON
    [row] = await world.rows("contacts")
    assert (row["outcome"], row["channel"], row["expires_at"]) == (
        "reserved",
        "call",
        answer.expires_at,
    )
    assert row["more"] is not None
    assert "agency-1" in str(row["more"])
    [decision] = await world.rows("decisions")
    assert (decision["checkpoint"], decision["verdict"]) == ("clearance", "allow")
    assert decision["decision_id"] == answer.decision_id


async def test_a_question_without_a_reservation_books_nothing(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    answer = await ask(world, "ada", reserve=False)
    assert (answer.verdict, answer.state) == ("allow", "allowed")
    assert await world.rows("contacts") == []
    assert (await redeem(world, answer.clearance_id)).state == "redeemed"
    assert len(await world.rows("contacts", outcome="reserved")) == 1


async def test_the_same_id_gets_the_same_answer_and_books_once(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    own = uuid4()
    first, again = [await ask(world, "ada", own) for _ in range(2)]
    assert first == again
    assert len(await world.rows("contacts")) == 1
    with pytest.raises(Problem) as problem:
        await ask(world, "ada", own, channel="whatsapp")
    assert (problem.value.status, problem.value.code) == (409, "id_taken")


async def test_redeeming_leaves_its_own_reservation_out_and_ends_no_more(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    answer = await ask(world, "ada", expires_in_seconds=60)
    for _ in range(2):
        assert (await redeem(world, answer.clearance_id)).verdict == "allow"
    await world.at(AFTERNOON + timedelta(hours=1))
    assert (await ask(world, "ada")).code == "frequency_cap"
    [row] = await world.rows("contacts")
    assert (row["outcome"], row["expires_at"]) == ("reserved", None)


async def test_a_repeated_redeem_is_asked_afresh_and_gives_nothing_back(world: World) -> None:
    await world.rules(
        pack(WINDOW, cap(1, "person"), "{id: t-stop, kind: stop_when, cite: [test], fact: [cease]}")
    )
    await world.person("ada")
    asked = await ask(world, "ada")
    given = await redeem(world, asked.clearance_id)
    assert (given.verdict, given.state) == ("allow", "redeemed")
    # The answer was lost, the contact made; then the borrower says stop.
    await world.send("stop.events", stop("ada", "cease"))
    await world.at(AFTERNOON + timedelta(hours=1))
    again = await redeem(world, asked.clearance_id)
    assert (again.verdict, again.state) == ("suppress", "redeemed")
    [row] = await world.rows("contacts")
    assert (row["outcome"], row["at"]) == ("reserved", AFTERNOON)
    assert (await filed.shown(world.db, TENANT, asked.clearance_id))["state"] == "redeemed"


async def test_a_reservation_counts_until_it_ends_and_then_nowhere(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    await ask(world, "ada", expires_in_seconds=60)
    attempt = await world.ready("ada")
    assert (await ask(world, "ada")).code == "frequency_cap"
    await world.at(AFTERNOON + timedelta(seconds=60))
    async with transaction(world.db) as connection:
        await filed.expire(connection)
    assert [row["state"] for row in await world.rows("clearances", state="expired")] == ["expired"]
    again = await world.ready("ada", due_at=AFTERNOON)
    assert (await world.redeem_one(again)).verdict is Verdict.ALLOW
    assert (await world.redeem_one(attempt)).verdict is not Verdict.ALLOW


async def test_what_has_ended_counts_nowhere_before_any_sweep_too(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    first = await ask(world, "ada", expires_in_seconds=60)
    await world.at(AFTERNOON + timedelta(seconds=60))
    shown = await filed.shown(world.db, TENANT, first.clearance_id)
    assert shown["state"] == "expired"
    second = await ask(world, "ada")
    assert second.verdict == "allow"
    # Too late for the first: its place is taken.
    assert (await redeem(world, first.clearance_id)).code == "frequency_cap"


async def test_a_reservation_of_2359_redeemed_at_0001_belongs_to_the_new_day(world: World) -> None:
    await world.rules(pack(cap(1, "person")))
    await world.person("ada")
    midnight = datetime(2026, 6, 3, 4, 0, tzinfo=UTC)  # in New York
    await world.at(midnight - timedelta(minutes=1))
    answer = await ask(world, "ada", expires_in_seconds=600)
    assert answer.allowed_until == midnight
    await world.at(midnight + timedelta(minutes=1))
    assert (await redeem(world, answer.clearance_id)).verdict == "allow"
    [row] = await world.rows("contacts")
    assert row["at"] == midnight + timedelta(minutes=1)
    # The new day's one place is taken; the old day's would have been forgotten by now.
    refused = await ask(world, "ada")
    assert (refused.verdict, refused.until) == ("defer", midnight + timedelta(days=1))


async def test_what_was_released_is_free_again_and_used_up(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    answer = await ask(world, "ada")
    for _ in range(2):
        released = await release(world.db, TENANT, answer.clearance_id)
        assert released["state"] == "released"
    assert (await redeem(world, answer.clearance_id)).code == "superseded"
    assert (await ask(world, "ada")).verdict == "allow"


async def test_messages_and_calls_stand_under_one_cap(world: World) -> None:
    await world.rules(pack(WINDOW, cap(2, "person")))
    await world.person("ada")
    message, other = await world.ready("ada"), await world.ready("ada")
    call = await ask(world, "ada")
    assert (await redeem(world, call.clearance_id)).verdict == "allow"
    assert (await world.redeem_one(message)).verdict is Verdict.ALLOW
    assert (await world.redeem_one(other)).verdict is Verdict.DEFER
    assert (await ask(world, "ada")).code == "frequency_cap"
