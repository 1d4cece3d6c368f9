"""What a rule of each kind says, in sentences; what exists is the table SAYS."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from services.policy.blocks.consents import ConsentTo
from services.policy.blocks.durations import counted
from services.policy.pack_phrases import (
    KEPT_FROM,
    STOPS,
    UNCOUNTED,
    UNITS,
    consent,
    duration,
    entries,
    hours,
    listed,
    values,
    window,
)
from services.policy.words import as_text


def _contact_window(rule: Any) -> list[str]:
    if rule.hours is None:
        return ["Contact only at times the borrower has not called inconvenient."]
    lines = [f"Contact {each}." for each in hours(rule.hours)]
    if rule.calendar:
        lines.append(f"Holidays are those of the calendar {rule.calendar}.")
    return lines


def _key(names: Iterable[str]) -> str:
    return f"the same {listed(names)}"


def _frequency_cap(rule: Any) -> list[str]:
    what = "different channel" if rule.aggregate == "distinct" else "contact"
    most = f"At most {counted(rule.max, what)}" if rule.max else "No contact at all"
    lines = [
        f"{most} {window(rule.window)}.",
        f"Counted: {entries(rule.counts, 'attempt')}; to or about {_key(rule.key)}.",
    ]
    if rule.exclude:
        lines.append(f"Not counted: {listed(UNCOUNTED[each] for each in rule.exclude)}.")
    if rule.multi_debt == "allocated":
        lines.append("A contact about several debts counts for those it was allocated to.")
    if rule.starts_after:
        lines.append(f"Only after a first contact ({_units(rule.starts_after)}).")
    return lines


def _units(unit: Any) -> str:
    return UNITS[unit] if isinstance(unit, str) else listed(unit)


def _cooldown_after(rule: Any) -> list[str]:
    return [
        f"No contact for {duration(rule.lasts)} after: {entries(rule.trigger, 'conversation')};"
        f" {_key(rule.key)}.",
        "The day of the event is day one."
        if rule.lasts.unit == "days" and rule.lasts.inclusive is not False
        else "Counted from the event.",
    ]


def _stop_when(rule: Any) -> list[str]:
    stops = listed((STOPS[each] for each in rule.fact), "or")
    lines = [f"No contact while on record: {stops}."]
    if rule.form:
        lines.append(f"Only if it came in this form: {listed(rule.form, 'or')}.")
    if rule.lasts:
        start = "its reason ended" if rule.lasts.from_basis else "it began"
        lines.append(
            f"Without an end of its own it lasts {duration(rule.lasts.duration)} from when {start}."
        )
    if rule.received_within:
        within = rule.received_within
        receipt = f" {duration(within.receipt)} for the mail and" if within.receipt else ""
        lines.append(
            f"Only if it came in the period of the {as_text(within.notice)} notice:"
            f"{receipt} {counted(within.days, 'day')}."
        )
    if rule.ignore_scope:
        lines.append(f"Even if it was limited to certain {listed(rule.ignore_scope)}.")
    return lines


def _consent_required(rule: Any) -> list[str]:
    lines = []
    if rule.to is not None:
        wanted = ConsentTo(
            to=rule.to,
            form=rule.form,
            given_to=rule.given_to,
            max_days=rule.max_days,
            ends_on=rule.ends_on,
        )
        lines.append(f"Contact only if {consent(wanted)}.")
    if rule.recheck is not None:
        how = {"inbound": "the person wrote or called from it", "check": "it was checked"}
        lines.append(
            f"Only to a number or address that proved itself in the last"
            f" {counted(rule.recheck.days, 'day')}:"
            f" {' or '.join(how[each] for each in sorted(rule.recheck.by))}."
        )
    return lines


def _recipient_limit(rule: Any) -> list[str]:
    lines = [f"Contact about the debt only with: {listed(rule.allowed)}."]
    for each in rule.exceptions:
        said = f"Also {listed(each.recipients)}, not saying there is a debt"
        if each.purpose:
            said += f", for {listed(each.purpose)}"
        if each.class_:
            said += f", with {listed(each.class_)}"
        if each.only_if_unreachable:
            said += ", if the borrower can't be reached"
        if each.max_contacts is not None:
            said += f", at most {counted(each.max_contacts, 'time')}"
        lines.append(f"{said}.")
    return lines


def _contact_point_rule(rule: Any) -> list[str]:
    barred = [values("", v) if isinstance(v, bool) else str(v) for v in rule.deny.values]
    return [f"No contact where {_DENIED[rule.deny.key]} is: {listed(barred, 'or')}."]


_DENIED = {
    "place": "the place",
    "provided_by": "the one who provided the address",
    "shared": "the line shared with others",
    "channel": "the channel",
    "caller_id": "the caller's number",
    "device": "the sender's device",
}


def _content_must_include(rule: Any) -> list[str]:
    lines = []
    if rule.elements:
        lines.append(f"The message must contain: {listed(rule.elements)}.")
    if rule.opt_out:
        lines.append(f"It must offer a way to opt out: {listed(rule.opt_out, 'or')}.")
    return lines


def _content_must_not(rule: Any) -> list[str]:
    lines = []
    if rule.labels:
        lines.append(f"The message must not contain: {listed(rule.labels)}.")
    if rule.patterns:
        lines.append(f"Nor wording such as: {'; '.join(rule.patterns)}")
    if rule.must_match:
        lines.append("An amount in it must be what is due now.")
    if rule.states_debt:
        lines.append("It must not say that there is a debt.")
    return lines


def _sequence_gate(rule: Any) -> list[str]:
    need = rule.require
    if hasattr(need, "notice"):
        said = f"First a notice must have been sent: {as_text(need.notice)}"
        if need.min_age:
            said += f", at least {duration(need.min_age)} ago"
        if need.max_age:
            said += f", at most {duration(need.max_age)} ago"
        return [said + (", and its period must be over." if need.after_period else ".")]
    if hasattr(need, "fact"):
        return [f"First {counted(need.at_least, 'meeting')} in succession must have been missed."]
    by = f" by {listed(need.contacts.channels, named=True)}" if need.contacts.channels else ""
    units = _units(need.contacts.unit or "attempt")
    return [f"First there must have been {need.at_least} earlier contacts ({units}){by}."]


def _obligation(rule: Any) -> list[str]:
    return [f"No contact while this duty is overdue: {as_text(rule.duty)}, {duration(rule.due)}."]


def _retention(rule: Any) -> list[str]:
    least = f"at least {counted(rule.min.count, rule.min.unit[:-1])}" if rule.min else ""
    most = f"at most {counted(rule.max.count, rule.max.unit[:-1])}" if rule.max else ""
    times = " and ".join(part for part in (least, most) if part)
    return [f"Keep {listed(rule.record)} records {times} from {KEPT_FROM[rule.from_]}."]


SAYS: Mapping[str, Callable[[Any], list[str]]] = {
    "contact_window": _contact_window,
    "frequency_cap": _frequency_cap,
    "cooldown_after": _cooldown_after,
    "stop_when": _stop_when,
    "consent_required": _consent_required,
    "recipient_limit": _recipient_limit,
    "contact_point_rule": _contact_point_rule,
    "content_must_include": _content_must_include,
    "content_must_not": _content_must_not,
    "sequence_gate": _sequence_gate,
    "obligation": _obligation,
    "retention": _retention,
}
