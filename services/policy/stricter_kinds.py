"""What is compared of each kind of rule, field by field, and how; see `stricter`."""

from collections.abc import Mapping
from typing import Any

from services.policy import stricter, stricter_time
from services.policy.blocks.outcomes import outcomes_of
from services.policy.rules.recipient_limit import NarrowException
from services.policy.rules.sequence_gate import Contacts, ContactsFirst, FactFirst, NoticeFirst
from services.policy.stricter import Compare, Way


def _severity(before: str, after: str) -> Way:
    return Way.LOOSER if after == "warn" else Way.TIGHTER


def _deny(before: Any, after: Any) -> Way:
    return Way.UNCLEAR if before.key != after.key else stricter.more(before.values, after.values)


def _aggregate(before: str, after: str) -> Way:
    # There are never more channels than contacts.
    return Way.LOOSER if after == "distinct" else Way.TIGHTER


def _multi_debt(before: str, after: str) -> Way:
    return Way.LOOSER if after == "allocated" else Way.TIGHTER


def _starts_after(before: Any, after: Any) -> Way:
    if before is None or after is None:
        return Way.LOOSER if before is None else Way.TIGHTER
    return stricter.more(outcomes_of(before), outcomes_of(after))


def _stop_lasts(before: Any, after: Any) -> Way:
    if before is None or after is None:
        return Way.LOOSER if before is None else Way.TIGHTER
    if before.from_basis != after.from_basis:
        return Way.UNCLEAR
    return stricter_time.longer(True)(before.duration, after.duration)


def _received_within(before: Any, after: Any) -> Way:
    if before is None or after is None:
        return Way.LOOSER if before is None else Way.TIGHTER
    if before.notice != after.notice:
        return Way.UNCLEAR
    return stricter.together(
        [
            stricter.higher(before.days, after.days),
            stricter_time.longer(False)(before.receipt, after.receipt),
        ]
    )


def _recheck(before: Any, after: Any) -> Way:
    if before is None or after is None:
        return Way.TIGHTER if before is None else Way.LOOSER
    return stricter.together(
        [stricter.lower(before.days, after.days), stricter.fewer(before.by, after.by)]
    )


def _consent_to(before: str | None, after: str | None) -> Way:
    return stricter.demanded(before, after)


def _exceptions(before: tuple[NarrowException, ...], after: tuple[NarrowException, ...]) -> Way:
    if all(any(_narrower(new, old) for old in before) for new in after):
        return Way.TIGHTER
    return Way.LOOSER


def _narrower(new: NarrowException, old: NarrowException) -> bool:
    ways = [
        stricter.fewer(old.recipients, new.recipients),
        stricter.accepts(old.purpose, new.purpose),
        stricter.accepts(old.class_, new.class_),
        stricter.demanded(old.only_if_unreachable, new.only_if_unreachable),
        stricter.lower(old.max_contacts, new.max_contacts),
    ]
    return stricter.together(ways) in (Way.SAME, Way.TIGHTER)


def _require(before: Any, after: Any) -> Way:
    match before, after:
        case NoticeFirst(), NoticeFirst() if before.notice == after.notice:
            return stricter.together(
                [
                    stricter_time.longer(False)(before.min_age, after.min_age),
                    _max_age(before.max_age, after.max_age),
                    stricter.demanded(before.after_period, after.after_period),
                ]
            )
        case FactFirst(), FactFirst():
            return stricter.higher(before.at_least, after.at_least)
        case ContactsFirst(), ContactsFirst():
            return stricter.together(
                [
                    stricter.higher(before.at_least, after.at_least),
                    _contacts(before.contacts, after.contacts),
                ]
            )
    return Way.UNCLEAR


def _max_age(before: Any, after: Any) -> Way:
    if before is None or after is None:
        return stricter.demanded(before, after)
    return stricter_time.shorter(before, after)


def _contacts(before: Contacts, after: Contacts) -> Way:
    old, new = outcomes_of(before.unit or "attempt"), outcomes_of(after.unit or "attempt")
    return stricter.together(
        [stricter.fewer(old, new), stricter.accepts(before.channels, after.channels)]
    )


def _keeps(sign: int) -> Compare:
    """A time for which records are kept: at least (1) or at most (-1)."""

    def compare(before: Any, after: Any) -> Way:
        if before is None or after is None:
            return stricter.demanded(before, after)
        months = {"years": 12, "months": 1}
        old, new = (months.get(each.unit, 0) * each.count for each in (before, after))
        if before.unit == after.unit:
            old, new = before.count, after.count
        elif not (old and new):
            return Way.UNCLEAR
        return stricter.higher(sign * old, sign * new)

    return compare


# Fields of every rule.
COMMON: Mapping[str, Compare] = {
    "cite": stricter.no_effect,
    "title": stricter.no_effect,
    "presumption": stricter.no_effect,
    "code": stricter.no_effect,
    "confidence": stricter.no_effect,
    "severity": _severity,
    "effective": stricter.effective,
    "applies": stricter.scope,
    "unless": stricter.unless,
    "zones": stricter.zones,
}

# These are compared as whole rules: which channels count may follow from `applies`.
WHOLE = ("counts", "trigger")

# What differs in a kind; whatever is in neither table is unclear as soon as it differs.
COMPARED: Mapping[str, Mapping[str, Compare]] = {
    "contact_window": {"hours": stricter_time.hours},
    "frequency_cap": {
        "max": stricter.lower,
        "window": stricter_time.window,
        "key": stricter.key,
        "counts": stricter.entries("attempt", "outbound", lambda rule: rule.counts),
        "aggregate": _aggregate,
        "exclude": stricter.fewer,
        "multi_debt": _multi_debt,
        "starts_after": _starts_after,
    },
    "cooldown_after": {
        "trigger": stricter.entries("conversation", "any", lambda rule: rule.trigger),
        "lasts": stricter_time.longer(True),
        "key": stricter.key,
        "multi_debt": _multi_debt,
    },
    "stop_when": {
        "fact": stricter.more,
        "form": stricter.reaches,
        "ignore_scope": stricter.more,
        "lasts": _stop_lasts,
        "received_within": _received_within,
        "effect": lambda before, after: Way.LOOSER if after == "defer" else Way.TIGHTER,
    },
    "consent_required": {
        "to": _consent_to,
        "form": stricter.accepts,
        "given_to": stricter.accepts,
        "max_days": stricter.lower,
        "ends_on": stricter.demanded,
        "recheck": _recheck,
    },
    "recipient_limit": {"allowed": stricter.fewer, "exceptions": _exceptions},
    "contact_point_rule": {"deny": _deny},
    "content_must_include": {"elements": stricter.more, "opt_out": stricter.accepts},
    "content_must_not": {
        "labels": stricter.more,
        "patterns": stricter.more,
        "must_match": stricter.demanded,
        "states_debt": stricter.demanded,
    },
    "sequence_gate": {"require": _require},
    "obligation": {"due": stricter_time.shorter},
    "retention": {"record": stricter.more, "min": _keeps(1), "max": _keeps(-1)},
}
