"""Why, for a borrower or a judge: every rule with its answer, in words."""

import asyncio
import subprocess
import sys
from datetime import timedelta
from typing import Any, get_args
from uuid import UUID, uuid4

import msgspec
import pytest

from services.events.stops import ConsentGiven
from services.events.words import AttemptState
from services.policy import explain, jurisdictions, words
from services.policy.receipts import OUTCOMES
from services.policy.ruleset import RuleSet
from services.policy.rulesets import PackVersion, RuleSets
from services.policy.sentences import LANGUAGES, Speaker, words_of
from services.runtime.database import transaction
from services.runtime.web import Problem
from tests.database import Database
from tests.policy_service.events import (
    AFTERNOON,
    TENANT,
    WINDOW,
    cap,
    due,
    pack,
    receipt,
    stop,
    who,
)
from tests.policy_service.house import opened
from tests.policy_service.world import World

LIFTED = (
    '{id: t-lifted, kind: contact_window, cite: [test], hours: {daily: "08:00-21:00"},'
    " unless: [{consent: {to: contact_time}}]}"
)
OTHER = (
    '{id: t-calls, kind: contact_window, cite: [test], hours: {daily: "08:00-21:00"},'
    " applies: {channel: [call]}}"
)


async def why(world: World, decision_id: UUID, language: str = "en") -> dict[str, object]:
    async with transaction(world.db) as connection:
        record = await explain.recorded(connection, world.rule_sets, TENANT, decision_id)
    found = await explain.in_full(world.rule_sets, record, language)
    answer: dict[str, object] = msgspec.json.decode(msgspec.json.encode(found))
    return answer


async def last_decision(world: World) -> UUID:
    found: UUID = (await world.rows("decisions"))[-1]["decision_id"]
    return found


async def test_every_rule_that_was_asked_is_shown_with_its_own_answer(world: World) -> None:
    await world.rules(pack(WINDOW, LIFTED, OTHER, cap(3, "person")))
    await world.person("ada")
    leave = ConsentGiven(
        tenant=TENANT,
        consent_id=uuid4(),
        borrower_id=who("ada"),
        to="contact_time",
        given_to="actor",
        received_at=AFTERNOON,
    )
    await world.send("stop.events", leave)
    await world.at(AFTERNOON + timedelta(hours=12))  # 02:00 in New York
    await world.ready("ada")
    found = await why(world, await last_decision(world))
    [question] = found["questions"]
    assert question["same"]
    said = {rule["rule"]: rule["answer"] for rule in question["rules"] if rule["pack"] == "us-fed"}
    assert said == {
        "t-hours": "defers",
        "t-lifted": "lifted",
        "t-calls": "out_of_scope",
        "t-cap-person": "content",
    }
    assert found["next_permitted_at"] == "2026-06-03T12:00:00Z"
    assert {p["pack"]: p["status"] for p in found["used_packs"]}["us-fed"] == "draft"
    lines = " ".join(found["words"]["lines"])
    assert "Wednesday, 3 June 2026, 02:00 Eastern Daylight Time (America/New_York)" in lines
    assert "not yet. The earliest permitted time is Wednesday, 3 June 2026, 08:00" in lines
    assert "t-hours; test" in lines
    assert "No counsel has reviewed" in lines


async def test_the_same_is_said_in_chinese(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.send("stop.events", stop("ada"))
    await world.ready("ada")
    found = await why(world, await last_decision(world), "zh-CN")
    lines = "".join(found["words"]["lines"])
    assert "答复：不可以。" in lines
    assert "此人已要求不再以这种方式联系" in lines
    assert "2026年6月2日星期二 14:00（北美东部夏令时间，America/New_York）" in lines
    assert found["next_permitted_at"] is None


async def test_an_explanation_says_of_packs_only_who_put_them_in_force(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.ready("ada")
    lines = (await why(world, await last_decision(world)))["words"]["lines"]
    [put, ours] = [line for line in lines if line.startswith("No counsel")]
    assert "“A test's own”" in put
    assert "knowingly" in put
    assert "“What was told to us binds”" in ours
    assert "knowingly" not in ours
    assert any("“What was told to us binds” and “A test's own”" in line for line in lines)


async def test_a_reminder_held_for_its_rules_is_not_said_to_lack_a_time_zone(world: World) -> None:
    await world.person("ada")
    await world.ready("ada")
    lines = (await why(world, await last_decision(world)))["words"]["lines"]
    assert "Why: no rules are in force for the place where the person is." in lines
    assert not any("time zone" in line for line in lines)


def test_times_in_utc_say_why_they_are() -> None:
    many = ["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"]
    assert "(UTC)" in Speaker("en", None).when(AFTERNOON)
    assert "zone of the person is not known" in Speaker("en", []).when(AFTERNOON)
    assert "any of 4 time zones" in Speaker("en", many).when(AFTERNOON)


@pytest.mark.parametrize(
    ("code", "untrue"),
    [
        ("outside_contact_window", "law"),  # a house rule may have said so
        ("content_missing", "law"),
        ("content_prohibited", "law"),
        ("consent_missing", "there is none"),  # one of another scope may be on record
        ("stale_step", "had passed"),  # it may be to come, and nothing permitted until then
        ("third_party_prohibited", "nobody but"),  # the rule may allow an attorney
    ],
)
def test_a_reason_claims_no_more_than_every_rule_of_its_code_says(code: str, untrue: str) -> None:
    assert untrue not in Speaker("en", None).reason(code)


async def test_an_explanation_says_what_became_of_the_contact(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    attempt = await world.ready("ada")
    before = await why(world, await last_decision(world))
    assert before["contact"] is None  # only a question; nothing was to follow at once
    await world.redeem_one(attempt)
    [redeemed] = await world.rows("decisions", checkpoint="redeem")

    async def after(*states: AttemptState) -> tuple[Any, str]:
        for state in states:
            await world.send("delivery.receipt", receipt(attempt, state))
        found = await why(world, redeemed["decision_id"])
        assert not any(name.startswith("contact_") for name in found)
        return found["contact"], found["words"]["lines"][2]

    contact, line = await after()
    assert (contact["outcome"], contact["state"]) == ("reserved", None)
    assert line == "What became of it has not been told yet; until then it counts as made."
    contact, line = await after(AttemptState.NOT_SENT)
    assert (contact["outcome"], contact["state"]) == ("cancelled", "not_sent")
    assert line.startswith("It was not sent: nothing left us (Tuesday, 2 June 2026, 14:00 Eastern")
    contact, line = await after(AttemptState.ACCEPTED, AttemptState.UNDELIVERED)
    assert (contact["outcome"], contact["state"]) == ("sent", "undelivered")
    await world.owner.execute("DELETE FROM policy.contacts")
    contact, line = await after()
    assert contact["outcome"] is None
    assert line == "Nothing is on record of what became of it."


async def test_a_decision_whose_rules_are_gone_is_still_explained_from_its_record(
    world: World,
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.ready("ada")
    await world.owner.execute('UPDATE policy.rule_sets SET packs = \'{"us-fed": "gone"}\'')
    found = await why(world, await last_decision(world))
    assert found["questions"] == []
    assert found["not_replayable"] == "the text of a pack is not kept"
    assert found["verdict"] == "allow"


async def test_no_connection_waits_while_a_decision_is_explained(world: World) -> None:
    """Ten explanations of old rule sets would otherwise keep every redeem waiting."""

    class Watched(RuleSets):
        lent: int | None = None

        def of(self, packs: tuple[PackVersion, ...]) -> RuleSet:
            self.lent = world.db.get_size() - world.db.get_idle_size()
            return super().of(packs)

    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.send("reminder.due", due("ada"))
    decision_id = await last_decision(world)
    watched = Watched(jurisdictions.load())
    async with opened(World(world.db, world.owner, watched)) as house:
        status, _ = await house("lender", "GET", f"/v1/decisions/{decision_id}")
    assert (status, watched.lent) == (200, 0)


async def test_another_tenant_can_not_read_it(world: World) -> None:
    async with transaction(world.db) as connection:
        with pytest.raises(Problem, match="no_such_decision"):
            await explain.recorded(connection, world.rule_sets, "zeta", uuid4())


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_a_sentence_for_every_code_and_a_name_for_every_channel(
    language: str,
) -> None:
    said = words_of(language)
    assert set(said) == set(words_of("en"))
    assert set(get_args(words.RuleCode)) <= set(said["codes"])
    assert set(said["codes"]) == set(words_of("en")["codes"])
    assert set(said["channels"]) == set(get_args(words.Channel))
    assert set(said["attempt"]) == {state for state, counts in OUTCOMES.items() if counts}
    assert set(said["became"]) == {*get_args(words.Outcome), "nothing"}
    assert set(said["recipients"]) == set(get_args(words.Recipient))
    speaker = Speaker(language, [])
    assert all(speaker.reason(code) for code in said["codes"])


def dunwell_explain(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services", "explain", *words],
        env={"PATH": "/usr/bin:/bin", "PYTHONUTF8": "1", **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


async def test_the_command_explains_a_decision_and_all_of_a_reminder(
    world: World, database: Database
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    attempt = await world.ready("ada")
    await world.redeem_one(attempt)
    there = {"DUNWELL_DATABASE_URL": database.dsn("policy")}

    decision = str(await last_decision(world))
    done = await asyncio.to_thread(dunwell_explain, there, decision, "--language", "zh-CN")
    assert done.returncode == 0, done.stderr
    assert "答复：可以" in done.stdout
    both = await asyncio.to_thread(
        dunwell_explain, there, "--reminder", str(attempt.reminder_id), "--json"
    )
    told = [msgspec.json.decode(line) for line in both.stdout.splitlines()]
    assert {each["checkpoint"] for each in told} == {"due", "redeem"}
    nobody = await asyncio.to_thread(dunwell_explain, there, str(uuid4()))
    assert (nobody.returncode, "no decision of this id" in nobody.stderr) == (1, True)
    # The ids look alike: who gives a reminder's is told how.
    assert "--reminder" in nobody.stderr
    away = {"DUNWELL_POLICY_URL": "http://127.0.0.1:9", "DUNWELL_API_KEY": "dw_none"}
    assert "DUNWELL_POLICY_URL" in (await asyncio.to_thread(dunwell_explain, away, decision)).stderr
    assert "DUNWELL_POLICY_URL" in (await asyncio.to_thread(dunwell_explain, {}, decision)).stderr
