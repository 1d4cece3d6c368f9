"""How many recorded decisions a second are asked again.

`python -m tests.policy_backtest.measure_backtest [HOW MANY]`: the shipped packs us-fed, us-tcpa and
house, ten earlier contacts a borrower, one decision in three a deferral; each decision with facts
of its own.  Reading them from PostgreSQL is in the time.
"""

import asyncio
import os
import sys
import time
from datetime import timedelta

import asyncpg
from rich.progress import Progress

from services.policy import cli_backtest, upkeep
from services.policy.backtest_report import Report
from services.policy.backtest_run import Draft, Plan
from services.policy.cli_reading import pack_text, reading
from services.runtime import clock
from services.runtime.database import pool, transaction
from services.runtime.embedded_postgres import EmbeddedPostgres
from services.runtime.migrate import migrate_all
from tests.database import PASSWORDS, Database
from tests.policy_service.events import AFTERNOON, TENANT, due
from tests.policy_service.world import World

PACKS = ("us-fed", "us-tcpa", "house")
PEOPLE = 60

MULTIPLY = """
WITH copies AS (
    SELECT d.*, f.facts, i, sha256(d.facts_hash || i::text::bytea) AS own_hash
      FROM policy.decisions d JOIN policy.decision_facts f USING (tenant, facts_hash),
           generate_series(1, $1::int) i
), kept AS (
    INSERT INTO policy.decision_facts (tenant, facts_hash, facts)
    SELECT tenant, own_hash, facts FROM copies
)
INSERT INTO policy.decisions (tenant, decision_id, decided_at, checkpoint, reminder_id, emission,
    borrower_id, loan_id, installment_number, verdict, until, code, rule, rule_set, facts_hash,
    answers, last_at)
SELECT tenant, gen_random_uuid(), decided_at, checkpoint, reminder_id, emission, borrower_id,
       loan_id, installment_number, verdict, until, code, rule, rule_set, own_hash, answers, last_at
  FROM copies
"""
CONSENT = """
INSERT INTO policy.consents (tenant, consent_id, borrower_id, kind, given_to, received_at,
                             recorded_at, loan_ids, channels, contact_point_ids, source)
SELECT tenant, gen_random_uuid(), borrower_id, 'automated', 'actor', $1, now(), '{}', '{}', '{}',
       'test'
  FROM policy.borrowers
"""
HISTORY = """
INSERT INTO policy.contacts (tenant, contact_id, borrower_id, contact_point_id, channel, at,
                             outcome, booked_at, loan_id, purpose)
SELECT b.tenant, gen_random_uuid(), b.borrower_id, 'cp_x', 'sms',
       $1::timestamptz - i * interval '4 days', 'delivered', now(), 'loan', 'reminder'
  FROM policy.borrowers b, generate_series(1, 10) i
"""


async def past(world: World, count: int) -> None:
    """Two in three are asked about in the afternoon, one in three at night."""
    await world.activate(*PACKS)
    for i in range(PEOPLE):
        await world.person(f"p{i}")
    await world.owner.execute(CONSENT, AFTERNOON - timedelta(days=90))
    await world.owner.execute(HISTORY, AFTERNOON - timedelta(days=3))
    await world.send("reminder.due", *(due(f"p{i}") for i in range(PEOPLE * 2 // 3)))
    night = AFTERNOON + timedelta(hours=10)
    await world.at(night)
    late = [due(f"p{i}", due_at=night) for i in range(PEOPLE * 2 // 3, PEOPLE)]
    await world.send("reminder.due", *late)
    await world.owner.execute(MULTIPLY, count // PEOPLE)
    await world.owner.execute("VACUUM ANALYZE policy.decisions, policy.decision_facts")


async def measure(database: Database, drafts: tuple[Draft, ...], jobs: int, name: str) -> None:
    plan = Plan(
        start=AFTERNOON - timedelta(days=1),
        end=AFTERNOON + timedelta(days=2),
        tenant=TENANT,
        drafts=drafts,
        jobs=jobs,
    )
    report = Report(show=0, as_json=False, verify=not drafts)
    async with reading(database.dsn("policy")) as connection:
        began, used = time.perf_counter(), os.times()
        sums = await cli_backtest.backtest(connection, plan, report, Progress(disable=True))
        spent, now = time.perf_counter() - began, os.times()
    own = now.user + now.system - used.user - used.system
    children = now.children_user + now.children_system - used.children_user - used.children_system
    print(
        f"{name:28} jobs {jobs}: {sums.decisions / spent:>9,.0f} /s  ({sums.decisions:,} in"
        f" {spent:.1f} s; processor: own {own:.1f} s, workers {children:.1f} s;"
        f" {sums.changed:,} change; load {os.getloadavg()[0]:.1f})"
    )


async def main(count: int) -> None:
    server = EmbeddedPostgres(durable=False)
    await server.start()
    try:
        admin = await asyncpg.connect(server.dsn)
        await admin.execute("CREATE DATABASE past")
        await admin.close()
        await migrate_all(server.dsn_of("past"), PASSWORDS)
        database = Database(server, "past")
        owner = await asyncpg.connect(database.admin_dsn)
        await clock.install_stepped(owner, AFTERNOON)
        async with pool(database.dsn("policy"), schema="policy") as db:
            async with transaction(db) as connection:
                await upkeep.make_partitions(connection)
            await past(World(db=db, owner=owner), count)
        size = await owner.fetchval("SELECT avg(length(facts::text)) FROM policy.decision_facts")
        for row in await owner.fetch(
            "SELECT verdict, code, count(*) FROM policy.decisions GROUP BY 1, 2 ORDER BY 3 DESC"
        ):
            print(*row)
        print(f"{count:,} decisions, {float(size):,.0f} characters of facts each")
        await owner.close()
        name, text = pack_text("house")
        tighter = Draft(name, text.replace("09:00-20:00", "09:00-19:30"))
        for jobs in (1, 2):
            await measure(database, (tighter,), jobs, "against a tighter house")
            await measure(database, (), jobs, "verify")
    finally:
        server.remove()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60_000))
