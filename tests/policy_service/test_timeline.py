"""All that is known of one borrower, in order, a page at a time."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.events.deliveries import DeliveryReceipt
from services.events.permits import Redeem
from services.events.words import AttemptState, Outcome
from services.policy import timeline
from services.policy.timeline import page_of
from services.runtime.database import transaction
from services.runtime.web import Problem
from tests.policy_service.events import (
    AFTERNOON,
    TENANT,
    WINDOW,
    cancelled,
    debt,
    pack,
    receipt,
    stop,
    who,
)
from tests.policy_service.world import World


async def test_a_timeline_has_everything_once_in_order_whatever_the_page(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.person("bob")
    attempt = await world.ready("ada")
    await world.ready("bob")
    await world.redeem_one(attempt)
    await world.at(AFTERNOON + timedelta(minutes=5))
    await world.send("stop.events", stop("ada", received_at=AFTERNOON + timedelta(minutes=5)))
    point = stop(None, contact_point_ids=("cp_ada",), received_at=AFTERNOON + timedelta(minutes=6))
    await world.send("stop.events", point)
    await world.ready("ada")
    gone = msgspec.structs.replace(
        cancelled(attempt), cancelled_at=AFTERNOON + timedelta(minutes=7)
    )
    await world.send("reminder.cancelled", gone)

    async def pages(limit: int) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        query = {"limit": str(limit)}
        while True:
            async with transaction(world.db) as connection:
                page = await timeline.timeline(connection, TENANT, who("ada"), page_of(query))
            found += [(item["kind"], str(item["id"])) for item in page["items"]]
            if page["next"] is None:
                return found
            query["after"] = page["next"]

    whole = await pages(100)
    assert [kind for kind, _ in whole] == [
        "contact", "decision", "decision", "decision", "stop", "stop", "cancelled",
    ]  # fmt: skip
    assert await pages(1) == whole
    assert await pages(3) == whole


async def test_a_timeline_tells_attempts_receipts_and_payments_at_their_instants(
    world: World,
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    refused, sent = await world.ready("ada"), await world.ready("ada")
    for attempt in (refused, sent):
        await world.redeem_one(attempt)

    def minute(minutes: int) -> datetime:
        return AFTERNOON + timedelta(minutes=minutes)

    def told(attempt: Redeem, state: AttemptState, minutes: int, **more: Any) -> DeliveryReceipt:
        return msgspec.structs.replace(receipt(attempt, state), at=minute(minutes), **more)

    accepted, delivered = (
        told(sent, AttemptState.ACCEPTED, 1),
        told(sent, AttemptState.DELIVERED, 1, outcome=Outcome.SENT),
    )
    await world.send("delivery.receipt", told(refused, AttemptState.REJECTED, 2, code="30003"))
    await world.send("delivery.receipt", accepted, delivered)
    await world.send("delivery.receipt", accepted)  # told twice, it is one
    undelivered = told(sent, AttemptState.UNDELIVERED, 3)  # lower in rank: noted all the same
    await world.send("delivery.receipt", undelivered)
    for version, owed, minutes in ((2, 4_000, 4), (3, 0, 5)):
        await world.at(minute(minutes))
        await world.send("loan.changed", debt("ada", owed=owed, version=version))
    async with transaction(world.db) as connection:
        page = page_of({"from": f"{minute(1):%FT%TZ}"})
        found = await timeline.timeline(connection, TENANT, who("ada"), page)
        [first] = (
            await timeline.timeline(
                connection,
                TENANT,
                who("ada"),
                page_of({"from": f"{minute(1):%FT%TZ}", "limit": "1"}),
            )
        )["items"]
    assert first == found["items"][0]
    said = [
        (item["at"], item["kind"], msgspec.json.decode(item["said"])) for item in found["items"]
    ]
    assert [(at, kind, s.get("state", s.get("outstanding_minor"))) for at, kind, s in said] == [
        (minute(1), "receipt", "accepted"),
        (minute(1), "receipt", "delivered"),
        (minute(2), "receipt", "rejected"),
        (minute(3), "receipt", "undelivered"),
        (minute(4), "debt", 4_000),
        (minute(5), "debt", 0),
    ]
    assert said[1][2]["outcome"] == "sent"
    assert (said[2][2]["code"], said[2][2]["attempt_id"]) == ("30003", str(refused.attempt_id))
    assert (said[4][2]["before_minor"], said[5][2]["settled"]) == (10_000, True)


@pytest.mark.parametrize(
    "query",
    [{"from": "x"}, {"to": "2026-06-01"}, {"limit": "0"}, {"limit": "٣"}, {"after": "a~b~c"}],
)
def test_a_wrong_parameter_is_named(query: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        page_of(query)
    assert [error.field for error in refused.value.errors] == list(query)
