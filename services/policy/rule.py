"""What every rule has, whatever its kind (rules.md section 4)."""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from msgspec import Struct, field

from services.policy import words
from services.policy.blocks.bars import Bar
from services.policy.blocks.conditions import Condition
from services.policy.blocks.durations import Calendars
from services.policy.blocks.scope import Scope
from services.policy.blocks.zones import Zones
from services.policy.question import Question
from services.policy.strict import Check


def id_problem(name: str) -> str | None:
    if re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        return None
    return f"{name!r} is not an id; use small letters, digits and hyphens"


def _some_date(written: "Effective") -> str | None:
    return None if written.from_ or written.to else "is empty; give `from`, `to`, or leave it out"


Id = Annotated[str, Check(id_problem)]


class Effective(Struct, frozen=True, kw_only=True):
    """Local dates, both included; None is open."""

    from_: date | None = field(default=None, name="from")
    to: date | None = None


class Rule(Struct, frozen=True, kw_only=True):
    """One reason to object, as written in a pack; each kind adds its parameters. `applies` is
    already completed by that of the pack. `effective` is the rule's own.
    """

    id: Id
    kind: str
    cite: tuple[str, ...]
    title: str = ""
    applies: Scope = Scope()
    unless: tuple[Condition, ...] = ()
    effective: Annotated[Effective, Check(_some_date)] | None = None
    severity: words.Severity = "block"
    presumption: bool = False
    code: words.RuleCode | None = None
    confidence: words.Confidence | None = None


# A rule compiled: its bar for this question in these zones; None if it cannot block it at any hour.
Bind = Callable[[Question, Zones], Bar | None]


def _never(rule: Rule, question: Question) -> bool:
    return False


class Kind(Struct, frozen=True):
    """A kind of rule: how it is written, and how it is compiled.

    `compile(rule, calendars)` raises Invalid with a path inside the rule, or UnknownCalendar.
    `silent(rule, question)`: there is nothing here that the rule could object to, so it need not be
    asked. It may look only at what `kind_of_contact` compares: the answer is kept for all the like.
    """

    written: type[Rule]
    compile: Callable[[Any, Calendars], Bind]
    judges_unless: bool = False  # it looks at the rule's `unless` itself
    silent: Callable[[Any, Question], bool] = _never
