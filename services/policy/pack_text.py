"""A pack in words, for whoever is responsible for the rules and does not read YAML."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from services.policy.blocks.calendars import Calendar, MarkedDate
from services.policy.blocks.channels import GROUPS
from services.policy.blocks.conditions import Condition
from services.policy.blocks.consents import ConsentTo
from services.policy.blocks.counting import Counting
from services.policy.blocks.durations import Duration, counted
from services.policy.blocks.entries import EntryFilter
from services.policy.blocks.hours import Hours
from services.policy.blocks.localtime import calendar_date
from services.policy.blocks.scope import Scope
from services.policy.pack import Pack
from services.policy.rule import Effective, Rule
from services.policy.words import as_text

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
            f"{name}: {counted(len(calendar.dates), 'date')} in {_listed(calendar.covers)}"
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
    lines += _several("Unless", [condition(each) for each in rule.unless])
    lines.append(("Then", _then(rule)))
    lines += _several("Source", rule.cite)
    lines.append(("Confidence", rule.confidence or "not stated"))
    lines.append(("In force", in_force(rule.effective)))
    return lines


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
        f"{label}: {_values(key, getattr(scope, key))}"
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


def _values(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "days_past_due":
        least = "" if value.min is None else f"from {value.min}"
        most = "" if value.max is None else f"up to {value.max}"
        return f"{least} {most}".strip()
    return _listed(value, "or", named=key == "channel")


def condition(written: Condition) -> str:
    """One exception: all of it must hold."""
    parts = [
        f"{label} is {_values(key, getattr(written, key))}"
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
        parts.append(f"fewer than {written.max} such messages have gone out since the stop")
    return ", and ".join(parts)


def consent(written: ConsentTo) -> str:
    said = f"there is consent to {_CONSENTS[written.to]}"
    if written.form is not None:
        said += f", {_listed(written.form, 'or')}"
    if written.given_to is not None:
        said += f", given to {_listed([_GIVEN_TO[each] for each in written.given_to], 'or')}"
    if written.max_days is not None:
        said += f", not older than {counted(written.max_days, 'day')}"
    return said + (", until the next conversation" if written.ends_on else "")


_CONSENTS: Mapping[str, str] = {
    "channel": "use this channel",
    "automated": "automated calls or messages",
    "contact_time": "contact at this time",
    "frequency": "more contacts",
    "place": "contact at this place",
}
_GIVEN_TO = {
    "actor": "whoever makes the contact",
    "creditor": "the creditor",
    "prior_collector": "an earlier collector",
}
_ZONES = {
    "every_candidate": "By the clock of every place where the borrower may be.",
    "best_evidence": "By the clock of the place for which the evidence is best.",
}


def _contact_window(rule: Any) -> list[str]:
    if rule.hours is None:
        return ["Contact only at times the borrower has not called inconvenient."]
    lines = [f"Contact {each}." for each in hours(rule.hours)]
    if rule.calendar:
        lines.append(f"Holidays are those of the calendar {rule.calendar}.")
    return lines


def hours(written: Hours) -> list[str]:
    """`Monday to Friday 07:00-19:00`, equal days together."""
    lines: list[str] = []
    start = 0
    for day in range(1, 8):
        if day == 7 or written.weekdays[day] != written.weekdays[start]:
            name = _DAYS[start] if day - start == 1 else f"{_DAYS[start]} to {_DAYS[day - 1]}"
            name = "every day" if day - start == 7 else name
            lines.append(f"{name} {_intervals(written.weekdays[start])}")
            start = day
    lines += [f"on a {as_text(k)} {_intervals(v)}" for k, v in sorted(written.classes.items())]
    return lines


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _intervals(written: Iterable[tuple[int, int]]) -> str:
    said = [f"{_clock(opens)}-{_clock(closes)}" for opens, closes in written]
    return f"only {' and '.join(said)}" if said else "not at all"


def _clock(seconds: int) -> str:
    hour, minute = divmod(seconds // 60, 60)
    return f"{hour - 24 if hour > 24 else hour:02}:{minute:02}"


def window(written: Counting) -> str:
    if written.rolling is not None:
        return f"in any {written.rolling}, to the second"
    if written.days:
        return f"in {counted(written.days, 'day')} in a row, today the last"
    if written.period == "week":
        return f"in a calendar week that begins on {_DAYS[written.starts]}"
    return f"in a calendar {written.period}"


def entries(written: EntryFilter, unit: str) -> str:
    """Which earlier contacts are looked at."""
    chosen = written.unit or unit
    said = _UNITS[chosen] if isinstance(chosen, str) else f"outcomes {_listed(chosen)}"
    if written.direction:
        said += {"any": ", in or out", "inbound": ", from the person"}.get(written.direction, "")
    for key, label in (
        ("channels", "by"),
        ("purposes", "for"),
        ("classes", "of the kind"),
        ("places", "at"),
        ("technologies", "with"),
    ):
        value = getattr(written, key)
        if value is not None:
            said += f", {label} {_listed(value, named=key == 'channels')}"
    return said


_UNITS = {
    "attempt": "all attempts",
    "connected": "attempts that connected",
    "reached": "contacts that reached the person",
    "successful": "contacts made",
    "conversation": "conversations",
    "sent": "messages sent",
    "unanswered": "unanswered attempts",
}


def _key(names: Iterable[str]) -> str:
    return f"the same {_listed(names)}"


def _frequency_cap(rule: Any) -> list[str]:
    most = f"At most {rule.max}" if rule.max else "No contact at all"
    what = "different channels" if rule.aggregate == "distinct" else "contacts"
    lines = [
        f"{most} {what if rule.max else ''} {window(rule.window)}.".replace("  ", " "),
        f"Counted: {entries(rule.counts, 'attempt')}; to or about {_key(rule.key)}.",
    ]
    if rule.exclude:
        lines.append(f"Not counted: what was {_listed(rule.exclude, 'or')}.")
    if rule.multi_debt == "allocated":
        lines.append("A contact about several debts counts for those it was allocated to.")
    if rule.starts_after:
        lines.append(f"Only after a first contact ({_units(rule.starts_after)}).")
    return lines


def _units(unit: Any) -> str:
    return _UNITS[unit] if isinstance(unit, str) else _listed(unit)


def duration(written: Duration) -> str:
    said = counted(written.count, as_text(written.unit).removesuffix("s"))
    return f"{said} (calendar {written.calendar})" if written.calendar else said


def _cooldown_after(rule: Any) -> list[str]:
    return [
        f"No contact for {duration(rule.lasts)} after: {entries(rule.trigger, 'conversation')};"
        f" {_key(rule.key)}.",
        "The day of the event is day one."
        if rule.lasts.unit == "days" and rule.lasts.inclusive is not False
        else "Counted from the event.",
    ]


def _stop_when(rule: Any) -> list[str]:
    lines = [f"No contact while on record: {_listed(rule.fact, 'or')}."]
    if rule.form:
        lines.append(f"Only if it came in this form: {_listed(rule.form, 'or')}.")
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
        lines.append(f"Even if it was limited to certain {_listed(rule.ignore_scope)}.")
    if rule.effect == "defer":
        lines.append("The contact waits until it ends.")
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
    lines = [f"Contact about the debt only with: {_listed(rule.allowed)}."]
    for each in rule.exceptions:
        said = f"Also {_listed(each.recipients)}, not saying there is a debt"
        if each.purpose:
            said += f", for {_listed(each.purpose)}"
        if each.class_:
            said += f", with {_listed(each.class_)}"
        if each.only_if_unreachable:
            said += ", if the borrower can't be reached"
        if each.max_contacts is not None:
            said += f", at most {counted(each.max_contacts, 'time')}"
        lines.append(f"{said}.")
    return lines


def _contact_point_rule(rule: Any) -> list[str]:
    values = [_values("", v) if isinstance(v, bool) else str(v) for v in rule.deny.values]
    return [f"No contact where {_DENIED[rule.deny.key]} is: {_listed(values, 'or')}."]


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
        lines.append(f"The message must contain: {_listed(rule.elements)}.")
    if rule.opt_out:
        lines.append(f"It must offer a way to opt out: {_listed(rule.opt_out, 'or')}.")
    return lines


def _content_must_not(rule: Any) -> list[str]:
    lines = []
    if rule.labels:
        lines.append(f"The message must not contain: {_listed(rule.labels)}.")
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
    by = f" by {_listed(need.contacts.channels, named=True)}" if need.contacts.channels else ""
    units = _units(need.contacts.unit or "attempt")
    return [f"First there must have been {need.at_least} earlier contacts ({units}){by}."]


def _obligation(rule: Any) -> list[str]:
    return [f"No contact while this duty is overdue: {as_text(rule.duty)}, {duration(rule.due)}."]


def _retention(rule: Any) -> list[str]:
    least = f"at least {counted(rule.min.count, rule.min.unit[:-1])}" if rule.min else ""
    most = f"at most {counted(rule.max.count, rule.max.unit[:-1])}" if rule.max else ""
    times = " and ".join(part for part in (least, most) if part)
    return [f"Keep {_listed(rule.record)} records {times} from the {as_text(rule.from_)}."]


def _several(label: str, texts: Iterable[str]) -> Lines:
    return [(label if i == 0 else "", text) for i, text in enumerate(texts)]


def _listed(values: Iterable[Any], last: str = "and", *, named: bool = False) -> str:
    """In one order, a group of channels with its channels."""
    said = [as_text(str(value)) for value in sorted(values)]
    if named:
        said = [
            f"{each} ({', '.join(as_text(c) for c in sorted(GROUPS[each]))})"
            if each in GROUPS
            else each
            for each in said
        ]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} {last} {said[-1]}"


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
