"""Bad input: each gets the error its user needs, in a 4xx or the dead letters; nothing changes."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from services.events.codec import Record
from services.runtime.settings import ServiceSettings, read
from services.runtime.streams import open_stream
from tests.e2e.thread import Thread

LOAN: Mapping[str, Any] = {
    "loan_id": "L-1",
    "borrower_ref": "B-1",
    "version": 1,
    "product": "personal_loan",
    "currency": "USD",
    "borrower": {"borrower_ref": "B-1", "version": 1, "country": "US"},
    "installments": [{"installment_number": 1, "due_date": "2026-05-20", "amount_minor": 100}],
}
PAYMENT: Mapping[str, Any] = {
    "payment_id": "P-1",
    "loan_id": "L-1",
    "borrower_ref": "B-1",
    "installment_number": 1,
    "amount_minor": 100,
    "currency": "USD",
    "received_at": "2026-05-12T12:00:00Z",
}

# What is sent, to which door, and the field that the answer must name.
BODIES: list[tuple[str, Mapping[str, Any], str]] = [
    ("/v1/loans", LOAN | {"currency": "XXQ"}, "currency"),
    ("/v1/loans", LOAN | {"product": "payday"}, "product"),
    ("/v1/loans", LOAN | {"loan_id": "L\x00"}, "$"),
    (
        "/v1/loans",
        LOAN
        | {
            "borrower": {
                "borrower_ref": "B-1",
                "version": 1,
                "country": "US",
                "zones": [{"zone": "Mars/Olympus", "basis": "confirmed"}],
            }
        },
        "zone",
    ),
    ("/v1/loans", LOAN | {"tenant": "somebody-else"}, "$"),
    ("/v1/payments", PAYMENT | {"received_at": "2026-05-12T12:00:00"}, "received_at"),
    ("/v1/payments", PAYMENT | {"amount_minor": -5}, "amount_minor"),
    ("/v1/payments", PAYMENT | {"amount_minor": 1.5}, "amount_minor"),
]


def event(
    kind: str = "repayment_received.v1",
    tenant: str = "demo",
    value: bytes | None = None,
    **changed: str,
) -> Record:
    """A payment as a lender publishes it, with something wrong."""
    body = value
    if body is None:
        fields = {"tenant": '"demo"'} | {k: _json(v) for k, v in PAYMENT.items()} | changed
        body = ("{" + ", ".join(f'"{k}": {v}' for k, v in fields.items()) + "}").encode()
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_type", f"dunwell.{kind}".encode()),
        ("ce_source", b"/core-banking"),
        ("ce_id", b"e-1"),
        ("ce_tenant", tenant.encode()),
        ("content-type", b"application/json"),
    )
    return Record(topic="loan.events", key=b"demo/L-1", value=body, headers=headers)


def _json(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


EVENTS: list[tuple[str, Record]] = [
    ("unknown version", event(kind="repayment_received.v9")),
    ("wrong tenant", event(tenant="somebody-else")),
    ("naive time", event(received_at='"2026-05-12T12:00:00"')),
    ("NaN amount", event(amount_minor="NaN")),
    ("unknown currency", event(currency='"XXQ"')),
    ("NUL in text", event(payment_id='"P\\u0000"')),
    ("a megabyte", event(value=b'{"tenant": "demo", "payment_id": "' + b"x" * 900_000 + b'"}')),
    ("not JSON", event(value=b"<xml/>")),
]


@pytest.mark.slow
async def test_bad_input_gets_its_error_and_changes_nothing(thread: Thread) -> None:
    before = await contents(thread)
    for path, body, field in BODIES:
        status, said = await thread.call("POST", "scheduler", path, body)
        assert 400 <= status < 500, (path, body, said)
        assert field in str(said["errors"]), (field, said)

    settings = read(ServiceSettings, thread.world.environment("scheduler"))
    async with open_stream(settings) as stream:
        producer = await stream.producer()
        for _, record in EVENTS:
            await producer.publish([record])
        await producer.close()
        found: list[dict[str, bytes]] = []
        for _ in range(200):
            found = [
                dict(record.headers)
                async for polled in stream.scan(["loan.events.dlq"])
                for record in polled.records
            ]
            if len(found) == len(EVENTS):
                break
            await asyncio.sleep(0.1)
    assert len(found) == len(EVENTS), [headers["dlq_reason"] for headers in found]
    assert all(headers["dlq_reason"] and headers["dlq_detail"] for headers in found)

    for forged in ({"MessageSid": "SM1", "MessageStatus": "delivered"}, {}):
        async with thread.session.post(
            thread.world.url("notifier")
            + "/v1/callbacks/twilio/00000000-0000-4000-8000-000000000000",
            data=forged,
            headers={"X-Twilio-Signature": "Zm9yZ2Vk"},
        ) as answer:
            assert answer.status == 403
    status, _ = await thread.call(
        "GET", "scheduler", "/v1/ledger", key="dw_000000000000_" + "x" * 43
    )
    assert status == 401
    assert await contents(thread) == before


async def contents(thread: Thread) -> list[int]:
    """How many rows each table has in which bad input could leave something."""
    tables = (
        "scheduler.borrowers scheduler.loans scheduler.installments scheduler.payments"
        " scheduler.reminders policy.debts policy.stops notifier.attempts notifier.contact_points"
    )
    return [
        await thread.owner.fetchval(f"SELECT count(*) FROM {table}") for table in tables.split()
    ]
