"""Dialers, field teams and messages at once: nobody over a cap."""

import asyncio
import random
from collections import Counter
from uuid import UUID

from services.events.permits import Verdict
from tests.policy_clearances.asking import ask, redeem, report
from tests.policy_service.events import WINDOW, cap, pack
from tests.policy_service.world import World

WORKERS = 16
CAP = 3
NAMES = ["ada", "bea", "cyd", "dot"]


async def test_sixteen_callers_and_redeemers_bring_nobody_over_a_cap(world: World) -> None:
    await world.rules(pack(WINDOW, cap(CAP, "person"), cap(CAP, "contact_point")))
    for name in NAMES:
        await world.person(name)
    attempts = [await world.ready(name) for name in NAMES for _ in range(4)]
    allowed: Counter[UUID] = Counter()

    async def caller(number: int) -> None:
        for name in random.sample(NAMES, len(NAMES)):
            answer = await ask(world, name, channel=random.choice(["call", "whatsapp"]))
            if answer.verdict != "allow":
                continue
            now = await redeem(world, answer.clearance_id)
            # Its place was reserved: nobody can have taken it.
            assert now.verdict == "allow"
            if number % 2:
                await report(world, name, clearance_id=answer.clearance_id)

    async def redeemer() -> None:
        while attempts:
            answer = await world.redeem_one(attempts.pop(random.randrange(len(attempts))))
            if answer.verdict is Verdict.ALLOW:
                allowed[answer.attempt_id] += 1

    async with asyncio.TaskGroup() as tasks:
        for number in range(WORKERS):
            tasks.create_task(redeemer() if number % 4 == 0 else caller(number))
    rows = [row for row in await world.rows("contacts") if row["outcome"] != "cancelled"]
    counted = Counter(row["borrower_id"] for row in rows)
    # Never over, and nobody was refused who had room.
    assert len(counted) == len(NAMES)
    assert set(counted.values()) == {CAP}


async def test_the_same_clearance_asked_at_once_books_one_place(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    own = UUID(int=7)
    answers = await asyncio.gather(*(ask(world, "ada", own) for _ in range(8)))
    assert {answer.verdict for answer in answers} == {"allow"}
    assert len({answer.decision_id for answer in answers}) == 1
    assert len(await world.rows("contacts")) == 1
