"""The HTTP doors on real servers: the scheduler's own, and one that answers as policy's does."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.runtime import apikeys
from services.runtime.database import Pool
from services.scheduler.doors import MAX_BODY_BYTES
from tests.database import Database
from tests.scheduler.builders import DUE_DATE, NOW, TENANT, emit, reminders, stand_at
from tests.scheduler.lender import PEPPER, Lender

FIRST_HOUR = datetime(2026, 6, 8, 14, tzinfo=UTC)

BORROWER = {
    "borrower_ref": "B-1",
    "version": 1,
    "country": "US",
    "zones": [{"zone": "America/New_York", "basis": "confirmed"}],
}

LOAN = {
    "loan_id": "L-1",
    "borrower_ref": "B-1",
    "version": 1,
    "product": "personal_loan",
    "currency": "USD",
    "installments": [
        {"installment_number": 1, "due_date": str(DUE_DATE), "amount_minor": 10_000},
        {"installment_number": 2, "due_date": "2026-07-15", "amount_minor": 10_000},
    ],
}

PAYMENT = {
    "payment_id": "P-1",
    "loan_id": "L-1",
    "borrower_ref": "B-1",
    "installment_number": 1,
    "amount_minor": 10_000,
    "currency": "USD",
    "received_at": "2026-06-01T12:00:00Z",
}


async def registered(lender: Lender) -> None:
    status, _ = await lender.post("/v1/loans", LOAN | {"borrower": BORROWER})
    assert status == 200


async def test_a_loan_posted_twice_is_recorded_once(lender: Lender, db: Pool) -> None:
    assert await lender.post("/v1/borrowers", BORROWER) == (200, {"status": "recorded"})
    assert (await lender.post("/v1/loans", LOAN))[1] == {"loan_id": "L-1", "status": "recorded"}
    before = await reminders(db)
    assert len(before) == 20
    assert (await lender.post("/v1/loans", LOAN))[1] == {"loan_id": "L-1", "status": "unchanged"}
    assert await reminders(db) == before


async def test_a_loan_with_one_wrong_installment_is_refused_whole(lender: Lender, db: Pool) -> None:
    wrong = LOAN["installments"][0] | {"installment_number": 3, "due_date": "2126-01-01"}
    body = LOAN | {"installments": [LOAN["installments"][0], wrong], "borrower": BORROWER}
    status, problem = await lender.post("/v1/loans", body)
    assert (status, problem["errors"][0]["field"]) == (422, "due_date")
    assert await db.fetchval("SELECT count(*) FROM borrowers WHERE version > 0") == 0
    assert await db.fetchval("SELECT count(*) FROM loans") == 0


async def test_a_bulk_answers_each_row_and_a_wrong_one_harms_no_other(
    lender: Lender, db: Pool
) -> None:
    rows = [
        LOAN | {"borrower": BORROWER},
        LOAN | {"loan_id": "L-2", "currency": "XQX"},
        LOAN | {"loan_id": "L-3", "product": "a yacht"},
        LOAN | {"loan_id": "L-4", "installmints": []},
        LOAN | {"loan_id": "L-5"},
        7,
    ]
    status, answer = await lender.post("/v1/loans:bulk", {"loans": rows})
    assert status == 200
    told = [
        (r["row"], r["status"], [e["field"] for e in r.get("errors", [])])
        for r in answer["results"]
    ]
    assert told == [
        (0, "recorded", []),
        (1, "rejected", ["currency"]),
        (2, "rejected", ["$.product"]),
        (3, "rejected", ["$.installmints"]),
        (4, "recorded", []),
        (5, "rejected", ["$"]),
    ]
    assert {row["loan_id"] for row in await reminders(db)} == {"L-1", "L-5"}
    assert "yacht" not in str(answer)


async def test_a_row_of_a_bulk_that_is_not_utf_8_harms_no_other(lender: Lender, db: Pool) -> None:
    rows = [json.dumps(LOAN | {"loan_id": f"L-{n}"}).encode() for n in (1, 2)]
    body = b'{"loans": [' + rows[0].replace(b"L-1", b"L-\xff") + b", " + rows[1] + b"]}"
    status, answer = await lender.post("/v1/loans:bulk", body)
    assert status == 200
    assert [row["status"] for row in answer["results"]] == ["rejected", "recorded"]
    assert answer["results"][0]["errors"][0]["problem"] == "is not UTF-8"


@pytest.mark.parametrize(
    ("path", "change", "field_"),
    [
        ("/v1/borrowers", {"country": "XX"}, "country"),
        ("/v1/borrowers", {"zones": [{"zone": "Mars/Base", "basis": "address"}]}, "zones[0].zone"),
        ("/v1/borrowers", {"locale": "klingon"}, "locale"),
        ("/v1/borrowers", {"subdivision": "Massachusetts"}, "subdivision"),
        ("/v1/borrowers", {"borrower_ref": "a\nb"}, "$.borrower_ref"),
        ("/v1/borrowers", {"version": 0}, "version"),
        ("/v1/borrowers", {"tenant": "other"}, "$.tenant"),
        ("/v1/loans", {"currency": "ZZZ"}, "currency"),
        ("/v1/loans", {"currency": "usd"}, "$.currency"),
        ("/v1/loans", {"cadence": "harsh"}, "cadence"),
        ("/v1/loans", {"product": "yacht"}, "$.product"),
        ("/v1/loans", {"borrower": BORROWER | {"borrower_ref": "B-2"}}, "borrower.borrower_ref"),
        ("/v1/payments", {"amount_minor": -1}, "$.amount_minor"),
        ("/v1/payments", {"amount_minor": 0}, "amount_minor"),
        ("/v1/payments", {"amount_minor": 1.5}, "$.amount_minor"),
        ("/v1/payments", {"received_at": "2026-06-01T12:00:00"}, "$.received_at"),
        ("/v1/payments", {"received_at": "2027-06-01T12:00:00Z"}, "received_at"),
    ],
)
async def test_a_wrong_field_is_named_with_its_fix(
    lender: Lender, db: Pool, path: str, change: dict[str, Any], field_: str
) -> None:
    good = {"/v1/borrowers": BORROWER, "/v1/loans": LOAN, "/v1/payments": PAYMENT}[path]
    status, problem = await lender.post(path, good | change)
    assert (status, problem["code"]) == (422, "invalid")
    assert problem["errors"][0]["field"] == field_
    assert problem["errors"][0]["fix"]
    assert await db.fetchval("SELECT count(*) FROM outbox") == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"amount_minor": NaN}', 400, "not_json"),
        (b'{"payment_id": "a\\u0000b"}', 422, "invalid"),
        (b'{"payment_id": "\xff"}', 400, "not_json"),
        (b"x" * (MAX_BODY_BYTES + 1), 413, "too_large"),
    ],
)
async def test_a_body_that_is_none_gets_a_4xx(
    lender: Lender, body: bytes, status: int, code: str
) -> None:
    answered, problem = await lender.post("/v1/payments", body)
    assert (answered, problem["code"]) == (status, code)


async def test_a_reminder_is_shown_with_its_history_and_the_book_balances(
    lender: Lender, db: Pool, database: Database
) -> None:
    await registered(lender)
    await stand_at(database, FIRST_HOUR)
    await emit(db)
    status, listed = await lender.get("/v1/loans/L-1/reminders")
    assert (status, len(listed["reminders"])) == (200, 20)
    status, shown = await lender.get(f"/v1/reminders/{listed['reminders'][0]['reminder_id']}")
    assert (status, shown["status"], shown["step"]) == (200, "due", "T-7")
    assert [entry["event"] for entry in shown["history"]] == ["due"]
    status, book = await lender.get("/v1/ledger")
    assert (book["emitted"], book["open"], book["planned"], book["balanced"]) == (1, 1, 19, True)


async def test_another_tenant_sees_nothing_of_ours(lender: Lender, db: Pool) -> None:
    await registered(lender)
    row = (await reminders(db))[0]
    async with db.acquire() as connection:
        lender.key = await apikeys.issue(
            connection, PEPPER, tenant="other", scopes=["ingest"], label="test"
        )
    assert (await lender.get(f"/v1/reminders/{row['reminder_id']}"))[0] == 404
    status, problem = await lender.get("/v1/loans/L-1/reminders")
    assert (status, problem["code"]) == (404, "no_such_loan")
    assert (await lender.get("/v1/ledger"))[1]["planned"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/borrowers"),
        ("POST", "/v1/loans"),
        ("POST", "/v1/loans:bulk"),
        ("POST", "/v1/loans/L-1:close"),
        ("POST", "/v1/payments"),
        ("POST", "/v1/payments:reverse"),
        ("GET", "/v1/loans/L-1/reminders"),
        ("GET", "/v1/reminders/7f2d9d5e-0000-5000-8000-000000000000"),
        ("GET", "/v1/ledger"),
        ("GET", "/v1/cadences"),
    ],
)
async def test_every_door_wants_a_key_with_its_scope(
    lender: Lender, db: Pool, method: str, path: str
) -> None:
    async with db.acquire() as connection:
        wrong = await apikeys.issue(
            connection, PEPPER, tenant=TENANT, scopes=["clearance"], label="test"
        )
    lender.key, status_of_none = "dw_000000000000_" + "x" * 43, 401
    assert (await lender.call(method, path, {}))[0] == status_of_none
    lender.key = wrong
    assert (await lender.call(method, path, {}))[0] == 403


async def test_a_bulk_of_too_many_installments_is_refused_whole(lender: Lender, db: Pool) -> None:
    many = [
        {"installment_number": n, "due_date": str(DUE_DATE), "amount_minor": 1}
        for n in range(1, 1_201)
    ]
    loans = [LOAN | {"loan_id": f"L-{n}", "installments": many} for n in range(5)]
    status, problem = await lender.post("/v1/loans:bulk", {"loans": loans})
    assert (status, problem["errors"][0]["field"]) == (422, "loans")
    assert await db.fetchval("SELECT count(*) FROM loans") == 0


async def test_a_bulk_may_hold_5000_installments_beside_their_loans_and_borrowers(
    lender: Lender, db: Pool
) -> None:
    many = [
        {"installment_number": n, "due_date": "2025-01-01", "amount_minor": 0}
        for n in range(1, 1_001)
    ]
    loans = [
        LOAN | {"loan_id": f"L-{n}", "installments": many, "borrower": BORROWER} for n in range(5)
    ]
    status, answer = await lender.post("/v1/loans:bulk", {"loans": loans})
    assert status == 200
    assert {row["status"] for row in answer["results"]} == {"recorded"}


async def test_what_is_no_id_of_a_reminder_is_not_found(lender: Lender) -> None:
    status, problem = await lender.get("/v1/reminders/7")
    assert (status, problem["code"]) == (404, "not_found")


async def test_the_cadences_one_may_name_are_listed(lender: Lender) -> None:
    assert await lender.get("/v1/cadences") == (200, {"cadences": ["gentle", "standard"]})


async def test_what_lies_in_the_future_is_judged_by_business_time(
    lender: Lender, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW + timedelta(days=400))
    status, _ = await lender.post("/v1/payments", PAYMENT | {"received_at": "2027-07-01T00:00:00Z"})
    assert status == 202
