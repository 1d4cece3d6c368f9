"""Which reminders does an installment need, and when?  Pure: `now` and the zones are arguments."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from services.events.codec import derived_id
from services.events.words import Channel, Stage
from services.scheduler.cadence import Cadence, Step

_SECOND = timedelta(seconds=1)


class Loan(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a reminder's identity above the installment."""

    tenant: str
    loan_id: str


class Installment(msgspec.Struct, frozen=True, kw_only=True):
    """One scheduled repayment; `cycle` counts how often its reminders were armed again."""

    number: int
    due_date: date
    cycle: int = 0


class Reminder(msgspec.Struct, frozen=True, kw_only=True):
    """One step for one installment.  `valid_until` is exclusive."""

    reminder_id: UUID
    step: str
    days_from_due: int
    stage: Stage
    due_date: date
    cycle: int
    due_at: datetime
    valid_until: datetime
    zone: str  # the one whose clock made due_at
    priority: int
    channels: tuple[Channel, ...]


def plan(
    loan: Loan,
    installment: Installment,
    cadence: Cadence,
    zones: Sequence[ZoneInfo],
    now: datetime,
) -> list[Reminder]:
    """The reminders still worth sending at `now`, in order of time.

    A step whose hour has passed is skipped, never sent late: three days' notice given a day before
    is a false statement.  One exception: on the borrower's calendar day of the step itself it is
    still true, so a loan that arrives in the afternoon keeps that day's step, if it is still valid.
    Not so in a later cycle: the step may have gone out this morning, before a payment bounced.
    """
    return [
        reminder
        for reminder in ladder(loan, installment, cadence, zones)
        if reminder.due_at > now
        or (
            installment.cycle == 0
            and now < reminder.valid_until
            and _local_day(now, reminder.zone) == _day(installment, reminder.days_from_due)
        )
    ]


def ladder(
    loan: Loan, installment: Installment, cadence: Cadence, zones: Sequence[ZoneInfo]
) -> list[Reminder]:
    """Every reminder of the installment's cycle, past ones too.

    Each is valid until the next step's hour, at the longest for the cadence's `valid_for`.
    """
    hours = [
        _hour(_day(installment, step.days_from_due), step.at, tuple(zones))
        for step in cadence.steps
    ]
    ends = [hour for hour, _ in hours[1:]] + [datetime.max.replace(tzinfo=UTC)]
    return [
        _reminder(loan, installment, step, hour, min(end, hour[0] + cadence.valid_for))
        for step, hour, end in zip(cadence.steps, hours, ends, strict=True)
    ]


def local_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The UTC instant at which the zone's wall clock shows `at` on `day`.

    Clocks going back show it twice: the first time counts, the second pass is closed to contact
    (rules.md section 2).  Clocks going forward never show it: the first instant after the gap.
    """
    wall = datetime.combine(day, at)
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    return _end_of_gap(wall.replace(tzinfo=zone, fold=1).astimezone(UTC), first, zone)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """In a gap fold=1 reads the later offset and lands before the change, fold=0 behind it."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


# Borrowers share days, hours and zones: a book of 100,000 loans needs a few thousand.
@lru_cache(maxsize=65_536)
def _hour(day: date, at: time, zones: tuple[ZoneInfo, ...]) -> tuple[datetime, str]:
    """The latest of the zones' instants, and its zone.

    At the latest one every plausible clock shows `at` or later, so an hour of the morning is inside
    the morning's opening in each; the earliest would be the small hours further west.
    """
    return max((local_instant(day, at, zone), zone.key) for zone in zones)


def _day(installment: Installment, days_from_due: int) -> date:
    return installment.due_date + timedelta(days=days_from_due)


@lru_cache(maxsize=1_024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _local_day(now: datetime, zone: str) -> date:
    return now.astimezone(_zone(zone)).date()


def days_past_due(now: datetime, zone: str, oldest_unpaid: date) -> int:
    """How late the oldest unpaid installment is on the borrower's calendar; 0 is current."""
    return max(0, (_local_day(now, zone) - oldest_unpaid).days)


def _reminder(
    loan: Loan,
    installment: Installment,
    step: Step,
    hour: tuple[datetime, str],
    valid_until: datetime,
) -> Reminder:
    return Reminder(
        reminder_id=derived_id(
            "reminder",
            loan.tenant,
            loan.loan_id,
            installment.number,
            installment.due_date,
            step.name,
            installment.cycle,
        ),
        step=step.name,
        days_from_due=step.days_from_due,
        stage=step.stage,
        due_date=installment.due_date,
        cycle=installment.cycle,
        due_at=hour[0],
        valid_until=valid_until,
        zone=hour[1],
        priority=step.priority,
        channels=step.channels,
    )
