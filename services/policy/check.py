"""Case files: questions to the rules with the answers expected (cases/README.md).

A malformed case is that case's error; the other cases of the file are still answered. A case
that expects nothing is answered too, but is not right.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path as File
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec
from msgspec import Struct

from services.policy.decide import Allow, Decision, Defer, Reason, Suppress, decide
from services.policy.facts import FactsError
from services.policy.given_facts import question_from
from services.policy.pack import Origin, Pack, PackError, inline_pack, load_shipped, shipped
from services.policy.rule import Id
from services.policy.ruleset import RuleSet, compile_rules
from services.policy.strict import Check, Invalid, known_keys, read, shown
from services.policy.words import RuleCode
from services.policy.yamlfile import Document, Unreadable

TOLERANCE = timedelta(seconds=60)  # `until` of a case: give or take

Outcome = Literal["allow", "defer", "suppress", "error"]


class UnreadableFile(ValueError):
    """A case file that cannot be read at all."""


def _two(between: tuple[datetime, ...]) -> str | None:
    return None if len(between) == 2 else f"has {len(between)} instants, must have two"


class Alternative(Struct, frozen=True, kw_only=True):
    """An answer that is right too."""

    decision: Outcome
    until: datetime | None = None
    until_between: Annotated[tuple[datetime, ...], Check(_two)] | None = None


class Expect(Alternative, frozen=True, kw_only=True):
    """The answer expected. `code` is reported, it never decides."""

    code: RuleCode | None = None
    accept: tuple[Alternative, ...] = ()
    strict: bool = True


class Answer(Struct, frozen=True, kw_only=True):
    """What the rules say to one case, and whether that is right. `error` only with the decision
    error.
    """

    id: str | None
    decision: Outcome
    until: datetime | None
    reasons: tuple[Reason, ...]
    warnings: tuple[Reason, ...]
    ok: bool
    error: str | None
    expect: Expect | None  # None: the case does not say what it expects
    line: int  # of its file, where the case begins

    def as_json(self) -> bytes:
        """One line, without the line end."""
        found = {
            "id": self.id,
            "decision": self.decision,
            "until": _written(self.until),
            "reasons": [_reason(reason) for reason in self.reasons],
            "warnings": [_reason(reason) for reason in self.warnings],
            "ok": self.ok,
        }
        return msgspec.json.encode(found if self.error is None else {**found, "error": self.error})


_KEYS = (
    "id",
    "title",
    "packs",
    "rules",
    "calendars",
    "facts",
    "expect",
    "cite",
    "source",
    "confidence",
    "about",
    "why",
)


def check_file(path: str, drafts: Mapping[str, Pack] = MappingProxyType({})) -> Iterator[Answer]:
    """The answers to the cases of one file, in order. Raises UnreadableFile before the first."""
    try:
        text = File(path).read_text(encoding="utf-8")
    except IsADirectoryError as error:
        fix = f"name its files: {path.rstrip('/')}/*.yaml"
        raise UnreadableFile(f"{path} is a folder; {fix}") from error
    except FileNotFoundError as error:
        raise UnreadableFile(f"there is no file {path}; mend its name") from error
    except OSError as error:
        raise UnreadableFile(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path} is not UTF-8: save it so") from error
    return check_text(text, path, drafts)


def check_text(text: str, path: str, drafts: Mapping[str, Pack]) -> Iterator[Answer]:
    """The same of a file's text; a case may name a draft among its packs."""
    try:
        document = Document(text)
    except Unreadable as error:
        raise UnreadableFile(f"{path}: {error}") from error
    whole = document.value
    cases = whole.get("cases") if isinstance(whole, Mapping) else None
    if not isinstance(cases, list):
        raise UnreadableFile(f"{path}: has no list `cases`")
    return _answers(cases, Origin(path, document), drafts)


def _answers(cases: list[object], origin: Origin, drafts: Mapping[str, Pack]) -> Iterator[Answer]:
    seen: set[object] = set()
    for i, case in enumerate(cases):
        name = case.get("id") if isinstance(case, Mapping) else None
        here = Origin(origin.file, origin.document, ("cases", i))
        yield _answer(case, here, drafts, again=isinstance(name, str) and name in seen)
        seen.add(name if isinstance(name, str) else None)


def _answer(case: object, origin: Origin, drafts: Mapping[str, Pack], *, again: bool) -> Answer:
    name = case.get("id") if isinstance(case, Mapping) else None
    expect: Expect | None = None
    decision: Decision | None = None
    error: str | None = None
    try:
        given = _well_formed(case, origin)
        if "expect" in given:
            expect = read(Expect, given["expect"], ("expect",))
        if again:
            raise Invalid(("id",), f"{shown(name)} is used twice in this file; rename one")
        facts, now = question_from(given["facts"])
        decision = decide(_rules(given, origin, drafts), facts, now)
    except Invalid as invalid:
        error = str(origin.problem(invalid))
        expect = expect or _lenient(case)
    except (FactsError, PackError) as refused:
        error = str(refused)
    except Exception as failure:  # whatever it is, the other cases are still answered
        error = f"can't be decided: {type(failure).__name__}"
    until = decision.until if isinstance(decision, Defer) else None
    word = _word(decision)
    return Answer(
        id=name if isinstance(name, str) else None,
        decision=word,
        until=until,
        reasons=() if decision is None or isinstance(decision, Allow) else decision.reasons,
        warnings=() if decision is None else decision.warnings,
        ok=expect is not None and is_right(expect, word, until),
        error=error,
        expect=expect,
        line=origin.document.line(origin.path),
    )


def is_right(expect: Expect, decision: Outcome, until: datetime | None) -> bool:
    """The decision is the one expected and, unless the case is lenient, so is the instant; or an
    alternative fits.
    """
    if decision == expect.decision and (not expect.strict or _fits(expect, until)):
        return True
    return any(decision == other.decision and _fits(other, until) for other in expect.accept)


def _fits(expected: Alternative, until: datetime | None) -> bool:
    """The instant expected, give or take a minute; any, if none is named."""
    if expected.until is not None:
        return until is not None and abs(until - expected.until) <= TOLERANCE
    if expected.until_between is not None:
        first, last = expected.until_between
        return until is not None and first <= until <= last
    return True


def _well_formed(case: object, origin: Origin) -> Mapping[str, object]:
    given = known_keys(case, _KEYS, ())
    for twice in origin.document.problems_in(origin.path):
        raise Invalid(twice.path[len(origin.path) :], twice.text)
    for key in ("id", "facts"):
        if key not in given:
            raise Invalid((key,), "is required; add it")
    read(Id, given["id"], ("id",))
    if "packs" not in given and "rules" not in given:
        raise Invalid(("rules",), "is required, unless there is `packs`: no pack at all")
    return given


def _lenient(case: object) -> Expect | None:
    """What a malformed case expects, as far as it can be told."""
    try:
        return read(Expect, case["expect"], ()) if isinstance(case, Mapping) else None
    except (Invalid, KeyError):
        return None


def _rules(given: Mapping[str, object], origin: Origin, drafts: Mapping[str, Pack]) -> RuleSet:
    names = read(tuple[str, ...], given.get("packs", []), ("packs",))
    if "packs" in given and not names:
        raise Invalid(("packs",), "is empty; name at least one, or leave the key out")
    for i, name in enumerate(names):
        if name not in drafts and name not in shipped():
            text = (
                f"{shown(name)} is an unknown pack; `dunwell packs list` names those shipped, and"
            )
            text += " `dunwell check --pack FILE` takes a file of yours beside the cases"
            raise Invalid(("packs", i), text)
    packs: list[Pack] = [drafts.get(name) or load_shipped(name) for name in names]
    if "rules" in given:
        packs.append(inline_pack(given, origin))
    return compile_rules(packs)


def _word(decision: Decision | None) -> Outcome:
    match decision:
        case None:
            return "error"
        case Allow():
            return "allow"
        case Defer():
            return "defer"
        case Suppress():
            return "suppress"


def _reason(reason: Reason) -> dict[str, object]:
    return {
        "rule": reason.rule,
        "pack": reason.pack,
        "kind": reason.kind,
        "code": reason.code,
        "effect": reason.effect,
        "until": _written(reason.until),
        "cite": reason.cite,
        "presumption": reason.presumption,
        "says": reason.says,
    }


def _written(instant: datetime | None) -> str | None:
    return None if instant is None else f"{instant:%Y-%m-%dT%H:%M:%SZ}"
