"""`dunwell stops`: what an officer sees and ends."""

import json
import subprocess
import sys
from uuid import uuid4

from tests.database import Database
from tests.policy_service.events import AFTERNOON, stop
from tests.policy_service.world import IDENTITY_KEY, World


def dunwell(database: Database, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services", "stops", *words, "--tenant", "acme"],
        env={
            "PATH": "/usr/bin:/bin",
            "DUNWELL_DATABASE_URL": database.dsn("policy"),
            "DUNWELL_IDENTITY_KEY": IDENTITY_KEY.decode(),
        },
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


async def test_stops_on_a_shared_number_are_listed_for_whoever_has_it(
    world: World, database: Database
) -> None:
    await world.borrower("ada")
    point = await world.phone("ada")
    own = stop(None, borrower_ref="B-1001", kind="promise", until_date=AFTERNOON.date())
    await world.send("stop.events", own, stop(None, contact_point_ids=(point,)))
    by_reference = dunwell(database, "list", "--borrower-ref", "B-1001")
    assert by_reference.returncode == 0, by_reference.stderr
    assert f"{own.stop_id}  promise       in force, until 2026-06-02" in by_reference.stdout
    assert "ends on the word of: borrower, officer, lender" in by_reference.stdout
    ada = ("--borrower-id", str(await world.borrower("ada")))
    [shared] = map(json.loads, dunwell(database, "list", *ada, "--json").stdout.splitlines())
    assert (shared["kind"], shared["contact_point_ids"]) == ("opt_out", [point])


def test_what_can_not_be_lifted_is_said_with_what_to_do(database: Database) -> None:
    unheard_of = dunwell(database, "list", "--borrower-ref", "B-1001")
    assert (unheard_of.returncode, unheard_of.stdout) == (1, "")
    assert "policy knows no such borrower of acme" in unheard_of.stderr
    nobody = dunwell(database, "list")
    assert nobody.returncode == 2
    assert "name --borrower-ref or --borrower-id" in nobody.stderr
    words = ("lift", str(uuid4()), "--by", "ann", "--on-word-of", "officer")
    bare = dunwell(database, *words)
    assert bare.returncode == 1
    assert "evidence is missing" in bare.stderr
    unknown = dunwell(database, *words, "--evidence", "ticket 1")
    assert unknown.returncode == 1
    assert "acme has no stop of that id" in unknown.stderr


async def test_a_known_borrower_without_a_stop_is_told_from_an_unknown_one(
    world: World, database: Database
) -> None:
    ada = str(await world.borrower("ada"))
    nothing = dunwell(database, "list", "--borrower-id", ada)
    assert (nothing.returncode, nothing.stdout) == (0, "No stop is on record.\n")


async def test_who_lifts_a_stop_that_was_lifted_is_told_whose_word_stands(
    world: World, database: Database
) -> None:
    await world.borrower("ada")
    given = stop("ada")
    await world.send("stop.events", given)
    words = ("lift", str(given.stop_id), "--on-word-of", "officer", "--evidence", "ticket 1")
    assert dunwell(database, *words, "--by", "ann").stdout.startswith("Lifted:")
    again = dunwell(database, *words, "--by", "bob")
    assert again.returncode == 0
    assert again.stdout == (
        "It was lifted before, by ann on the word of the officer, on 2026-06-02 18:00Z;"
        " that stands.\n"
    )
