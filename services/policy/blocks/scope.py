"""Whom and what a rule is about: the keys of `applies` (rules.md 4.1), all of which must match."""

from collections.abc import Callable
from typing import Annotated, Any

from msgspec import Struct, field

from services.policy import words
from services.policy.blocks.channels import spelled_out
from services.policy.question import Question
from services.policy.strict import Check
from services.policy.values import Count


class DaysPastDue(Struct, frozen=True, kw_only=True):
    """Both ends included."""

    min: Count | None = None
    max: Count | None = None


def _some_end(written: DaysPastDue) -> str | None:
    if written.min is None and written.max is None:
        return "is empty; give `min`, `max`, or leave it out"
    return None


class Scope(Struct, frozen=True, kw_only=True):
    """As written in a rule; a key that is None is not asked."""

    role: frozenset[words.Role] | None = None
    purpose: frozenset[words.Purpose] | None = None
    recipient: frozenset[words.Recipient] | None = None
    class_: frozenset[words.Class] | None = field(default=None, name="class")
    technology: frozenset[words.Technology] | None = None
    channel: frozenset[words.ChannelOrGroup] | None = None
    sequence: frozenset[words.Sequence] | None = None
    place: frozenset[words.Place] | None = None
    point_kind: frozenset[words.PointKind] | None = None
    shared: bool | None = None
    product: frozenset[words.Product] | None = None
    stage: frozenset[words.Stage] | None = None
    days_past_due: Annotated[DaysPastDue, Check(_some_end)] | None = None
    time_barred: bool | None = None
    stop: frozenset[words.StopFact] | None = None


Test = Callable[[Question], bool]


def scope_key(question: Question, *, sequence: bool, days: bool) -> tuple[object, ...]:
    """The facts that a scope compares: two questions with the same key are the business of the
    same rules. Sequence and days past due cost something or vary much, so only where asked for."""
    facts, contact = question.facts, question.contact
    debt, point = facts.debt, contact.contact_point
    return (
        contact.channel,
        contact.purpose,
        contact.recipient,
        contact.class_,
        contact.technology,
        facts.actor.role,
        debt.product,
        debt.stage,
        debt.time_barred,
        point.kind,
        point.place,
        point.shared,
        question.sequence() if sequence else None,
        debt.days_past_due if days else None,
    )


def kind_of_contact(question: Question, scope: tuple[object, ...]) -> tuple[object, ...]:
    """The scope's facts, those that rules bar outright, and what there is nothing of: two questions
    with the same key have the same silent rules (`Kind.silent`)."""
    facts, contact = question.facts, question.contact
    balance, sender = facts.debt.balance, contact.sender
    return (
        scope,
        not facts.stops,
        balance is not None and balance <= 0,
        contact.content is None,
        not question.history,
        not facts.preferences,
        not facts.duties,
        not question.best_zones,
        contact.contact_point.provided_by,
        sender.caller_id,
        sender.device,
    )


def tests_of(scope: Scope, *, unknown: bool) -> list[Test]:
    """One test for each key but `stop`, which moves with the clock. An unknown fact gives
    `unknown`: it matches in `applies` and does not match in `unless`.
    """
    return [
        test
        for key, test in (
            (scope.channel, _one_of(spelled_out(scope.channel or ()), _channel, unknown)),
            (scope.purpose, _one_of(scope.purpose, _purpose, unknown)),
            (scope.role, _one_of(scope.role, _role, unknown)),
            (scope.recipient, _one_of(scope.recipient, _recipient, unknown)),
            (scope.class_, _one_of(scope.class_, _class, unknown)),
            (scope.technology, _one_of(scope.technology, _technology, unknown)),
            (scope.sequence, _one_of(scope.sequence, _sequence, unknown)),
            (scope.place, _one_of(scope.place, _place, unknown)),
            (scope.point_kind, _one_of(scope.point_kind, _point_kind, unknown)),
            (scope.shared, _one_of({scope.shared}, _shared, unknown)),
            (scope.product, _one_of(scope.product, _product, unknown)),
            (scope.stage, _one_of(scope.stage, _stage, unknown)),
            (scope.days_past_due, _between(scope.days_past_due or DaysPastDue(), unknown)),
            (scope.time_barred, _one_of({scope.time_barred}, _time_barred, unknown)),
        )
        if key is not None
    ]


def _one_of(values: Any, fact: Callable[[Question], object], unknown: bool) -> Test:
    def test(question: Question) -> bool:
        found = fact(question)
        return found in values if found is not None else unknown

    return test


def _between(range_: DaysPastDue, unknown: bool) -> Test:
    least, most = range_.min, range_.max

    def test(question: Question) -> bool:
        found = question.facts.debt.days_past_due
        if found is None:
            return unknown
        return (least is None or found >= least) and (most is None or found <= most)

    return test


def _channel(question: Question) -> str:
    return question.channel


def _purpose(question: Question) -> str:
    return question.contact.purpose


def _role(question: Question) -> str:
    return question.facts.actor.role


def _recipient(question: Question) -> str:
    return question.contact.recipient


def _class(question: Question) -> str:
    return question.contact.class_


def _technology(question: Question) -> str | None:
    return question.contact.technology


def _sequence(question: Question) -> str:
    return question.sequence()


def _place(question: Question) -> str:
    return question.place


def _point_kind(question: Question) -> str | None:
    return question.contact.contact_point.kind


def _shared(question: Question) -> bool:
    return question.contact.contact_point.shared


def _product(question: Question) -> str:
    return question.facts.debt.product


def _stage(question: Question) -> str | None:
    return question.facts.debt.stage


def _time_barred(question: Question) -> bool:
    return question.facts.debt.time_barred
