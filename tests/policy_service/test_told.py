"""An id stands for what was first told under it: a repeat is one, anything else is refused."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.policy_service.events import AFTERNOON, stop
from tests.policy_service.house import House
from tests.policy_service.world import World

SINCE = AFTERNOON - timedelta(days=3)
BODIES: dict[str, dict[str, Any]] = {
    "stop": {"kind": "hardship", "received_at": SINCE, "until_date": "2026-06-10"},
    "consent": {"to": "channel", "given_to": "actor", "received_at": SINCE},
    "preference": {"kind": "not_between", "from_clock": "09:00", "to_clock": "12:00"},
    "notice": {"kind": "first_notice", "sent_at": SINCE},
    "duty": {"kind": "complaint_answer", "since": SINCE},
}
OTHERWISE: dict[str, dict[str, Any]] = {
    "stop": {"until_date": "2026-09-10"},
    "consent": {"until_date": "2026-06-10"},
    "preference": {"to_clock": "13:00"},
    "notice": {"sent_at": AFTERNOON},
    "duty": {"since": AFTERNOON},
}
PATHS = {"stop": "/v1/stops", "consent": "/v1/consents", "preference": "/v1/preferences",
         "notice": "/v1/notices", "duty": "/v1/duties"}  # fmt: skip
ENDS = {"preference": "withdrawn_at", "notice": "returned_at", "duty": "done_at"}


@pytest.mark.parametrize("noun", BODIES)
async def test_other_content_under_a_known_id_is_refused_and_changes_nothing(
    house: House, noun: str
) -> None:
    body = {f"{noun}_id": str(uuid4()), "borrower_ref": "B-1", **BODIES[noun]}
    table = "duties" if noun == "duty" else f"{noun}s"
    assert (await house("lender", "POST", PATHS[noun], body))[0] == 200
    kept = await house.world.rows(table)
    assert (await house("lender", "POST", PATHS[noun], body))[0] == 200
    other = {**body, **OTHERWISE[noun]}
    if noun in ENDS:
        other[ENDS[noun]] = AFTERNOON
    status, said = await house("lender", "POST", PATHS[noun], other)
    assert (status, said["code"], said["errors"][0]["field"]) == (409, "id_taken", f"{noun}_id")
    assert await house.world.rows(table) == kept
    if noun in ENDS:
        assert (await house("lender", "POST", PATHS[noun], {**body, ENDS[noun]: AFTERNOON}))[
            0
        ] == 200
        assert (await house.world.rows(table))[0][ENDS[noun]] == AFTERNOON


async def test_points_told_otherwise_do_not_join_a_stop(house: House) -> None:
    first = stop("ada", contact_point_ids=("cp_ada",))
    assert await house.world.send("stop.events", first) == []
    again = stop("ada", stop_id=first.stop_id, contact_point_ids=("cp_ada", "cp_bob"))
    rejected = await house.world.send("stop.events", again)
    assert [rejection.code for rejection in rejected] == ["invalid"]
    assert [row["contact_point_id"] for row in await house.world.rows("stop_points")] == ["cp_ada"]


async def test_the_same_instant_written_in_another_zone_is_a_repeat(world: World) -> None:
    first = stop("ada")
    east = stop("ada", stop_id=first.stop_id, received_at=first.received_at.astimezone())
    assert await world.send("stop.events", first, east) == []


async def test_the_same_scope_in_another_order_is_a_repeat(world: World) -> None:
    first = stop("ada", loan_ids=("L-1", "L-2"), channels=("sms", "call"))
    again = stop("ada", stop_id=first.stop_id, loan_ids=("L-2", "L-1"), channels=("call", "sms"))
    assert await world.send("stop.events", first, again) == []


async def test_what_is_written_out_though_it_is_the_default_is_a_repeat(house: House) -> None:
    body = {"stop_id": str(uuid4()), "borrower_ref": "B-1", **BODIES["stop"]}
    assert (await house("lender", "POST", "/v1/stops", body))[0] == 200
    whole = {**body, "loan_ids": [], "evidence": None}
    assert (await house("lender", "POST", "/v1/stops", whole))[0] == 200


async def test_a_field_that_is_none_is_not_quoted_where_it_may_be_personal(house: House) -> None:
    body = {"stop_id": str(uuid4()), "borrower_ref": "B-1", **BODIES["stop"], "+12025550143": 1}
    status, said = await house("lender", "POST", "/v1/stops", body)
    assert (status, said["errors"][0]["field"]) == (422, "the body")
    assert "5550143" not in str(said)
