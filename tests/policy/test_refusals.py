"""Packs that are not fit to judge by: refused, with the place and the fix."""

import pytest

from services.policy.pack import PackError, load_shipped, load_text, shipped
from services.policy.ruleset import compile_rules

PACK = """pack: mine
title: Mine
jurisdiction: nowhere
status: draft
calendars:
  cal: {covers: [2026], dates: {'2026-05-25': Memorial Day}}
rules:
- id: mine-hours
  kind: contact_window
  cite: [mine]
  hours: {daily: '08:00-21:00'}
"""
HOURS = "  hours: {daily: '08:00-21:00'}\n"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("title: Mine", "titel: Mine", 2, "titel: unknown key; use 'title'"),
        ("status: draft", "status: final", 4, "'final' is not allowed"),
        ("pack: mine", "pack: My Pack", 1, "use small letters"),
        ("kind: contact_window", "kind: quiet_hours", 9, "rule mine-hours: kind: 'quiet_hours'"),
        ("kind: contact_window", "kind: contact_windows", 9, "'contact_window'"),
        ("  cite: [mine]\n", "", 8, "rule mine-hours: cite: is required"),
        (HOURS, "  hours: {daily: '08:00-08:00'}\n", 11, "opens and closes at the same time"),
        (HOURS, "  hours: {daily: '8-21'}\n", 11, "hours.daily: '8-21' is not an interval"),
        (HOURS, "  hours: {mon-fri: closed, fri: '08:00-21:00'}\n", 11, "fri is named twice"),
        (HOURS, "  hours: {weekend: closed}\n", 11, "hours.weekend: unknown key"),
        (HOURS, "  hours: {on: closed}\n", 11, "hours.on: unknown key"),
        (HOURS, HOURS + "  limit: 3\n", 12, "limit: unknown key"),
        (HOURS, HOURS + "  code: too_late\n", 12, "code: 'too_late' is not allowed"),
        (HOURS, HOURS + "  hours: closed\n", 11, "stands twice, again on line 12"),
        (
            HOURS,
            HOURS + "  calendar: holidays\n",
            12,
            "unknown calendar 'holidays'; known here: cal",
        ),
        (HOURS, "  hours: {daily: closed, holiday: closed}\n", 8, "calendar: is required"),
        (HOURS, HOURS + "  effective: {from: 2026-05-12}\n", 12, "must be quoted: '2026-05-12'"),
        (HOURS, HOURS + "  effective: {from: '2026-02-30'}\n", 12, "does not exist"),
        (HOURS, HOURS + "  effective: {}\n", 12, "effective: is empty"),
        (HOURS, HOURS + "  zones: {fixed: Asia/Atlantis}\n", 12, "is not an IANA time zone"),
        (HOURS, HOURS + "  zones: all\n", 12, "use every_candidate, best_evidence"),
        (
            HOURS,
            HOURS + "  unless: [{within: 5m}]\n",
            12,
            "unless[0].within: is only for stop_when",
        ),
        (HOURS, HOURS + "  unless: [{}]\n", 12, "would always hold"),
        (HOURS, HOURS + "  applies: {channel: [telegram]}\n", 12, "applies.channel[0]"),
        (HOURS, HOURS + "  applies: {channel: [sms, sms]}\n", 12, "stands here twice"),
        (HOURS, HOURS + "  applies: {days_past_due: {}}\n", 12, "days_past_due: is empty"),
        (
            HOURS,
            "  hours: {daily: '0\N{ARABIC-INDIC DIGIT EIGHT}:00-21:00'}\n",
            11,
            "not an interval",
        ),
        (HOURS, HOURS + "  applies: {shared: yes}\n", 12, "must be true or false"),
        (HOURS, HOURS + "  presumption: 1\n", 12, "must be true or false"),
        ("{covers: [2026], dates", "{covers: 2026, dates", 6, "must be a list"),
        ("'2026-05-25': Memorial", "'25 May': Memorial", 6, "is not a date"),
        ("rules:", "rules: []\nrulez:", 8, "unknown key"),
    ],
)
def test_a_bad_pack_is_refused_with_line_rule_field_and_fix(
    old: str, new: str, line: int, words: str
) -> None:
    assert old in PACK
    with pytest.raises(PackError) as refused:
        compile_rules([load_text(PACK.replace(old, new, 1), "mine.yaml")])
    text = str(refused.value)
    assert f"mine.yaml:{line}: " in text, text
    assert words in text, text


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("kind: consent_required", "to: is required, unless there is `recheck`"),
        ("kind: content_must_include", "elements: is required"),
        ("kind: content_must_not", "labels: is required"),
        ("kind: content_must_not, patterns: []", "patterns: is empty"),
        ("kind: content_must_not, patterns: ['(']", "is not a regular expression"),
        ("kind: retention, record: [decision], from: event", "min: is required"),
        ("kind: retention, record: [decision], from: event, min: {years: -1}", "must be 0 or more"),
        ("kind: retention, record: [decision], from: event, min: {}", "exactly one of years"),
        ("kind: contact_point_rule, deny: {place: [work], shared: [true]}", "has 2 keys"),
        ("kind: contact_point_rule, deny: {place: [office]}", "deny.place[0]: 'office'"),
        ("kind: recipient_limit, allowed: [debtor], exceptions: []", "exceptions: is empty"),
        ("kind: recipient_limit, allowed: []", "allowed: is empty"),
        ("kind: sequence_gate, require: {}", "must be a map with `notice`, `fact` or `contacts`"),
        ("kind: sequence_gate, require: {fact: age, at_least: 1}", "require.fact: 'age'"),
        ("kind: obligation, duty: agent_notice, due: {}", "must have exactly one of minutes"),
        ("kind: obligation, duty: agent_notice, due: {days: 1, hours: 2}", "must have exactly one"),
        ("kind: obligation, duty: agent_notice, due: {days: -1}", "must be 0 or more"),
        ("kind: stop_when, fact: sadness", "fact: 'sadness' is not allowed"),
        ("kind: stop_when, fact: cease, lasts: 5", "lasts: is 5, must be a map"),
        ("kind: stop_when, fact: cease, lasts: {days: 5, from: now}", "lasts.from: 'now'"),
        ("kind: stop_when, fact: cease, unless: [{within: soon}]", "write minutes or hours"),
        ("kind: frequency_cap, key: [person], max: 1, window: 24h", "write as {rolling: 24h}"),
        ("kind: frequency_cap, key: [person], max: 1, window: {days: 0}", "must be 1 or more"),
        ("kind: frequency_cap, key: [person], max: 1, window: {starts: mon}", "must have one of"),
        (
            "kind: frequency_cap, key: [person], max: 1, window: {calendar: day, starts: mon}",
            "goes with calendar: week only",
        ),
        (
            "kind: frequency_cap, key: [debt], max: 1, window: {days: 1}, aggregate: {distinct: x}",
            "write count, or {distinct: channel}",
        ),
        ("kind: frequency_cap, key: [], max: 1, window: {days: 1}", "key: is empty"),
        ("kind: frequency_cap, key: [person], max: '1', window: {days: 1}", "max: is '1', must be"),
        ("kind: contact_window, hours: all", "hours: is 'all'; write `preferences`"),
        ("kind: contact_window, hours: {daily: []}", "hours.daily: is empty; write `closed`"),
        ("kind: contact_window, hours: preferences, zones: {name: UTC}", "zones.name: unknown key"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_its_field_and_the_fix(
    rule: str, words: str
) -> None:
    text = f"{PACK}- {{id: odd, cite: [x], {rule}}}\n"
    with pytest.raises(PackError) as refused:
        load_text(text, "mine.yaml")
    assert "mine.yaml:12: rule odd: " in str(refused.value)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("calendar", "words"),
    [
        ("{covers: [2026]}", "cal.dates: is required"),
        ("{covers: [], dates: {}}", "must list one year or more"),
        ("{covers: [2026], dates: []}", "must be a map of quoted dates"),
        ("{covers: [2026], dates: {'2026-05-25': {name: x}}}", "2026-05-25.class: is required"),
        ("{covers: [2026], dates: {'2026-05-25': {class: feast}}}", "'feast' is not allowed"),
    ],
)
def test_a_calendar_that_makes_no_sense_is_refused(calendar: str, words: str) -> None:
    good = "{covers: [2026], dates: {'2026-05-25': Memorial Day}}"
    with pytest.raises(PackError) as refused:
        load_text(PACK.replace(good, calendar), "mine.yaml")
    assert words in str(refused.value)


def test_every_bad_rule_is_named_at_once() -> None:
    more = PACK.replace("daily", "never") + "- {id: other, kind: retention, cite: [x]}\n"
    with pytest.raises(PackError) as refused:
        load_text(more, "mine.yaml")
    assert [problem.rule for problem in refused.value.problems] == ["mine-hours", "other"]


@pytest.mark.parametrize(
    "text", ["", "a: [", "pack: !!python/object:os.system x", "- 1", "&a [*a]"]
)
def test_what_is_no_pack_is_refused(text: str) -> None:
    with pytest.raises(PackError):
        load_text(text, "mine.yaml")


def test_a_set_without_packs_or_with_an_id_twice_is_refused() -> None:
    with pytest.raises(PackError, match="no pack at all"):
        compile_rules([])
    one = load_text(PACK, "mine.yaml")
    other = load_text(PACK.replace("pack: mine", "pack: other"), "other.yaml")
    with pytest.raises(PackError, match="'mine-hours' is used twice, also in pack mine"):
        compile_rules([one, other])


@pytest.mark.parametrize("name", ["atlantis", "../packs/cn", "", "US-FED"])
def test_an_unknown_pack_is_refused_and_the_shipped_ones_are_named(name: str) -> None:
    with pytest.raises(PackError, match=r"unknown pack; shipped are: .*us-fed"):
        load_shipped(name)


def test_every_shipped_pack_compiles_alone_and_all_together() -> None:
    packs = [load_shipped(name) for name in shipped()]
    for pack in packs:
        compile_rules([pack])
    assert len(compile_rules(packs).rules) == sum(len(pack.rules) for pack in packs)


def test_a_rules_own_applies_replaces_the_packs_key_of_that_name() -> None:
    text = PACK.replace("rules:", "applies: {channel: [sms], role: [creditor]}\nrules:")
    own_rule = "{id: own, kind: contact_window, cite: [x], hours: {daily: closed}"
    text += f"- {own_rule}, applies: {{channel: [call]}}}}\n"
    first, own = load_text(text, "mine.yaml").rules
    assert (first.applies.channel, first.applies.role) == (
        frozenset({"sms"}),
        frozenset({"creditor"}),
    )
    assert (own.applies.channel, own.applies.role) == (frozenset({"call"}), frozenset({"creditor"}))


def test_calendars_are_shared_and_a_packs_own_comes_first() -> None:
    uses = PACK.replace(
        "calendars:\n  cal: {covers: [2026], dates: {'2026-05-25': Memorial Day}}\n", ""
    )
    uses = uses.replace("mine", "user") + "  calendar: cal\n"
    owner = load_text(PACK, "mine.yaml")
    user = load_text(uses, "user.yaml")
    compile_rules([owner, user])
    with pytest.raises(PackError, match="unknown calendar 'cal'"):
        compile_rules([user])
    rival = load_text(PACK.replace("mine", "rival").replace("Memorial", "Another"), "rival.yaml")
    compile_rules([owner, rival])
    with pytest.raises(PackError, match="unknown calendar 'cal'"):
        compile_rules([owner, rival, user])
