"""Subjects are locked before facts are read or changed: borrower, household, contact points.

Rows are made beforehand and locked in the order of their keys, in one statement; whoever needs
several subjects asks for all of them at once, so that nobody waits in a circle.  PostgreSQL ends
a circle all the same by killing one of the two: `database.repeating` runs that batch again.
"""

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from services.runtime import queries
from services.runtime.database import Connection

SQL = queries.load(Path(__file__).with_name("queries_ledger.sql"))


def borrower_subject(tenant: str, borrower_id: UUID) -> str:
    return f"{tenant}/b/{borrower_id}"


def household_subject(tenant: str, household_id: UUID) -> str:
    return f"{tenant}/h/{household_id}"


def point_subject(tenant: str, contact_point_id: str) -> str:
    return f"{tenant}/c/{contact_point_id}"


async def lock(connection: Connection, subjects: Iterable[str]) -> None:
    """Hold these subjects until the transaction ends; facts are to be read after this, not before.

    Counting under an older snapshot than the lock breaks caps (66 to 70 of 250 in measurement),
    so a transaction of any other isolation than READ COMMITTED is refused.
    """
    keys = sorted(set(subjects), key=str.encode)
    if not keys:
        return
    row = await connection.fetchrow(SQL["lock_subjects"], keys)
    if row is not None and row["locked"] < len(keys):
        # Subjects nobody has locked before: made first, then all of them are asked for once more.
        await connection.execute(SQL["make_subjects"], keys)
        row = await connection.fetchrow(SQL["lock_subjects"], keys)
    if row is None or row["locked"] != len(keys) or row["isolation"] != "read committed":
        raise RuntimeError("subjects can't be locked: use a READ COMMITTED transaction")
