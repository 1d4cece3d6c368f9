"""A small world for policy: borrowers with phones and debts, packs in force, and what comes out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from services.events.codec import Envelope
from services.events.deliveries import ContactPointChanged
from services.events.loans import BorrowerChanged, CandidateZone, DebtChanged
from services.events.permits import Redeem, Redeemed
from services.events.words import Basis, Channel, Place, PointKind
from services.policy import activation, ending, handlers, jurisdictions
from services.policy.activation import Activation
from services.policy.handlers import Context
from services.policy.redeem import redeem
from services.policy.rulesets import RuleSets
from services.runtime import clock
from services.runtime.database import Connection, Pool, transaction
from services.runtime.outbox import Outbox
from tests.policy_service.events import AFTERNOON, TENANT, attempt, debt, due, who

IDENTITY_KEY = b"an identity key of a test, long enough"


class NoStream:
    """A producer of a stream that nobody reads: records stay in the outbox."""

    async def publish(self, records: Sequence[object]) -> None:
        raise ConnectionError

    async def close(self) -> None:
        return None


@dataclass
class World:
    """Everything a test needs, on a database of its own whose business clock stands still."""

    db: Pool
    owner: Connection
    rule_sets: RuleSets = field(default_factory=lambda: RuleSets(jurisdictions.load()))

    def __post_init__(self) -> None:
        self.context = Context(rule_sets=self.rule_sets, identity_key=IDENTITY_KEY)
        self.outbox = Outbox(self.db, NoStream())  # type: ignore[arg-type]
        self._offset = 0

    async def at(self, instant: datetime) -> None:
        """Step the business clock."""
        await clock.step_to(self.owner, instant)

    async def activate(self, *packs: str, tenant: str = TENANT) -> None:
        for pack in packs:
            asked = Activation(pack=pack, by="ann", approved_by="bob")
            async with transaction(self.db) as connection:
                await activation.activate(connection, self.rule_sets, tenant, asked, sandbox=True)

    async def rules(self, text: str, *, pack: str = "us-fed", tenant: str = TENANT) -> None:
        """Put a pack of a test's own in force under the name of one that has a place."""
        async with transaction(self.db) as connection:
            version = str(uuid4())
            await connection.execute(activation.SQL["keep_pack_text"], tenant, pack, version, text)
            since = AFTERNOON - timedelta(days=99)
            await ending.end(connection, tenant, pack, since, ("a", "b"))
            await connection.execute(
                activation.SQL["activate"],
                tenant,
                uuid4(),
                pack,
                version,
                since,
                "ann",
                "bob",
                None,
            )

    async def send(self, topic: str, *events: Any, partition: int = 0) -> Sequence[Any]:
        """Hand events to their handler as the consumer does; returns what it rejected."""
        envelopes = []
        for event in events:
            self._offset += 1
            envelopes.append(
                Envelope(
                    event=event,
                    event_id=str(uuid4()),
                    source="test",
                    topic=topic,
                    partition=partition,
                    offset=self._offset,
                )
            )
        async with transaction(self.db) as connection:
            return await handlers.HANDLERS[topic](self.context, connection, envelopes)

    async def borrower(
        self,
        name: str,
        *,
        household: str | None = None,
        country: str = "US",
        subdivision: str | None = None,
        city: str | None = None,
        zones: Sequence[str] = ("America/New_York",),
        version: int = 1,
        tenant: str = TENANT,
    ) -> UUID:
        changed = BorrowerChanged(
            tenant=tenant,
            borrower_id=who(name),
            version=version,
            country=country,
            subdivision=subdivision,
            city=city,
            zones=tuple(CandidateZone(zone=zone, basis=Basis.ADDRESS) for zone in zones),
            household_id=who(household) if household else None,
        )
        await self.send("loan.changed", changed)
        return who(name)

    async def debt(
        self, name: str, *, owed: int = 10_000, version: int = 1, tenant: str = TENANT
    ) -> DebtChanged:
        changed = debt(name, owed=owed, version=version, tenant=tenant)
        await self.send("loan.changed", changed)
        return changed

    async def phone(
        self,
        name: str,
        point: str | None = None,
        *,
        channels: Sequence[Channel] = (Channel.SMS,),
        usable: bool = True,
        version: int = 1,
        tenant: str = TENANT,
        place: Place = "personal",
    ) -> str:
        changed = ContactPointChanged(
            tenant=tenant,
            borrower_id=who(name),
            contact_point_id=point or f"cp_{name}",
            version=version,
            kind=PointKind.EMAIL if channels == (Channel.EMAIL,) else PointKind.MOBILE,
            channels=tuple(channels),
            country="US",
            zones=(),
            usable=usable,
            place=place,
        )
        await self.send("contact_point.changed", changed)
        return changed.contact_point_id

    async def person(self, name: str, **household: Any) -> UUID:
        """A borrower with a phone, a zone and a debt."""
        await self.borrower(name, **household)
        await self.phone(name)
        await self.debt(name)
        return who(name)

    async def redeem(self, *asked: Redeem) -> list[Redeemed]:
        return await redeem(self.db, self.rule_sets, self.outbox, asked)

    async def redeem_one(self, asked: Redeem) -> Redeemed:
        return (await self.redeem(asked))[0]

    async def ready(self, name: str, **changes: Any) -> Redeem:
        """A due reminder that policy was asked about, and the attempt that would send it."""
        asked = due(name, **changes)
        await self.send("reminder.due", asked)
        return attempt(asked)

    async def out(self) -> list[dict[str, Any]]:
        """What lies in the outbox, oldest first, with its topic; taken out."""
        rows = await self.owner.fetch(
            "WITH gone AS (DELETE FROM policy.outbox RETURNING id, topic, value)"
            " SELECT topic, value FROM gone ORDER BY id"
        )
        return [{"topic": row["topic"], **msgspec.json.decode(row["value"])} for row in rows]

    async def held_code(self) -> str | None:
        """Why the reminder that waits is held; None if none does."""
        rows = await self.rows("held")
        return rows[0]["code"] if rows else None

    async def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        conditions = " AND ".join(f"{name} = ${i}" for i, name in enumerate(where, 1)) or "true"
        found = await self.owner.fetch(
            f"SELECT * FROM policy.{table} WHERE {conditions}", *where.values()
        )
        return [dict(row) for row in found]
