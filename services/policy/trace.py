"""Every rule that is asked about one contact, with its answer: also of those that do not object.

Pure.  `decide` stops at what it needs to know; this asks again, for who wants to know why.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from services.policy.compiled_rule import CompiledRule
from services.policy.decide import Allow, Reason, decide
from services.policy.facts import Facts
from services.policy.guarded import Guarded
from services.policy.pack import Pack
from services.policy.question import Question
from services.policy.rule import Rule
from services.policy.ruleset import RuleSet


class Said(StrEnum):
    """One rule's answer, as if it were the only rule."""

    CONTENT = "content"  # it has nothing against the contact now
    DEFERS = "defers"  # it objects until an instant
    SUPPRESSES = "suppresses"  # it objects, and time alone does not change that
    WARNS = "warns"  # it would object, but is only watched
    LIFTED = "lifted"  # it would object, but for a condition such as consent or a reply
    NOT_IN_FORCE = "not_in_force"  # its dates, or the stop it speaks of, do not cover this instant
    OUT_OF_SCOPE = "out_of_scope"  # it is about other contacts: another channel, role, stage …


class Heard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule of one pack, and what it said of the contact."""

    rule: str
    pack: str
    kind: str
    answer: Said
    title: str = ""
    code: str | None = None
    until: datetime | None = None  # when this rule alone would allow it
    says: str = ""
    cite: tuple[str, ...] = ()
    confidence: str | None = None
    presumption: bool = False


def trace(rules: RuleSet, facts: Facts, now: datetime) -> list[Heard]:
    """Each rule of the set once, in the order of packs and ids.  Raises FactsError."""
    decision = decide(rules, facts, now)
    objecting: dict[str | None, Reason] = {reason.rule: reason for reason in decision.warnings}
    if not isinstance(decision, Allow):
        objecting |= {reason.rule: reason for reason in decision.reasons}
    question = Question(facts, now)
    within = set(rules.applying(question))
    written = {(pack.id, rule.id): rule for pack in rules.packs for rule in pack.rules}
    return [
        _heard(rule, written, objecting.get(rule.id), question, rule in within)
        for rule in rules.rules
    ]


def packs_of(rules: RuleSet) -> dict[str, Pack]:
    """The packs of a rule set by id."""
    return {pack.id: pack for pack in rules.packs}


def _heard(
    rule: CompiledRule,
    written: Mapping[tuple[str, str], Rule],
    reason: Reason | None,
    question: Question,
    within: bool,
) -> Heard:
    source = written[rule.pack, rule.id]
    heard = Heard(
        rule=rule.id,
        pack=rule.pack,
        kind=rule.kind,
        answer=Said.CONTENT,
        title=source.title,
        cite=rule.cite,
        confidence=source.confidence,
        presumption=rule.presumption,
    )
    if reason is not None:
        said = Said.SUPPRESSES if reason.effect == "suppress" else Said.DEFERS
        return msgspec.structs.replace(
            heard,
            answer=said if rule.blocks else Said.WARNS,
            code=reason.code,
            until=reason.until,
            says=reason.says,
        )
    return msgspec.structs.replace(
        heard, answer=_quiet(rule, question) if within else Said.OUT_OF_SCOPE
    )


def _quiet(rule: CompiledRule, question: Question) -> Said:
    bar = rule.bar(question)
    why = bar.quiet(question.now) if isinstance(bar, Guarded) else None
    return Said(why) if why else Said.CONTENT
