"""A message's way after Twilio took it: which statuses, when, and which callbacks tell of them."""

from dataclasses import dataclass

from services.sandbox.behaviors import Behavior
from services.sandbox.settings import Settings

API_VERSION = "2010-04-01"
LATE_SECONDS = 5.0
DEFAULT_VALIDITY_SECONDS = 36_000.0

# What a message that was accepted comes to, where it isn't `delivered`.
FATES: dict[Behavior, tuple[str, int]] = {
    Behavior.QUEUE_OVERFLOW: ("failed", 30001),
    Behavior.UNREACHABLE: ("undelivered", 30003),
    Behavior.UNKNOWN_HANDSET: ("undelivered", 30005),
    Behavior.LANDLINE: ("undelivered", 30006),
    Behavior.FILTERED: ("undelivered", 30007),
    Behavior.UNKNOWN_ERROR: ("undelivered", 30008),
}
EXPIRED = ("failed", 30036)

# Twilio's statuses only move up in what a look-up shows, whatever order callbacks come in.
RANK = {"accepted": 0, "queued": 1, "sent": 2, "delivered": 3, "undelivered": 3, "failed": 3}
TERMINAL = {"delivered", "undelivered", "failed"}


@dataclass(frozen=True, slots=True)
class Step:
    """After `delay` seconds the message has this status, and a callback may say so."""

    delay: float
    status: str
    code: int | None = None
    forged: bool = False


def steps(
    settings: Settings, behavior: Behavior, validity_seconds: float | None, service: bool
) -> list[Step]:
    """The statuses after the first; none of them later than the validity period allows."""
    delay = settings.callback_delay_seconds
    first = 0.0 if behavior is Behavior.EARLY_CALLBACK else delay
    first += LATE_SECONDS if behavior is Behavior.LATE_CALLBACK else 0.0
    between = 0.0 if behavior is Behavior.EARLY_CALLBACK else delay
    status, code = FATES.get(behavior, ("delivered", None))
    course = [Step(first, "sent"), Step(between + settings.carrier_delay_seconds, status, code)]
    if service:  # a Messaging Service answers `accepted`, so `queued` is still to be told
        course = [Step(first, "queued"), Step(between, "sent"), course[1]]
    course = _within_validity(course, behavior, validity_seconds or DEFAULT_VALIDITY_SECONDS)
    match behavior:
        case Behavior.DOUBLE_CALLBACK:
            return [step for one in course for step in (one, Step(0.0, one.status, one.code))]
        case Behavior.DISORDERED_CALLBACK:
            return [Step(sum(s.delay for s in course), course[-1].status, course[-1].code)] + [
                Step(delay, one.status, one.code) for one in course[:-1]
            ]
        case Behavior.FORGED_CALLBACK:
            return [Step(first, "undelivered", 30003, forged=True), *course]
        case _:
            return course


def _within_validity(course: list[Step], behavior: Behavior, validity: float) -> list[Step]:
    stuck = behavior is Behavior.STUCK
    if not stuck and sum(step.delay for step in course) <= validity:
        return course
    told, spent = [], 0.0
    for step in course[:-1]:
        if stuck or spent + step.delay > validity:
            break
        told.append(step)
        spent += step.delay
    return [*told, Step(validity - spent, *EXPIRED)]
