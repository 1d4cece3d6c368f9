"""The doors: keys, tenants, bodies that are wrong, and a thread from question to report."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from tests.policy_service.events import AFTERNOON, TENANT, debt
from tests.policy_service.house import House, opened
from tests.policy_service.world import World


@pytest.fixture
async def house(world: World) -> AsyncIterator[House]:
    """A borrower the lender calls 0042, behind the doors."""
    ours = world.context.identify(TENANT, "0042")
    await world.borrower("ada")
    await world.owner.execute("UPDATE policy.borrowers SET borrower_id = $1", ours)
    await world.send("loan.changed", msgspec.structs.replace(debt("ada"), borrower_id=ours))
    async with opened(world) as doors:
        yield doors


def call(**changes: Any) -> dict[str, Any]:
    body = {
        "clearance_id": str(uuid4()),
        "borrower_ref": "0042",
        "loan_id": "loan-ada",
        "channel": "call",
        "purpose": "reminder",
        "actor": {"id": "agency-1", "role": "collector"},
    }
    return {**body, **changes}


async def test_a_dialer_asks_redeems_and_reports(house: House) -> None:
    body = call()
    status, answer = await house("dialer", "POST", "/v1/clearances", body)
    assert (status, answer["verdict"], answer["state"]) == (200, "allow", "reserved")
    path = f"/v1/clearances/{body['clearance_id']}"
    status, answer = await house("dialer", "POST", f"{path}:redeem")
    assert (status, answer["verdict"]) == (200, "allow")
    report = {
        "contact_id": str(uuid4()),
        "clearance_id": body["clearance_id"],
        "borrower_ref": "0042",
        "loan_ids": ["loan-ada"],
        "channel": "call",
        "outcome": "conversation",
        "at": AFTERNOON,
        "collector": "agency-1",
    }
    assert (await house("dialer", "POST", "/v1/contacts", report))[0] == 201
    assert (await house("dialer", "POST", "/v1/contacts", report))[0] == 200
    status, shown = await house("dialer", "GET", path)
    assert (status, shown["state"], shown["answer"]["verdict"]) == (200, "reported", "allow")


async def test_a_clearance_not_needed_is_given_back(house: House) -> None:
    body = call()
    await house("dialer", "POST", "/v1/clearances", body)
    path = f"/v1/clearances/{body['clearance_id']}:release"
    assert (await house("dialer", "POST", path))[1]["state"] == "released"
    assert (await house("other dialer", "POST", path))[0] == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"channel": "pigeon"}, "$.channel"),
        ({"purpose": None}, "$.purpose"),
        ({"expires_in_seconds": 3601}, "$.expires_in_seconds"),
        ({"expires_in_seconds": 0}, "$.expires_in_seconds"),
        ({"contact_point": {"number": "x"}}, "$.contact_point.number"),
        ({"content": {"labels": ["rude"]}}, "$.content.labels[0]"),
        ({"visit": {"people": ["staff-1"]}}, "visit"),
        ({"person": "cust-77"}, "person"),
        ({"chanel": "call"}, "$.chanel"),
    ],
)
async def test_a_wrong_question_names_its_field(
    house: House, changes: dict[str, Any], field: str
) -> None:
    status, problem = await house("dialer", "POST", "/v1/clearances", call(**changes))
    assert (status, problem["code"]) == (422, "invalid")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert all(error["fix"] for error in problem["errors"])


@pytest.mark.parametrize(("visitor", "status"), [("service", 403), ("officer", 403), ("", 401)])
async def test_only_keys_for_it_may_ask(house: House, visitor: str, status: int) -> None:
    assert (await house(visitor, "POST", "/v1/clearances", call()))[0] == status


async def test_an_officer_sets_what_a_visit_needs_with_a_colleague(house: House) -> None:
    path = "/v1/visit-limits"
    assert (await house("dialer", "GET", path))[1]["min_days_past_due"] == 30
    body = {"min_days_past_due": 60, "people": 2, "by": "ann", "approved_by": "Ann"}
    status, problem = await house("officer", "PUT", path, body)
    assert (status, problem["errors"][0]["field"]) == (422, "approved_by")
    status, problem = await house("officer", "PUT", path, {**body, "by": "  "})
    assert (status, problem["errors"][0]["field"]) == (422, "by")
    assert (await house("lender", "PUT", path, body))[0] == 403
    status, _ = await house("officer", "PUT", path, {**body, "approved_by": "bob"})
    assert status == 200
    assert (await house("dialer", "GET", path))[1]["min_days_past_due"] == 60
    assert (await house("officer", "PUT", path, {**body, "people": 1}))[0] == 422
