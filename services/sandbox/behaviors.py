"""Every way the sandbox can behave, in one table: where it applies and whether it accepts."""

from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    """What a request came in by; TOKEN is the OAuth endpoint that push needs first."""

    SMS = "sms"
    PUSH = "push"
    EMAIL = "email"
    TOKEN = "token"


class Behavior(StrEnum):
    """One way to treat one request; the value is its name in flags, magic addresses and history."""

    OK = "ok"
    # Refusals every provider knows: nothing is accepted.
    RATE_LIMITED = "429"
    SERVER_ERROR = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    REDIRECT = "307"
    TIMEOUT = "timeout"
    RESET = "reset"
    # Accepted, and the client can't know it from the answer.
    ACCEPT_500 = "accept-500"
    ACCEPT_503 = "accept-503"
    ACCEPT_TIMEOUT = "accept-timeout"
    ACCEPT_RESET = "accept-reset"
    GARBAGE = "garbage"
    EMPTY_ID = "empty-id"
    TRUNCATED = "truncated"
    SLOW = "slow"
    # Twilio's own refusals, by code.
    BAD_CREDENTIALS = "20003"
    BAD_NUMBER = "21211"
    REGION_OFF = "21408"
    OPTED_OUT = "21610"
    NO_ROUTE = "21612"
    NOT_MOBILE = "21614"
    # Accepted by Twilio, then not delivered, by code.
    QUEUE_OVERFLOW = "30001"
    UNREACHABLE = "30003"
    UNKNOWN_HANDSET = "30005"
    LANDLINE = "30006"
    FILTERED = "30007"
    UNKNOWN_ERROR = "30008"
    STUCK = "stuck"
    # Accepted and delivered; the callbacks misbehave.
    NO_CALLBACK = "no-callback"
    EARLY_CALLBACK = "early-callback"
    DOUBLE_CALLBACK = "double-callback"
    DISORDERED_CALLBACK = "disordered-callback"
    LATE_CALLBACK = "late-callback"
    FORGED_CALLBACK = "forged-callback"
    # FCM's own refusals.
    UNREGISTERED = "unregistered"
    INVALID_TOKEN = "invalid-token"
    INVALID_PAYLOAD = "invalid-payload"
    SENDER_MISMATCH = "sender-mismatch"
    UNAUTHENTICATED = "unauthenticated"
    # A mail server's own refusals.
    BOUNCE_HARD = "bounce-hard"
    BOUNCE_SOFT = "bounce-soft"
    MAILBOX_FULL = "mailbox-full"
    GREYLIST = "greylist"
    SPAM = "spam"
    UNSIGNED = "unsigned"


@dataclass(frozen=True, slots=True)
class Conduct:
    """What a behavior means: `accepted` says whether the message is on its way to the person."""

    accepted: bool
    channels: frozenset[Channel]
    says: str


_SMS = frozenset({Channel.SMS})
_PUSH = frozenset({Channel.PUSH})
_EMAIL = frozenset({Channel.EMAIL})
_HTTP = _SMS | _PUSH
_ANY_HTTP = _HTTP | {Channel.TOKEN}
_SENDS = _HTTP | _EMAIL
_ALL = _SENDS | {Channel.TOKEN}

CONDUCT: dict[Behavior, Conduct] = {
    Behavior.OK: Conduct(True, _ALL, "accepts and delivers"),
    Behavior.RATE_LIMITED: Conduct(False, _ALL, "too many requests, Retry-After 1; SMTP 451 4.7.1"),
    Behavior.SERVER_ERROR: Conduct(False, _ALL, "HTTP 500; SMTP 554 5.3.0"),
    Behavior.BAD_GATEWAY: Conduct(False, _ANY_HTTP, "HTTP 502 with an HTML body"),
    Behavior.UNAVAILABLE: Conduct(False, _ALL, "HTTP 503; SMTP 421 4.3.2 and close"),
    Behavior.REDIRECT: Conduct(False, _HTTP, "HTTP 307 to the same path"),
    Behavior.TIMEOUT: Conduct(False, _ALL, "takes the request, drops it, never answers"),
    Behavior.RESET: Conduct(False, _ALL, "connection reset, nothing accepted; SMTP: inside DATA"),
    Behavior.ACCEPT_500: Conduct(True, _HTTP, "accepts, answers 500"),
    Behavior.ACCEPT_503: Conduct(True, _HTTP, "accepts, answers 503"),
    Behavior.ACCEPT_TIMEOUT: Conduct(True, _SENDS, "accepts, never answers"),
    Behavior.ACCEPT_RESET: Conduct(True, _SENDS, "accepts, resets the connection"),
    Behavior.GARBAGE: Conduct(True, _SENDS, "accepts, answers bytes that are no answer"),
    Behavior.EMPTY_ID: Conduct(True, _HTTP, "accepts, answers success with an empty id"),
    Behavior.TRUNCATED: Conduct(True, _HTTP, "accepts, closes in the middle of the answer"),
    Behavior.SLOW: Conduct(True, _SENDS, "accepts, answers after --slow-seconds"),
    Behavior.BAD_CREDENTIALS: Conduct(False, _SMS, "401 20003, authenticate"),
    Behavior.BAD_NUMBER: Conduct(False, _SMS, "400 21211, invalid 'To' number"),
    Behavior.REGION_OFF: Conduct(False, _SMS, "403 21408, region not enabled"),
    Behavior.OPTED_OUT: Conduct(False, _SMS, "400 21610, recipient said STOP"),
    Behavior.NO_ROUTE: Conduct(False, _SMS, "400 21612, no route for this From and To"),
    Behavior.NOT_MOBILE: Conduct(False, _SMS, "400 21614, not a mobile number"),
    Behavior.QUEUE_OVERFLOW: Conduct(True, _SMS, "201, then failed 30001, queue overflow"),
    Behavior.UNREACHABLE: Conduct(True, _SMS, "201, then undelivered 30003, handset unreachable"),
    Behavior.UNKNOWN_HANDSET: Conduct(True, _SMS, "201, then undelivered 30005, unknown handset"),
    Behavior.LANDLINE: Conduct(True, _SMS, "201, then undelivered 30006, landline"),
    Behavior.FILTERED: Conduct(True, _SMS, "201, then undelivered 30007, filtered by a carrier"),
    Behavior.UNKNOWN_ERROR: Conduct(True, _SMS, "201, then undelivered 30008, unknown error"),
    Behavior.STUCK: Conduct(True, _SMS, "201, waits out its ValidityPeriod, then failed 30036"),
    Behavior.NO_CALLBACK: Conduct(True, _SMS, "delivered, no callback ever"),
    Behavior.EARLY_CALLBACK: Conduct(True, _SMS, "delivered, all callbacks before the answer"),
    Behavior.DOUBLE_CALLBACK: Conduct(True, _SMS, "delivered, every callback twice"),
    Behavior.DISORDERED_CALLBACK: Conduct(True, _SMS, "delivered, last callback first"),
    Behavior.LATE_CALLBACK: Conduct(True, _SMS, "delivered, callbacks 5 s later than usual"),
    Behavior.FORGED_CALLBACK: Conduct(True, _SMS, "delivered; first a callback signed wrongly"),
    Behavior.UNREGISTERED: Conduct(False, _PUSH, "404 UNREGISTERED, the app is gone"),
    Behavior.INVALID_TOKEN: Conduct(False, _PUSH, "400 INVALID_ARGUMENT, message.token"),
    Behavior.INVALID_PAYLOAD: Conduct(False, _PUSH, "400 INVALID_ARGUMENT, message.data"),
    Behavior.SENDER_MISMATCH: Conduct(False, _PUSH, "403 SENDER_ID_MISMATCH"),
    Behavior.UNAUTHENTICATED: Conduct(False, _PUSH, "401 UNAUTHENTICATED"),
    Behavior.BOUNCE_HARD: Conduct(False, _EMAIL, "550 5.1.1 no such user, at RCPT"),
    Behavior.BOUNCE_SOFT: Conduct(False, _EMAIL, "450 4.2.1 mailbox busy, at RCPT"),
    Behavior.MAILBOX_FULL: Conduct(False, _EMAIL, "452 4.2.2 mailbox full, at RCPT"),
    Behavior.GREYLIST: Conduct(False, _EMAIL, "451 4.7.1 at the first RCPT, accepted after that"),
    Behavior.SPAM: Conduct(False, _EMAIL, "554 5.7.1 after DATA"),
    Behavior.UNSIGNED: Conduct(False, _EMAIL, "550 5.7.26 after DATA, no SPF or DKIM"),
}
