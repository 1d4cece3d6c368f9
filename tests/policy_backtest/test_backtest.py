"""Recorded decisions asked again under a draft: what changes, and which contacts become illegal."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from services.policy import drafts, explain, jurisdictions
from services.policy.backtest import Difference, Said, Sums
from services.policy.backtest_report import Report
from services.policy.pack import PackError
from services.policy.rulesets import ALWAYS, RuleSets
from services.policy.verdict import Outcome
from services.runtime.database import transaction
from tests.database import Database
from tests.policy_backtest.past import (
    NARROW,
    ONE_A_DAY,
    WIDE,
    look_back,
    run,
    ten_people,
    written,
)
from tests.policy_service.events import AFTERNOON, TENANT, attempt, due, pack, stop, who
from tests.policy_service.world import World
from tests.policy_versions.own import own


async def test_under_their_own_rules_no_recorded_decision_changes(
    world: World, database: Database
) -> None:
    await ten_people(world)
    sums = await look_back(database)
    assert sums.asked == sums.decisions == 10 + 6 + 2
    assert sums.changed == 0
    assert not sums.missing


async def test_what_shipped_packs_decided_is_decided_again_word_for_word(
    world: World, database: Database
) -> None:
    await world.activate("us-fed", "us-tcpa", "us-ny", "us-nyc", "us-ma", "house")
    for i in range(8):
        await world.person(f"p{i}", household="home" if i < 3 else None)
    await world.borrower("p6", zones=("America/New_York", "Pacific/Honolulu"), version=2)
    await world.phone("p5", "cp_p4")
    await world.send("stop.events", stop("p7", "dispute"), stop(None, contact_point_ids=("cp_p3",)))
    for hour in (0, 5, 11, 16, 30):
        now = AFTERNOON + timedelta(hours=hour)
        await world.at(now)
        dues = [due(f"p{i}", due_at=now, days_from_due=hour - 11) for i in range(8)]
        await world.send("reminder.due", *dues)
        await world.redeem(*(attempt(asked) for asked in dues))
    sums = await look_back(database)
    assert sums.asked > 60
    assert (sums.changed, sums.missing) == (0, {})


async def test_a_draft_equal_to_what_is_in_force_changes_nothing(
    world: World, database: Database
) -> None:
    await ten_people(world)
    sums = await look_back(database, pack(WIDE))
    assert (sums.asked, sums.changed, sums.contacts, sums.contacts_illegal) == (18, 0, 6, 0)
    assert not sums.changes


async def test_a_narrower_window_defers_what_was_allowed_and_makes_contacts_illegal(
    world: World, database: Database
) -> None:
    await ten_people(world)
    sums = await look_back(database, pack(NARROW))
    assert sums.by_change == {"allow to defer": 9 + 6}
    assert sums.by_rule == {"t-hours": {"allow to defer": 15}}
    assert sums.contacts == sums.contacts_illegal == 6
    assert sums.contacts_by_rule == {"t-hours": 6}


async def test_a_wider_window_allows_what_was_deferred_and_makes_a_deferral_earlier(
    world: World, database: Database
) -> None:
    await ten_people(world)
    always_open = WIDE.replace("08:00-21:00", "00:00-24:00")
    sums = await look_back(database, pack(always_open))
    assert sums.by_change == {"defer to allow": 2}
    sums = await look_back(database, pack(WIDE.replace("08:00", "07:00")))
    assert sums.by_change == {"earlier": 2}
    sums = await look_back(database, pack(WIDE.replace("08:00", "09:00")))
    assert sums.by_change == {"later": 2}
    assert sums.by_rule == {"t-hours": {"later": 2}}


async def test_a_draft_of_no_place_is_added_and_one_of_another_place_is_not(
    world: World, database: Database
) -> None:
    await ten_people(world)
    nobody = "{id: t-nobody, kind: contact_point_rule, cite: [test], deny: {channel: [sms]}}"
    sums = await look_back(database, pack(nobody, pack="own"))
    # What the stop suppresses anyway is suppressed as before.
    assert sums.by_change == {"allow to suppress": 15, "defer to suppress": 2}
    assert sums.by_rule["t-nobody"] == {"allow to suppress": 15, "defer to suppress": 2}
    sums = await look_back(database, pack(nobody, pack="gb"))
    assert sums.changed == 0


async def test_a_draft_that_begins_later_bears_on_the_past_only_when_told_to(
    world: World, database: Database
) -> None:
    await ten_people(world)
    later = "{id: t-hours, kind: contact_window, cite: [test], effective: {from: '2030-01-01'}, "
    draft = pack(later + 'hours: {daily: "08:00-10:00"}}')
    sums = await look_back(database, draft)
    assert sums.by_change == {"defer to allow": 2}
    sums = await look_back(database, draft, ignore_dates=True)
    assert sums.by_change == {"allow to defer": 15}


async def test_two_processes_find_what_one_finds(world: World, database: Database) -> None:
    await ten_people(world)
    drafts = (pack(NARROW), pack(ONE_A_DAY, pack="own"))
    assert await look_back(database, *drafts, jobs=2) == await look_back(database, *drafts)


async def test_a_draft_that_does_not_go_with_the_packs_of_then_is_refused(
    world: World, database: Database
) -> None:
    await ten_people(world)
    for jobs in (1, 2):
        with pytest.raises(PackError, match="used twice, also in pack"):
            await look_back(database, pack(NARROW, pack="own"), jobs=jobs)


async def test_a_decision_whose_pack_is_not_kept_is_counted_and_named(
    world: World, database: Database
) -> None:
    await ten_people(world)
    await world.owner.execute(
        "ALTER TABLE policy.pack_texts DISABLE TRIGGER USER; DELETE FROM policy.pack_texts"
    )
    sums = await look_back(database)
    assert sums.asked == 0
    assert [count for why, count in sums.missing.items() if "text of us-fed" in why] == [18]


async def test_a_draft_that_counts_further_back_than_the_record_is_not_asked(
    world: World, database: Database
) -> None:
    await ten_people(world)
    cap = "{id: t-cap, kind: frequency_cap, cite: [a], max: 9, window: {days: 365}, key: [person]}"
    sums = await look_back(database, pack(cap, pack="own"))
    assert sums.asked == 0
    assert sums.missing == {"the draft counts 367 days back, its facts hold 62": 18}
    gate = "{id: t-gate, kind: sequence_gate, cite: [a], require: {contacts: {}, at_least: 2}}"
    sums = await look_back(database, pack(gate, pack="own"))
    assert sums.missing == {"the draft counts contacts of any age, its facts hold 62 days": 18}


async def test_what_was_decided_under_an_older_always_yaml_is_decided_again_as_then(
    world: World, database: Database
) -> None:
    """The rules that bind for everybody change with a release; what was decided under them stays
    what it was, in the replay, in the explanation and before a draft."""
    older = ALWAYS.read_text(encoding="utf-8").replace(
        "A stop on record forbids contact until", "What a release before this one said until"
    )
    past = World(world.db, world.owner, RuleSets(jurisdictions.load(), always=older))
    await ten_people(past)
    await world.person("p10")
    await world.send("reminder.due", due("p10", due_at=AFTERNOON + timedelta(hours=10)))
    sums = await look_back(database)
    assert (sums.asked, sums.changed, sums.missing) == (19, 0, {})
    assert len({row["packs"] for row in await world.rows("rule_sets")}) == 2
    assert (await look_back(database, pack(WIDE))).changed == 0

    [stopped] = [row for row in await world.rows("decisions") if row["verdict"] == "suppress"]
    async with transaction(world.db) as connection:
        record = await explain.recorded(connection, world.rule_sets, TENANT, stopped["decision_id"])
    told = await explain.in_full(world.rule_sets, record, "en")
    assert told["not_replayable"] is None
    assert "What a release before this one said" in str(msgspec.json.encode(told))


async def test_contacts_that_others_reported_are_judged_as_of_their_instant(
    world: World, database: Database
) -> None:
    await ten_people(world)
    await world.send("stop.events", stop("p8", received_at=AFTERNOON + timedelta(hours=10)))
    report = (
        "INSERT INTO policy.contacts (tenant, contact_id, borrower_id, channel, at, outcome,"
        " booked_at, loan_id, more) VALUES ($1, $2, $3, 'call', $4, 'conversation', now(), $5,"
        ' \'{"collector": "agency"}\')'
    )
    for name, hours in (("p8", 0), ("p8", -8), ("p0", -6.5)):  # 14:00, 06:00, 07:30
        at = AFTERNOON + timedelta(hours=hours)
        await world.owner.execute(report, TENANT, uuid4(), who(name), at, f"loan-{name}")
    sums = await look_back(database, pack(NARROW))
    assert sums.contacts_reconstructed == 3
    assert sums.contacts == 6 + 3
    # All three: the afternoon's was legal, and is not; the others were not, the stop came later.
    assert sums.contacts_illegal - 6 == 3
    assert sums.contacts_illegal_before == 2
    assert (await look_back(database, pack(WIDE))).changes is False


async def test_the_command_tells_the_sums_and_fails_on_a_change_when_told_to(
    world: World, database: Database, tmp_path: Path
) -> None:
    await ten_people(world)
    draft = written(tmp_path, pack(NARROW))
    told = await asyncio.to_thread(run, database, "--against", draft, "--jobs", "1")
    assert told.exit_code == 0, told.output
    assert "18 decisions asked again: 15 would change." in told.output
    assert "6 contacts: 6 would have been refused." in told.output
    assert "t-hours" in told.output
    failed = await asyncio.to_thread(
        run, database, "--against", draft, "--jobs", "1", "--fail-on-change", "--json"
    )
    assert failed.exit_code == 3
    *changes, sums = [json.loads(line) for line in failed.stdout.splitlines()]
    assert len(changes) == 15
    assert {change["change"] for change in changes} == {"allow to defer"}
    assert changes[0]["before"]["outcome"] == "allow"
    assert changes[0]["after"]["until"]
    assert sums["type"] == "sums"
    assert sums["by_rule"] == {"t-hours": {"allow to defer": 15}}


async def test_the_command_proves_the_record_and_refuses_a_draft_it_can_not_read(
    world: World, database: Database, tmp_path: Path
) -> None:
    await ten_people(world)
    proof = await asyncio.to_thread(run, database, "--verify", "--fail-on-change", "--jobs", "1")
    assert proof.exit_code == 0, proof.output
    assert "18 decisions asked again under their own rules: 0 differ." in proof.output
    broken = written(tmp_path, pack(NARROW).replace("hours:", "ours:"))
    refused = await asyncio.to_thread(run, database, "--against", broken)
    assert refused.exit_code == 1
    assert "ours: unknown key" in refused.output
    neither = await asyncio.to_thread(run, database)
    assert neither.exit_code == 2


async def test_a_draft_that_is_kept_is_tried_by_its_name(world: World, database: Database) -> None:
    await ten_people(world)
    narrow = own("08:00-10:00", pack="acme-hours")
    async with transaction(world.db) as connection:
        kept = await drafts.draft(connection, TENANT, narrow, "acme-hours.yaml", "ann")
    for named in ("acme-hours", kept.name):
        told = await asyncio.to_thread(
            run, database, "--against", named, "--tenant", TENANT, "--jobs", "1"
        )
        assert told.exit_code == 0, told.output
        assert "18 decisions asked again: 15 would change." in told.output
        assert "acme-hours-day" in told.output
    nobodys = await asyncio.to_thread(run, database, "--against", "acme-hours", "--jobs", "1")
    assert (nobodys.exit_code, "say --tenant" in nobodys.output) == (2, True)
    none = await asyncio.to_thread(run, database, "--against", "acme-our", "--tenant", TENANT)
    assert (none.exit_code, "acme-our is no draft of acme" in none.output) == (1, True)


def test_the_id_of_a_decision_is_listed_in_one_piece(capsys: pytest.CaptureFixture[str]) -> None:
    decision_id = uuid4()
    row = {"decision_id": decision_id, "contact_id": None, "tenant": TENANT}
    change = Difference(
        change="later",
        before=Said(outcome=Outcome.DEFER, until=AFTERNOON, code="outside_contact_window"),
        after=Said(
            outcome=Outcome.DEFER,
            until=AFTERNOON + timedelta(days=1),
            code="outside_contact_window",
            rule="acme-hours-of-the-evening-and-night",
            channel="sms",
        ),
    )
    report = Report(show=1, as_json=False, verify=False)
    report.decision({**row, "decided_at": AFTERNOON}, change)
    report.end(Sums())
    assert str(decision_id) in capsys.readouterr().out
