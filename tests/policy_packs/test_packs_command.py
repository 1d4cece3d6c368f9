"""`dunwell packs`, as a compliance officer types it."""

import json

import pytest

from services.policy import pack_text
from services.policy.pack import load_shipped, load_text, shipped
from tests.policy_packs.command import run
from tests.policy_versions.own import own


def test_the_list_names_every_shipped_pack_with_its_version() -> None:
    rows = [json.loads(line) for line in run("list", "--json").output.splitlines()]
    assert [row["pack"] for row in rows] == [*shipped(), "always"]
    assert all(len(row["hash"]) == 64 and row["status"] and row["rules"] for row in rows)
    said = run("list").output
    assert all(row["pack"] in said and row["hash"][:12] in said for row in rows)


@pytest.mark.parametrize("name", shipped())
def test_every_rule_of_every_pack_can_be_read_without_yaml(name: str) -> None:
    said = run("show", name)
    assert said.exit_code == 0, said.output
    pack = load_shipped(name)
    assert all(rule.id in said.output for rule in pack.rules)
    assert not {"frozenset", "Struct", "None", "{"} & set(said.output.split())
    for rule in pack.rules:
        lines = dict(pack_text.rule_in_words(rule))
        assert {"Says", "Binds", "Then", "Source", "Confidence", "In force"} <= lines.keys()
        assert all(lines.values()), rule.id


def test_what_is_asked_of_everybody_can_be_read_too() -> None:
    said = run("show", "always")
    assert said.exit_code == 0, said.output
    assert "always-stops " in said.output
    assert "always is asked of everybody" in run("list").output


def test_a_draft_by_its_hash_needs_to_be_told_whose_it_is() -> None:
    said = run("show", "acme-hours@3f9c0a1b2c3d")
    assert said.exit_code == 2
    assert "say --tenant if it is a draft that was kept" in said.output


def test_one_rule_is_said_with_its_numbers_exceptions_and_source() -> None:
    said = " ".join(run("show", "us-fed", "--rule", "us-fed-calls-7-in-7").output.split())
    for part in (
        "At most 7 contacts in 7 days in a row, today the last.",
        "attempts that connected; to or about the same collector, debt and person.",
        "who contacts: collector",
        "recipient is attorney, credit bureau or creditor",
        "12 CFR 1006.14(b)(2)(i)(A)",
        "legal presumption",
    ):
        assert part in said


def test_a_rule_that_defers_is_not_said_to_wait_for_a_fact() -> None:
    said = " ".join(run("show", "house", "--rule", "house-promise").output.split())
    assert "No contact while on record: a promise to pay." in said
    assert "Then The contact waits until what is on record ends." in said
    assert "until a fact changes" not in said


def test_no_pack_is_read_aloud_in_broken_english() -> None:
    said = " ".join(" ".join(run("show", name).output.split()) for name in [*shipped(), "always"])
    for broken in (
        "At most 1 contacts",
        "what was reply",
        "from the closed",
        "fewer than 1",
        "on record: opt out",
    ):
        assert broken not in said


def test_exceptions_of_which_one_is_enough_are_told_with_or() -> None:
    several = [r for name in shipped() for r in load_shipped(name).rules if len(r.unless) > 1]
    assert several
    for rule in several:
        lines = pack_text.rule_in_words(rule)
        start = next(i for i, (label, _) in enumerate(lines) if label == "Unless")
        first, *others = [text for _, text in lines[start : start + len(rule.unless)]]
        assert not first.startswith("or ")
        assert all(text.startswith("or ") for text in others)


def test_a_rule_or_pack_that_is_not_there_is_answered_with_what_is() -> None:
    said = run("show", "house", "--rule", "house-nothing")
    assert said.exit_code == 2
    assert "house-hours" in said.output
    said = run("show", "hous")
    assert said.exit_code == 1
    assert "unknown pack; shipped are: au, br" in said.output
    assert "hous.yaml" not in said.output
    assert "dunwell packs list" in said.output


def test_a_rule_asked_for_as_a_pack_is_told_of_its_pack() -> None:
    for more in ((), ("--tenant", "acme")):
        said = run("show", "house-hours", *more)
        assert said.exit_code == 1
        assert "house-hours is a rule of house: dunwell packs show house --rule house-hours" in (
            said.output
        )


def test_hours_are_said_by_days_that_are_alike() -> None:
    said = run("show", "co").output
    assert "Contact Monday to Friday only 07:00-19:00." in said
    assert "Contact on a holiday not at all." in said


@pytest.mark.parametrize(
    ("hours", "lines"),
    [
        (
            '{mon-fri: "18:00-09:00"}',
            [
                "Contact Monday to Friday only from 18:00 to 09:00 the next morning.",
                "Contact Saturday only until 09:00 (hours of the evening before).",
                "Contact Sunday not at all.",
            ],
        ),
        ('{daily: "20:00-14:00"}', ["Contact every day only from 20:00 to 14:00 the next day."]),
        (
            '{sun: "22:00-06:00", mon-sat: ["08:00-12:00", "18:00-00:00"]}',
            [
                "Contact Monday only until 06:00 (hours of the evening before)"
                " and 08:00-12:00 and 18:00-24:00.",
                "Contact Tuesday to Saturday only 08:00-12:00 and 18:00-24:00.",
                "Contact Sunday only from 22:00 to 06:00 the next morning.",
            ],
        ),
        (
            '{daily: "20:00-02:00", holiday: closed}, calendar: days',
            [
                "Contact every day only from 20:00 to 02:00 the next morning.",
                "Contact on a holiday only in hours of the evening before that run on.",
                "Holidays are those of the calendar days.",
            ],
        ),
    ],
)
def test_hours_over_midnight_say_into_which_morning_they_run_on(
    hours: str, lines: list[str]
) -> None:
    text = own("09:00-18:00").replace('{daily: "09:00-18:00"}', hours)
    calendar = 'calendars: {days: {covers: [2026], dates: {"2026-12-25": Christmas}}}\n'
    (rule,) = load_text(text.replace("rules:", f"{calendar}rules:"), "mine.yaml").rules
    said = [line for _, line in pack_text.rule_in_words(rule)]
    assert said[: len(lines)] == lines
