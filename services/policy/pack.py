"""Packs: the rules of one jurisdiction or tenant as reviewed YAML (rules.md section 3), read
strictly.

An unknown key is an error, not a comment. Every refusal names file, line, rule, field and what
would be right.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

from msgspec import Struct

from services.policy import words
from services.policy.blocks.calendars import Calendar
from services.policy.blocks.conditions import ONLY_IN_STOP_WHEN
from services.policy.blocks.durations import UnknownCalendar
from services.policy.blocks.scope import Scope
from services.policy.rule import Effective, Id, Rule, id_problem
from services.policy.rules import RULES
from services.policy.strict import Check, Invalid, Path, dotted, known_keys, one_of, read, shown
from services.policy.yamlfile import Document, Unreadable


class Problem(Struct, frozen=True):
    """One reason why rules are refused. `rule` and `field` are empty where the trouble is not in a
    rule; `line` is 0 where there is no file, and `file` is then what was asked for.
    """

    file: str
    line: int
    rule: str
    field: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        rule = f"rule {self.rule}: " if self.rule else ""
        return f"{where}{rule}{self.field}: {self.text}" if self.field else where + rule + self.text


class PackError(ValueError):
    """The rules are not fit to be asked: the whole set is refused, not just the bad rule."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Origin(Struct, frozen=True):
    """The file a pack came from, and where in it: the path of the pack, or of the case that holds
    its rules.
    """

    file: str
    document: Document
    path: Path = ()

    def problem(self, error: Invalid, rule: str = "") -> Problem:
        """`error.path` is relative to this origin, beginning with `rules` and the index if a rule
        is at fault.
        """
        inside = 2 if error.path[:1] == ("rules",) and len(error.path) > 1 and rule else 0
        line = self.document.line((*self.path, *error.path))
        return Problem(self.file, line, rule, dotted(error.path[inside:]), error.text)


class Pack(Struct, frozen=True, kw_only=True):
    """`content` is the pack as plain values, what its version is made of."""

    id: str
    title: str
    jurisdiction: str
    status: words.Status
    rules: tuple[Rule, ...]
    effective: Effective | None = None
    sources: tuple[str, ...] = ()
    calendars: Mapping[str, Calendar] = {}
    content: Mapping[str, object]
    origin: Origin


class _Head(Struct, frozen=True, kw_only=True):
    """A pack but for its calendars and rules."""

    pack: Id
    title: str
    jurisdiction: str
    status: words.Status
    effective: Effective | None = None
    sources: tuple[str, ...] = ()
    applies: Scope = Scope()


_KEYS = (*_Head.__struct_fields__, "calendars", "rules")


def load_text(text: str, origin: str) -> Pack:
    """A pack from the text of its file; `origin` names the file in errors. Raises PackError with
    every problem.
    """
    try:
        document = Document(text)
    except Unreadable as error:
        raise PackError(Problem(origin, 1, "", "", str(error))) from error
    here = Origin(origin, document)
    problems = [here.problem(twice) for twice in document.twice]
    try:
        given = known_keys(document.value, _KEYS, ())
        head = read(_Head, {k: v for k, v in given.items() if k not in ("calendars", "rules")})
    except Invalid as error:
        raise PackError(*problems, here.problem(error)) from error
    applies = given.get("applies", {})
    assert isinstance(applies, Mapping)
    calendars = _calendars(given.get("calendars", {}), here, problems)
    rules = _rules(given.get("rules"), applies, calendars, here, problems)
    if problems:
        raise PackError(*problems)
    return Pack(
        id=head.pack,
        title=head.title,
        jurisdiction=head.jurisdiction,
        status=head.status,
        effective=head.effective,
        sources=head.sources,
        calendars=calendars,
        rules=rules,
        content=given,
        origin=here,
    )


def hash_of(text: str) -> str:
    """What names a pack's text: its sha-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def inline_pack(given: Mapping[str, object], origin: Origin) -> Pack:
    """The `rules` and `calendars` of a case as a pack of their own, named `inline`. Raises
    PackError.
    """
    problems: list[Problem] = []
    calendars = _calendars(given.get("calendars", {}), origin, problems)
    rules = _rules(given.get("rules"), {}, calendars, origin, problems)
    if problems:
        raise PackError(*problems)
    return Pack(
        id="inline",
        title="Inline rules",
        jurisdiction="none",
        status="draft",
        calendars=calendars,
        rules=rules,
        content={
            "pack": "inline",
            "rules": given.get("rules"),
            "calendars": given.get("calendars", {}),
        },
        origin=origin,
    )


@cache
def load_shipped(pack_id: str) -> Pack:
    """A pack shipped with the project. Raises PackError, also if there is none of that name."""
    name = f"{pack_id}.yaml"
    path = files("services.policy") / "packs" / name
    if id_problem(pack_id) or not path.is_file():
        known = ", ".join(shipped()) or "none"
        text = f"unknown pack; shipped are: {known}; `dunwell packs list` says more of each"
        raise PackError(Problem(pack_id, 0, "", "", text))
    pack = load_text(path.read_text(encoding="utf-8"), name)
    if pack.id != pack_id:
        wrong = Invalid(("pack",), f"is {pack.id!r}, must be {pack_id!r} as the file's name says")
        raise PackError(pack.origin.problem(wrong))
    return pack


def shipped() -> list[str]:
    """The ids of all shipped packs."""
    folder = files("services.policy") / "packs"
    return sorted(f.name[: -len(".yaml")] for f in folder.iterdir() if f.name.endswith(".yaml"))


def _calendars(value: object, origin: Origin, problems: list[Problem]) -> dict[str, Calendar]:
    found: dict[str, Calendar] = {}
    if not isinstance(value, Mapping):
        problems.append(
            origin.problem(Invalid(("calendars",), f"is {shown(value)}, must be a map"))
        )
        return found
    for name, written in value.items():
        path: Path = ("calendars", name)
        try:
            read(_CalendarName, name, path)
            found[name] = Calendar.read(written, path)
        except Invalid as error:
            problems.append(origin.problem(error))
    return found


_CalendarName = Annotated[str, Check(id_problem)]


def _rules(
    value: object,
    pack_applies: Mapping[str, object],
    calendars: Mapping[str, Calendar],
    origin: Origin,
    problems: list[Problem],
) -> tuple[Rule, ...]:
    if not isinstance(value, list) or not value:
        problems.append(origin.problem(Invalid(("rules",), "must list at least one rule")))
        return ()
    found: list[Rule] = []
    for i, written in enumerate(value):
        path: Path = ("rules", i)
        name = _name(written, i)
        try:
            found.append(_rule(written, pack_applies, calendars, path))
        except Invalid as error:
            problems.append(origin.problem(error, name))
    return tuple(found)


def _name(written: object, i: int) -> str:
    """How an error calls a rule, even if its id is what is wrong."""
    found = written.get("id") if isinstance(written, Mapping) else None
    return found if isinstance(found, str) and found else f"number {i + 1}"


def _rule(
    written: object,
    pack_applies: Mapping[str, object],
    calendars: Mapping[str, Calendar],
    path: Path,
) -> Rule:
    if not isinstance(written, Mapping):
        raise Invalid(path, f"is {shown(written)}, must be a map")
    if "kind" not in written:
        raise Invalid((*path, "kind"), "is required; add it")
    kind = RULES[one_of(written["kind"], tuple(RULES), (*path, "kind"))]
    # Each key of the rule's own `applies` replaces the pack's key of that name.
    own = written.get("applies", {})
    applies = {**pack_applies, **own} if isinstance(own, Mapping) else own
    rule = read(kind.written, {**written, "applies": applies}, path)
    if "unless" in written and not rule.unless:
        raise Invalid((*path, "unless"), "is empty; leave the key out")
    for i, condition in enumerate(written.get("unless", ())):
        if not condition:
            raise Invalid((*path, "unless", i), "is empty and would always hold; remove it")
        for key in ONLY_IN_STOP_WHEN:
            if key in condition and not kind.judges_unless:
                raise Invalid((*path, "unless", i, key), "is only for stop_when; leave it out")
    try:
        kind.compile(rule, calendars)
    except Invalid as error:
        raise Invalid((*path, *error.path), error.text) from error
    except UnknownCalendar:
        pass  # another pack may have it; compile_rules knows them all
    return rule
