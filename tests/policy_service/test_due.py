"""The first checkpoint: what becomes of a reminder that falls due."""

import asyncio
from datetime import timedelta

import pytest

from services.events.stops import StopLifted
from services.events.words import Channel
from services.policy.due import decide_due
from services.runtime.database import Overtaken, transaction
from tests.policy_service.events import (
    AFTERNOON,
    TENANT,
    WINDOW,
    cancelled,
    cap,
    due,
    pack,
    stop,
    who,
)
from tests.policy_service.world import World

NIGHT = AFTERNOON + timedelta(hours=9)  # 23:00 in New York
MORNING = AFTERNOON + timedelta(hours=18)  # 08:00 the next day


async def test_a_reminder_that_no_rule_forbids_is_allowed(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = due("ada")
    await world.send("reminder.due", asked)
    [event] = await world.out()
    assert event["topic"] == "reminder.allowed"
    assert event["reminder_id"] == str(asked.reminder_id)
    assert event["channels"] == ["sms"]
    [decision] = await world.rows("decisions")
    assert decision["verdict"] == "allow"
    assert decision["rule_set"]
    assert str(decision["decision_id"]) == event["decision_id"]


async def test_at_night_it_is_deferred_to_the_morning_with_the_rule(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.at(NIGHT)
    await world.send("reminder.due", due("ada"))
    [event] = await world.out()
    assert event["topic"] == "reminder.deferred"
    assert event["until"] == MORNING.isoformat().replace("+00:00", "Z")
    assert (event["code"], event["rule"]) == ("outside_contact_window", "t-hours")
    [decision] = await world.rows("decisions")
    assert '"cite":["test"]' in decision["answers"]
    assert '"says":' in decision["answers"]


async def test_a_deferral_to_the_next_step_or_later_is_suppressed_as_stale(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.at(NIGHT)
    await world.send("reminder.due", due("ada", valid_until=MORNING))
    [event] = await world.out()
    assert (event["topic"], event["code"]) == ("reminder.suppressed", "stale_step")


async def test_a_due_that_comes_twice_is_answered_once(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = due("ada")
    await world.send("reminder.due", asked, asked)
    await world.send("reminder.due", asked)
    assert len(await world.out()) == 1


async def test_a_lower_emission_than_was_asked_is_ignored(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = due("ada", emission=2)
    await world.send("reminder.due", asked)
    await world.out()
    await world.send("reminder.due", due("ada", reminder_id=asked.reminder_id, emission=1))
    assert await world.out() == []


async def test_of_two_replicas_that_decide_at_once_the_second_is_told_to_ask_once_more(
    world: World,
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = due("ada")
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
    async with transaction(world.db) as connection:
        await decide_due(connection, world.rule_sets, [asked])
        other = asyncio.create_task(world.send("reminder.due", asked))
        async with asyncio.timeout(60):
            while not await world.owner.fetchval(waiting):
                await asyncio.sleep(0.02)
    with pytest.raises(Overtaken):
        await other
    await world.send("reminder.due", asked)
    assert len(await world.rows("decisions")) == 1


async def test_the_next_emission_is_asked_again(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.at(NIGHT)
    asked = due("ada")
    await world.send("reminder.due", asked)
    await world.at(MORNING)
    await world.send("reminder.due", due("ada", reminder_id=asked.reminder_id, emission=2))
    assert [e["topic"] for e in await world.out()] == ["reminder.deferred", "reminder.allowed"]


async def test_a_repeated_identical_deferral_is_counted_not_repeated(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.at(NIGHT)
    asked = due("ada")
    for emission in (1, 2, 3):
        again = due("ada", reminder_id=asked.reminder_id, emission=emission)
        await world.send("reminder.due", again)
    [decision] = await world.rows("decisions")
    assert decision["repeats"] == 2
    assert len({e["decision_id"] for e in await world.out()}) == 1


async def test_a_cancel_that_came_before_its_due_suppresses_it_silently(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = due("ada")
    await world.send("reminder.cancelled", cancelled(asked))
    await world.send("reminder.due", asked)
    assert await world.out() == []
    [decision] = await world.rows("decisions")
    assert (decision["verdict"], decision["code"]) == ("suppress", "cancelled")


async def test_a_paid_debt_is_not_reminded_of(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.debt("ada", owed=0, version=2)
    await world.send("reminder.due", due("ada"))
    [event] = await world.out()
    assert (event["topic"], event["code"]) == ("reminder.suppressed", "paid")


async def test_an_older_version_of_a_debt_changes_nothing(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.debt("ada", owed=0, version=5)
    await world.debt("ada", owed=10_000, version=4)
    await world.send("reminder.due", due("ada"))
    assert [e["code"] for e in await world.out()] == ["paid"]


@pytest.mark.parametrize("kind", ["opt_out", "cease", "dispute", "hardship", "bankruptcy"])
async def test_a_stop_binds_even_if_no_active_pack_has_a_rule_for_it(
    world: World, kind: str
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.send("stop.events", stop("ada", kind))
    await world.send("reminder.due", due("ada"))
    [event] = await world.out()
    assert (event["topic"], event["rule"]) == ("reminder.suppressed", "always-stops")


async def test_a_promise_defers_to_the_day_after_it(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    promised = stop("ada", "promise", until_date=(AFTERNOON + timedelta(days=3)).date())
    await world.send("stop.events", promised)
    await world.send("reminder.due", due("ada"))
    [event] = await world.out()
    assert (event["topic"], event["code"]) == ("reminder.deferred", "promise_to_pay")
    assert event["until"] == (MORNING + timedelta(days=3)).isoformat().replace("+00:00", "Z")


async def test_a_stop_on_a_shared_phone_covers_everybody_who_has_it(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.phone("bea", "cp_ada")
    await world.borrower("bea")
    await world.send("stop.events", stop(None, contact_point_ids=("cp_ada",)))
    await world.send("reminder.due", due("bea"))
    assert [e["code"] for e in await world.out()] == ["opted_out"]


async def test_a_channel_that_is_stopped_leaves_the_others(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.phone("ada", "cp_mail", channels=(Channel.EMAIL,))
    await world.send("stop.events", stop("ada", channels=("sms",)))
    await world.send("reminder.due", due("ada", channels=(Channel.SMS, Channel.EMAIL)))
    [event] = await world.out()
    assert (event["topic"], event["channels"]) == ("reminder.allowed", ["email"])


async def test_a_lifted_stop_binds_no_longer_even_if_its_lift_came_first(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    given = stop("ada")
    lift = StopLifted(
        tenant=TENANT,
        stop_id=given.stop_id,
        ended_at=AFTERNOON,
        lifted_by="clerk",
        on_word_of="borrower",
        evidence="letter 12",
    )
    await world.send("stop.events", lift)
    await world.send("stop.events", given)
    await world.send("reminder.due", due("ada"))
    assert [e["topic"] for e in await world.out()] == ["reminder.allowed"]


async def test_a_stop_of_no_known_kind_is_a_dead_letter_that_says_which_field(world: World) -> None:
    [rejection] = await world.send("stop.events", stop("ada", "mood"))
    assert rejection.code == "invalid"
    assert "kind" in rejection.detail
    assert "opt_out" in rejection.detail
    assert await world.rows("stops") == []


async def test_reminders_of_one_borrower_are_decided_by_priority(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = [due("ada", priority=priority) for priority in (7, 1, 4)]
    await world.send("reminder.due", *asked)
    order = [e["priority"] for e in await world.out()]
    assert order == [1, 4, 7]


async def test_a_rule_that_counts_sees_contacts_of_the_household(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "household")))
    await world.person("ada", household="home")
    await world.person("bea", household="home")
    assert (await world.redeem_one(await world.ready("ada"))).verdict == "allow"
    await world.out()
    await world.send("reminder.due", due("bea"))
    [event] = await world.out()
    assert (event["topic"], event["rule"]) == ("reminder.deferred", "t-cap-household")


async def test_decisions_hold_no_address_and_name_facts_by_hash(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.send("reminder.due", due("ada"))
    [decision] = await world.rows("decisions")
    [facts] = await world.rows("decision_facts")
    assert decision["facts_hash"] == facts["facts_hash"]
    assert "America/New_York" in facts["facts"]
    assert who("ada").hex not in facts["facts"]
