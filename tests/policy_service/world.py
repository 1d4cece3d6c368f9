"""A small world for policy: borrowers with phones and debts, packs in force, and what comes out."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec

from services.events.codec import Envelope
from services.events.deliveries import ContactPointChanged
from services.events.loans import BorrowerChanged, CandidateZone, DebtChanged
from services.events.permits import ContentFacts, Redeem, Redeemed
from services.events.reminders import ReminderCancelled, ReminderDue
from services.events.stops import StopRecorded
from services.events.words import Basis, Channel, PointKind, Product, Role, Stage
from services.policy import activation, handlers, jurisdictions
from services.policy.activation import Activation
from services.policy.handlers import Context
from services.policy.redeem import redeem
from services.policy.rulesets import RuleSets
from services.runtime import clock
from services.runtime.database import Connection, Pool, transaction
from services.runtime.outbox import Outbox

TENANT = "acme"
NAMES = UUID("11111111-2222-3333-4444-555555555555")
IDENTITY_KEY = b"an identity key of a test, long enough"

# A Tuesday, 14:00 in New York: open hours everywhere in the United States.
AFTERNOON = datetime(2026, 6, 2, 18, 0, tzinfo=UTC)


class NoStream:
    """A producer of a stream that nobody reads: records stay in the outbox."""

    async def publish(self, records: Sequence[object]) -> None:
        raise ConnectionError

    async def close(self) -> None:
        return None


def who(name: str) -> UUID:
    """The surrogate of an invented person."""
    return uuid5(NAMES, name)


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
            await connection.execute(
                activation.SQL["supersede"], tenant, pack, AFTERNOON - timedelta(days=99), "a", "b"
            )
            await connection.execute(
                activation.SQL["activate"],
                tenant,
                uuid4(),
                pack,
                version,
                AFTERNOON - timedelta(days=99),
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
                    time=None,
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
        zones: Sequence[str] = ("America/New_York",),
        version: int = 1,
        tenant: str = TENANT,
    ) -> UUID:
        changed = BorrowerChanged(
            tenant=tenant,
            borrower_id=who(name),
            version=version,
            country=country,
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

    async def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        conditions = " AND ".join(f"{name} = ${i}" for i, name in enumerate(where, 1)) or "true"
        found = await self.owner.fetch(
            f"SELECT * FROM policy.{table} WHERE {conditions}", *where.values()
        )
        return [dict(row) for row in found]


def known_events(name: str) -> list[Any]:
    """What other services tell of a borrower with a phone, a zone and a debt."""
    borrower = BorrowerChanged(
        tenant=TENANT,
        borrower_id=who(name),
        version=1,
        country="US",
        zones=(CandidateZone(zone="America/New_York", basis=Basis.ADDRESS),),
    )
    phone = ContactPointChanged(
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
    return [borrower, phone, debt(name)]


def debt(
    name: str,
    *,
    owed: int = 10_000,
    version: int = 1,
    tenant: str = TENANT,
    source: str | None = None,
) -> DebtChanged:
    """What an invented person owes on the first installment of their one loan."""
    return DebtChanged(
        tenant=tenant,
        borrower_id=who(name),
        loan_id=f"loan-{name}",
        installment_number=1,
        version=version,
        outstanding_minor=owed,
        currency="USD",
        product=Product.PERSONAL_LOAN,
        role=Role.CREDITOR,
        due_date=dt.date(2026, 6, 3),
        source=source,
    )


def due(name: str, **changes: Any) -> ReminderDue:
    """A reminder one day before the due date of that installment."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "reminder_id": uuid4(),
        "emission": 1,
        "borrower_id": who(name),
        "loan_id": f"loan-{name}",
        "installment_number": 1,
        "cycle": 1,
        "step": "T-1",
        "days_from_due": -1,
        "stage": Stage.UPCOMING,
        "due_date": dt.date(2026, 6, 3),
        "due_at": AFTERNOON,
        "valid_until": AFTERNOON + timedelta(days=20),
        "priority": 5,
        "channels": (Channel.SMS,),
        "locale": "en",
        "outstanding_minor": 10_000,
        "currency": "USD",
        "product": Product.PERSONAL_LOAN,
        "role": Role.CREDITOR,
        "days_past_due": 0,
    }
    return ReminderDue(**{**defaults, **changes})


def attempt(asked: ReminderDue, **changes: Any) -> Redeem:
    """An attempt for a reminder that was allowed, at its first channel and the person's phone."""
    defaults: dict[str, Any] = {
        "tenant": asked.tenant,
        "attempt_id": uuid4(),
        "reminder_id": asked.reminder_id,
        "emission": asked.emission,
        "borrower_id": asked.borrower_id,
        "loan_id": asked.loan_id,
        "installment_number": asked.installment_number,
        "stage": asked.stage,
        "channel": asked.channels[0],
        "contact_point_id": "cp_" + asked.loan_id.removeprefix("loan-"),
        "outstanding_minor": asked.outstanding_minor,
        "currency": asked.currency,
        "valid_until": asked.valid_until,
        "content": ContentFacts(opt_out="reply"),
    }
    return Redeem(**{**defaults, **changes})


def stop(name: str | None, kind: str = "opt_out", **changes: Any) -> StopRecorded:
    """A reason not to contact an invented person, received just now."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "stop_id": uuid4(),
        "borrower_id": who(name) if name else None,
        "kind": kind,
        "received_at": AFTERNOON,
    }
    return StopRecorded(**{**defaults, **changes})


def cancelled(asked: ReminderDue | Redeem) -> ReminderCancelled:
    """The reminder must not go out any more."""
    return ReminderCancelled(
        tenant=asked.tenant,
        reminder_id=asked.reminder_id,
        borrower_id=asked.borrower_id,
        version=1,
        reason="paid",
        cancelled_at=AFTERNOON,
    )


def pack(*rules: str, pack: str = "us-fed") -> str:
    """A pack of a test's own; each rule is a YAML flow map."""
    lines = "\n".join(f"  - {rule}" for rule in rules)
    head = f"pack: {pack}\ntitle: A test's own\njurisdiction: nowhere\nstatus: draft"
    return f"{head}\nrules:\n{lines}\n"


WINDOW = '{id: t-hours, kind: contact_window, cite: [test], hours: {daily: "08:00-21:00"}}'


def cap(most: int, *key: str, window: str = "{calendar: day}") -> str:
    """At most so many messages in a window, counted by this key."""
    keys, name = ", ".join(key), "-".join(key).replace("_", "-")
    return (
        f"{{id: t-cap-{name}, kind: frequency_cap, cite: [test], max: {most},"
        f" window: {window}, key: [{keys}]}}"
    )
