"""What a visit needs at least: a tenant's thresholds, set by one person, approved by another."""

import msgspec

from services.policy.clearances.filed import SQL
from services.policy.clearances.visits import Limits
from services.runtime.database import Connection


async def read(connection: Connection, tenant: str) -> Limits:
    """What a visit needs at least, as the tenant has set it; else the defaults."""
    row = await connection.fetchrow(SQL["visit_limits"], tenant)
    return msgspec.json.decode(row["limits"], type=Limits) if row else Limits()


async def write(
    connection: Connection, tenant: str, limits: Limits, by: str, approved_by: str
) -> None:
    """From now on; what held before stays on record."""
    values = msgspec.json.encode(limits).decode()
    await connection.execute(SQL["limit_visits"], tenant, values, by, approved_by)
