"""The dry run of one borrower: intervals, picture, command."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from click.testing import CliRunner, Result

from services.policy import activation
from services.policy.activation import Deactivation
from services.policy.cli_whatif import whatif_command
from services.policy.given_facts import facts_from
from services.policy.whatif import Change, intervals
from services.policy.whatif_picture import OPEN, PARTLY, picture
from services.runtime.database import transaction
from services.runtime.identity import surrogate
from tests.database import Database
from tests.policy.builders import LOS_ANGELES, NEW_YORK, facts, instant, rule_set
from tests.policy_backtest.past import NARROW, WIDE, written
from tests.policy_service.events import TENANT, pack, stop, who
from tests.policy_service.world import World
from tests.policy_versions.own import activated, approved, own

HOURS = {"kind": "contact_window", "hours": {"daily": "08:00-21:00"}}
FACTS = """
now: '2026-06-02T12:00:00Z'
actor: {role: creditor}
borrower: {zones: [{zone: America/New_York, basis: address}]}
debt: {id: D1, product: personal_loan}
contact: {channel: sms, purpose: reminder, recipient: debtor}
history:
- {at: '2026-06-03T15:30:30Z', channel: sms, outcome: sent}
"""


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(whatif_command, list(arguments), env=environment)


def test_a_range_is_cut_to_the_second_and_each_closed_time_names_its_rule() -> None:
    cap = {"kind": "frequency_cap", "max": 1, "window": {"rolling": "24h"}, "key": ["person"]}
    sent = {"at": "2026-06-03T15:30:30Z", "channel": "sms", "outcome": "sent"}
    given = facts("2026-06-02T12:00:00Z", history=[sent])
    found = intervals(
        rule_set(HOURS, cap),
        facts_from(given),
        instant("2026-06-02T12:00:00Z"),
        instant("2026-06-04T16:00:00Z"),
    )
    shown = [(f"{each.start:%dT%H:%M:%S}", [r.code for r in each.reasons]) for each in found]
    assert shown == [
        ("02T12:00:00", []),
        ("03T01:00:00", ["outside_contact_window"]),
        ("03T12:00:00", []),
        ("03T15:30:30", ["frequency_cap"]),
        ("04T01:00:00", ["frequency_cap", "outside_contact_window"]),
        ("04T12:00:00", ["frequency_cap"]),
        ("04T15:30:30", []),
    ]
    assert found[1].until == instant("2026-06-03T12:00:00Z")


def test_a_holiday_has_its_own_name_from_midnight_on() -> None:
    rules = rule_set({"kind": "contact_window", "hours": {"mon-fri": "08:00-20:00"}})
    given = facts("2026-06-05T22:00:00Z")  # a Friday, 18:00
    start, end = instant("2026-06-05T22:00:00Z"), instant("2026-06-08T13:00:00Z")
    found = intervals(rules, facts_from(given), start, end)
    assert [(f"{each.start:%a %H}", each.reasons[0].code) for each in found if not each.open] == [
        ("Sat 00", "outside_contact_window"),
        ("Sat 04", "closed_day"),
        ("Mon 04", "outside_contact_window"),
    ]


def test_a_time_that_stays_closed_for_another_reason_is_cut_where_the_reason_changes() -> None:
    hours = {"daily": "08:00-21:00", "holiday": ["00:00-00:30", "08:00-21:00"]}
    calendars = {"cal": {"covers": [2026, 2026], "dates": {"2026-06-05": "Feast"}}}
    rules = rule_set(
        {"kind": "contact_window", "hours": hours, "calendar": "cal"}, calendars=calendars
    )
    given = facts("2026-06-05T04:20:00Z", zones=[NEW_YORK, LOS_ANGELES])
    # In New York the feast's first half hour, in Los Angeles the evening before it.
    found = intervals(
        rules, facts_from(given), instant("2026-06-05T04:20:00Z"), instant("2026-06-05T05:00:00Z")
    )
    assert [(f"{each.start:%H:%M}", each.reasons[0].code) for each in found] == [
        ("04:20", "outside_contact_window"),
        ("04:30", "holiday"),
    ]


def test_a_range_in_which_packs_change_is_judged_by_those_of_each_time() -> None:
    wide, narrow = rule_set(HOURS), rule_set(HOURS | {"hours": {"daily": "09:00-18:00"}})
    start, end = instant("2026-06-02T12:00:00Z"), instant("2026-06-06T12:00:00Z")
    later = [
        Change(instant("2026-06-04T04:00:00Z"), narrow),
        Change(instant("2026-06-04T16:00:00Z"), None),  # no pack of the place is active
        Change(instant("2026-06-05T16:00:00Z"), narrow),
    ]
    found = intervals(wide, facts_from(facts("2026-06-02T12:00:00Z")), start, end, later)
    shown = [(f"{each.start:%dT%H}", [r.code for r in each.reasons]) for each in found]
    assert shown == [
        ("02T12", []),
        ("03T01", ["outside_contact_window"]),
        ("03T12", []),
        ("04T01", ["outside_contact_window"]),
        ("04T13", []),
        ("04T16", ["held_pack"]),
        ("05T16", []),
        ("05T22", ["outside_contact_window"]),
    ]
    assert (found[0].start, found[-1].end) == (start, end)


def test_the_picture_has_a_row_a_local_day_and_leaves_out_what_the_clock_skips() -> None:
    given = facts_from(facts("2026-03-08T05:00:00Z"))
    start, end = instant("2026-03-08T05:00:00Z"), instant("2026-03-09T04:00:00Z")
    rules = rule_set({"kind": "contact_window", "hours": {"daily": "01:00-08:05"}})
    (row,) = picture(intervals(rules, given, start, end), ZoneInfo("America/New_York")).rows
    assert row.cells[0:4] == ("a",) * 4
    assert row.cells[4:8] == (OPEN,) * 4
    assert row.cells[8:12] == (" ",) * 4  # 02:00 to 03:00 never was
    assert row.cells[12:32] == (OPEN,) * 20
    assert row.cells[32:34] == (PARTLY, "a")


def test_a_repeated_quarter_of_an_hour_is_open_only_if_it_is_both_times() -> None:
    given = facts_from(facts("2026-11-01T04:00:00Z"))
    start, end = instant("2026-11-01T04:00:00Z"), instant("2026-11-02T05:00:00Z")
    found = intervals(rule_set(HOURS | {"hours": {"daily": "00:00-24:00"}}), given, start, end)
    (row,) = picture(found, ZoneInfo("America/New_York")).rows
    assert row.cells[4:8] == (PARTLY,) * 4  # a window never opens in a second pass
    assert row.cells.count(OPEN) == 92


def test_the_command_reads_facts_from_a_file_and_needs_no_database(tmp_path: Path) -> None:
    file, image = tmp_path / "facts.yaml", tmp_path / "week.svg"
    file.write_text(FACTS, encoding="utf-8")
    draft = written(tmp_path, pack(WIDE, pack="own"))
    told = run("--facts", str(file), "--draft", draft, "--svg", str(image), "--channel", "email")
    assert told.exit_code == 0, told.output
    assert "email, reminder to debtor, America/New_York" in told.output
    assert "Tue 2026-06-02 21:00:00 EDT" in told.output
    assert "outside_contact_window" in told.output
    assert "█" in told.output
    drawn = ElementTree.fromstring(image.read_text(encoding="utf-8"))
    assert any("t-hours" in (each.text or "") for each in drawn.iter())


def test_the_command_says_of_a_file_what_is_wrong_with_it(tmp_path: Path) -> None:
    given = tmp_path / "facts.yaml"
    given.write_text(FACTS, encoding="utf-8")
    gone = run("--facts", str(given), "--packs", "nowhere.yaml")
    assert gone.output == "Error: nowhere.yaml can't be read: No such file or directory\n"
    nowhere = tmp_path / "nowhere" / "week.svg"
    unwritten = run("--facts", str(given), "--packs", "us-fed", "--svg", str(nowhere))
    assert unwritten.exit_code == 1
    assert f"{nowhere} can't be written: No such file or directory" in unwritten.output


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "facts.yaml"
    file.write_text(FACTS.replace("sms,", "pigeon,"), encoding="utf-8")
    assert "name --tenant" in run().output
    assert "name --packs, or a --draft" in run("--facts", str(file)).output
    wrong = run("--facts", str(file), "--packs", "us-fed")
    assert wrong.exit_code == 1
    assert "contact.channel: 'pigeon' is not allowed" in wrong.output
    assert "neither a file nor a shipped pack" in run("--facts", str(file), "--packs", "x").output


async def test_the_command_shows_a_borrower_under_what_is_in_force_and_under_a_draft(
    world: World, database: Database, tmp_path: Path
) -> None:
    await world.rules(pack(WIDE))
    await world.person("ann")
    key = "an identity key of a test, long enough"
    names = ["--tenant", TENANT, "--borrower-id", str(who("ann")), "--json"]
    url = database.dsn("policy")

    async def ask(*more: str) -> dict[str, object]:
        told = await asyncio.to_thread(run, *names, *more, DUNWELL_DATABASE_URL=url)
        assert told.exit_code == 0, told.output
        line: dict[str, object] = json.loads(told.stdout)
        return line

    def hours(told: dict[str, object]) -> set[str]:
        assert isinstance(told["intervals"], list)
        return {each["from_local"][11:16] for each in told["intervals"] if each["open"]}

    told = await ask()
    assert (told["channel"], told["contact_point"]) == ("sms", "cp_ann")
    assert told["packs"] == ["always", "us-fed"]
    assert hours(told) == {"14:00", "08:00"}  # from now on
    draft = written(tmp_path, pack(NARROW))
    assert hours(await ask("--draft", draft)) == {"08:00"}
    assert hours(await ask("--packs", "house")) == {"14:00", "09:00"}
    called = await ask("--channel", "call")  # no contact point of hers is for that
    assert (called["contact_point"], hours(called)) == (None, {"14:00", "08:00"})
    await world.send("stop.events", stop("ann"))
    assert hours(await ask()) == set()
    reference = surrogate(key.encode(), TENANT, "borrower", "B-1")
    unknown = await asyncio.to_thread(
        run, "--tenant", TENANT, "--borrower-ref", "B-1",
        DUNWELL_DATABASE_URL=url, DUNWELL_IDENTITY_KEY=key,
    )  # fmt: skip
    assert "knows no such borrower" in unknown.output
    assert str(reference) not in unknown.output


async def test_the_command_heeds_what_is_scheduled_in_its_range(
    world: World, database: Database
) -> None:
    await world.rules(pack(WIDE))
    await world.person("ann")
    names = ["--tenant", TENANT, "--borrower-id", str(who("ann"))]
    names += ["--from", "2026-06-03T12:00:00Z", "--to", "2026-06-06T12:00:00Z"]

    async def ask(*more: str) -> str:
        environment = {"DUNWELL_DATABASE_URL": database.dsn("policy")}
        told = await asyncio.to_thread(run, *names, *more, **environment)
        assert told.exit_code == 0, told.output
        return told.stdout

    assert "change" not in await ask()
    midnight = instant("2026-06-04T04:00:00Z")
    await activated(world, (await approved(world, own("09:00-18:00"))).name, active_from=midnight)
    ending = Deactivation(
        pack="us-fed", by="ann", approved_by="bob", at=midnight + timedelta(hours=36)
    )
    async with transaction(world.db) as connection:
        await activation.deactivate(connection, world.rule_sets, TENANT, ending)
    said = await ask()
    assert "Thu 2026-06-04 09:00:00 EDT  Thu 2026-06-04 18:00:00 EDT  open" in said
    assert "Fri 2026-06-05 12:00:00 EDT  Sat 2026-06-06 08:00:00 EDT  closed  held_pack" in said
    assert "From Thu 2026-06-04 00:00:00 EDT on: acme-hours begins." in said
    assert "From Fri 2026-06-05 12:00:00 EDT on: no pack of the borrower's place" in said
    line = json.loads(await ask("--json"))
    assert line["packs"] == ["always", "us-fed"]
    assert [each["packs"] for each in line["changes"]] == [["always", "acme-hours", "us-fed"], []]
    assert [each["at"] for each in line["changes"]] == [
        "2026-06-04T04:00:00Z",
        "2026-06-05T16:00:00Z",
    ]
    draft = json.loads(await ask("--json", "--packs", "us-fed"))
    assert draft["changes"] == []
