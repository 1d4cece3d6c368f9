"""What has the right form but no column can hold is refused with the name of its field."""

from typing import Any

import aiohttp
import pytest

from tests.database import Database
from tests.openapi.test_fuzz import open_doors

ID = "6f1ed002-ab5d-4e2c-8a8e-7a1f4f1d3c11"
EARLY, LATE = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
THEN = "2026-06-02T18:00:00Z"
DEBT = {
    "tenant": "acme", "borrower_id": ID, "loan_id": "L-1", "installment_number": 1, "version": 1,
    "outstanding_minor": 1, "currency": "USD", "product": "personal_loan", "role": "creditor",
    "due_date": "2026-06-03",
}  # fmt: skip
CANCELLED = {
    "tenant": "acme", "reminder_id": ID, "borrower_id": ID, "version": 1, "reason": "paid",
    "cancelled_at": THEN,
}  # fmt: skip
REDEEM = {
    "tenant": "acme", "attempt_id": ID, "reminder_id": ID, "emission": 1, "borrower_id": ID,
    "loan_id": "L-1", "installment_number": 1, "stage": "upcoming", "channel": "sms",
    "contact_point_id": "cp_1", "outstanding_minor": 1, "currency": "USD", "valid_until": THEN,
}  # fmt: skip
STOP = {"stop_id": ID, "borrower_ref": "B-1", "kind": "opt_out", "received_at": THEN}
CONSENT = {
    "consent_id": ID, "borrower_ref": "B-1", "to": "channel", "given_to": "actor",
    "received_at": THEN,
}  # fmt: skip
PREFERENCE = {
    "preference_id": ID, "borrower_ref": "B-1", "kind": "not_between", "from_clock": "18:00",
    "to_clock": "19:00",
}  # fmt: skip
NOTICE = {"notice_id": ID, "borrower_ref": "B-1", "kind": "validation", "sent_at": THEN}
DUTY = {"duty_id": ID, "borrower_ref": "B-1", "kind": "dispute_answer", "since": THEN}
CONTACT = {
    "contact_id": ID,
    "borrower_ref": "B-1",
    "channel": "call",
    "outcome": "busy",
    "at": THEN,
}
ASKED = {"borrower_ref": "B-1", "loan_id": "L-1", "channel": "visit", "purpose": "collection"}
ACTIVATION = {"pack": "us-fed", "by": "ann", "approved_by": "bob"}
PAYMENT = {
    "payment_id": "P-1", "loan_id": "L-1", "borrower_ref": "B-1", "installment_number": 1,
    "amount_minor": 1, "currency": "USD", "received_at": THEN,
}  # fmt: skip
LOAN = {
    "loan_id": "L-1", "borrower_ref": "B-1", "version": 1, "product": "personal_loan",
    "currency": "USD",
}  # fmt: skip
BIG, HUGE, LONG = 2**31, 2**63, "x" * 5_000

Case = tuple[str, dict[str, Any], str]
POLICY: list[Case] = [
    *[
        ("/v1/debts", {"debts": [DEBT | {name: value}]}, name)
        for name, values in (
            ("installment_number", (BIG, -1, HUGE, 2**70)),
            ("version", (HUGE, -1, 2**70)),
            ("outstanding_minor", (HUGE,)),
            ("loan_id", (LONG, "a\0b")),
            ("source", (LONG,)),
        )
        for value in values
    ],
    *[
        ("/v1/debts", {"cancelled": [CANCELLED | change]}, name)
        for name, change in (
            ("version", {"version": HUGE}),
            ("cancelled_at", {"cancelled_at": EARLY}),
            ("cancelled_at", {"cancelled_at": LATE}),
        )
    ],
    *[
        ("/v1/permits:redeem", {"redeems": [REDEEM | {name: value}]}, name)
        for name, value in (
            ("emission", BIG),
            ("installment_number", BIG),
            ("valid_until", EARLY),
            ("valid_until", LATE),
        )
    ],
    *[("/v1/stops", STOP | {"received_at": at}, "received_at") for at in (EARLY, LATE)],
    ("/v1/stops", STOP | {"evidence": "a\0b"}, "evidence"),
    ("/v1/stops", STOP | {"loan_ids": ["L", "a\0b"]}, "loan_ids[1]"),
    ("/v1/stops", STOP | {"contact_point_ids": ["cp"] * 1_001}, "contact_point_ids"),
    *[
        (f"/v1/stops/{ID}:lift", {"ended_at": at, "lifted_by": "ann"}, "ended_at")
        for at in (EARLY, LATE)
    ],
    ("/v1/consents", CONSENT | {"received_at": EARLY}, "received_at"),
    (f"/v1/consents/{ID}:revoke", {"revoked_at": LATE}, "revoked_at"),
    ("/v1/preferences", PREFERENCE | {"received_at": EARLY}, "received_at"),
    ("/v1/preferences", PREFERENCE | {"withdrawn_at": LATE}, "withdrawn_at"),
    ("/v1/notices", NOTICE | {"sent_at": EARLY}, "sent_at"),
    ("/v1/notices", NOTICE | {"returned_at": LATE}, "returned_at"),
    ("/v1/notices", NOTICE | {"loan_ids": ["a\0b"]}, "loan_ids[0]"),
    ("/v1/duties", DUTY | {"since": EARLY}, "since"),
    ("/v1/duties", DUTY | {"done_at": LATE}, "done_at"),
    ("/v1/contacts", CONTACT | {"at": EARLY}, "at"),
    ("/v1/contacts", CONTACT | {"at": LATE}, "at"),
    ("/v1/clearances", ASKED | {"visit": {"window_from": EARLY}}, "visit.window_from"),
    ("/v1/clearances", ASKED | {"visit": {"window_to": LATE}}, "visit.window_to"),
    ("/v1/clearances", ASKED | {"content": {"amount_minor": HUGE}}, "content.amount_minor"),
    ("/v1/activations", ACTIVATION | {"from": EARLY}, "from"),
    ("/v1/activations", ACTIVATION | {"from": LATE}, "from"),
    ("/v1/activations", ACTIVATION | {"by": LONG}, "by"),
    ("/v1/activations", ACTIVATION | {"pack": "a\0b"}, "pack"),
    ("/v1/activations:end", ACTIVATION | {"at": LATE}, "at"),
    ("/v1/activations:end", ACTIVATION | {"reason": LONG}, "reason"),
]
SCHEDULER: list[Case] = [
    ("/v1/payments", PAYMENT | {"installment_number": HUGE}, "installment_number"),
    ("/v1/payments", PAYMENT | {"received_at": EARLY}, "received_at"),
    ("/v1/payments", PAYMENT | {"received_at": LATE}, "received_at"),
    ("/v1/loans", LOAN | {"version": 2**70}, "version"),
    ("/v1/loans", LOAN | {"account": "a\0b"}, "account"),
    (
        "/v1/loans",
        LOAN | {"installments": [{"installment_number": 1, "due_date": "9999-12-31",
                                  "amount_minor": HUGE}]},
        "installments[0].amount_minor",

    ),
]  # fmt: skip
NOTIFIER: list[Case] = [
    (
        "PUT /v1/borrowers/B-1/contact-points",
        {"version": HUGE, "contact_points": []},
        "version",
    ),
    (
        "PUT /v1/borrowers/B-1/contact-points",
        {"version": 1, "contact_points": [{"kind": "app", "value": "a\0b"}]},
        "contact_points[0].value",
    ),
]


@pytest.mark.parametrize(
    ("service", "cases"), [("policy", POLICY), ("scheduler", SCHEDULER), ("notifier", NOTIFIER)]
)
async def test_what_can_not_be_stored_is_refused_with_its_field(
    service: str, cases: list[Case], database: Database
) -> None:
    wrong = []
    async with open_doors(service, database) as (url, keys), aiohttp.ClientSession() as session:
        for path, body, field in cases:
            method, _, there = path.rpartition(" ")
            owner = "service" if there in ("/v1/debts", "/v1/permits:redeem") else "lender"
            async with session.request(
                method or "POST",
                url + there,
                json=body,
                headers={"Authorization": f"Bearer {keys[owner]}"},
            ) as response:
                said = await response.json() if response.status != 204 else {}
                fields = [error["field"] for error in said.get("errors")]
                if response.status != 422 or not any(f.endswith(field) for f in fields):
                    wrong.append((there, field, body, response.status, said))
    assert wrong == []
