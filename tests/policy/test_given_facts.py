"""Facts as they are given: read with their defaults, or refused with the path and the fix."""

from typing import Any

import pytest

from services.policy.facts import FactsError
from services.policy.given_facts import facts_from, question_from
from tests.policy.builders import facts

GOOD = facts("2026-05-12T15:00:00Z")


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good facts with one value set, or removed if it is `...`."""
    *parents, last = path.split(".")

    def rebuild(part: Any, keys: list[str]) -> Any:
        if keys:
            return {**part, keys[0]: rebuild(part.get(keys[0], {}), keys[1:])}
        rest = {k: v for k, v in part.items() if k != last}
        return rest if value is ... else {**rest, last: value}

    found: dict[str, Any] = rebuild(GOOD, parents)
    return found


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("now", ..., "now: is required"),
        ("now", "2026-05-12T15:00:00+00:00", "now: .* is not an instant; write UTC to the second"),
        ("now", "2026-05-12T15:00:00", "is not an instant"),
        ("now", "2026-05-1\N{DEVANAGARI DIGIT TWO}T15:00:00Z", "is not an instant"),
        ("now", "2026-05-12T24:00:00Z", "does not exist"),
        ("now", "2026-02-30T00:00:00Z", "does not exist"),
        ("now", None, "is not an instant"),
        ("actor.role", ..., r"actor\.role: is required"),
        (
            "actor.role",
            "bank",
            r"actor\.role: 'bank' is not allowed; use one of: creditor, collector",
        ),
        ("borrower.zones", ..., r"borrower\.zones: is required"),
        (
            "borrower.zones",
            [{"zone": "Mars/Base", "basis": "address"}],
            r"zones\[0\]\.zone: .*IANA",
        ),
        ("borrower.zones", [{"zone": "America/New_York"}], r"zones\[0\]\.basis: is required"),
        ("borrower.age", 40, r"borrower\.age: unknown key"),
        ("debt.id", "", r"debt\.id: is empty text"),
        ("debt.id", 7, "must be text"),
        ("debt.balance", float("nan"), "must be a finite number"),
        ("debt.balance", "60", "must be a finite number"),
        ("debt.balance", True, "must be a finite number"),
        ("debt.days_past_due", -1, "must be 0 or more"),
        ("debt.days_past_due", 1.5, "must be a whole number"),
        ("debt.stage", None, "is not allowed"),
        ("contact.chanel", "sms", "unknown key; use 'channel'"),
        ("contact.channel", "voice", "'voice' is not allowed"),
        ("contact.contact_point", {"shared": "yes"}, "must be true or false"),
        ("contact.contact_point", {}, r"contact\.contact_point: is empty"),
        ("contact.sender", {}, r"contact\.sender: is empty"),
        ("history", {}, "must be a list"),
        (
            "history",
            [{"at": "2026-05-12", "channel": "sms", "outcome": "sent"}],
            r"history\[0\]\.at",
        ),
        ("history", [{"at": GOOD["now"], "channel": "sms", "outcome": "ok"}], r"\[0\]\.outcome"),
        ("stops", [{"kind": "nothing_due"}], r"stops\[0\]\.kind"),
        ("stops", [{"kind": "cease", "debts": []}], r"stops\[0\]\.debts: is empty"),
        ("consents", [{"to": "channel", "received": GOOD["now"]}], "given_to: is required"),
        (
            "preferences",
            [{"kind": "not_between", "from": "8:00", "to": "09:00"}],
            "not a clock time",
        ),
        ("preferences", [{"kind": "not_between", "from": "24:00", "to": "09:00"}], "may only end"),
        ("preferences", [{"kind": "not_between", "from": "09:00", "to": "09:00"}], "same as"),
        ("notices", [{"kind": "validation", "sent": "soon"}], "is not an instant"),
        ("duties", [{"kind": "complaint_answer", "since": "2026-13-01"}], "does not exist"),
        ("secret", 1, "secret: unknown key"),
    ],
)
def test_bad_facts_are_refused_with_path_and_fix(path: str, value: Any, words: str) -> None:
    with pytest.raises(FactsError, match=words):
        question_from(changed(path, value))


def test_good_facts_are_read_with_their_defaults() -> None:
    read, now = question_from(GOOD)
    assert now.isoformat() == "2026-05-12T15:00:00+00:00"
    assert read.actor.id == "us"
    assert read.borrower.household == ("debtor",)
    assert facts_from(GOOD) == facts_from({k: v for k, v in GOOD.items() if k != "now"}) == read


@pytest.mark.parametrize("given", [None, [], "none"])
def test_facts_that_are_no_map_are_refused_by_name(given: Any) -> None:
    with pytest.raises(FactsError, match=r"facts: is .*, must be a map"):
        question_from(given)
