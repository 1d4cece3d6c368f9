"""Addresses at the door, in the topic and at rest: normalised, versioned, sealed, never echoed."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.events.addresses import ContactPointGiven
from services.events.words import PointKind
from services.notifier.addresses import (
    GivenAddress,
    InvalidAddress,
    Keyring,
    Unsealable,
    contact_point_id,
    in_transit,
    normalise,
    parse_keys,
)
from tests.notifier.deadlocks import deadlocked
from tests.notifier.world import ADDRESS_KEY, TENANT, World, allowed

RING = Keyring(parse_keys(f"k1:{ADDRESS_KEY}"))


@pytest.mark.parametrize(
    ("kind", "given", "value", "country"),
    [
        ("mobile", "+1 (202) 555-0143", "+12025550143", "US"),
        ("mobile", "+44 7700 900123", "+447700900123", None),
        ("mobile", "+86 138 0013 8000", "+8613800138000", "CN"),
        ("mobile", "+1500555011 0", "+15005550110", "US"),
        ("email", " Some.One@Example.COM ", "Some.One@example.com", None),
        ("email", "jo@bücher.example.com", "jo@xn--bcher-kva.example.com", None),
        ("app", "dQw4:APA91b", "dQw4:APA91b", None),
    ],
)
def test_an_address_has_one_spelling(kind: str, given: str, value: str, country: str) -> None:
    address = normalise(GivenAddress(kind=PointKind(kind), value=given))
    assert (address.value, address.country) == (value, country)


def test_a_prefix_of_several_zones_gives_them_all_and_only_real_ones() -> None:
    freephone = normalise(GivenAddress(kind=PointKind.MOBILE, value="+18005550100"))
    assert len(freephone.zones) > 20
    unassigned = normalise(GivenAddress(kind=PointKind.MOBILE, value="+447700900123"))
    assert unassigned.zones == ()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("mobile", "555-0143"),
        ("mobile", "+1234"),
        ("mobile", "no number at all"),
        ("email", "no at"),
        ("email", "a@b"),
        ("email", "a@example.com\r\nBcc: v@example.com"),
        ("email", '"quoted"@example.com'),
        ("email", "ü@example.com"),
        ("email", f"{'x' * 65}@example.com"),
        ("app", ""),
        ("app", "with space"),
        ("app", "x" * 5000),
    ],
)
def test_an_error_never_echoes_the_address(kind: str, value: str) -> None:
    with pytest.raises(InvalidAddress) as raised:
        normalise(GivenAddress(kind=PointKind(kind), value=value))
    said = f"{raised.value} {raised.value.fix}"
    assert not value.strip() or value.strip() not in said


@given(st.text(max_size=60))
def test_any_text_is_normalised_or_refused_and_normalising_is_idempotent(text: str) -> None:
    for kind in PointKind:
        try:
            once = normalise(GivenAddress(kind=kind, value=text))
        except InvalidAddress:
            continue
        assert normalise(GivenAddress(kind=kind, value=once.value)).value == once.value
        assert "\n" not in once.value
        assert "\r" not in once.value


def test_a_contact_point_id_is_equal_within_a_tenant_only() -> None:
    one = normalise(GivenAddress(kind=PointKind.MOBILE, value="+1 202 555 0143"))
    two = normalise(GivenAddress(kind=PointKind.MOBILE, value="+12025550143"))
    key = b"i" * 32
    assert contact_point_id(key, "a", one) == contact_point_id(key, "a", two)
    assert contact_point_id(key, "a", one) != contact_point_id(key, "b", one)
    assert contact_point_id(key, "a", one) != contact_point_id(b"j" * 32, "a", one)


def test_a_sealed_value_opens_in_its_own_context_only() -> None:
    sealed = RING.seal(b"tenant|one|cp", b"+12025550143")
    assert RING.open("k1", b"tenant|one|cp", sealed) == b"+12025550143"
    assert b"2025550143" not in sealed
    for key_id, context, value in (
        ("k1", b"tenant|two|cp", sealed),
        ("k2", b"tenant|one|cp", sealed),
        ("k1", b"tenant|one|cp", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        ("k1", b"tenant|one|cp", b""),
    ):
        with pytest.raises(Unsealable):
            RING.open(key_id, context, value)


@pytest.mark.parametrize(
    "text", ["", "k1", "k1:", "k1:notbase64", "k1:" + "a" * 10, ":" + ADDRESS_KEY]
)
def test_a_wrong_key_setting_is_named_without_the_key(text: str) -> None:
    with pytest.raises(ValueError, match="key") as raised:
        parse_keys(text)
    assert ADDRESS_KEY not in str(raised.value)


async def put(world: World, version: int, *points: tuple[str, str], ref: str = "ref-1") -> Any:
    body = {"version": version, "contact_points": [{"kind": k, "value": v} for k, v in points]}
    return await world.call("PUT", f"/v1/borrowers/{ref}/contact-points", body)


async def told(world: World) -> list[tuple[str, int, bool]]:
    events = await world.published("contact_point.changed")
    return sorted((e["kind"], e["version"], e["usable"]) for e in events)


async def test_a_list_is_told_without_addresses_and_a_repeat_tells_nothing(running: World) -> None:
    phone, mail = ("mobile", "+12025550143"), ("email", "someone@example.com")
    status, said = await put(running, 1, phone, mail)
    assert status == 200
    assert len(said["contact_points"]) == 2
    assert await put(running, 1, phone, mail) == (status, said)
    assert await told(running) == [("email", 1, True), ("mobile", 1, True)]
    events = json.dumps(await running.published("contact_point.changed"))
    assert "5550143" not in events
    assert "someone" not in events
    assert "America/New_York" in events


async def test_an_empty_newer_list_ends_the_use_of_every_address(running: World) -> None:
    phone, mail = ("mobile", "+12025550143"), ("email", "someone@example.com")
    await put(running, 1, phone, mail)
    assert (await put(running, 2))[0] == 200
    assert set(await told(running)) >= {("email", 2, False), ("mobile", 2, False)}
    assert (await put(running, 1, phone, mail))[0] == 409


async def test_what_is_not_in_a_newer_list_is_removed_and_its_value_is_gone(running: World) -> None:
    phone, mail = ("mobile", "+12025550143"), ("email", "someone@example.com")
    await put(running, 1, phone, mail)
    await put(running, 2, phone)
    assert await told(running) == [("email", 1, True), ("email", 2, False), ("mobile", 1, True)]
    sealed = await running.owner.fetchval(
        "SELECT sealed FROM notifier.addresses WHERE removed_at IS NOT NULL"
    )
    assert sealed is None
    status, problem = await put(running, 1, phone, mail)
    assert (status, problem["code"]) == (409, "version_old")
    await put(running, 3, mail)
    assert ("email", 3, True) in await told(running)


async def test_a_wrong_list_names_each_place_and_changes_nothing(running: World) -> None:
    status, problem = await put(running, 1, ("mobile", "+1234"), ("email", "nonsense-value"))
    assert status == 422
    assert [e["field"] for e in problem["errors"]] == [
        "contact_points[0].value",
        "contact_points[1].value",
    ]
    assert "nonsense" not in json.dumps(problem)
    assert await running.owner.fetchval("SELECT count(*) FROM notifier.addresses") == 0
    status, _ = await put(running, 1, ("fax", "+12025550143"))
    assert status == 422
    status, _ = await running.call("PUT", "/v1/borrowers/x/contact-points", {}, Authorization="")
    assert status == 401


async def test_what_one_borrowers_list_calls_a_number_changes_nothing_for_another(
    running: World,
) -> None:
    borrower = await running.addresses("ref-1", mobile="+12025550143")
    await running.addresses("ref-2", landline="+12025550143")
    assert await told(running) == [("landline", 1, True), ("mobile", 1, True)]
    event = allowed(borrower)
    await running.publish(event)
    await running.until_state(event.reminder_id, "accepted")
    # A list of a higher version says it anew of its own borrower alone.
    await running.addresses("ref-1", version=2, landline="+12025550143")
    assert await told(running) == [
        ("landline", 1, True),
        ("landline", 2, True),
        ("mobile", 1, True),
    ]


def given_event(ref: str, version: int, kind: str, value: str) -> ContactPointGiven:
    address = msgspec.json.encode(GivenAddress(kind=PointKind(kind), value=value))
    sealed = RING.seal(in_transit(TENANT, ref), address)
    return ContactPointGiven(
        tenant=TENANT, borrower_ref=ref, version=version, key_id="k1", sealed=sealed
    )


async def test_a_sealed_address_from_the_topic_is_the_same_as_from_the_door(running: World) -> None:
    _, said = await put(running, 1, ("mobile", "+12025550143"), ref="ref-a")
    await running.publish(given_event("ref-b", 1, "mobile", "+1 202-555-0143"))
    await running.until_read()
    ids = await running.owner.fetch("SELECT DISTINCT contact_point_id FROM notifier.addresses")
    assert [r["contact_point_id"] for r in ids] == [said["contact_points"][0]["contact_point_id"]]


async def test_an_older_address_of_a_kind_gives_way_and_other_kinds_stay(running: World) -> None:
    await running.publish(
        given_event("ref-1", 1, "mobile", "+12025550143"),
        given_event("ref-1", 1, "email", "someone@example.com"),
        given_event("ref-1", 2, "mobile", "+12025550144"),
        given_event("ref-1", 1, "mobile", "+12025550145"),
    )
    await running.until_read()
    rows = await running.owner.fetch(
        "SELECT kind, removed_at IS NULL AS kept, given_version FROM notifier.addresses"
        " JOIN notifier.contact_points USING (tenant, contact_point_id) ORDER BY 1, 3"
    )
    assert [tuple(row) for row in rows] == [
        ("email", True, 1),
        ("mobile", False, 1),
        ("mobile", True, 2),
    ]


async def test_what_can_not_be_opened_or_read_becomes_a_sealed_dead_letter(running: World) -> None:
    good = given_event("ref-1", 1, "mobile", "+12025550143")
    foreign = msgspec.structs.replace(good, borrower_ref="ref-2")
    unreadable = msgspec.structs.replace(
        good, sealed=RING.seal(f"{TENANT}|ref-1".encode(), b'{"kind":"mobile"}')
    )
    await running.publish(foreign, unreadable, given_event("ref-1", 1, "mobile", "+1234"), good)
    await running.until_read()
    dead = await running.published("address.events.dlq")
    assert len(dead) == 3
    assert "1234" not in json.dumps(dead)


async def test_attempts_are_read_without_addresses_and_by_their_tenant_only(
    running: World,
) -> None:
    assert (await running.call("GET", f"/v1/attempts/{uuid4()}"))[0] == 404
    for path in ("/v1/attempts/nonsense", "/v1/reminders/nonsense/attempts"):
        status, said = await running.call("GET", path)
        assert (status, said["code"]) == (404, "not_found")  # as at every other door
    status, said = await running.call("GET", f"/v1/reminders/{uuid4()}/attempts")
    assert (status, said["attempts"]) == (200, [])


async def test_a_list_that_loses_a_deadlock_is_stored_all_the_same(running: World) -> None:
    await put(running, 1, ("mobile", "+12025550143"), ref="ref-a")
    rows = "SELECT FROM notifier.addresses FOR UPDATE"
    books = "SELECT FROM notifier.address_books FOR UPDATE"
    async with deadlocked(running, rows, books):
        writing = asyncio.create_task(put(running, 2, ("mobile", "+12025550143"), ref="ref-a"))
    assert (await writing)[0] == 200


async def test_a_version_is_used_once_though_a_provider_speaks_meanwhile(running: World) -> None:
    await put(running, 1, ("mobile", "+12025550143"), ref="ref-a")
    async with running.owner.transaction():  # as `spoil` raises it
        await running.owner.execute("UPDATE notifier.addresses SET version = version + 1")
        writing = asyncio.create_task(put(running, 2, ("mobile", "+12025550143"), ref="ref-a"))
        while await running.owner.fetchval("SELECT 1 FROM pg_locks WHERE NOT granted") is None:
            await asyncio.sleep(0.01)
    assert (await writing)[0] == 200
    assert await running.owner.fetchval("SELECT version FROM notifier.addresses") == 2
