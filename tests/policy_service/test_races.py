"""Many redeemers at once: nobody over a cap, nothing allowed after a stop or a payment is in."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from services.events.permits import Redeem, Redeemed, Verdict
from services.events.words import AttemptState
from services.policy import handlers, intake, locks
from services.runtime.database import transaction
from tests.policy_service.events import (
    AFTERNOON,
    TENANT,
    WINDOW,
    attempt,
    cap,
    debt,
    due,
    pack,
    receipt,
    stop,
    who,
)
from tests.policy_service.world import World

REDEEMERS = 16
BORROWERS = 50
CAP = 3


async def crowd(world: World) -> list[str]:
    """50 borrowers: ten share five phones two by two, ten live in five households of two."""
    await world.rules(
        pack(WINDOW, cap(CAP, "person"), cap(CAP, "contact_point"), cap(CAP, "household"))
    )
    names = [f"b{number}" for number in range(BORROWERS)]
    for number, name in enumerate(names):
        home = f"home{number // 2}" if 10 <= number < 20 else None
        await world.borrower(name, household=home)
        await world.phone(name, f"cp_shared{number // 2}" if number < 10 else None)
        await world.debt(name)
    return names


def point_of(names: list[str], name: str) -> str:
    number = names.index(name)
    return f"cp_shared{number // 2}" if number < 10 else f"cp_{name}"


async def attempts(world: World, names: list[str], each: int) -> list[Redeem]:
    """So many attempts of each borrower, each for a reminder that was allowed."""
    dues = [due(name) for name in names for _ in range(each)]
    await world.send("reminder.due", *dues)
    await world.out()
    return [
        attempt(asked, contact_point_id=point_of(names, asked.loan_id.removeprefix("loan-")))
        for asked in dues
    ]


async def in_parallel(
    world: World, asked: list[Redeem], batch: int = 5
) -> list[tuple[Redeem, Redeemed]]:
    """16 redeemers take batches from one shuffled heap, some of them twice."""
    heap = [asked[i : i + batch] for i in range(0, len(asked), batch)]
    heap += random.sample(heap, len(heap) // 5)  # answers that were lost: asked again
    random.shuffle(heap)
    found: list[tuple[Redeem, Redeemed]] = []

    async def redeemer() -> None:
        while heap:
            mine = list(heap.pop())
            random.shuffle(mine)
            found.extend(zip(mine, await world.redeem(*mine), strict=True))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(REDEEMERS):
            tasks.create_task(redeemer())
    return found


async def test_sixteen_redeemers_bring_nobody_over_a_cap(world: World) -> None:
    names = await crowd(world)
    asked = await attempts(world, names, each=6)
    random.shuffle(asked)
    answers = await in_parallel(world, asked)
    allowed = {r.attempt_id: r for r, answer in answers if answer.verdict is Verdict.ALLOW}
    booked = await world.rows("contacts", outcome="reserved")
    assert {row["contact_id"] for row in booked} == set(allowed)
    by_person = Counter(row["borrower_id"] for row in booked)
    by_point = Counter(row["contact_point_id"] for row in booked)
    by_home = Counter(
        names.index(name) // 2
        for name in names[10:20]
        for row in booked
        if row["borrower_id"] == who(name)
    )
    # Never over, and nobody is refused who had room: each cap is used up exactly.
    assert max(by_person.values()) == CAP
    assert max(by_point.values()) == CAP
    assert all(by_point[f"cp_shared{i}"] == CAP for i in range(5))
    assert sorted(by_home.values()) == [CAP] * 5
    assert all(by_person[who(name)] == CAP for name in names[20:])


COUNTING = {
    "rolling": "window: {rolling: 24h}, key: [person]",
    "days": "window: {days: 7}, key: [person]",
    "week": "window: {calendar: week}, key: [person]",
    "month": "window: {calendar: month}, key: [person]",
    "debt": "window: {days: 7}, key: [debt]",
    "point": "window: {days: 7}, key: [contact_point]",
    "household": "window: {days: 7}, key: [household]",
    "collector": "window: {days: 7}, key: [person, debt, collector]",
    "connected": "window: {days: 7}, key: [person], counts: {unit: connected}",
    "conversation": "window: {days: 7}, key: [person], counts: {unit: conversation}",
    "sent": "window: {days: 7}, key: [person], counts: {unit: sent}",
    "successful": "window: {days: 7}, key: [person], counts: {unit: successful}",
    "electronic": "window: {days: 7}, key: [person], counts: {channels: [electronic]}",
}


@pytest.mark.parametrize("counting", COUNTING)
async def test_whatever_a_cap_counts_redeemers_at_once_keep_it(world: World, counting: str) -> None:
    """A place that is booked counts in every unit until it is known what became of it."""
    one = f"{{id: t-cap, kind: frequency_cap, cite: [test], max: {CAP}, {COUNTING[counting]}}}"
    await world.rules(pack(WINDOW, one))
    names = ["ada", "bea", "cyd"]
    for name in names:
        await world.borrower(name)
        await world.phone(name)
        await world.debt(name)
    dues = [due(name) for name in names for _ in range(5)]
    await world.send("reminder.due", *dues)
    await world.out()
    answers = await in_parallel(world, random.sample([attempt(one) for one in dues], 15), batch=2)
    allowed = {r.attempt_id for r, answer in answers if answer.verdict is Verdict.ALLOW}
    booked = await world.rows("contacts", outcome="reserved")
    assert {row["contact_id"] for row in booked} == allowed
    assert Counter(row["borrower_id"] for row in booked) == {who(name): CAP for name in names}


async def test_nothing_is_allowed_after_a_stop_or_a_payment_was_committed(world: World) -> None:
    names = await crowd(world)
    asked = await attempts(world, names, each=3)
    committed: set[str] = set()
    late: list[Redeem] = []
    verdicts: Counter[Verdict] = Counter()

    async def stopper(mine: list[str]) -> None:
        for name in mine:
            await asyncio.sleep(random.uniform(0, 0.02))
            if names.index(name) % 2:
                await world.send("stop.events", stop(name))
            else:
                paid = debt(name, owed=0, version=2)
                async with transaction(world.db) as connection:
                    subject = locks.borrower_subject(TENANT, paid.borrower_id)
                    await locks.lock(connection, [subject])
                    await intake.debts(connection, [paid])
            committed.add(name)

    async def redeemer() -> None:
        while asked:
            one = asked.pop(random.randrange(len(asked)))
            # What the caller was told before it asked binds the answer.
            stopped = one.loan_id.removeprefix("loan-") in committed
            answer = await world.redeem_one(one)
            verdicts[answer.verdict] += 1
            if stopped and answer.verdict is Verdict.ALLOW:
                late.append(one)

    async with asyncio.TaskGroup() as tasks:
        for part in range(2):
            tasks.create_task(stopper(names[part::2]))
        for _ in range(10):
            tasks.create_task(redeemer())
    assert committed == set(names)
    assert late == []
    assert verdicts[Verdict.ALLOW] > 0
    assert verdicts[Verdict.SUPPRESS] > 0


async def test_redeems_of_overlapping_batches_in_any_order_all_get_an_answer(world: World) -> None:
    names = await crowd(world)
    asked = await attempts(world, names[:20], each=4)
    answers = await in_parallel(world, asked, batch=20)
    assert {r.attempt_id for r, _ in answers} == {r.attempt_id for r in asked}
    assert {answer.verdict for _, answer in answers} == {Verdict.ALLOW, Verdict.DEFER}


async def test_a_household_that_changes_during_a_redeem_is_counted_as_it_became(
    world: World,
) -> None:
    await world.rules(pack(WINDOW, cap(1, "household")))
    for name in ("ada", "bea"):
        await world.person(name, household="home")
    first, second = await world.ready("ada"), await world.ready("bea")

    async def move() -> None:
        await world.borrower("bea", household="other", version=2)
        await world.borrower("bea", household="home", version=3)

    async with asyncio.TaskGroup() as tasks:
        answers = [tasks.create_task(world.redeem_one(r)) for r in (first, second)]
        tasks.create_task(move())
    booked = await world.rows("contacts", outcome="reserved")
    allowed = [a.result() for a in answers if a.result().verdict is Verdict.ALLOW]
    assert len(booked) == len(allowed)
    again = msgspec.structs.replace(await world.ready("bea"), attempt_id=uuid4())
    await world.at(AFTERNOON + timedelta(minutes=1))
    assert (await world.redeem_one(again)).verdict is Verdict.DEFER


@pytest.mark.parametrize("table", ["decisions", "permits"])  # written before the booking, behind it
async def test_an_end_that_is_told_while_its_attempt_is_redeemed_leaves_no_booking(
    world: World, table: str
) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    asked = msgspec.structs.replace(await world.ready("ada"), epoch=1)
    async with asyncio.TaskGroup() as tasks, world.owner.transaction():
        await world.owner.execute(f"LOCK TABLE policy.{table} IN EXCLUSIVE MODE")
        redeeming = tasks.create_task(world.redeem_one(asked))
        await waiting(world, 1)
        ended = receipt(asked, AttemptState.SUPPRESSED)
        told = tasks.create_task(world.send("delivery.receipt", ended))
        if table == "permits":
            await waiting(world, 2)  # for the booking, which isn't committed
        else:
            await told
    # The answer is to an attempt that has ended: nobody flies on it.
    assert redeeming.result().verdict is Verdict.ALLOW
    assert [c["outcome"] for c in await world.rows("contacts")] == ["cancelled"]
    assert (await world.redeem_one(asked)).code == "superseded"
    assert (await world.redeem_one(await world.ready("ada"))).verdict is Verdict.ALLOW


async def waiting(world: World, many: int) -> None:
    """Until so many wait for a lock in this database."""
    async with asyncio.timeout(30):
        while True:
            # Not by the owner's connection: within a transaction it would see the same for ever.
            async with transaction(world.db) as connection:
                found = await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            if found >= many:
                return
            await asyncio.sleep(0.01)


async def test_ends_and_askings_in_any_order_leave_no_booking_of_an_ended_attempt(
    world: World,
) -> None:
    names = await crowd(world)
    asked = await attempts(world, names, each=3)
    ended = {r.attempt_id for r in random.sample(asked, len(asked) // 2)}
    todo = [("ask", r) for r in asked] + [("end", r) for r in asked if r.attempt_id in ended] * 2
    random.shuffle(todo)

    async def doer() -> None:
        while todo:
            what, r = todo.pop()
            if what == "ask":
                await world.redeem_one(r)
            else:
                await world.send("delivery.receipt", receipt(r, AttemptState.SUPPRESSED))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(REDEEMERS):
            tasks.create_task(doer())
    booked = {row["contact_id"] for row in await world.rows("contacts", outcome="reserved")}
    assert booked
    assert not booked & ended


async def test_handlers_are_there_for_every_topic_policy_reads(world: World) -> None:
    assert set(handlers.HANDLERS) == {
        "reminder.due",
        "reminder.cancelled",
        "loan.changed",
        "contact_point.changed",
        "stop.events",
        "delivery.receipt",
        "borrower.replied",
    }
