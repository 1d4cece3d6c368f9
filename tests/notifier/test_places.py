"""A lender says where an address is tied to and from whom it is; others hear it with the rest."""

from typing import Any

from tests.notifier.world import World

PHONE = {"kind": "mobile", "value": "+12025550143"}
DESK = {**PHONE, "place": "work", "provided_by": "employer"}


async def put(world: World, version: int, *points: dict[str, str]) -> tuple[int, Any]:
    body = {"version": version, "contact_points": points}
    return await world.call("PUT", "/v1/borrowers/ref-1/contact-points", body)


async def told(world: World) -> list[tuple[int, str, str]]:
    events = await world.published("contact_point.changed")
    return sorted((e["version"], e["place"], e["provided_by"]) for e in events)


async def test_a_work_address_is_told_as_one_and_so_is_a_change(running: World) -> None:
    for version, point in ((1, DESK), (2, DESK), (3, PHONE)):
        assert (await put(running, version, point))[0] == 200
    assert await told(running) == [(1, "work", "employer"), (2, "personal", "unknown")]


async def test_one_address_in_two_places_is_refused_by_field(running: World) -> None:
    assert (await put(running, 1, PHONE, PHONE))[0] == 200
    status, said = await put(running, 2, PHONE, {**DESK, "value": "+1 202 555 0143"})
    assert (status, said["errors"][0]["field"]) == (422, "contact_points[1].place")
    status, said = await put(running, 2, {**PHONE, "place": "the pub"})
    assert status == 422
    assert "place" in said["errors"][0]["field"]
    assert await told(running) == [(1, "personal", "unknown")]
