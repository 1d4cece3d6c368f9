"""A running notifier between a double of policy's doors and providers that may lie."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import structlog
from aiohttp import web

from services.events.base import Event
from services.events.codec import borrower_key, encode
from services.events.permits import Redeemed, Verdict
from services.events.reminders import ReminderAllowed, ReminderCancelled
from services.events.words import Channel, Role, Stage
from services.notifier import app
from services.notifier.settings import Settings
from services.runtime import apikeys, log
from services.runtime.admin import serving as serving_http
from services.runtime.child_process import free_ports
from services.runtime.identity import surrogate
from services.runtime.settings import read
from services.runtime.streams import open_stream
from tests.database import Database
from tests.notifier.google_key import service_account
from tests.notifier.liars import HttpLiar, SmtpLiar, serving
from tests.notifier.policy_double import PolicyDouble

IDENTITY = "i" * 32

PEPPER = "p" * 32

AUTH_TOKEN = "twilio-token"

ADDRESS_KEY = base64.b64encode(b"k" * 32).decode()

TENANT = "harbor"

PATIENCE_SECONDS = 60.0


class World:
    """The notifier's surroundings and what a test does with them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.policy = PolicyDouble()
        self.http = HttpLiar()
        self.mail = SmtpLiar()
        self.key = ""
        self.owner: asyncpg.Connection[asyncpg.Record]
        self.session: aiohttp.ClientSession
        self.settings: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings['DUNWELL_HTTP_PORT']}"

    async def start(self, **more: str) -> None:
        """Run the service in this process, until `stop`; its log goes where a test's capture is."""
        settings = read(Settings, self.settings | more)
        log.configure("notifier", settings.log_format, settings.log_level)
        self._task = asyncio.create_task(app.run(settings))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if self._task.done():
                    self._task.result()
                try:
                    async with self.session.get(f"{self.url}/v1/attempts/{uuid4()}"):
                        return
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.02)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def publish(self, *events: Event) -> None:
        """Put events on their topics, as their producers would."""
        settings = read(Settings, self.settings)
        async with open_stream(settings) as stream:
            producer = await stream.producer()
            await producer.publish(
                [
                    encode(
                        event,
                        source="test",
                        key=borrower_key(event.tenant, getattr(event, "borrower_id", "x")),
                        event_id=uuid4(),
                        time=datetime.now(UTC),
                    )
                    for event in events
                ]
            )
            await producer.close()

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        async with self.session.request(
            method,
            self.url + path,
            json=body,
            headers={"Authorization": f"Bearer {self.key}"} | headers,
        ) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def addresses(self, borrower_ref: str, version: int = 1, **points: str) -> UUID:
        """Give a borrower's addresses, kind=value; returns the surrogate id."""
        status, said = await self.call(
            "PUT",
            f"/v1/borrowers/{borrower_ref}/contact-points",
            {
                "version": version,
                "contact_points": [{"kind": k, "value": v} for k, v in points.items()],
            },
        )
        assert status == 200, said
        return surrogate(IDENTITY.encode(), TENANT, "borrower", borrower_ref)

    async def state(self, reminder_id: UUID, number: int = -1) -> str | None:
        rows = await self.attempts(reminder_id)
        return rows[number]["state"] if rows else None

    async def attempts(self, reminder_id: UUID) -> list[asyncpg.Record]:
        return await self.owner.fetch(
            "SELECT * FROM notifier.attempts WHERE reminder_id = $1 ORDER BY created_at",
            reminder_id,
        )

    async def until_state(self, reminder_id: UUID, *states: str) -> asyncpg.Record:
        """Wait until the last attempt of a reminder is in one of these states."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            rows = await self.attempts(reminder_id)
            if rows and rows[-1]["state"] in states:
                return rows[-1]
            if time.monotonic() > deadline:
                raise AssertionError([(r["state"], r["code"], r["channel"]) for r in rows])
            await asyncio.sleep(0.02)

    async def until(self, sql: str, *arguments: object) -> None:
        """Wait until a query says true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await self.owner.fetchval(sql, *arguments):
            assert time.monotonic() < deadline, sql
            await asyncio.sleep(0.02)

    async def until_read(self) -> None:
        """Wait until the service is done with everything on the topics it reads."""
        await self.until(ALL_READ)

    async def receipts(self, reminder_id: UUID) -> list[tuple[str, str | None, str | None]]:
        """(state, outcome, reason) of every receipt that was published, in order."""
        return [
            (e["state"], e.get("outcome"), e.get("reason"))
            for e in await self.published("delivery.receipt")
            if e["reminder_id"] == str(reminder_id)
        ]

    async def published(self, topic: str) -> list[dict[str, Any]]:
        """What came out on a topic, in order: in the stream, or still in the outbox."""
        values = [row["value"] for row in await self.owner.fetch(PUBLISHED, topic)]
        return [json.loads(value) for value in dict.fromkeys(values)]  # both, for a moment


ALL_READ = """
SELECT NOT EXISTS (
    SELECT FROM stream.messages LEFT JOIN notifier.stream_positions USING (topic, partition)
     WHERE topic IN ('reminder.allowed', 'reminder.cancelled', 'address.events')
       AND message_offset >= coalesce(next_offset, 0))
"""

PUBLISHED = """
SELECT value FROM (
    SELECT 1 AS place, message_offset AS number, value FROM stream.messages WHERE topic = $1
     UNION ALL
    SELECT 2, id, value FROM notifier.outbox WHERE topic = $1
) AS either ORDER BY place, number
"""


def allowed(borrower_id: UUID, *channels: Channel, **wanted: Any) -> ReminderAllowed:
    now = datetime.now(UTC)
    facts: dict[str, Any] = {
        "tenant": TENANT,
        "reminder_id": uuid4(),
        "emission": 1,
        "decision_id": uuid4(),
        "borrower_id": borrower_id,
        "loan_id": "loan-1",
        "installment_number": 3,
        "stage": Stage.UPCOMING,
        "days_from_due": -3,
        "due_date": date(2026, 9, 25),
        "valid_until": now + timedelta(days=3),
        "priority": 5,
        "channels": channels or (Channel.SMS,),
        "locale": "en",
        "outstanding_minor": 12_345,
        "currency": "USD",
        "role": Role.CREDITOR,
        "decided_at": now,
    }
    return ReminderAllowed(**(facts | wanted))


def cancelled(event: ReminderAllowed) -> ReminderCancelled:
    return ReminderCancelled(
        tenant=event.tenant,
        reminder_id=event.reminder_id,
        borrower_id=event.borrower_id,
        version=2,
        reason="paid",
        cancelled_at=datetime.now(UTC),
    )


def refusal(verdict: Verdict, code: str, until: datetime | None = None) -> Redeemed:
    return Redeemed(attempt_id=uuid4(), verdict=verdict, code=code, until=until)


@asynccontextmanager
async def open_world(database: Database, folder: Path) -> AsyncIterator[World]:
    world = World(database, folder)
    world.owner = await asyncpg.connect(database.admin_dsn)
    notifier = await asyncpg.connect(
        database.dsn("notifier"), server_settings={"search_path": "notifier"}
    )
    world.key = await apikeys.issue(
        notifier, PEPPER.encode(), tenant=TENANT, scopes=["ingest"], label="test"
    )
    await notifier.close()
    policy = web.Application()
    policy.add_routes(world.policy.routes())
    async with (
        aiohttp.ClientSession() as world.session,
        serving(world.http),
        serving(world.mail),
        serving_http(policy, "127.0.0.1", 0) as policy_port,
    ):
        (port,) = free_ports(1)
        world.settings = {
            "DUNWELL_DATABASE_URL": database.dsn("notifier"),
            "DUNWELL_IDENTITY_KEY": IDENTITY,
            "DUNWELL_API_KEY_PEPPER": PEPPER,
            "DUNWELL_HTTP_PORT": str(port),
            "DUNWELL_ADMIN_PORT": "0",
            "DUNWELL_POLICY_URL": f"http://127.0.0.1:{policy_port}",
            "DUNWELL_SERVICE_KEY": "dw_service",
            "DUNWELL_PUBLIC_URL": "https://reminders.example.com",
            "DUNWELL_ADDRESS_KEYS": f"k1:{ADDRESS_KEY}",
            "DUNWELL_SENDER_NAME": "Harbor Lending",
            "DUNWELL_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "DUNWELL_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "DUNWELL_TWILIO_FROM": "+15005550006",
            "DUNWELL_TWILIO_API_URL": world.http.url,
            "DUNWELL_SMTP_HOST": "127.0.0.1",
            "DUNWELL_SMTP_PORT": str(world.mail.port),
            "DUNWELL_SMTP_TLS": "none",
            "DUNWELL_MAIL_FROM": "Harbor Lending <reminders@example.com>",
            "DUNWELL_FCM_SERVICE_ACCOUNT_FILE": str(
                service_account(folder, f"{world.http.url}/token")
            ),
            "DUNWELL_FCM_API_URL": world.http.url,
            "DUNWELL_RETRY_SECONDS": "0.05",
            "DUNWELL_LOOK_UP_SECONDS": "0.2",
            "DUNWELL_LOG_LEVEL": "warning",
        }
        try:
            yield world
        finally:
            await world.stop()
            structlog.reset_defaults()
            await world.owner.close()
