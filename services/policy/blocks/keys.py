"""Which earlier contacts belong together with this one (rules.md 6.3); an unknown value belongs."""

from collections.abc import Callable, Iterable
from typing import Literal

from services.policy.facts import Entry
from services.policy.question import Question

Belongs = Callable[[Question, Entry], bool]
MultiDebt = Literal["each", "allocated"]


def belonging(keys: Iterable[str], multi_debt: str) -> Belongs:
    """An entry belongs to the contact if it does under every one of the keys."""
    tests = [
        _allocated_debt if key == "debt" and multi_debt == "allocated" else KEYS[key]
        for key in sorted(keys)
    ]
    if len(tests) == 1:
        return tests[0]

    def belongs(question: Question, entry: Entry) -> bool:
        for test in tests:  # noqa: SIM110 (three times as fast as all() over a generator)
            if not test(question, entry):
                return False
        return True

    return belongs


def _person(question: Question, entry: Entry) -> bool:
    return entry.person == question.person


def _household(question: Question, entry: Entry) -> bool:
    if question.person in question.household:
        return entry.person in question.household
    return entry.person == question.person


def _allocated_debt(question: Question, entry: Entry) -> bool:
    return question.debt_id in (entry.allocated_to or entry.debts or (question.debt_id,))


def _account(question: Question, entry: Entry) -> bool:
    if entry.account is None:
        return question.about_this_debt(entry)
    return entry.account == question.account


def _contact_point(question: Question, entry: Entry) -> bool:
    here = question.point_id
    return here is None or entry.contact_point is None or entry.contact_point == here


def _event(question: Question, entry: Entry) -> bool:
    return question.event is None or entry.event is None or entry.event == question.event


def _place(question: Question, entry: Entry) -> bool:
    return entry.place == question.place


def _collector(question: Question, entry: Entry) -> bool:
    return entry.collector is None or entry.collector == question.collector


def _creditor(question: Question, entry: Entry) -> bool:
    return (
        entry.creditor is None or question.creditor is None or entry.creditor == question.creditor
    )


KEYS: dict[str, Belongs] = {
    "person": _person,
    "household": _household,
    "debt": Question.about_this_debt,
    "account": _account,
    "contact_point": _contact_point,
    "place": _place,
    "collector": _collector,
    "creditor": _creditor,
    "event": _event,
}
