"""What lenders tell on stop.events and at its doors, checked against the closed lists.  Pure."""

from typing import assert_never, get_args
from uuid import UUID

from services.events.notices import DutyArisen, NoticeSent
from services.events.stops import (
    ConsentGiven,
    ConsentRevoked,
    PreferenceStated,
    StopLifted,
    StopRecorded,
)
from services.policy import words
from services.policy.stop_lifters import MAY_LIFT
from services.policy.values import clock_problem, days_problem, zone_problem
from services.runtime.web import FieldError

StopEvent = (
    StopRecorded
    | StopLifted
    | ConsentGiven
    | ConsentRevoked
    | PreferenceStated
    | NoticeSent
    | DutyArisen
)

STOP_KINDS = get_args(words.StopKind)
FORMS = get_args(words.Form)
CHANNELS = get_args(words.ChannelOrGroup)
PURPOSES = get_args(words.Purpose)
PLACES = get_args(words.Place)
CONSENT_KINDS = get_args(words.ConsentKind)
GIVERS = get_args(words.GivenTo)
PREFERENCE_KINDS = get_args(words.PreferenceKind)
LIFTERS = get_args(words.Lifter)
NOTICE_KINDS = get_args(words.NoticeKind)
DUTY_KINDS = get_args(words.DutyKind)


def problems(event: StopEvent) -> list[FieldError]:
    """What is wrong with it, by field; empty: it can be recorded.  Never quotes a value."""
    match event:
        case StopRecorded():
            found = [
                _one_of("kind", event.kind, STOP_KINDS),
                _one_of("form", event.form, FORMS),
                *_each_of("channels", event.channels, CHANNELS),
                *_each_of("purposes", event.purposes, PURPOSES),
                *_each_of("places", event.places, PLACES),
                _somebody(event.borrower_ref, event.borrower_id, event.contact_point_ids),
                _in_order(event),
                *_only_narrower(event),
            ]
        case ConsentGiven():
            found = [
                _one_of("to", event.to, CONSENT_KINDS),
                _one_of("given_to", event.given_to, GIVERS),
                _one_of("form", event.form, FORMS),
                *_each_of("channels", event.channels, CHANNELS),
                *_hours(event),
                _somebody(event.borrower_ref, event.borrower_id, ()),
            ]
        case PreferenceStated():
            found = [
                _one_of("kind", event.kind, PREFERENCE_KINDS),
                _said("from_clock", clock_problem(event.from_clock), "write '08:00'"),
                _said("to_clock", clock_problem(event.to_clock), "write '18:00'"),
                _said("days", days_problem(event.days), "write daily, mon or mon-fri"),
                _zone(event.zone),
                _somebody(event.borrower_ref, event.borrower_id, ()),
                _not_empty(event),
            ]
        case NoticeSent():
            found = [
                _one_of("kind", event.kind, NOTICE_KINDS),
                _somebody(event.borrower_ref, event.borrower_id, ()),
            ]
        case DutyArisen():
            found = [
                _one_of("kind", event.kind, DUTY_KINDS),
                _somebody(event.borrower_ref, event.borrower_id, ()),
                _one_beginning(event),
            ]
        case StopLifted():
            found = [_one_of("on_word_of", event.on_word_of, LIFTERS), _on_file(event)]
        case ConsentRevoked():
            found = []
        case _:
            assert_never(event)
    return [problem for problem in found if problem is not None]


def _one_of(field: str, value: str | None, words: tuple[str, ...]) -> FieldError | None:
    if value is None or value in words:
        return None
    return FieldError(field, "is not a word we know", f"use one of: {', '.join(words)}")


def _each_of(
    field: str, values: tuple[str, ...], words: tuple[str, ...]
) -> list[FieldError | None]:
    return [_one_of(f"{field}[{i}]", value, words) for i, value in enumerate(values)]


def _somebody(
    ref: str | None, borrower_id: UUID | None, points: tuple[str, ...]
) -> FieldError | None:
    if ref and borrower_id:
        return FieldError("borrower_ref", "stands beside borrower_id", "give one of the two")
    if ref or borrower_id or points:
        return None
    return FieldError("borrower_ref", "is missing: it concerns nobody", "name the borrower")


def _in_order(stop: StopRecorded) -> FieldError | None:
    if stop.from_date and stop.until_date and stop.until_date < stop.from_date:
        return FieldError("until_date", "is before from_date", "give the last day, not an earlier")
    return None


def _only_narrower(stop: StopRecorded) -> list[FieldError | None]:
    """Who may lift it can be fewer than its kind says, not others."""
    usual = MAY_LIFT.get(stop.kind)  # type: ignore[call-overload]  # any text is looked up
    return _each_of("may_lift", stop.may_lift, usual) if usual else []


def _on_file(lift: StopLifted) -> FieldError | None:
    if lift.evidence or lift.on_word_of == "lender":
        return None
    fix = "give a reference to where the word is on file"
    return FieldError("evidence", "is missing", fix)


def _hours(given: ConsentGiven) -> list[FieldError | None]:
    if given.from_clock is None and given.to_clock is None:
        return []
    missing = "from_clock" if given.from_clock is None else "to_clock"
    if given.from_clock is None or given.to_clock is None:
        return [FieldError(missing, "is missing", "give both, or neither for any time")]
    return [
        _said("from_clock", clock_problem(given.from_clock), "write '08:00'"),
        _said("to_clock", clock_problem(given.to_clock), "write '18:00'"),
        _said("days", days_problem(given.days), "write daily, mon or mon-fri"),
        _not_empty(given),
    ]


def _not_empty(stated: PreferenceStated | ConsentGiven) -> FieldError | None:
    if stated.from_clock == stated.to_clock:
        return FieldError("to_clock", "equals from_clock", "give the time at which it ends")
    return None


def _one_beginning(duty: DutyArisen) -> FieldError | None:
    if (duty.since is None) == (duty.since_date is None):
        problem = "is missing" if duty.since is None else "stands beside since_date"
        return FieldError("since", problem, "give since, or since_date where the day is known")
    return None


def _said(field: str, problem: str | None, fix: str) -> FieldError | None:
    return FieldError(field, "is not as it should be", fix) if problem else None


def _zone(name: str | None) -> FieldError | None:
    if name is None or zone_problem(name) is None:
        return None
    return FieldError("zone", "is not an IANA time zone", "write one such as America/New_York")
