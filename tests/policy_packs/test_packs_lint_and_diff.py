"""`dunwell packs lint` and `diff`: what is wrong with a pack, and what became tighter or looser."""

import json
from datetime import date
from pathlib import Path

import pytest

from services.policy import pack_lint
from services.policy.pack import load_text
from tests.policy_packs.command import run
from tests.policy_versions.own import CASES, own

HOUSE = (pack_lint.SHIPPED / "house.yaml").read_text()


def changed(folder: Path, name: str, *swaps: tuple[str, str]) -> str:
    """The house pack with some words replaced, in a file of its own."""
    text = HOUSE
    for old, new in swaps:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text)
    return str(path)


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
