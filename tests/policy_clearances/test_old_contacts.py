"""Contacts of long ago, as people reported them, still tell what a rule asks of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from services.policy import known
from services.policy.clearances.question import Point
from services.policy.facts import Entry
from services.policy.lookback import SHORTEST
from services.runtime.database import transaction
from tests.policy_clearances.asking import ask, report
from tests.policy_service.events import AFTERNOON, TENANT, WINDOW, debt, pack, stop, who
from tests.policy_service.world import World

LONG_AGO = AFTERNOON - timedelta(days=80)
AFTER_A_TALK = (
    "{{id: t-cap, kind: frequency_cap, cite: [test], max: 3, window: {{days: 7}}, key: [{}],"
    " counts: {{unit: successful}}, starts_after: conversation}}"
)
TWO_CONFIRMATIONS = (
    "{id: t-stop, kind: stop_when, cite: [test], fact: opt_out,"
    " unless: [{class: [opt_out_confirmation], max: 2}]}"
)
THREE_LETTERS_FIRST = (
    "{id: t-gate, kind: sequence_gate, cite: [test], require: {contacts: {unit: attempt},"
    " at_least: 3}}"
)


async def talk(world: World, name: str, days_later: int = 0, **changes: Any) -> None:
    at = LONG_AGO + timedelta(days=days_later)
    await world.at(at)
    await report(world, name, outcome="conversation", at=at, **changes)


async def three_voicemails(world: World, name: str) -> None:
    await world.at(AFTERNOON)
    for days in (1, 2, 3):
        await report(world, name, outcome="voicemail_left", at=AFTERNOON - timedelta(days=days))


@pytest.mark.parametrize("others", [(), ("bank-y",)], ids=["alone", "and another since"])
async def test_a_talk_for_one_creditor_is_remembered(world: World, others: Sequence[str]) -> None:
    await world.rules(pack(WINDOW, AFTER_A_TALK.format("person, creditor")))
    await world.person("ada")
    await world.send("loan.changed", replace(debt("ada", version=2), creditor="bank-x"))
    for later, creditor in enumerate(("bank-x", *others)):
        await talk(world, "ada", later, loan_ids=(), creditor=creditor)
    await three_voicemails(world, "ada")
    assert (await ask(world, "ada")).code == "frequency_cap"


async def test_a_talk_with_another_at_a_shared_number_is_remembered(world: World) -> None:
    await world.rules(pack(WINDOW, AFTER_A_TALK.format("contact_point")))
    for name in ("ada", "bob"):
        await world.borrower(name)
        await world.phone(name, "cp_home")
        await world.debt(name)
    await talk(world, "bob", contact_point_id="cp_home")
    await three_voicemails(world, "ada")
    asked = await ask(world, "ada", contact_point=Point(id="cp_home"))
    assert asked.code == "frequency_cap"


async def test_what_was_allowed_twice_since_a_stop_is_not_allowed_again_later(
    world: World,
) -> None:
    await world.rules(pack(WINDOW, TWO_CONFIRMATIONS))
    await world.person("ada")
    await world.send("stop.events", stop("ada", received_at=AFTERNOON - timedelta(hours=1)))
    for minutes in (1, 2):
        confirmed = {"class_": "opt_out_confirmation", "outcome": "voicemail_left"}
        await report(world, "ada", at=AFTERNOON - timedelta(minutes=minutes), **confirmed)
    for days in (0, 70):
        await world.at(AFTERNOON + timedelta(days=days))
        answer = await ask(world, "ada", class_="opt_out_confirmation")
        assert answer.code == "opted_out"


async def test_a_step_that_contacts_have_opened_stays_open(world: World) -> None:
    await world.rules(pack(WINDOW, THREE_LETTERS_FIRST))
    await world.person("ada")
    for minutes in (1, 2):
        await report(world, "ada", at=AFTERNOON - timedelta(minutes=minutes))
    assert (await ask(world, "ada")).code == "escalation_gate"
    await report(world, "ada")
    for days in (0, 70):
        await world.at(AFTERNOON + timedelta(days=days))
        assert (await ask(world, "ada", reserve=False)).verdict == "allow"


async def kept(world: World, *rows: dict[str, Any]) -> Sequence[Entry]:
    """What is read of these old rows of ada's ledger, each a day later than the one before."""
    for day, changes in enumerate(rows):
        row = {
            "tenant": TENANT,
            "contact_id": uuid4(),
            "borrower_id": who("ada"),
            "contact_point_id": "cp_ada",
            "channel": "sms",
            "direction": "outbound",
            "at": LONG_AGO + timedelta(days=day),
            "outcome": "delivered",
            "booked_at": LONG_AGO,
            "loan_id": "loan-ada",
            "account": "a-1",
            "creditor": "bank-x",
            "purpose": "reminder",
            "more": {"place": "work"},
            **changes,
        }
        places = ", ".join(f"${i}" for i in range(1, len(row) + 1))
        await world.db.execute(
            f"INSERT INTO contacts ({', '.join(row)}) VALUES ({places})", *row.values()
        )
    ada = (TENANT, who("ada"))
    async with transaction(world.db) as connection:
        facts = await known.load(connection, AFTERNOON, [ada], (), back=SHORTEST)
    return facts.contacts[ada]


@pytest.mark.parametrize(
    "other",
    [
        {"contact_point_id": "cp_ada_2"},
        {"contact_point_id": None},
        {"channel": "call"},
        {"direction": "inbound", "outcome": "message"},
        {"outcome": "conversation"},
        {"loan_id": "loan-2"},
        {"loan_id": None},
        {"account": "a-2"},
        {"creditor": "bank-y"},
        {"creditor": None},
        {"purpose": "collection"},
        {"more": {"place": "work", "collector": "agency-1"}},
        {"more": None},
    ],
    ids=str,
)
async def test_of_old_contacts_that_differ_in_what_rules_read_each_is_read(
    world: World, other: dict[str, Any]
) -> None:
    assert len(await kept(world, {}, other)) == 2


async def test_of_old_contacts_that_rules_cannot_tell_apart_the_latest_is_read(
    world: World,
) -> None:
    entries = await kept(world, {}, {"booked_at": AFTERNOON, "reminder_id": uuid4()})
    assert [entry.at for entry in entries] == [LONG_AGO + timedelta(days=1)]


async def test_old_contacts_that_never_left_are_not_read(world: World) -> None:
    expired = {"outcome": "reserved", "clearance_id": uuid4(), "expires_at": LONG_AGO}
    assert not await kept(world, {"outcome": "cancelled"}, expired)


@pytest.mark.parametrize(
    "more",
    [{"person": "neighbour-1"}, {"requests_contact": True}],
    ids=["with another person", "asking to be contacted"],
)
async def test_old_contacts_that_are_counted_or_answered_are_read_one_by_one(
    world: World, more: dict[str, Any]
) -> None:
    entries = await kept(world, {"more": more}, {"more": more})
    assert len({entry.id for entry in entries}) == 2
