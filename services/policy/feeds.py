"""How fresh what we know of debts is: each source's watermark, held against its own bound."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from services.runtime import queries
from services.runtime.database import Connection

SQL = queries.load(Path(__file__).with_name("queries_activation.sql"))


class Feeds(msgspec.Struct, frozen=True, kw_only=True):
    """The sources that ever declared a watermark: (tenant, source) → is it too old?"""

    too_old: Mapping[tuple[str, str], bool]

    def stale(self, tenant: str, source: str | None) -> bool:
        """May a debt of this source have changed without our knowing?

        Its own source answers.  If that isn't known, or never declared a watermark, any source of
        the tenant may be the one that feeds it: the stalest answers.
        """
        if source is not None and (own := self.too_old.get((tenant, source))) is not None:
            return own
        return any(old for (whose, _), old in self.too_old.items() if whose == tenant)


async def feeds(connection: Connection, tenants: Iterable[str], now: datetime) -> Feeds:
    """Of these tenants, at `now` (business time)."""
    rows = await connection.fetch(SQL["feeds"], sorted(tenants), now)
    return Feeds(too_old={(row["tenant"], row["source"]): row["too_old"] for row in rows})
