"""Payments by HTTP: answered once policy knows of them."""

from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.runtime.database import Pool
from services.runtime.web import Problem
from services.scheduler.paid_door import PaidDoor
from tests.database import Database
from tests.scheduler.builders import TENANT, emit, reminders, stand_at
from tests.scheduler.lender import Lender, Policy
from tests.scheduler.test_doors import BORROWER, FIRST_HOUR, LOAN, PAYMENT, registered


async def test_a_payment_is_answered_after_policy_was_told(
    lender: Lender, policy: Policy, db: Pool, database: Database
) -> None:
    await registered(lender)
    await stand_at(database, FIRST_HOUR)
    assert await emit(db) == 1
    assert await lender.post("/v1/payments", PAYMENT) == (
        200, {"status": "recorded", "installments": 1, "known": True},
    )  # fmt: skip
    [told] = policy.told
    [debt], [gone] = told["debts"], told["cancelled"]
    assert (debt["outstanding_minor"], debt["version"], debt["tenant"]) == (0, 2, TENANT)
    assert gone["reason"] == "paid"


async def test_a_payment_that_policy_did_not_hear_is_503_and_the_repeat_tells_it_again(
    lender: Lender, policy: Policy, db: Pool, database: Database
) -> None:
    await registered(lender)
    await stand_at(database, FIRST_HOUR)
    await emit(db)
    policy.status = 500
    status, problem = await lender.post("/v1/payments", PAYMENT)
    assert (status, problem["code"]) == (503, "policy_unreachable")
    assert "repeat" in problem["detail"]
    assert await db.fetchval("SELECT min(outstanding_minor) FROM installments") == 0
    policy.status = 204
    status, answer = await lender.post("/v1/payments", PAYMENT)
    assert (status, answer["status"]) == (200, "unchanged")
    assert policy.told[0] == policy.told[1]
    assert policy.told[1]["cancelled"]


async def test_a_payment_for_an_installment_not_here_yet_waits_for_it(
    lender: Lender, policy: Policy, db: Pool
) -> None:
    unknown = {"status": "recorded", "installments": 0, "known": False}
    assert await lender.post("/v1/payments", PAYMENT) == (202, unknown)
    assert policy.told == []
    await registered(lender)
    assert (await lender.post("/v1/payments", PAYMENT))[0] == 200
    mistyped = PAYMENT | {"payment_id": "P-9", "installment_number": 9}
    assert await lender.post("/v1/payments", mistyped) == (202, unknown)
    assert {row["installment_number"] for row in await reminders(db)} == {2}


async def test_closing_tells_policy_of_every_installment_and_reversing_of_the_one(
    lender: Lender, policy: Policy
) -> None:
    await registered(lender)
    await lender.post("/v1/payments", PAYMENT)
    reverse = {k: v for k, v in PAYMENT.items() if k not in ("amount_minor", "currency")}
    reverse["reversed_at"] = reverse.pop("received_at")
    assert (await lender.post("/v1/payments:reverse", reverse))[0] == 200
    assert policy.told[-1]["debts"][0]["outstanding_minor"] == 10_000
    close = {"borrower_ref": "B-1", "closed_at": "2026-06-01T12:00:00Z"}
    status, problem = await lender.post("/v1/loans/L-9:close", close)
    assert (status, problem["errors"][0]["field"]) == (422, "version")
    status, answer = await lender.post("/v1/loans/L-1:close", close)
    assert (status, answer["installments"]) == (200, 2)
    assert [debt["outstanding_minor"] for debt in policy.told[-1]["debts"]] == [0, 0]


async def test_a_loan_of_a_higher_version_is_not_closed_and_nobody_is_told_so(
    lender: Lender, policy: Policy, db: Pool
) -> None:
    await lender.post("/v1/loans", LOAN | {"version": 5, "borrower": BORROWER})
    told = len(policy.told)
    close = {"borrower_ref": "B-1", "closed_at": "2026-06-01T12:00:00Z", "version": 4}
    status, problem = await lender.post("/v1/loans/L-1:close", close)
    assert (status, problem["code"]) == (409, "version_old")
    assert problem["errors"][0]["field"] == "version"
    assert len(policy.told) == told
    assert await db.fetchval("SELECT count(*) FROM closures") == 0
    assert {row["status"] for row in await reminders(db)} == {"planned"}


async def log_in_first(request: web.Request) -> web.Response:
    raise web.HTTPFound("/login")


async def login_page(request: web.Request) -> web.Response:
    return web.Response(text="please log in")


@pytest.mark.parametrize("shown", [log_in_first, login_page])
async def test_a_page_that_a_proxy_shows_instead_of_policy_is_no_word_of_policy(
    shown: Callable[[web.Request], Awaitable[web.Response]],
) -> None:
    proxy = web.Application()
    proxy.add_routes([web.post("/v1/debts", shown), web.get("/login", login_page)])
    async with TestServer(proxy) as there, aiohttp.ClientSession() as session:
        with pytest.raises(Problem, match="policy_unreachable"):
            await PaidDoor(session, str(there.make_url("")), "service-key").forward([], [])
