"""A running notifier between a double of policy's doors and providers that may lie."""

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import msgspec
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from services.events.base import Event
from services.events.codec import borrower_key, encode
from services.events.permits import Redeem, RedeemAnswer, Redeemed, RedeemRequest, Verdict
from services.events.reminders import ReminderAllowed, ReminderCancelled
from services.events.words import Channel, Role, Stage
from services.notifier import app
from services.notifier.settings import Settings
from services.runtime import apikeys
from services.runtime.admin import serving as serving_http
from services.runtime.identity import surrogate
from services.runtime.settings import read
from services.runtime.streams import open_stream
from tests.database import Database
from tests.notifier.liars import HttpLiar, SmtpLiar, serving

IDENTITY = "i" * 32
PEPPER = "p" * 32
AUTH_TOKEN = "twilio-token"
ADDRESS_KEY = base64.b64encode(b"k" * 32).decode()
TENANT = "harbor"
PATIENCE_SECONDS = 60.0


class PolicyDouble:
    """Redeems everything, unless told otherwise; remembers what it was asked."""

    def __init__(self) -> None:
        self.redeemed: list[Redeem] = []
        self.stops: list[dict[str, Any]] = []
        self.lifted: list[str] = []
        self.lifted_by: set[str] = set()
        self.answers: dict[str, Redeemed] = {}  # by channel
        self.status = 200
        self.away = False
        self.drop_answers = 0
        self.send_within = timedelta(seconds=10)
        self.allowed_for = timedelta(hours=2)
        self.before_answer: Any = None

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/permits:redeem", self.redeem),
            web.post("/v1/stops", self.stop),
            web.post("/v1/stops/{stop_id}:lift", self.lift),
        ]

    async def redeem(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer dw_service"
        asked = msgspec.json.decode(await request.read(), type=RedeemRequest)
        self.redeemed += asked.redeems
        if self.before_answer is not None:
            await self.before_answer()
        if self.drop_answers:
            self.drop_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        if self.status != 200:
            return web.Response(status=self.status)
        answer = RedeemAnswer(results=tuple(self._one(redeem) for redeem in asked.redeems))
        return web.Response(body=msgspec.json.encode(answer))

    def _one(self, redeem: Redeem) -> Redeemed:
        refusal = self.answers.get(redeem.channel)
        if refusal is not None:
            return msgspec.structs.replace(refusal, attempt_id=redeem.attempt_id)
        now = datetime.now(UTC)
        return Redeemed(
            attempt_id=redeem.attempt_id,
            verdict=Verdict.ALLOW,
            permit_id=uuid4(),
            send_by=now + self.send_within,
            allowed_until=now + self.allowed_for,
            gate_now=now,
        )

    async def stop(self, request: web.Request) -> web.Response:
        if self.away:
            return web.Response(status=503)
        self.stops.append(await request.json())
        return web.Response(status=201)

    async def lift(self, request: web.Request) -> web.Response:
        if self.away:
            return web.Response(status=503)
        self.lifted.append(request.match_info["stop_id"])
        self.lifted_by.add(msgspec.json.decode(await request.read())["lifted_by"])
        return web.Response(status=204)


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
        """Run the service in this process, until `stop`."""
        settings = read(Settings, self.settings | more)
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
            await stream.ensure_topics()
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
        port = free_port()
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
            await world.owner.close()


@cache
def private_key() -> str:
    """One key a run: making it takes half a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def service_account(folder: Path, token_uri: str) -> Path:
    """A key file as Google hands it out, of a key made here."""
    path = folder / "service-account.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "dunwell-test",
                "client_email": "sender@example.com",
                "private_key": private_key(),
                "private_key_id": "1",
                "token_uri": token_uri,
            }
        )
    )
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
