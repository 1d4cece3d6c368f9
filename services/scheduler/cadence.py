"""Reads cadences: YAML ladders of steps, checked whole, every error with its line and its fix."""

import re
from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from pathlib import Path

import msgspec
import yaml

from services.events.words import Channel, Stage

SHIPPED = Path(__file__).with_name("cadences")

MAX_DAYS_BEFORE = 60
MAX_DAYS_AFTER = 365
MAX_VALID_FOR_DAYS = 30
MAX_PRIORITY = 99

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}\Z")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z")
_INTEGER = re.compile(r"[+-]?[0-9]{1,4}\Z")
_STAGE_ORDER = list(Stage)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rung: so many days from the due date, at this clock time where the borrower lives."""

    days_from_due: int
    at: time
    stage: Stage
    channels: tuple[Channel, ...]
    priority: int  # the lower goes first

    @property
    def name(self) -> str:
        """`T-3`, `T+0`, `T+14`: part of a reminder's identity."""
        return f"T{self.days_from_due:+d}"


class Cadence(msgspec.Struct, frozen=True, kw_only=True):
    """A ladder of steps, in order of days, at most one a day."""

    name: str
    valid_for: timedelta
    steps: tuple[Step, ...]


class CadenceError(Exception):
    """Everything that is wrong with the cadence files, a line each: file, line, field, fix."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = tuple(sentences)


def load(*folders: Path) -> Mapping[str, Cadence]:
    """Every cadence of the folders, by name; a later folder's file replaces an earlier one's."""
    found: dict[str, Cadence] = {}
    sentences: list[str] = []
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            try:
                cadence = parse(path.read_text(), path.name)
            except CadenceError as error:
                sentences += error.sentences
            except (OSError, UnicodeDecodeError) as error:
                sentences.append(f"{path.name}: can't be read ({type(error).__name__})")
            else:
                found[cadence.name] = cadence
    if not found and not sentences:
        sentences.append("no cadence (*.yaml) in the cadences' folder; copy standard.yaml there")
    if sentences:
        raise CadenceError(sentences)
    return found


def parse(text: str, file_name: str) -> Cadence:
    """One file's cadence; CadenceError lists all that is wrong with it."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CadenceError([f"{file_name}:{line}: not YAML: {error.problem}"]) from None
    except yaml.YAMLError as error:
        raise CadenceError([f"{file_name}:1: not YAML: {type(error).__name__}"]) from None
    reader = _Reader(file_name)
    cadence = reader.cadence(root)
    if cadence is None or reader.sentences:
        raise CadenceError(reader.sentences)
    return cadence


class _Reader:
    """Works on YAML's nodes: they know their lines, and `10:00` is not yet the number 600."""

    def __init__(self, file_name: str) -> None:
        self._file = file_name
        self.sentences: list[str] = []

    def cadence(self, root: yaml.Node | None) -> Cadence | None:
        known = ("cadence", "valid_for_days", "steps")
        fields = self._mapping(root, "the file", known)
        if fields is None or len(fields) < len(known):
            return None
        name = self._text(fields["cadence"], "cadence")
        expected = self._file.removesuffix(".yaml")
        if not _NAME.match(name) or name != expected:
            fix = f"write `cadence: {expected}`, the file's own name (a-z, 0-9, -)"
            self._wrong(fields["cadence"], "cadence", "is not the file's name", fix)
        days = self._integer(fields["valid_for_days"], "valid_for_days", 1, MAX_VALID_FOR_DAYS)
        node = fields["steps"]
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._wrong(node, "steps", "is not a list of steps", "begin each with `- `")
            return None
        steps = [self._step(item, f"steps[{i}]") for i, item in enumerate(node.value)]
        complete = [step for step in steps if step is not None]
        if len(complete) == len(steps):
            self._in_order(complete, node.value)
        return Cadence(name=name, valid_for=timedelta(days=days), steps=tuple(complete))

    def _step(self, node: yaml.Node, path: str) -> Step | None:
        known = ("days_from_due", "at", "stage", "channels", "priority")
        fields = self._mapping(node, path, known)
        if fields is None or len(fields) < len(known):
            return None
        before = len(self.sentences)
        days = self._integer(
            fields["days_from_due"], f"{path}.days_from_due", -MAX_DAYS_BEFORE, MAX_DAYS_AFTER
        )
        clock = self._clock(fields["at"], f"{path}.at")
        stage = self._word(fields["stage"], f"{path}.stage", Stage)
        channels = self._channels(fields["channels"], f"{path}.channels")
        priority = self._integer(fields["priority"], f"{path}.priority", 1, MAX_PRIORITY)
        if len(self.sentences) > before or stage is None:
            return None
        if not _fits(stage, days):
            fix = "upcoming before the due date, due on it, overdue or final after it"
            self._wrong(fields["stage"], f"{path}.stage", f"is not of {days:+d} days", fix)
            return None
        return Step(days_from_due=days, at=clock, stage=stage, channels=channels, priority=priority)

    def _in_order(self, steps: Sequence[Step], nodes: Sequence[yaml.Node]) -> None:
        for i in range(1, len(steps)):
            before, step = steps[i - 1], steps[i]
            if step.days_from_due <= before.days_from_due:
                fix = "sort the steps by days_from_due, one a day"
                self._wrong(
                    nodes[i], f"steps[{i}].days_from_due", "is not after the step before", fix
                )
            elif _STAGE_ORDER.index(step.stage) < _STAGE_ORDER.index(before.stage):
                fix = f"a later step is {before.stage} or firmer"
                self._wrong(nodes[i], f"steps[{i}].stage", "is softer than the step before", fix)

    def _mapping(
        self, node: yaml.Node | None, path: str, known: tuple[str, ...]
    ) -> dict[str, yaml.Node] | None:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, path, "is not a mapping", f"give {', '.join(known)}")
            return None
        fields: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self._text(key, path)
            if name not in known:
                self._wrong(key, f"{path}: {name}", "is an unknown key", f"one of {list(known)}")
            elif name in fields:
                self._wrong(key, f"{path}: {name}", "is there twice", "keep one")
            else:
                fields[name] = value
        for name in known:
            if name not in fields:
                self._wrong(node, f"{path}: {name}", "is missing", "see standard.yaml")
        return fields

    def _text(self, node: yaml.Node, path: str) -> str:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self._wrong(node, path, "is not a plain value", "write one word")
        return ""

    def _integer(self, node: yaml.Node, path: str, low: int, high: int) -> int:
        text = self._text(node, path)
        if _INTEGER.match(text) and low <= int(text) <= high:
            return int(text)
        self._wrong(node, path, "is not in range", f"a whole number from {low} to {high}")
        return low

    def _clock(self, node: yaml.Node, path: str) -> time:
        if found := _CLOCK.match(self._text(node, path)):
            return time(int(found[1]), int(found[2]))
        self._wrong(node, path, "is not a clock time", 'write it as "10:00", 00:00 to 23:59')
        return time(0)

    def _word(self, node: yaml.Node, path: str, words: type[Stage]) -> Stage | None:
        try:
            return words(self._text(node, path))
        except ValueError:
            self._wrong(node, path, "is not a stage", f"one of {[str(word) for word in words]}")
            return None

    def _channels(self, node: yaml.Node, path: str) -> tuple[Channel, ...]:
        names = (
            [self._text(item, path) for item in node.value]
            if isinstance(node, yaml.SequenceNode)
            else []
        )
        if names and len(set(names)) == len(names) and set(names) <= set(Channel):
            return tuple(Channel(name) for name in names)
        fix = f"a list of one or more, each once, of {[str(word) for word in Channel]}"
        self._wrong(node, path, "is not a list of channels", fix)
        return ()

    def _wrong(self, node: yaml.Node | None, path: str, problem: str, fix: str) -> None:
        line = node.start_mark.line + 1 if node else 1
        self.sentences.append(f"{self._file}:{line}: {path} {problem}; {fix}")


def _fits(stage: Stage, days_from_due: int) -> bool:
    match stage:
        case Stage.UPCOMING:
            return days_from_due < 0
        case Stage.DUE:
            return days_from_due == 0
        case Stage.OVERDUE | Stage.FINAL:
            return days_from_due > 0
