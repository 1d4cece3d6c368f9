"""Cadence files: the shipped ones are sound, and every error has its line and its fix."""

from pathlib import Path

import pytest

from services.events.words import Channel, Stage
from services.scheduler.cadence import SHIPPED, CadenceError, load, parse

GOOD = """\
cadence: mine
valid_for_days: 3
steps:
  - days_from_due: -3
    at: "10:00"
    stage: upcoming
    channels: [push, sms]
    priority: 60
  - days_from_due: 0
    at: 09:30
    stage: due
    channels: [sms]
    priority: 40
"""


def test_the_shipped_cadences_are_sound_and_the_standard_has_the_promised_steps() -> None:
    found = load(SHIPPED)
    assert set(found) == {"standard", "gentle"}
    names = [step.name for step in found["standard"].steps]
    assert names[:8] == ["T-7", "T-3", "T-1", "T+0", "T+1", "T+3", "T+7", "T+14"]
    assert found["standard"].steps[-1].stage == Stage.FINAL


def test_a_file_is_read_and_an_unquoted_clock_is_not_a_number_of_minutes() -> None:
    mine = parse(GOOD, "mine.yaml")
    assert [str(step.at) for step in mine.steps] == ["10:00:00", "09:30:00"]
    assert mine.steps[0].channels == (Channel.PUSH, Channel.SMS)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cadence: mine", "cadence: yours", "mine.yaml:1: cadence is not the file's name"),
        ("valid_for_days: 3", "valid_for_days: 0", "mine.yaml:2: valid_for_days is not in range"),
        ("valid_for_days: 3", "valid_for_days: [3]", "mine.yaml:2: valid_for_days is not a plain"),
        ("valid_for_days: 3", "days: 3", "mine.yaml:2: the file: days is an unknown key"),
        ("valid_for_days: 3\n", "", "mine.yaml:1: the file: valid_for_days is missing"),
        ("valid_for_days: 3", "valid_for_days: 3\ncadence: mine", "mine.yaml:3: the file: cadence"),
        ('at: "10:00"', 'at: "25:00"', "mine.yaml:5: steps[0].at is not a clock time"),
        ("stage: upcoming", "stage: angry", "mine.yaml:6: steps[0].stage is not a stage"),
        ("stage: upcoming", "stage: overdue", "mine.yaml:6: steps[0].stage is not of -3 days"),
        ("[push, sms]", "[push, push]", "mine.yaml:7: steps[0].channels is not a list"),
        ("[push, sms]", "[fax]", "mine.yaml:7: steps[0].channels is not a list"),
        ("[push, sms]", "sms", "mine.yaml:7: steps[0].channels is not a list"),
        ("priority: 60", "priority: high", "mine.yaml:8: steps[0].priority is not in range"),
        ("days_from_due: 0", "days_from_due: -3", "mine.yaml:11: steps[1].stage is not of -3"),
        ("days_from_due: -3", "days_from_due: -99", "mine.yaml:4: steps[0].days_from_due is not"),
        ("steps:\n", "steps: none\nignored:\n", "mine.yaml:4: the file: ignored is an unknown"),
        ("cadence: mine", "cadence: [", "not YAML"),
    ],
)
def test_an_error_names_file_line_field_and_fix(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(CadenceError) as raised:
        parse(GOOD.replace(old, new, 1), "mine.yaml")
    assert any(said in sentence for sentence in raised.value.sentences), raised.value.sentences


def test_steps_out_of_order_or_growing_softer_are_refused() -> None:
    final = GOOD.replace("0\n    at: 09:30\n    stage: due", "9\n    at: 09:30\n    stage: final")
    softer = (
        final
        + GOOD.partition("steps:\n")[2]
        .replace("-3", "12")
        .replace("upcoming", "overdue")
        .partition("  - days_from_due: 0")[0]
    )
    with pytest.raises(CadenceError, match="softer than the step before"):
        parse(softer, "mine.yaml")
    swapped = GOOD.replace("days_from_due: 0", "days_from_due: -5").replace("due\n", "upcoming\n")
    with pytest.raises(CadenceError, match="is not after the step before"):
        parse(swapped, "mine.yaml")


def test_all_errors_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("steps: []\n")
    (tmp_path / "b.yaml").write_text(GOOD.replace("mine", "b").replace("10:00", "noon"))
    with pytest.raises(CadenceError) as raised:
        load(SHIPPED, tmp_path)
    assert {sentence.partition(":")[0] for sentence in raised.value.sentences} == {
        "a.yaml",
        "b.yaml",
    }


def test_ones_own_folder_adds_to_the_shipped_cadences_and_may_replace_one(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(GOOD)
    (tmp_path / "gentle.yaml").write_text(GOOD.replace("cadence: mine", "cadence: gentle"))
    found = load(SHIPPED, tmp_path)
    assert set(found) == {"standard", "gentle", "mine"}
    assert len(found["gentle"].steps) == 2
