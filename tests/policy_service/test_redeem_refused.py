"""What is refused at hand-off, for how long, and who hears of it."""

from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from services.events.loans import FeedWatermark
from services.events.permits import ContentFacts, Verdict
from services.events.words import AttemptState, Channel
from tests.policy_service.events import (
    AFTERNOON,
    TENANT,
    WINDOW,
    attempt,
    cancelled,
    cap,
    debt,
    due,
    pack,
    receipt,
    stop,
)
from tests.policy_service.world import World


async def test_an_attempt_that_has_left_gets_no_second_permit(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.redeem_one(asked)
    await world.send("delivery.receipt", receipt(asked, AttemptState.UNKNOWN))
    await world.out()
    answer = await world.redeem_one(asked)
    assert (answer.verdict, answer.code) == (Verdict.SUPPRESS, "superseded")
    assert await world.out() == []


async def test_a_superseded_emission_is_refused_and_nothing_is_published(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = due("ada")
    await world.send("reminder.due", asked)
    await world.send("reminder.due", due("ada", reminder_id=asked.reminder_id, emission=2))
    await world.out()
    answer = await world.redeem_one(attempt(asked))
    assert (answer.verdict, answer.code) == (Verdict.SUPPRESS, "superseded")
    assert await world.out() == []


async def test_a_cancelled_reminder_is_refused_and_nothing_is_published(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.send("reminder.cancelled", cancelled(asked))
    await world.out()
    answer = await world.redeem_one(asked)
    assert (answer.verdict, answer.code) == (Verdict.SUPPRESS, "cancelled")
    assert await world.out() == []


async def test_a_debt_paid_meanwhile_suppresses(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.debt("ada", owed=0, version=2)
    await world.out()
    answer = await world.redeem_one(asked)
    assert (answer.verdict, answer.code) == (Verdict.SUPPRESS, "paid")
    assert [(e["topic"], e["code"]) for e in await world.out()] == [("reminder.suppressed", "paid")]


async def test_another_amount_than_the_message_states_defers_a_minute(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.debt("ada", owed=4_000, version=2)
    answer = await world.redeem_one(asked)
    assert (answer.verdict, answer.code) == (Verdict.DEFER, "stale_amount")
    assert answer.until == AFTERNOON + timedelta(seconds=60)


async def test_a_step_whose_time_is_over_is_suppressed(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada", valid_until=AFTERNOON + timedelta(hours=1))
    await world.at(AFTERNOON + timedelta(hours=1))
    answer = await world.redeem_one(asked)
    assert (answer.verdict, answer.code) == (Verdict.SUPPRESS, "stale_step")


async def test_a_stale_feed_defers_ever_longer_and_the_lowest_partition_counts(
    world: World,
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    for partition, seconds in ((0, 10), (1, 61)):
        mark = FeedWatermark(
            tenant=TENANT,
            source="core",
            as_of=AFTERNOON - timedelta(seconds=seconds),
            bound_seconds=60,
        )
        await world.send("loan.changed", mark, partition=partition)
    asked = due("ada")
    waits = []
    for emission in range(1, 7):
        again = msgspec.structs.replace(asked, emission=emission)
        await world.send("reminder.due", again)
        answer = await world.redeem_one(attempt(again))
        assert (answer.verdict, answer.code) == (Verdict.DEFER, "feed_stale")
        assert answer.until is not None
        waits.append((answer.until - AFTERNOON).total_seconds())
    assert waits == [60, 120, 240, 480, 900, 900]
    fresh = FeedWatermark(tenant=TENANT, source="core", as_of=AFTERNOON, bound_seconds=60)
    await world.send("loan.changed", fresh, partition=1)
    asked = msgspec.structs.replace(asked, emission=7)
    await world.send("reminder.due", asked)
    assert (await world.redeem_one(attempt(asked))).verdict is Verdict.ALLOW


async def test_a_stale_source_defers_its_own_debts_and_those_of_no_known_source(
    world: World,
) -> None:
    """Ada's loan is of the stale source, Ben's of the fresh one; nobody knows whose Cy's is, and
    Di's source never declared a watermark: any of the two may be the one that feeds them."""
    await world.rules(pack(WINDOW))
    for source, seconds in (("slow", 61), ("core", 10)):
        as_of = AFTERNOON - timedelta(seconds=seconds)
        mark = FeedWatermark(tenant=TENANT, source=source, as_of=as_of, bound_seconds=60)
        await world.send("loan.changed", mark)
    answers = {}
    for name, source in (("ada", "slow"), ("ben", "core"), ("cy", None), ("di", "other")):
        await world.person(name)
        await world.send("loan.changed", debt(name, version=2, source=source))
        answers[name] = await world.redeem_one(await world.ready(name))
    assert {name: answer.code for name, answer in answers.items()} == {
        "ada": "feed_stale",
        "ben": None,
        "cy": "feed_stale",
        "di": "feed_stale",
    }
    assert answers["ben"].verdict is Verdict.ALLOW


async def test_a_channel_refused_for_good_leaves_the_reminder_to_the_others(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.phone("ada", "cp_mail", channels=(Channel.EMAIL,))
    asked = due("ada", channels=(Channel.SMS, Channel.EMAIL))
    await world.send("reminder.due", asked)
    await world.send("stop.events", stop("ada", channels=("sms",)))
    await world.out()
    answer = await world.redeem_one(attempt(asked))
    assert (answer.verdict, answer.code, answer.until) == (Verdict.DEFER, "opted_out", AFTERNOON)
    again = msgspec.structs.replace(asked, emission=2)
    await world.send("reminder.due", again)
    deferred, allowed = await world.out()
    assert deferred["topic"] == "reminder.deferred"
    assert allowed["channels"] == ["email"]
    email = attempt(again, channel=Channel.EMAIL, contact_point_id="cp_mail")
    assert (await world.redeem_one(email)).verdict is Verdict.ALLOW


async def test_a_stop_on_one_number_leaves_the_reminder_to_the_other(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.phone("ada", "cp_second")
    await world.send("stop.events", stop("ada", contact_point_ids=("cp_ada",)))
    asked = due("ada")
    await world.send("reminder.due", asked)
    (allowed,) = await world.out()
    assert (allowed["channels"], allowed["refused_contact_points"]) == (["sms"], ["cp_ada"])
    second = attempt(asked, contact_point_id="cp_second")
    assert (await world.redeem_one(second)).verdict is Verdict.ALLOW


async def test_a_number_refused_at_hand_off_leaves_the_reminder_to_the_other(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.phone("ada", "cp_second")
    asked = due("ada")
    await world.send("reminder.due", asked)
    await world.send("stop.events", stop("ada", contact_point_ids=("cp_ada",)))
    answer = await world.redeem_one(attempt(asked))
    assert (answer.verdict, answer.code, answer.until) == (Verdict.DEFER, "opted_out", AFTERNOON)
    again = msgspec.structs.replace(asked, emission=2)
    await world.out()
    await world.send("reminder.due", again)
    (allowed,) = await world.out()
    assert allowed["refused_contact_points"] == ["cp_ada"]
    # Whoever tries the number again does not heed us, and would be told so for ever.
    answer = await world.redeem_one(attempt(again))
    assert (answer.verdict, answer.code) == (Verdict.SUPPRESS, "opted_out")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"contact_point_id": "cp_of_somebody_else"}, "held_address"),
        ({"content": ContentFacts(labels=("unheard_of",))}, "held_error"),
        ({"reminder_id": uuid4()}, "held_error"),
        ({"emission": 9}, "held_error"),
        ({"loan_id": "loan-unknown"}, "feed_stale"),
        ({"currency": "EUR"}, "stale_amount"),
    ],
)
async def test_whatever_is_wrong_with_an_attempt_it_is_never_allowed(
    world: World, change: dict[str, object], code: str
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = msgspec.structs.replace(await world.ready("ada"), **change)
    answer = await world.redeem_one(asked)
    assert (answer.verdict, answer.code) == (Verdict.DEFER, code)
    assert await world.rows("contacts") == []


async def test_rules_that_can_no_longer_be_read_refuse_at_hand_off(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.rules("this is no pack")
    answer = await world.redeem_one(asked)
    assert (answer.verdict, answer.code) == (Verdict.DEFER, "held_rules")


async def test_a_zone_that_does_not_exist_refuses_at_hand_off(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.borrower("ada", zones=("Mars/Olympus",), version=2)
    answer = await world.redeem_one(asked)
    assert (answer.verdict, answer.code) == (Verdict.DEFER, "held_error")


async def test_a_stop_of_this_very_second_binds(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.at(AFTERNOON + timedelta(milliseconds=300))
    late = AFTERNOON + timedelta(hours=2)  # a lender's clock that is fast
    await world.send("stop.events", stop("ada", received_at=late))
    assert (await world.redeem_one(asked)).verdict is Verdict.SUPPRESS


async def test_another_tenants_borrower_of_the_same_id_is_somebody_else(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.rules(pack(WINDOW, cap(1, "person")), tenant="zeta")
    await world.person("ada")
    await world.borrower("ada", tenant="zeta")
    await world.phone("ada", tenant="zeta")
    await world.debt("ada", tenant="zeta")
    await world.send("stop.events", stop("ada"))
    assert (await world.redeem_one(await world.ready("ada"))).verdict is Verdict.SUPPRESS
    assert (
        await world.redeem_one(await world.ready("ada", tenant="zeta"))
    ).verdict is Verdict.ALLOW


async def test_an_asking_that_comes_behind_a_later_one_touches_nothing(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    first = msgspec.structs.replace(await world.ready("ada"), epoch=1)
    again = msgspec.structs.replace(first, epoch=2)
    assert (await world.redeem_one(again)).verdict is Verdict.ALLOW  # the first is on its way
    await world.out()
    await world.send("stop.events", stop("ada"))
    late = await world.redeem_one(first)
    assert (late.verdict, late.code) == (Verdict.SUPPRESS, "superseded")
    assert [c["outcome"] for c in await world.rows("contacts")] == ["reserved"]
    assert await world.out() == []
    # Twice the same asking is a late one too; a later asking is asked anew.
    assert (await world.redeem_one(again)).code == "superseded"
    assert [c["outcome"] for c in await world.rows("contacts")] == ["reserved"]
    third = await world.redeem_one(msgspec.structs.replace(first, epoch=3))
    assert (third.verdict, third.code) == (Verdict.SUPPRESS, "opted_out")
    assert [c["outcome"] for c in await world.rows("contacts")] == ["cancelled"]


async def test_a_late_asking_does_not_free_the_place_of_a_cancelled_reminder(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    first = msgspec.structs.replace(await world.ready("ada"), epoch=1)
    await world.redeem_one(msgspec.structs.replace(first, epoch=2))
    await world.send("reminder.cancelled", cancelled(first))
    assert (await world.redeem_one(first)).code == "superseded"
    assert [c["outcome"] for c in await world.rows("contacts")] == ["reserved"]


@pytest.mark.parametrize("state", [AttemptState.SUPPRESSED, AttemptState.NOT_SENT])
async def test_an_asking_that_comes_behind_the_end_of_its_attempt_books_nothing(
    world: World, state: AttemptState
) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    hung = msgspec.structs.replace(await world.ready("ada"), epoch=1)
    await world.out()
    for _ in range(2):  # told twice, it has ended once
        await world.send("delivery.receipt", receipt(hung, state))
    for epoch in (1, 2, None):
        late = await world.redeem_one(msgspec.structs.replace(hung, epoch=epoch))
        assert (late.verdict, late.code) == (Verdict.SUPPRESS, "superseded")
    assert [c["outcome"] for c in await world.rows("contacts")] == ["cancelled"]
    assert await world.rows("permits") == []
    assert await world.out() == []
    assert (await world.redeem_one(await world.ready("ada"))).verdict is Verdict.ALLOW


async def test_an_attempt_that_a_provider_took_after_all_counts_though_its_end_was_told(
    world: World,
) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.send("delivery.receipt", receipt(asked, AttemptState.SUPPRESSED))
    await world.send("delivery.receipt", receipt(asked, AttemptState.ACCEPTED))
    assert [c["outcome"] for c in await world.rows("contacts")] == ["sent"]
    assert (await world.redeem_one(await world.ready("ada"))).verdict is Verdict.DEFER


async def test_what_policy_refused_itself_is_asked_anew_by_a_later_asking(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    first = msgspec.structs.replace(await world.ready("ada"), epoch=1)
    await world.redeem_one(first)
    again = msgspec.structs.replace(first, epoch=2)
    changed = msgspec.structs.replace(again, content=ContentFacts(labels=("no_such_label",)))
    assert (await world.redeem_one(changed)).code == "held_error"
    assert [c["outcome"] for c in await world.rows("contacts")] == ["cancelled"]
    renewed = due("ada", reminder_id=first.reminder_id, emission=2)
    await world.send("reminder.due", renewed)
    third = msgspec.structs.replace(first, epoch=3, emission=2)
    assert (await world.redeem_one(third)).verdict is Verdict.ALLOW
    assert [c["outcome"] for c in await world.rows("contacts")] == ["reserved"]


async def test_where_no_channel_was_tried_and_where_it_was_deferred_nothing_is_entered(
    world: World,
) -> None:
    await world.person("ada")
    asked = await world.ready("ada")
    nowhere = msgspec.structs.replace(receipt(asked, AttemptState.SUPPRESSED), provider="none")
    await world.send("delivery.receipt", nowhere, receipt(asked, AttemptState.DEFERRED))
    assert await world.rows("contacts") == []
