"""Hours, windows, durations, consents and lists as people say them."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.policy import words
from services.policy.blocks.channels import GROUPS
from services.policy.blocks.consents import ConsentTo
from services.policy.blocks.counting import Counting
from services.policy.blocks.durations import Duration, counted
from services.policy.blocks.entries import EntryFilter
from services.policy.blocks.hours import Hours, Intervals
from services.policy.blocks.localtime import DAY
from services.policy.words import as_text


def values(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "days_past_due":
        least = "" if value.min is None else f"from {value.min}"
        most = "" if value.max is None else f"up to {value.max}"
        return f"{least} {most}".strip()
    return listed(value, "or", named=key == "channel")


def consent(written: ConsentTo) -> str:
    said = f"there is consent to {_CONSENTS[written.to]}"
    if written.form is not None:
        said += f", {listed(written.form, 'or')}"
    if written.given_to is not None:
        said += f", given to {listed([_GIVEN_TO[each] for each in written.given_to], 'or')}"
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


def hours(written: Hours) -> list[str]:
    """`Monday to Friday only 07:00-19:00`, equal days together."""
    lines: list[str] = []
    said = [_intervals(_before(written, day) + _said(written.weekdays[day])) for day in range(7)]
    start = 0
    for day in range(1, 8):
        if day == 7 or said[day] != said[start]:
            name = _DAYS[start] if day - start == 1 else f"{_DAYS[start]} to {_DAYS[day - 1]}"
            name = "every day" if day - start == 7 else name
            lines.append(f"{name} {said[start]}")
            start = day
    over = any(closes > DAY for day in written.weekdays for _, closes in day)
    before = ["in hours of the evening before that run on"] if over else []
    for name, intervals in sorted(written.classes.items()):
        lines.append(f"on a {as_text(name)} {_intervals(before + _said(intervals))}")
    return lines


def _before(written: Hours, day: int) -> list[str]:
    """Until when it is open because the day before, with other hours, runs over midnight.  Of a day
    with the same hours its own say so: `to 09:00 the next morning`.
    """
    before = written.weekdays[day - 1]
    until = max((closes for _, closes in before), default=0)
    if until <= DAY or before == written.weekdays[day]:
        return []
    return [f"until {_clock(until)} (hours of the evening before)"]


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _said(written: Intervals) -> list[str]:
    return [
        f"{_clock(opens)}-{_clock(closes)}"
        if closes <= DAY
        else f"from {_clock(opens)} to {_clock(closes)} {_next(closes - DAY)}"
        for opens, closes in written
    ]


def _next(closes: int) -> str:
    return "the next morning" if closes <= DAY // 2 else "the next day"


def _intervals(said: list[str]) -> str:
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
    said = UNITS[chosen] if isinstance(chosen, str) else f"outcomes {listed(chosen)}"
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
            said += f", {label} {listed(value, named=key == 'channels')}"
    return said


UNITS = {
    "attempt": "all attempts",
    "connected": "attempts that connected",
    "reached": "contacts that reached the person",
    "successful": "contacts made",
    "conversation": "conversations",
    "sent": "messages sent",
    "unanswered": "unanswered attempts",
}


UNCOUNTED = {
    "consented": "contacts that the person consented to",
    "reply": "answers to a message of the person",
    "requested": "contacts that the person asked for",
}
KEPT_FROM: Mapping[words.CountedFrom, str] = {
    "event": "the event",
    "last_activity": "the last activity",
    "closed": "the day on which the debt was closed",
}
STOPS: Mapping[words.StopFact, str] = {
    "opt_out": "an opt-out",
    "cease": "a request to cease contact",
    "refusal_to_pay": "a refusal to pay",
    "attorney": "an attorney",
    "representative": "a representative",
    "dispute": "a dispute",
    "complaint": "a complaint",
    "bankruptcy": "insolvency proceedings",
    "discharge": "a discharge of the debt",
    "deceased": "a death",
    "moratorium": "a moratorium",
    "crisis_moratorium": "a moratorium in a crisis",
    "debt_review": "a debt review",
    "hardship": "a hardship",
    "plan_in_preparation": "a plan in preparation",
    "occasion": "a sensitive occasion",
    "promise": "a promise to pay",
    "wrong_party": "that it is the wrong person",
    "no_work_contact": "a wish not to be contacted at work",
    "inconvenient_place": "an inconvenient place",
    "nothing_due": "that nothing is due",
}


def duration(written: Duration) -> str:
    said = counted(written.count, as_text(written.unit).removesuffix("s"))
    return f"{said} (calendar {written.calendar})" if written.calendar else said


def listed(values: Iterable[Any], last: str = "and", *, named: bool = False) -> str:
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
