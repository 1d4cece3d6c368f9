"""A loan event goes in and a receipt comes out, through three processes, on both streams."""

from datetime import UTC, date, datetime

import pytest

from services.events.codec import encode
from services.events.loans import BorrowerRegistered, InstallmentScheduled, LoanRegistered
from services.events.topics import TOPIC_OF
from services.events.words import Product
from services.runtime.settings import ServiceSettings, read
from services.runtime.streams import open_stream
from tests.e2e.thread import Thread

DUE = date(2026, 5, 12)
PHONE = "+12025550142"


async def publish_a_loan(thread: Thread) -> None:
    """As a lender's platform team does it: three events, straight to the stream."""
    tenant, ref = thread.world.tenant, "B-1"
    events = [
        BorrowerRegistered(
            tenant=tenant, borrower_ref=ref, version=1, country="US", subdivision="NY", locale="en"
        ),
        LoanRegistered(
            tenant=tenant,
            loan_id="L-1",
            borrower_ref=ref,
            version=1,
            product=Product.PERSONAL_LOAN,
            currency="USD",
        ),
        InstallmentScheduled(
            tenant=tenant,
            loan_id="L-1",
            borrower_ref=ref,
            installment_number=1,
            version=1,
            due_date=DUE,
            amount_minor=12_345,
            currency="USD",
        ),
    ]
    settings = read(ServiceSettings, thread.world.environment("scheduler"))
    async with open_stream(settings) as stream:
        producer = await stream.producer()
        await producer.publish(
            [
                encode(
                    event,
                    source="/core-banking",
                    key=b"demo/L-1",
                    event_id=f"e-{number}",
                    time=datetime.now(UTC),
                )
                for number, event in enumerate(events)
            ]
        )
        await producer.close()
    assert {TOPIC_OF[type(event)] for event in events} == {"loan.events"}


@pytest.mark.slow
async def test_a_loan_event_ends_in_a_delivered_message_and_a_settled_reminder(
    thread: Thread,
) -> None:
    await thread.addresses("B-1", mobile=PHONE)
    await publish_a_loan(thread)
    await thread.until("SELECT count(*) > 0 FROM scheduler.reminders")
    await thread.step_to(datetime(2026, 5, 12, 14, tzinfo=UTC))  # 10:00 in New York

    await thread.until("SELECT count(*) = 1 FROM scheduler.reminders WHERE status = 'sent'")
    await thread.until("SELECT count(*) = 1 FROM notifier.attempts WHERE state = 'delivered'")
    await thread.until("SELECT count(*) = 1 FROM policy.contacts WHERE outcome = 'delivered'")

    (request,) = await thread.history()
    assert request["to"] == PHONE
    assert "123.45" in request["text"]
    assert request["accepted"]
    assert request["attempt_seen"]["at_arrival"]["state"] == "in_flight"
    # The window closes at 20:00 or 21:00 in New York; Twilio takes at most ten hours.
    assert 0 < request["validity_seconds"] <= 36_000

    status, ledger = await thread.call("GET", "scheduler", "/v1/ledger")
    assert status == 200
    assert (ledger["sent"], ledger["balanced"]) == (1, True)
    reminder = await thread.owner.fetchval(
        "SELECT reminder_id::text FROM scheduler.reminders WHERE status = 'sent'"
    )
    status, decisions = await thread.call("GET", "policy", f"/v1/reminders/{reminder}/decisions")
    assert status == 200
    assert PHONE not in str(decisions)


@pytest.mark.slow
async def test_a_payment_that_was_answered_is_never_followed_by_a_send(thread: Thread) -> None:
    await thread.addresses("B-1", mobile=PHONE)
    await publish_a_loan(thread)
    await thread.until("SELECT count(*) > 0 FROM scheduler.reminders")
    status, said = await thread.call(
        "POST",
        "scheduler",
        "/v1/payments",
        {
            "payment_id": "P-1",
            "loan_id": "L-1",
            "borrower_ref": "B-1",
            "installment_number": 1,
            "amount_minor": 12_345,
            "currency": "USD",
            "received_at": "2026-05-12T13:00:00Z",
        },
    )
    assert status < 300, said
    await thread.step_to(datetime(2026, 5, 13, 14, tzinfo=UTC))
    await thread.until(
        "SELECT count(*) > 0 AND bool_and(status = 'cancelled') FROM scheduler.reminders"
    )
    assert await thread.history() == []
