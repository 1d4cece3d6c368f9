"""`dunwell policy`: what an officer types."""

import re
import subprocess
import sys

from tests.database import Database


def dunwell(database: Database, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services", "policy", *words],
        env={"PATH": "/usr/bin:/bin", "DUNWELL_DATABASE_URL": database.dsn("policy")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


PEOPLE = ("--by", "ann", "--approved-by", "bob")


def test_a_pack_is_activated_listed_and_ended(database: Database) -> None:
    refused = dunwell(database, "activate", "us-fed", "--tenant", "acme", *PEOPLE)
    assert refused.returncode == 1
    assert "no counsel has reviewed" in refused.stderr
    done = dunwell(database, "activate", "us-fed", "--tenant", "acme", *PEOPLE, "--accept-draft")
    assert done.returncode == 0, done.stderr
    assert "us-fed (draft) decides for acme" in done.stdout
    listed = dunwell(database, "active", "--tenant", "acme").stdout
    assert "approved by bob" in listed
    assert " to further notice " in listed
    ended = dunwell(
        database, "deactivate", "us-fed", "--tenant", "acme", *PEOPLE, "--reason", "a mistake"
    )
    assert ended.returncode == 0, ended.stderr
    assert "0 held." in dunwell(database, "held", "--tenant", "acme").stdout


def test_a_name_that_is_no_pack_or_no_tenant_is_said_to_be_none(database: Database) -> None:
    somebody = ("--borrower-id", "7b3f7f0e-0000-4000-8000-000000000000", "--tenant", "acme")
    for option in ("--packs", "--draft"):
        tried = dunwell(database, "whatif", *somebody, option, "us-fedd")
        assert tried.returncode == 1
        assert "us-fedd is neither a file nor a shipped pack" in tried.stderr
        assert "no draft of acme" in tried.stderr
    assert "never had a pack" in dunwell(database, "status", "--tenant", "amce").stdout


def test_an_instant_without_a_zone_is_refused_with_how_to_write_it(database: Database) -> None:
    words = ("us-fed", "--tenant", "acme", *PEOPLE, "--from", "2026-06-01T00:00:00")
    done = dunwell(database, "activate", *words)
    assert done.returncode == 2
    assert "write 2026-06-01T00:00:00Z" in done.stderr


def test_a_refusal_is_said_once_and_names_the_option(database: Database) -> None:
    draft = dunwell(database, "activate", "us-fed", "--tenant", "acme", *PEOPLE).stderr
    assert draft.count("no counsel has reviewed") == 1
    assert draft.startswith("Refused: us-fed is a draft")
    assert "(--accept-draft).\n    → have it reviewed" in draft
    alone = ("--tenant", "acme", "--by", "ann", "--approved-by", "Ann")
    one = dunwell(database, "activate", "us-fed", *alone).stderr
    assert one.startswith("Refused: --approved-by is the same person as by.\n    → ")
    nothing = ("us-fed", "--tenant", "acme", *PEOPLE, "--reason", "a mistake")
    ended = dunwell(database, "deactivate", *nothing)
    assert (ended.returncode, "GET /v1" in ended.stderr) == (1, False)
    assert "us-fed is not active for acme; see `dunwell policy status`" in ended.stderr


def test_what_is_scheduled_is_said_to_be_so_and_so_is_its_calling_off(database: Database) -> None:
    start = ("activate", "house", "--tenant", "acme", *PEOPLE, "--accept-draft")
    end = ("deactivate", "house", "--tenant", "acme", *PEOPLE, "--reason", "we leave")
    later = "2999-01-01T00:00:00Z"
    assert dunwell(database, *start, "--from", later).returncode == 0
    only = f"Called off: house@{'.' * 12} was to begin {later} (by ann, approved by bob).\n"
    assert re.fullmatch(re.escape(only).replace(r"\.", "."), dunwell(database, *end).stdout)
    assert dunwell(database, *start).returncode == 0
    ended = dunwell(database, *end, "--at", later)
    assert ended.stdout == f"house decides for acme until {later}, then no longer.\n"
    said = f"Called off: house was to end {later} (by ann, approved by bob: we leave)."
    assert said in dunwell(database, *start).stdout
