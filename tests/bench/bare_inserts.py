"""The bare batch inserts: the rows that a reminder leaves, by asyncpg and unnest, nothing else.

Peer of the three services: what PostgreSQL costs without streams, rules or a provider.
"""

import time
from uuid import uuid4

import asyncpg

BATCH = 500

# As many rows as a reminder leaves in the services' schemas: reminder, decision at due, decision
# at hand-off, ledger entry, permit, attempt; about as wide.
TABLES = 6


async def run(url: str, count: int) -> float:
    """Reminders' worth of rows a second: six tables, one transaction a batch."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("DROP SCHEMA IF EXISTS bare CASCADE; CREATE SCHEMA bare")
        for number in range(TABLES):
            await connection.execute(
                f"CREATE TABLE bare.t{number} (tenant text, id uuid, borrower uuid, at timestamptz"
                " DEFAULT clock_timestamp(), state text, detail text, PRIMARY KEY (tenant, id))"
            )
        ids = [uuid4() for _ in range(count)]
        detail = "x" * 300
        began = time.perf_counter()
        for start in range(0, count, BATCH):
            batch = ids[start : start + BATCH]
            async with connection.transaction():
                for number in range(TABLES):
                    await connection.execute(
                        f"INSERT INTO bare.t{number} (tenant, id, borrower, state, detail)"
                        " SELECT 'bench', i, i, 'state', $2 FROM unnest($1::uuid[]) AS u (i)"
                        " ON CONFLICT DO NOTHING",
                        batch,
                        detail,
                    )
        return count / (time.perf_counter() - began)
    finally:
        await connection.execute("DROP SCHEMA IF EXISTS bare CASCADE")
        await connection.close()
