"""Several rules together: who wins, in which order reasons stand, how long an answer lasts."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.policy.decide import Allow, Defer, Suppress, decide, decide_until
from services.policy.facts import Borrower, CandidateZone, FactsError, Preference
from services.policy.given_facts import facts_from, question_from
from services.policy.pack import load_text
from services.policy.ruleset import compile_rules
from tests.policy.builders import answer, ask, facts, instant, rule_set

NOW = "2026-05-13T02:00:00Z"  # Tuesday 22:00 in New York
DAY = {"kind": "contact_window", "hours": {"daily": "08:00-21:00"}}
LATE = {"kind": "contact_window", "hours": {"daily": "10:00-21:00"}, "id": "late"}
STOP = {"kind": "stop_when", "fact": "opt_out", "id": "stop"}
STOPPED = [{"kind": "opt_out", "received": "2026-05-01T00:00:00Z"}]


def test_suppress_beats_defer_and_every_rule_that_blocks_is_named() -> None:
    decision = ask(rule_set(DAY, LATE, STOP), facts(NOW, stops=STOPPED))
    assert isinstance(decision, Suppress)
    assert [(r.rule, r.effect) for r in decision.reasons] == [
        ("stop", "suppress"),
        ("late", "defer"),
        ("r0", "defer"),
    ]
    assert [r.until for r in decision.reasons] == [
        None,
        instant("2026-05-13T14:00:00Z"),
        instant("2026-05-13T12:00:00Z"),
    ]


def test_until_is_a_common_instant_not_the_latest_of_single_answers() -> None:
    morning = DAY | {"hours": {"daily": "08:00-12:00"}}
    cooling = {
        "kind": "cooldown_after",
        "trigger": {"unit": "sent"},
        "lasts": {"hours": 24},
        "key": ["person"],
    }
    sent = [{"at": "2026-05-12T20:00:00Z", "channel": "sms", "outcome": "sent"}]
    # The window opens at 08:00 while the cooldown still holds; it ends at 16:00, after closing.
    assert answer([morning, cooling], facts(NOW, history=sent)) == "defer 2026-05-14T12:00:00Z"


def test_a_warning_never_changes_the_decision_and_carries_its_own_answer() -> None:
    decision = ask(rule_set(DAY | {"severity": "warn"}), facts(NOW))
    assert isinstance(decision, Allow)
    (warning,) = decision.warnings
    assert (warning.effect, warning.until) == ("defer", instant("2026-05-13T12:00:00Z"))


def test_a_rule_that_ends_tomorrow_no_longer_bears_on_tomorrow() -> None:
    closed = {"kind": "contact_window", "hours": {"daily": "closed"}}
    ending = closed | {"effective": {"to": "2026-05-12"}}
    assert answer(ending, facts(NOW)) == "defer 2026-05-13T04:00:00Z"
    assert answer(closed | {"effective": {"from": "2026-05-13"}}, facts(NOW)) == "allow"


def test_a_rule_is_in_force_if_it_is_in_any_zone_it_uses() -> None:
    zones = [
        {"zone": "America/New_York", "basis": "address"},
        {"zone": "Asia/Tokyo", "basis": "device"},
    ]
    closed = {"kind": "contact_window", "hours": {"daily": "closed"}}
    starting = closed | {"effective": {"from": "2026-05-13"}}  # it is the 13th in Tokyo
    assert answer(starting, facts(NOW, zones=zones)).startswith("suppress no_common_window")


def test_without_a_zone_a_rule_is_in_force_by_the_date_in_utc() -> None:
    work = {"kind": "contact_point_rule", "deny": {"channel": ["sms"]}}
    starting = work | {"effective": {"from": "2026-05-13"}}
    assert answer(starting, facts(NOW, zones=[])) == "suppress channel_prohibited"
    assert answer(starting, facts(NOW)) == "allow"


def test_a_rule_may_name_its_own_code_and_presumption() -> None:
    rule = DAY | {"code": "frequency_cap", "presumption": True, "cite": ["a law"]}
    decision = ask(rule_set(rule), facts(NOW))
    assert isinstance(decision, Defer)
    (reason,) = decision.reasons
    assert (reason.code, reason.presumption, reason.cite) == ("frequency_cap", True, ("a law",))


def test_an_unknown_zone_keeps_its_code_whatever_the_rule_calls_itself() -> None:
    rule = DAY | {"code": "frequency_cap"}
    assert answer(rule, facts(NOW, zones=[])) == "suppress zone_unknown"


def test_facts_built_by_hand_with_a_zone_that_does_not_exist_are_refused() -> None:
    rules = rule_set(DAY, {"kind": "contact_window", "hours": "preferences"})
    wish = Preference(kind="not_between", from_="08:00", to="09:00", zone="Mars/Base")
    base, now = question_from(facts(NOW))
    wishful = msgspec.structs.replace(base, preferences=(wish,))
    lost = Borrower(zones=(CandidateZone(zone="Mars/Base", basis="address"),))
    for given in (wishful, msgspec.structs.replace(base, borrower=lost)):
        with pytest.raises(FactsError, match="Mars/Base"):
            decide(rules, given, now)


def test_the_horizon_ends_after_45_times_24_hours() -> None:
    promise = {"kind": "stop_when", "fact": "promise", "effect": "defer"}
    stop = {"kind": "promise", "ended": "2026-06-27T02:00:00Z"}
    assert answer(promise, facts(NOW, stops=[stop])) == "defer 2026-06-27T02:00:00Z"
    later = stop | {"ended": "2026-06-27T02:00:01Z"}
    assert answer(promise, facts(NOW, stops=[later])).startswith("suppress no_common_window")


def how_long(rule: Any, given: Any, now: datetime, limit: datetime) -> datetime:
    given = {key: value for key, value in given.items() if key != "now"}
    decision, until = decide_until(rule_set(rule), facts_from(given), now, limit)
    assert isinstance(decision, Allow)
    assert until is not None
    return until


def test_an_allow_lasts_until_the_window_closes_a_day_ends_or_the_limit() -> None:
    now = datetime(2026, 5, 12, 16, 0, tzinfo=UTC)
    tomorrow = datetime(2026, 5, 13, 16, 0, tzinfo=UTC)
    given = facts("2026-05-12T16:00:00Z")
    assert how_long(DAY, given, now, tomorrow) == datetime(2026, 5, 13, 1, 0, tzinfo=UTC)
    soon = datetime(2026, 5, 12, 16, 10, tzinfo=UTC)
    assert how_long(DAY, given, now, soon) == soon
    all_day = DAY | {"hours": {"daily": "00:00-24:00"}}
    assert how_long(all_day, given, now, tomorrow) == datetime(2026, 5, 13, 4, 0, tzinfo=UTC)
    fixed = all_day | {"zones": {"fixed": "Asia/Tokyo"}}
    assert how_long(fixed, given, now, tomorrow) == datetime(2026, 5, 13, 4, 0, tzinfo=UTC)
    moscow = all_day | {"zones": {"fixed": "Europe/Moscow"}}
    assert how_long(moscow, given, now, tomorrow) == datetime(2026, 5, 12, 21, 0, tzinfo=UTC)


PACK = """
pack: mine
title: Mine
jurisdiction: nowhere
status: draft
rules:
- {id: mine-hours, kind: contact_window, cite: [mine], hours: {daily: '08:00-21:00'}}
"""


def test_a_pack_in_shadow_only_warns() -> None:
    pack = load_text(PACK, "mine.yaml")
    other = load_text(PACK.replace("mine", "other").replace("21:00", "23:00"), "other.yaml")
    decision = ask(compile_rules([other], shadow=[pack]), facts(NOW))
    assert isinstance(decision, Allow)
    assert [warning.rule for warning in decision.warnings] == ["mine-hours"]


def test_the_version_is_made_of_the_content_and_not_of_its_order() -> None:
    pack = load_text(PACK, "mine.yaml")
    other = load_text(PACK.replace("mine", "other"), "other.yaml")
    changed = load_text(PACK.replace("21:00", "20:00"), "mine.yaml")
    assert compile_rules([pack, other]).version == compile_rules([other, pack]).version
    assert compile_rules([pack]).version != compile_rules([changed]).version
    assert compile_rules([pack]).version != compile_rules([other], shadow=[pack]).version
    assert len(compile_rules([pack]).version) == 64
