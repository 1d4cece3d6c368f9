"""Loosening: judged field by field, and never missed."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.policy.decide import Allow, decide
from services.policy.given_facts import question_from
from services.policy.loosening import changes, loosened
from services.policy.pack import (
    Origin,
    Pack,
    PackError,
    inline_pack,
    load_shipped,
    load_text,
    shipped,
)
from services.policy.ruleset import compile_rules
from services.policy.stricter import Way
from services.policy.yamlfile import Document
from tests.policy.random_cases import KINDS, cases

NOWHERE = Origin("a case", Document("{}"))


def pack(*rules: str) -> Pack:
    head = "pack: p\ntitle: P\njurisdiction: anywhere\nstatus: draft\n"
    calendar = "calendars: {cal: {covers: [2026], dates: {'2026-12-25': Christmas}}}\n"
    return load_text(
        head + calendar + "rules:\n" + "".join(f"- {{{r}}}\n" for r in rules), "p.yaml"
    )


WINDOW = "id: r, kind: contact_window, cite: [a], "
CAP = "id: r, kind: frequency_cap, cite: [a], key: [person], "
COOL = "id: r, kind: cooldown_after, cite: [a], key: [person], "
STOP = "id: r, kind: stop_when, cite: [a], "
CONSENT = "id: r, kind: consent_required, cite: [a], to: channel"
WHO = "id: r, kind: recipient_limit, cite: [a], "
GATE = "id: r, kind: sequence_gate, cite: [a], "
INCLUDE = "id: r, kind: content_must_include, cite: [a], "

# Field, the rule as it is shipped, the rule as it would be tighter.
TIGHTENINGS = [
    ("hours", WINDOW + "hours: {daily: '08:00-21:00'}", WINDOW + "hours: {daily: '09:00-21:00'}"),
    ("hours", WINDOW + "hours: {daily: '08:00-21:00'}", WINDOW + "hours: {mon-sat: '08:00-21:00'}"),
    (
        "hours",
        WINDOW + "hours: {fri: '20:00-02:00'}",
        WINDOW + "hours: {fri: '20:00-24:00', sat: '00:00-01:00'}",
    ),
    (
        "hours",
        WINDOW + "hours: {daily: '08:00-21:00'}, calendar: cal",
        WINDOW + "hours: {daily: '08:00-21:00', holiday: closed}, calendar: cal",
    ),
    (
        "zones",
        WINDOW + "hours: {daily: '08:00-21:00'}, zones: best_evidence",
        WINDOW + "hours: {daily: '08:00-21:00'}",
    ),
    ("max", CAP + "max: 3, window: {days: 7}", CAP + "max: 2, window: {days: 7}"),
    ("window", CAP + "max: 3, window: {days: 7}", CAP + "max: 3, window: {days: 8}"),
    ("window", CAP + "max: 3, window: {calendar: week}", CAP + "max: 3, window: {days: 7}"),
    ("window", CAP + "max: 3, window: {rolling: 24h}", CAP + "max: 3, window: {rolling: 25h}"),
    (
        "counts",
        CAP + "max: 3, window: {days: 7}, counts: {unit: connected}",
        CAP + "max: 3, window: {days: 7}",
    ),
    (
        "key",
        "id: r, kind: frequency_cap, cite: [a], key: [person, debt], max: 1, window: {days: 1}",
        "id: r, kind: frequency_cap, cite: [a], key: [household], max: 1, window: {days: 1}",
    ),
    (
        "applies",
        CAP + "max: 3, window: {days: 7}, applies: {channel: [sms]}",
        CAP + "max: 3, window: {days: 7}, applies: {channel: [electronic]}",
    ),
    (
        "unless",
        CAP + "max: 3, window: {days: 7}, unless: [{reply: {}}, {class: [statutory_notice]}]",
        CAP + "max: 3, window: {days: 7}, unless: [{reply: {within: 2h}}]",
    ),
    (
        "severity",
        CAP + "max: 3, window: {days: 7}, severity: warn",
        CAP + "max: 3, window: {days: 7}",
    ),
    (
        "effective",
        CAP + "max: 3, window: {days: 7}, effective: {from: '2026-06-01', to: '2026-12-31'}",
        CAP + "max: 3, window: {days: 7}, effective: {from: '2026-05-01'}",
    ),
    ("lasts", COOL + "trigger: {}, lasts: {days: 7}", COOL + "trigger: {}, lasts: {days: 8}"),
    ("lasts", COOL + "trigger: {}, lasts: {minutes: 90}", COOL + "trigger: {}, lasts: {hours: 2}"),
    ("fact", STOP + "fact: opt_out", STOP + "fact: [opt_out, cease]"),
    ("form", STOP + "fact: cease, form: [written]", STOP + "fact: cease"),
    ("effect", STOP + "fact: promise, effect: defer", STOP + "fact: promise"),
    ("lasts", STOP + "fact: occasion, lasts: {days: 3}", STOP + "fact: occasion"),
    ("given_to", CONSENT, CONSENT + ", given_to: [actor]"),
    ("max_days", CONSENT + ", max_days: 30", CONSENT + ", max_days: 7"),
    ("allowed", WHO + "allowed: [debtor, spouse]", WHO + "allowed: [debtor]"),
    (
        "exceptions",
        WHO + "allowed: [debtor], exceptions: [{recipients: [employer], max_contacts: 2}]",
        WHO + "allowed: [debtor], exceptions: [{recipients: [employer], max_contacts: 1}]",
    ),
    (
        "require",
        GATE + "require: {notice: first_notice, min_age: {days: 6}}",
        GATE + "require: {notice: first_notice, min_age: {days: 7}}",
    ),
    ("elements", INCLUDE + "elements: [amount]", INCLUDE + "elements: [amount, sender_name]"),
    ("opt_out", INCLUDE + "opt_out: [reply, link]", INCLUDE + "opt_out: [reply]"),
]


@pytest.mark.parametrize(("field", "before", "after"), TIGHTENINGS)
def test_a_tenant_may_tighten_a_rule_and_not_undo_it(field: str, before: str, after: str) -> None:
    base, draft = pack(before).rules, pack(after).rules
    assert [(c.field, c.way) for c in changes(base[0], draft[0])] == [(field, Way.TIGHTER)]
    assert loosened(base, draft) == []
    assert {each.field for each in loosened(draft, base)} == {field}


@pytest.mark.parametrize(("field", "before", "after"), TIGHTENINGS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(most_rules=1))
def test_what_is_called_tighter_lets_nothing_more_through(
    field: str, before: str, after: str, case: Mapping[str, Any]
) -> None:
    if _blocks(pack(before), case["facts"]):
        assert _blocks(pack(after), case["facts"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (WINDOW + "hours: preferences", WINDOW + "hours: {daily: '08:00-09:00'}"),
        (CAP + "max: 3, window: {rolling: 24h}", CAP + "max: 3, window: {days: 2}"),
        (CAP + "max: 3, window: {calendar: week}", CAP + "max: 3, window: {calendar: month}"),
        (COOL + "trigger: {}, lasts: {days: 1}", COOL + "trigger: {}, lasts: {hours: 30}"),
        (STOP + "fact: opt_out", CAP + "max: 0, window: {days: 1}"),
    ],
)
def test_what_cant_be_told_counts_as_loosening(before: str, after: str) -> None:
    (found,) = loosened(pack(before).rules, pack(after).rules)
    assert "can't be shown" in found.why


@pytest.mark.parametrize(
    "words", ["title: New", "confidence: low", "presumption: true", "code: cooldown"]
)
def test_words_without_effect_loosen_nothing(words: str) -> None:
    before = CAP + "max: 3, window: {days: 7}"
    assert loosened(pack(before).rules, pack(f"{before}, {words}").rules) == []


def test_a_rule_left_out_is_a_loosening_and_one_added_is_not() -> None:
    one = pack(CAP + "max: 3, window: {days: 7}")
    two = pack(
        CAP + "max: 3, window: {days: 7}", "id: s, kind: stop_when, cite: [a], fact: opt_out"
    )
    assert loosened(one.rules, two.rules) == []
    assert [(each.rule, each.field) for each in loosened(two.rules, one.rules)] == [("s", "")]


@pytest.mark.parametrize("name", shipped())
def test_no_shipped_pack_loosens_itself(name: str) -> None:
    rules = load_shipped(name).rules
    assert loosened(rules, rules) == []


def _rules_pack(rules: list[Mapping[str, Any]], calendars: Mapping[str, Any]) -> Pack:
    return inline_pack({"rules": rules, "calendars": calendars}, NOWHERE)


def _blocks(found: Pack, facts: Mapping[str, Any]) -> bool:
    asked, now = question_from(facts)
    return not isinstance(decide(compile_rules([found]), asked, now), Allow)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "retention"])
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_draft_that_loosens_nothing_blocks_whatever_the_base_blocked(
    kind: str, data: st.DataObject
) -> None:
    case = data.draw(cases((kind,), 1))
    other = data.draw(cases((kind,), 1))["rules"][0]
    base = case["rules"][0] | {"id": "r"}
    swapped = data.draw(st.sets(st.sampled_from(sorted({*base, *other} - {"id", "kind", "cite"}))))
    draft = {key: value for key, value in base.items() if key not in swapped}
    draft |= {key: value for key, value in other.items() if key in swapped}
    try:
        before = _rules_pack([base], case["calendars"])
        after = _rules_pack([draft], case["calendars"])
    except PackError:
        assume(False)
    if _blocks(before, case["facts"]) and not loosened(before.rules, after.rules):
        assert _blocks(after, case["facts"])
