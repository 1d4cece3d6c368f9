"""Stops taken from a message in doubt bind, are listed without their text, and are settled once."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from click.testing import CliRunner, Result

from services.notifier.cli_reviews import reviews_command
from services.notifier.replies import load_vocabulary
from services.notifier.reviews import measure
from services.runtime import apikeys, metrics
from services.runtime.database import pool
from tests.notifier.test_inbound import PHONE, blocked, write
from tests.notifier.world import PATIENCE_SECONDS, PEPPER, TENANT, World

WORDS = load_vocabulary()
DOUBTFUL = "How do I stop the late fees, Wilhelmina asks"


async def settle(world: World, review: dict[str, Any], how: str, **body: str) -> tuple[int, Any]:
    settling = {"by": "ann", "reason": "asked about late fees"} | body
    return await world.call("POST", f"/v1/reviews/{review['review_id']}:{how}", settling)


async def listed(world: World, state: str = "open") -> list[dict[str, Any]]:
    status, said = await world.call("GET", f"/v1/reviews?state={state}")
    assert status == 200, said
    reviews: list[dict[str, Any]] = said["reviews"]
    return reviews


@pytest.fixture
async def running(running: World) -> World:
    """With a key for compliance people."""
    running.key = await key_of(running, "admin")
    return running


async def key_of(world: World, scope: str, tenant: str = TENANT) -> str:
    url = world.settings["DUNWELL_DATABASE_URL"]
    connection = await asyncpg.connect(url, server_settings={"search_path": "notifier"})
    try:
        return await apikeys.issue(
            connection, PEPPER.encode(), tenant=tenant, scopes=[scope, "ingest"], label="test"
        )
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("text", "word_class", "languages"),
    [
        ("STOP", "whole", ("en",)),
        ("cancelar!", "whole", ("es", "pt")),
        ("TD", "whole", ("zh",)),
        ("s", "letter", ("pt",)),
        ("please stop texting me", "in_sentence", ("en",)),
        ("请退订!", "in_sentence", ("zh",)),
        ("I will pay on Friday", None, ()),
    ],
)
def test_a_stop_is_in_doubt_unless_it_is_all_that_was_said(
    text: str, word_class: str | None, languages: tuple[str, ...]
) -> None:
    heard = WORDS.heard(text)
    assert (heard.word_class, heard.languages) == (word_class, languages)
    assert heard.in_doubt is (word_class in ("letter", "in_sentence"))


async def test_a_stop_in_doubt_binds_and_is_listed_without_its_text(running: World) -> None:
    borrower = await running.addresses("ref-1", mobile=PHONE)
    sid = f"SM{uuid4().hex}"
    assert await write(running, DOUBTFUL, sid) == 200
    assert await write(running, DOUBTFUL, sid) == 200  # the provider repeats itself
    assert await blocked(running)
    assert len(running.policy.stops) == 1
    [review] = await listed(running)
    assert review["borrower_ids"] == [str(borrower)]
    assert (review["channel"], review["message_ref"]) == ("sms", sid)
    assert (review["word_class"], review["languages"]) == ("in_sentence", ["en"])
    assert set(review) == {
        "review_id", "contact_point_id", "borrower_ids", "channel", "message_ref", "word_class",
        "languages", "received_at",
    }  # fmt: skip
    rows = await running.owner.fetch("SELECT r::text FROM notifier.reviews r")
    assert "fees" not in str(rows)
    assert "Wilhelmina" not in str(rows)
    status, _ = await running.call("GET", "/v1/reviews?state=both")
    assert status == 422


async def test_a_plain_stop_waits_for_nobody(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await write(running, "STOP")
    await write(running, "please stop", OptOutType="STOP")  # the provider has blocked it itself
    assert await listed(running) == []


async def test_a_confirmed_stop_stays(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await write(running, DOUBTFUL)
    [review] = await listed(running)
    async with pool(running.database.dsn("notifier"), schema="notifier") as db:
        await measure(db)
    assert metrics.REGISTRY.get_sample_value("dunwell_reviews_open") == 1
    status, said = await settle(running, review, "confirm", reason="wants no texts")
    assert (status, said["settled_as"], said["still_blocked"]) == (200, "confirmed", True)
    assert await blocked(running)
    assert running.policy.lifted == []
    assert await listed(running) == []
    [settled] = await listed(running, "settled")
    assert (settled["settled_by"], settled["reason"]) == ("ann", "wants no texts")
    status, said = await settle(running, review, "lift")
    assert (status, said["code"]) == (409, "already_settled")
    assert await blocked(running)


async def test_a_lifted_stop_ends_here_and_at_policy_by_who_lifted_it(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await running.addresses("ref-2", mobile=PHONE)
    await write(running, DOUBTFUL)
    [review] = await listed(running)
    status, said = await settle(running, review, "lift")
    assert (status, said["settled_as"], said["still_blocked"]) == (200, "lifted", False)
    assert not await blocked(running)
    assert set(running.policy.lifted) == {stop["stop_id"] for stop in running.policy.stops}
    assert len(running.policy.lifted) == 2
    assert running.policy.lifted_by == {"ann"}
    again, repeated = await settle(running, review, "lift", by="bob")
    assert (again, repeated["settled_by"]) == (200, "ann")
    assert len(running.policy.lifted) == 2


async def test_lifting_one_leaves_what_another_message_stopped(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await write(running, DOUBTFUL)
    await write(running, "STOP")
    [review] = await listed(running)
    status, said = await settle(running, review, "lift")
    assert (status, said["still_blocked"]) == (200, True)
    assert await blocked(running)
    assert running.policy.lifted == [running.policy.stops[0]["stop_id"]]


async def test_a_start_of_their_own_settles_it(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await write(running, DOUBTFUL)
    [review] = await listed(running)
    await write(running, "START")
    assert await listed(running) == []
    [settled] = await listed(running, "settled")
    assert (settled["settled_as"], settled["settled_by"]) == ("started", "borrower")
    assert (await settle(running, review, "confirm"))[0] == 409


async def test_a_lift_that_policy_can_not_hear_reaches_it_later(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await write(running, DOUBTFUL)
    [review] = await listed(running)
    running.policy.away = True
    assert (await settle(running, review, "lift"))[0] == 200
    assert running.policy.lifted == []
    running.policy.away = False
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not running.policy.lifted:
            await asyncio.sleep(0.02)


async def test_only_an_admin_of_the_tenant_settles_and_says_who_and_why(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await write(running, DOUBTFUL)
    [review] = await listed(running)
    status, said = await settle(running, review, "lift", by=" ")
    assert (status, said["errors"][0]["field"]) == (422, "$.by")
    status, said = await settle(running, {"review_id": uuid4()}, "lift")
    assert (status, said["code"]) == (404, "no_such_review")
    assert (await settle(running, {"review_id": "x"}, "lift"))[0] == 404
    admin = running.key
    running.key = await key_of(running, "ingest")
    assert (await settle(running, review, "lift"))[0] == 403
    running.key = await key_of(running, "admin", "zeta")
    assert (await settle(running, review, "lift"))[0] == 404
    assert await listed(running) == []
    running.key = admin
    assert await listed(running) == [review]


async def test_the_command_lists_and_settles_as_the_door_does(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    url = running.settings["DUNWELL_DATABASE_URL"]

    async def command(*typed: str) -> Result:
        told = ["--tenant", TENANT]
        environment = {"DUNWELL_DATABASE_URL": url}
        runner = CliRunner()
        return await asyncio.to_thread(
            runner.invoke, reviews_command, [*typed, *told], env=environment
        )

    assert "Nothing waits" in (await command("list")).output
    await write(running, DOUBTFUL)
    await write(running, "N")
    first, second = (json.loads(line) for line in (await command("list", "--json")).output.split())
    assert [first["word_class"], second["word_class"]] == ["in_sentence", "letter"]
    assert "in_sentence (en)" in (await command("list")).output
    said = ["--by", "ann", "--reason", "a slip"]
    done = await command("lift", second["review_id"], *said)
    assert (done.exit_code, "another stop" in done.output) == (0, True)
    done = await command("lift", first["review_id"], *said)
    assert (done.exit_code, "may be used again" in done.output) == (0, True)
    assert not await blocked(running)
    refused = await command("confirm", first["review_id"], *said)
    assert (refused.exit_code, refused.output) == (1, "Refused: this was lifted before.\n")
    assert "lifted by ann" in (await command("list", "--settled")).output
    wrong = await command("lift", first["review_id"], "--by", "ann", "--reason", "")
    assert wrong.exit_code == 2
