"""Magic numbers, addresses and tokens: who is written to decides what happens."""

import re

from services.sandbox.behaviors import CONDUCT, Behavior, Channel

MAGIC_PREFIX = "+150055501"  # area code 500 belongs to no place; 555-01xx is kept for fiction

# The last two digits after the prefix; a number that isn't listed behaves well.
BY_LAST_TWO_DIGITS: dict[str, Behavior] = {
    "01": Behavior.BAD_NUMBER,
    "02": Behavior.OPTED_OUT,
    "03": Behavior.NOT_MOBILE,
    "04": Behavior.REGION_OFF,
    "05": Behavior.NO_ROUTE,
    "06": Behavior.BAD_CREDENTIALS,
    "10": Behavior.QUEUE_OVERFLOW,
    "11": Behavior.UNREACHABLE,
    "12": Behavior.UNKNOWN_HANDSET,
    "13": Behavior.LANDLINE,
    "14": Behavior.FILTERED,
    "15": Behavior.UNKNOWN_ERROR,
    "16": Behavior.STUCK,
    "20": Behavior.RATE_LIMITED,
    "21": Behavior.SERVER_ERROR,
    "22": Behavior.BAD_GATEWAY,
    "23": Behavior.UNAVAILABLE,
    "24": Behavior.REDIRECT,
    "25": Behavior.TIMEOUT,
    "26": Behavior.RESET,
    "30": Behavior.ACCEPT_TIMEOUT,
    "31": Behavior.ACCEPT_500,
    "32": Behavior.ACCEPT_503,
    "33": Behavior.ACCEPT_RESET,
    "34": Behavior.GARBAGE,
    "35": Behavior.EMPTY_ID,
    "36": Behavior.TRUNCATED,
    "37": Behavior.SLOW,
    "50": Behavior.NO_CALLBACK,
    "51": Behavior.EARLY_CALLBACK,
    "52": Behavior.DOUBLE_CALLBACK,
    "53": Behavior.DISORDERED_CALLBACK,
    "54": Behavior.LATE_CALLBACK,
    "55": Behavior.FORGED_CALLBACK,
}

# Twilio's own magic recipients, meaning what they mean there
# (twilio.com/docs/iam/test-credentials).
TWILIO_TEST_NUMBERS: dict[str, Behavior] = {
    "+15005550001": Behavior.BAD_NUMBER,
    "+15005550002": Behavior.NO_ROUTE,
    "+15005550003": Behavior.REGION_OFF,
    "+15005550004": Behavior.OPTED_OUT,
    "+15005550009": Behavior.NOT_MOBILE,
}


def magic_for_number(number: str, prefixes: tuple[str, ...]) -> Behavior | None:
    if number in TWILIO_TEST_NUMBERS:
        return TWILIO_TEST_NUMBERS[number]
    head, tail = number[:-2], number[-2:]
    return BY_LAST_TWO_DIGITS.get(tail) if head in prefixes else None


def magic_for_address(address: str) -> Behavior | None:
    """`bounce-hard@example.com` and `bounce-hard+17@example.com`, at any domain."""
    return _named(Channel.EMAIL, re.split(r"[@+]", address.lower(), maxsplit=1)[0])


def magic_for_token(token: str) -> Behavior | None:
    """`unregistered` and `unregistered-…`: the longest behavior's name the token begins with."""
    return next((b for b in _PUSH if token == b or token.startswith(f"{b}-")), None)


def _named(channel: Channel, name: str) -> Behavior | None:
    try:
        behavior = Behavior(name)
    except ValueError:
        return None
    return behavior if channel in CONDUCT[behavior].channels else None


_PUSH = sorted((b for b in Behavior if Channel.PUSH in CONDUCT[b].channels), key=len, reverse=True)
