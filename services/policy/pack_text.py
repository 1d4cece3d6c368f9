"""A pack in words, for whoever is responsible for the rules and does not read YAML."""

from collections.abc import Iterable

from services.policy.blocks.calendars import Calendar, MarkedDate
from services.policy.blocks.conditions import Condition
from services.policy.blocks.durations import counted
from services.policy.blocks.localtime import calendar_date
from services.policy.blocks.scope import Scope
from services.policy.pack import Pack
from services.policy.pack_phrases import consent, listed, values
from services.policy.pack_says import SAYS
from services.policy.rule import Effective, Rule

Lines = list[tuple[str, str]]  # a label, and what stands beside it; an empty label goes on


def heading(pack: Pack) -> Lines:
    """What the pack is, before its rules."""
    drafted = "draft: no counsel has reviewed it" if pack.status == "draft" else "in force"
    lines: Lines = [
        ("Pack", pack.id),
        ("Place", pack.jurisdiction),
        ("Status", drafted),
        ("In force", in_force(pack.effective)),
        ("Rules", str(len(pack.rules))),
    ]
    lines += _several("Sources", pack.sources)
    lines += _several(
        "Calendars",
        [
            f"{name}: {counted(len(calendar.dates), 'date')} in {listed(calendar.covers)}"
            for name, calendar in sorted(pack.calendars.items())
        ],
    )
    return lines


def dates(calendar: Calendar) -> list[tuple[str, MarkedDate]]:
    """The marked dates in order, as `2026-12-25`."""
    return [(f"{calendar_date(day)}", mark) for day, mark in sorted(calendar.dates.items())]


def rule_in_words(rule: Rule) -> Lines:
    """Everything the rule says: what, whom it binds, exceptions, source, confidence, dates."""
    lines: Lines = _several("Says", SAYS[rule.kind](rule))
    policy = getattr(rule, "zones", None)
    if policy in _ZONES and (rule.kind == "contact_window" or policy == "best_evidence"):
        lines.append(("", _ZONES[policy]))
    elif policy is not None and policy not in _ZONES:
        lines.append(("", f"By the clock of {policy}, wherever the borrower is."))
    lines += _several("Binds", binds(rule.applies))
    lifted = [condition(each) for each in rule.unless]
    lines += _several("Unless", [f"or {text}" if i else text for i, text in enumerate(lifted)])
    lines.append(("Then", _then(rule)))
    lines += _several("Source", rule.cite)
    lines.append(("Confidence", rule.confidence or "not stated"))
    lines.append(("In force", in_force(rule.effective)))
    return lines


_ZONES = {
    "every_candidate": "By the clock of every place where the borrower may be.",
    "best_evidence": "By the clock of the place for which the evidence is best.",
}


def in_force(effective: Effective | None) -> str:
    if effective is None:
        return "always"
    first = f"from {effective.from_}" if effective.from_ else ""
    last = f"through {effective.to}" if effective.to else ""
    return " ".join(part for part in (first, last) if part)


def _then(rule: Rule) -> str:
    if rule.kind == "retention":
        return "No contact is barred; records are kept and deleted by it."
    if rule.severity == "warn":
        return "The contact is made; the answer warns."
    said = _THEN.get(rule.kind, "No contact, until a fact changes.")
    if getattr(rule, "effect", "suppress") == "defer":
        said = "The contact waits until what is on record ends."
    if rule.code:
        said += f" The answer's code is {rule.code}."
    return f"{said} Crossing this line raises a legal presumption." if rule.presumption else said


_THEN = {
    "contact_window": "The contact waits for the next open hour.",
    "frequency_cap": "The contact waits until one more is allowed.",
    "cooldown_after": "The contact waits until enough time has passed.",
    "sequence_gate": "No contact; if what must come first is merely too young, the contact waits.",
}


def binds(scope: Scope) -> list[str]:
    """Whom and what the rule is about, a line a fact."""
    lines = [
        f"{label}: {values(key, getattr(scope, key))}"
        for key, label in _SCOPE.items()
        if getattr(scope, key) is not None
    ]
    return lines or ["everyone and every contact"]


_SCOPE = {
    "role": "who contacts",
    "purpose": "purpose",
    "channel": "channel",
    "recipient": "recipient",
    "class_": "kind of message",
    "technology": "technology",
    "sequence": "first or later contact",
    "place": "place",
    "point_kind": "kind of number or address",
    "shared": "line shared with others",
    "product": "product",
    "stage": "stage of the debt",
    "days_past_due": "days past due",
    "time_barred": "debt time-barred",
    "stop": "while this is on record",
}


def condition(written: Condition) -> str:
    """One exception: all of it must hold."""
    parts = [
        f"{label} is {values(key, getattr(written, key))}"
        for key, label in _SCOPE.items()
        if getattr(written, key) is not None
    ]
    if written.consent is not None:
        parts.append(consent(written.consent))
    if written.reply is not None:
        reply = written.reply
        where = " on the same channel" if reply.same_channel else ""
        once = ", once" if reply.once else ""
        last = "on the same day" if reply.within == "same_day" else f"within {reply.within}"
        parts.append(f"it answers a message of the person{where}, {last}{once}")
    if written.requested:
        parts.append("the person asked to be contacted")
    if written.used_by_borrower:
        parts.append("the borrower has written from this number or address about the debt")
    if written.within is not None:
        parts.append(f"no more than {written.within} have passed since the stop")
    if written.max is not None:
        fewer = f"fewer than {written.max} such messages have" if written.max > 1 else None
        parts.append(f"{fewer or 'no such message has'} gone out since the stop")
    return ", and ".join(parts)


def _several(label: str, texts: Iterable[str]) -> Lines:
    return [(label if i == 0 else "", text) for i, text in enumerate(texts)]
