"""Policy's HTTP doors: who may enter, what is refused and why, and that 2xx binds."""

from typing import Any
from uuid import uuid4

import pytest

from services.events.permits import MAX_REDEEMS, Verdict
from tests.policy_service.events import (
    AFTERNOON,
    TENANT,
    attempt,
    cancelled,
    debt,
    due,
    who,
)
from tests.policy_service.house import ON_HER_WORD, House, a_stop


async def test_a_stop_answered_2xx_binds_the_next_redeem(house: House) -> None:
    asked = await house.world.ready("ada")
    status, _ = await house("lender", "POST", "/v1/stops", a_stop())
    assert status == 200
    assert (await house.world.redeem_one(asked)).verdict is Verdict.SUPPRESS


async def test_a_lenders_own_reference_names_the_borrower_too(house: House) -> None:
    reference = "0042"
    body = a_stop(borrower_id=None, borrower_ref=reference)
    assert (await house("lender", "POST", "/v1/stops", body))[0] == 200
    [row] = await house.world.rows("stops")
    assert row["borrower_id"] == house.world.context.identify(TENANT, reference)
    assert reference not in repr(row)


async def test_a_stop_comes_twice_and_is_recorded_once(house: House) -> None:
    body = a_stop()
    for _ in range(2):
        assert (await house("lender", "POST", "/v1/stops", body))[0] == 200
    assert len(await house.world.rows("stops")) == 1


async def test_a_lifted_stop_lets_the_next_redeem_through(house: House) -> None:
    body = a_stop()
    await house("lender", "POST", "/v1/stops", body)
    path = f"/v1/stops/{body['stop_id']}:lift"
    assert (await house("lender", "POST", path, ON_HER_WORD))[0] == 200
    asked = await house.world.ready("ada")
    assert (await house.world.redeem_one(asked)).verdict is Verdict.ALLOW


async def test_lifting_a_stop_that_is_not_known_yet_is_kept_and_said(house: House) -> None:
    status, body = await house("lender", "POST", f"/v1/stops/{uuid4()}:lift", ON_HER_WORD)
    assert (status, body["known"]) == (202, False)


async def test_a_tenant_can_not_lift_another_tenants_stop(house: House) -> None:
    body = a_stop()
    await house("lender", "POST", "/v1/stops", body)
    path = f"/v1/stops/{body['stop_id']}:lift"
    assert (await house("other lender", "POST", path, ON_HER_WORD))[0] == 202
    asked = await house.world.ready("ada")
    assert (await house.world.redeem_one(asked)).verdict is Verdict.SUPPRESS


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "mood"}, "kind"),
        ({"form": "shouted"}, "form"),
        ({"channels": ["sms", "pigeon"]}, "channels[1]"),
        ({"purposes": ["fun"]}, "purposes[0]"),
        ({"borrower_id": None}, "borrower_ref"),
        ({"borrower_ref": "both"}, "borrower_ref"),
        ({"from_date": "2026-06-05", "until_date": "2026-06-01"}, "until_date"),
        ({"received_at": "2026-06-02T18:00:00"}, "$.received_at"),
        ({"stop_id": "7"}, "$.stop_id"),
        ({"tenant": "zeta"}, "tenant"),
    ],
)
async def test_a_stop_that_is_wrong_is_refused_by_field_and_changes_nothing(
    house: House, change: dict[str, Any], field: str
) -> None:
    status, body = await house("lender", "POST", "/v1/stops", a_stop(**change))
    assert status == 422
    assert field in [error["field"] for error in body["errors"]]
    assert all(error["fix"] for error in body["errors"])
    assert await house.world.rows("stops") == []


async def test_a_service_names_the_tenant_in_the_body(house: House) -> None:
    assert (await house("service", "POST", "/v1/stops", a_stop()))[0] == 422
    assert (await house("service", "POST", "/v1/stops", a_stop(tenant=TENANT)))[0] == 200


async def test_consents_and_preferences_are_recorded_and_checked(house: House) -> None:
    consent = {
        "consent_id": str(uuid4()),
        "borrower_id": str(who("ada")),
        "to": "contact_time",
        "given_to": "actor",
        "received_at": AFTERNOON,
    }
    preference = {
        "preference_id": str(uuid4()),
        "borrower_id": str(who("ada")),
        "kind": "not_between",
        "from_clock": "12:00",
        "to_clock": "18:00",
    }
    assert (await house("lender", "POST", "/v1/consents", consent))[0] == 200
    revoke = f"/v1/consents/{consent['consent_id']}:revoke"
    assert (await house("lender", "POST", revoke, {"revoked_at": AFTERNOON}))[0] == 200
    assert (await house("lender", "POST", "/v1/preferences", preference))[0] == 200
    for path, body, field in (
        ("/v1/consents", {**consent, "to": "everything"}, "to"),
        ("/v1/preferences", {**preference, "from_clock": "noon"}, "from_clock"),
        ("/v1/preferences", {**preference, "zone": "Mars/Olympus"}, "zone"),
        ("/v1/preferences", {**preference, "days": "someday"}, "days"),
    ):
        status, answer = await house("lender", "POST", path, body)
        assert status == 422
        assert [error["field"] for error in answer["errors"]] == [field]


async def test_the_paid_door_binds_debts_and_tombstones_together(house: House) -> None:
    asked, other = await house.world.ready("ada"), due("ada")
    body = {"debts": [debt("ada", owed=0, version=2)], "cancelled": [cancelled(other)]}
    assert await house("service", "POST", "/v1/debts", body) == (204, None)
    assert (await house.world.redeem_one(asked)).code == "paid"
    await house.world.send("reminder.due", other)
    assert (await house.world.redeem_one(attempt(other))).code == "cancelled"


@pytest.mark.parametrize("path", ["/v1/permits:redeem", "/v1/debts"])
@pytest.mark.parametrize(("visitor", "status"), [("lender", 403), ("officer", 403), ("", 401)])
async def test_only_services_redeem_and_pay(
    house: House, path: str, visitor: str, status: int
) -> None:
    assert (await house(visitor, "POST", path, {"redeems": []}))[0] == status


async def test_redeem_answers_in_the_order_asked(house: House) -> None:
    asked = [await house.world.ready("ada") for _ in range(4)]
    status, body = await house("service", "POST", "/v1/permits:redeem", {"redeems": asked})
    assert status == 200
    assert [r["attempt_id"] for r in body["results"]] == [str(r.attempt_id) for r in asked]
    assert {r["verdict"] for r in body["results"]} == {"allow"}


async def test_too_many_redeems_at_once_are_refused(house: House) -> None:
    asked = await house.world.ready("ada")
    body = {"redeems": [asked] * (MAX_REDEEMS + 1)}
    status, answer = await house("service", "POST", "/v1/permits:redeem", body)
    assert (status, answer["errors"][0]["field"]) == (422, "redeems")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400),
        (b'{"redeems": [{"tenant": "acme"}]}', 422),
        (b'{"redeems": "\\u0000"}', 422),
        (b"[]", 422),
    ],
)
async def test_a_malformed_redeem_is_the_callers_error(
    house: House, raw: bytes, status: int
) -> None:
    assert (await house("service", "POST", "/v1/permits:redeem", raw))[0] == status


async def test_why_is_told_to_the_tenant_and_to_nobody_else(house: House) -> None:
    asked = await house.world.ready("ada")
    path = f"/v1/reminders/{asked.reminder_id}/decisions"
    _, body = await house("lender", "GET", path)
    [decision] = body["decisions"]
    assert decision["verdict"] == "allow"
    _, whole = await house("lender", "GET", f"/v1/decisions/{decision['decision_id']}")
    assert whole["facts"][0]["debt"]["id"] == "loan-ada"
    assert whole["packs"]
    assert (await house("other lender", "GET", path))[1] == {"decisions": []}
    other = f"/v1/decisions/{decision['decision_id']}"
    assert (await house("other lender", "GET", other))[0] == 404


async def test_a_decision_says_by_which_place_its_packs_were_chosen(house: House) -> None:
    await house.world.borrower("ada", version=2, subdivision="NY", city="Buffalo")
    await house.world.ready("ada")
    [row] = await house.world.rows("decisions")
    _, said = await house("lender", "GET", f"/v1/decisions/{row['decision_id']}")
    assert said["place"] == "US-NY/Buffalo"


async def test_what_is_held_is_listed_with_its_code(house: House) -> None:
    await house.world.borrower("bea")
    await house.world.send("reminder.due", due("bea"))
    _, body = await house("lender", "GET", "/v1/held")
    assert [row["code"] for row in body["held"]] == ["held_address"]
    assert (await house("other lender", "GET", "/v1/held"))[1] == {"held": []}


async def test_packs_are_activated_by_an_officer_and_a_second_person(house: House) -> None:
    asked = {"pack": "house", "by": "ann", "approved_by": "bob", "accept_draft": True}
    assert (await house("lender", "POST", "/v1/activations", asked))[0] == 403
    status, done = await house("officer", "POST", "/v1/activations", asked)
    assert (status, done["status"]) == (201, "draft")
    status, answer = await house(
        "officer", "POST", "/v1/activations", {**asked, "approved_by": "ann"}
    )
    assert (status, answer["errors"][0]["field"]) == (422, "approved_by")
    end = {"pack": "house", "by": "ann", "approved_by": "bob"}
    assert (await house("officer", "POST", "/v1/activations:end", end))[0] == 204
    _, listed = await house("officer", "GET", "/v1/activations")
    assert [row["ended_by"] for row in listed["activations"] if row["pack"] == "house"] == ["ann"]


MISSPELLED = [
    ("lender", "/v1/stops", {**a_stop(), "until": "2026-12-01"}, "until"),
    (
        "lender",
        "/v1/consents",
        {
            "consent_id": str(uuid4()),
            "borrower_ref": "B-1",
            "to": "automated",
            "given_to": "actor",
            "received_at": AFTERNOON,
            "channel": ["email"],
        },
        "channel",
    ),
    (
        "officer",
        "/v1/activations",
        {"pack": "house", "by": "ann", "approved_by": "bob", "form": "2027-01-01T00:00:00Z"},
        "form",
    ),
    (
        "officer",
        "/v1/activations:end",
        {"pack": "us-fed", "by": "ann", "approved_by": "bob", "form": "2027-01-01T00:00:00Z"},
        "form",
    ),
]


@pytest.mark.parametrize(("visitor", "path", "body", "field"), MISSPELLED)
async def test_a_misspelled_field_is_named_and_nothing_is_done(
    house: House, visitor: str, path: str, body: dict[str, Any], field: str
) -> None:
    before = [await house.world.rows(table) for table in ("stops", "consents", "activations")]
    status, said = await house(visitor, "POST", path, body)
    assert status == 422
    assert field in said["detail"]
    after = [await house.world.rows(table) for table in ("stops", "consents", "activations")]
    assert after == before
