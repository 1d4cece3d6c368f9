"""Not after all: the place under the caps is given back."""

from typing import Any
from uuid import UUID

from services.policy.clearances.filed import SQL, give_back, on_file
from services.policy.clearances.locked import subjects_of
from services.policy.locks import lock
from services.runtime.database import Pool, repeating, transaction
from services.runtime.web import Problem


async def release(db: Pool, tenant: str, clearance_id: UUID) -> dict[str, Any]:
    """Nothing was or will be done: the place under the caps is free again.  Raises Problem."""
    borrower_id, q = await on_file(db, tenant, clearance_id)

    async def once() -> dict[str, Any]:
        async with transaction(db) as connection:
            await lock(connection, subjects_of(tenant, borrower_id, q.contact_point.id, None))
            filed = await connection.fetchrow(SQL["clearance"], tenant, clearance_id)
            if filed is None or filed["state"] == "reported":
                raise Problem(409, "reported", "its contact was reported: it can't be taken back")
            if filed["state"] != "released":
                now = await connection.fetchval("SELECT policy.gate_now()")
                await give_back(connection, tenant, clearance_id)
                await connection.execute(SQL["move"], tenant, clearance_id, "released", now)
            return {"clearance_id": clearance_id, "state": "released"}

    return await repeating(once)
