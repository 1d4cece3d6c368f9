"""`dunwell packs`, as a compliance officer types it."""

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.policy import pack_lint, pack_text
from services.policy.cli_packs import packs
from services.policy.pack import load_shipped, load_text, shipped
from tests.policy_versions.own import CASES, own

HOUSE = (pack_lint.SHIPPED / "house.yaml").read_text()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(packs, arguments)


def changed(folder: Path, name: str, *swaps: tuple[str, str]) -> str:
    """The house pack with some words replaced, in a file of its own."""
    text = HOUSE
    for old, new in swaps:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text)
    return str(path)


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


def test_the_shipped_packs_have_no_errors() -> None:
    said = run("lint", "--all", "--quiet")
    assert said.exit_code == 0, said.output


def test_an_error_names_file_line_rule_field_and_fix(tmp_path: Path) -> None:
    path = changed(tmp_path, "house.yaml", ("hours: {mon-sat:", "hour: {mon-sat:"))
    said = run("lint", path)
    assert said.exit_code == 1
    line = HOUSE[: HOUSE.index("hours: {mon-sat")].count("\n") + 1
    assert f"error   {path}:{line}: rule house-hours: hour: unknown key; use 'hours'" in said.output


def test_every_file_is_read_though_another_is_bad(tmp_path: Path) -> None:
    bad = changed(tmp_path, "bad.yaml", ("pack: house", "pack: [house"))
    misnamed = changed(tmp_path, "other.yaml")
    said = run("lint", bad, misnamed, str(tmp_path / "none.yaml"))
    assert said.exit_code == 1
    assert f"{bad}:" in said.output
    assert "is 'house', must be 'other' as the file's name says" in said.output
    assert "none.yaml:1: No such file or directory" in said.output


def test_a_draft_that_redefines_a_shipped_rule_is_told_which_rule_forbids_it(
    tmp_path: Path,
) -> None:
    path = changed(
        tmp_path, "mine.yaml", ("pack: house", "pack: mine"), ('"09:00-20:00"', '"08:00-20:00"')
    )
    said = run("lint", path, "--quiet")
    assert said.exit_code == 1
    line = HOUSE[: HOUSE.index("hours: {mon-sat")].count("\n") + 1
    assert (
        f"{path}:{line}: rule house-hours: hours: loosens house-hours of the shipped pack house:"
        " is open at times that were closed"
    ) in said.output
    assert "is used twice, also in pack" in said.output


def test_dates_that_are_swapped_are_an_error_of_the_rule_or_the_pack(tmp_path: Path) -> None:
    swapped = "effective: {from: '2027-01-01', to: '2026-12-31'}"
    text = own("09:00-18:00", pack="mine", rule="mine-day")
    of_rule = text.replace("cite:", f"{swapped}, cite:")
    of_pack = text.replace("rules:", f"{swapped}\nrules:")
    path = tmp_path / "mine.yaml"
    for written, where in (
        (of_rule, ":6: rule mine-day: effective: "),
        (of_pack, ":5: effective: "),
    ):
        path.write_text(written, encoding="utf-8")
        said = run("lint", str(path), "--quiet")
        assert said.exit_code == 1
        wrong = (
            "ends on 2026-12-31 before it begins on 2027-01-01, and is never in force; swap them"
        )
        assert f"{where}{wrong}" in said.output
    path.write_text(of_rule.replace("2026-12-31", "2027-01-01"), encoding="utf-8")
    assert run("lint", str(path), "--quiet").exit_code == 0  # one day, both ends included


def test_advice_is_given_where_a_reviewer_would_ask() -> None:
    text = """
pack: mine
title: Mine
jurisdiction: anywhere
status: draft
calendars: {days: {covers: [2026], dates: {"2026-12-25": Christmas}}}
rules:
  - {id: cap, kind: frequency_cap, cite: [Some Act], max: 1, window: {days: 1}, key: [person],
     effective: {to: "2026-01-31"}}
"""
    notes = pack_lint.advice(load_text(text, "mine.yaml"), date(2026, 11, 22))
    assert {note.field for note in notes} == {
        "calendars.days.covers",
        "id",
        "title",
        "confidence",
        "cite[0]",
        "effective.to",
    }
    assert all(note.line > 1 and note.file == "mine.yaml" for note in notes)
    assert [note.rule for note in notes if note.field == "id"] == ["cap"]


def test_a_pack_without_cases_is_advised_to_have_some(tmp_path: Path) -> None:
    path = changed(tmp_path, "house.yaml")
    said = run("lint", path)
    assert said.exit_code == 0
    assert f"advice  {path}:1: has no cases; add " in said.output


@pytest.mark.parametrize("place", ["mine.cases.yaml", "cases/mine.yaml"])
def test_the_cases_beside_a_file_of_ones_own_are_asked(tmp_path: Path, place: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(own("09:00-20:00", pack="mine", rule="mine-day"), encoding="utf-8")
    cases = tmp_path / place
    cases.parent.mkdir(exist_ok=True)
    at_night = CASES.replace("packs: [acme-hours]", "packs: [mine, house]")
    cases.write_text(at_night, encoding="utf-8")
    said = run("lint", str(path))
    assert said.exit_code == 0, said.output
    assert "has no cases" not in said.output

    cases.write_text(at_night.replace("decision: defer", "decision: suppress"), encoding="utf-8")
    for options in ((), ("--quiet",)):
        said = run("lint", str(path), *options)
        assert said.exit_code == 1
        assert (
            f"error   {cases}:2: case acme-at-night: the answer is defer until"
            " 2026-05-13T13:00:00Z, expected was suppress, outside_contact_window" in said.output
        )
    cases.write_text(at_night.replace("house]", "houze]"), encoding="utf-8")
    said = run("lint", str(path))
    assert (said.exit_code, "houze" in said.output) == (1, True)
    cases.write_text("cases: 3", encoding="utf-8")
    assert "has no list `cases`" in run("lint", str(path)).output


def test_a_diff_says_what_got_tighter_and_what_looser(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        "house.yaml",
        ('"09:00-20:00"', '"09:00-20:30"'),
        ("max: 3", "max: 2"),
        ("title: The borrower has died", "title: The borrower died"),
        ("id: house-wrong-party", "id: house-wrong-person"),
    )
    found = [json.loads(line) for line in run("diff", "house", path, "--json").output.splitlines()]
    assert {(each["rule"], each["change"], each["way"]) for each in found} == {
        ("house-hours", "changed", "loosened"),
        ("house-3-messages-in-7-days", "changed", "tightened"),
        ("house-deceased", "changed", "same"),
        ("house-wrong-person", "added", "tightened"),
        ("house-wrong-party", "removed", "loosened"),
    }
    said = run("diff", "house", path).output
    assert "    - Says: Contact Monday to Saturday only 09:00-20:00.\n" in said
    assert "    + Says: Contact Monday to Saturday only 09:00-20:30.\n" in said
    assert said.endswith("1 same, 2 tightened, 2 LOOSENED\n")


def test_a_pack_does_not_differ_from_itself() -> None:
    assert run("diff", "us-fed", "us-fed").output == "no difference\n"


def test_other_holidays_are_unclear(tmp_path: Path) -> None:
    text = (pack_lint.SHIPPED / "co.yaml").read_text()
    path = tmp_path / "co.yaml"
    path.write_text(text.replace('"2027-12-25"', '"2027-12-26"'))
    assert "2027-12-25" in text
    (found,) = [
        json.loads(line) for line in run("diff", "co", str(path), "--json").output.splitlines()
    ]
    assert (found["rule"], found["way"]) == (None, "unclear")
    assert any("2027-12-26" in line for line in found["lines"])
