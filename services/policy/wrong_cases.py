"""Cases that don't come out right, in words: what was answered, and what was expected."""

from collections.abc import Iterable
from datetime import datetime

from services.policy.check import Alternative, Answer
from services.policy.pack import Problem


def wrong_cases(answers: Iterable[Answer], file: str) -> list[Problem]:
    """One for each, at the line where the case begins."""
    return [
        Problem(file, answer.line, "", "", f"case {answer.id}: {answer.error or _unlike(answer)}")
        for answer in answers
        if not answer.ok
    ]


def expected(answer: Answer) -> str:
    """`defer until 2026-06-03T15:00:00Z or suppress, outside_contact_window`"""
    expect = answer.expect
    if expect is None:
        return "nothing; add `expect`"
    text = " or ".join(_alternative(each) for each in (expect, *expect.accept))
    return text + (f", {expect.code}" if expect.code else "")


def _unlike(answer: Answer) -> str:
    got: str = answer.decision
    if answer.until is not None:
        got += f" until {_written(answer.until)}"
    return f"the answer is {got}, expected was {expected(answer)}"


def _alternative(each: Alternative) -> str:
    text: str = each.decision
    if each.until is not None:
        text += f" until {_written(each.until)}"
    if each.until_between is not None:
        first, last = each.until_between
        text += f" between {_written(first)} and {_written(last)}"
    return text


def _written(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
