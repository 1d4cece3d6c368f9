"""How fast policy decides and redeems: `python -m tests.policy_service.measure_throughput`."""

import asyncio
import cProfile
import gc
import os
import pstats
import sys
import time
from uuid import uuid4

import asyncpg

from services.events.codec import Envelope
from services.events.deliveries import ContactPointChanged
from services.events.loans import BorrowerChanged, CandidateZone
from services.events.words import Basis, Channel, PointKind
from services.policy import upkeep
from services.policy.handlers import HANDLERS
from services.runtime import clock
from services.runtime.database import pool, transaction
from services.runtime.embedded_postgres import EmbeddedPostgres
from services.runtime.migrate import migrate_all
from services.runtime.service import GC_THRESHOLDS
from tests.database import PASSWORDS, Database
from tests.policy_service.events import AFTERNOON, TENANT, attempt, debt, due, who
from tests.policy_service.world import World

BATCH = 500
HISTORY = 8  # contacts each borrower has had in the last 40 days


async def main(rounds: int) -> None:
    gc.freeze()  # as services do
    gc.set_threshold(*GC_THRESHOLDS)
    server = EmbeddedPostgres(durable=True)
    await server.start()
    try:
        database = Database(server, "postgres")
        await migrate_all(database.admin_dsn, PASSWORDS)
        owner = await asyncpg.connect(database.admin_dsn)
        await clock.install_stepped(owner, AFTERNOON)
        async with pool(database.dsn("policy"), schema="policy") as db:
            world = World(db=db, owner=owner)
            async with transaction(db) as connection:
                await upkeep.make_partitions(connection)
            await measure(world, rounds)
        await owner.close()
    finally:
        server.remove()


async def measure(world: World, rounds: int) -> None:
    await world.activate("us-fed", "house")
    names = [f"p{number}" for number in range(rounds * BATCH)]
    for start in range(0, len(names), BATCH):
        part = names[start : start + BATCH]
        await world.send(
            "loan.changed",
            *(
                BorrowerChanged(
                    tenant=TENANT,
                    borrower_id=who(name),
                    version=1,
                    country="US",
                    zones=(CandidateZone(zone="America/New_York", basis=Basis.ADDRESS),),
                )
                for name in part
            ),
            *(debt(name) for name in part),
        )
        await world.send("contact_point.changed", *(phone(name) for name in part))
    await world.owner.execute(
        "INSERT INTO policy.contacts (tenant, contact_id, borrower_id, contact_point_id, channel,"
        " at, outcome, booked_at, loan_id, purpose)"
        " SELECT tenant, gen_random_uuid(), borrower_id, 'cp_x', 'sms',"
        " $1::timestamptz - n * interval '8 days',"
        " 'delivered', now(), 'loan', 'reminder'"
        " FROM policy.borrowers, generate_series(1, $2::int) AS n",
        AFTERNOON,
        HISTORY,
    )
    await world.owner.execute("ANALYZE")
    profile = cProfile.Profile() if os.environ.get("PROFILE") else None
    batches = [
        [due(name) for name in names[start : start + BATCH]]
        for start in range(0, len(names), BATCH)
    ]
    if profile:
        profile.enable()
    began, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        async with transaction(world.db) as connection:
            await HANDLERS["reminder.due"](world.context, connection, [envelope(d) for d in batch])
    report("due", len(names), began, cpu)
    began, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        answers = await world.redeem(*(attempt(asked) for asked in batch))
        assert all(a.verdict == "allow" for a in answers), answers[0]
    report("redeem", len(names), began, cpu)
    if profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)


def envelope(event: object) -> Envelope:
    return Envelope(
        event=event,  # type: ignore[arg-type]
        event_id=str(uuid4()),
        source="bench",
        time=None,
        topic="reminder.due",
        partition=0,
        offset=0,
    )


def phone(name: str) -> ContactPointChanged:
    return ContactPointChanged(
        tenant=TENANT,
        borrower_id=who(name),
        contact_point_id=f"cp_{name}",
        version=1,
        kind=PointKind.MOBILE,
        channels=(Channel.SMS,),
        country="US",
        zones=(),
        usable=True,
    )


def report(what: str, many: int, began: float, cpu: float) -> None:
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    print(f"{what}: {many / wall:,.0f}/s, Python {used / many * 1e6:.0f} us each")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
