"""What is drawn: instants round a night on which clocks change, and words of the closed lists."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Protocol

from hypothesis import strategies as st

Map = dict[str, Any]

# (about when, zones whose clocks do something then, or that make it interesting)
NIGHTS: list[tuple[datetime, list[str]]] = [
    (datetime(2026, 3, 8, 7, tzinfo=UTC), ["America/New_York", "America/Los_Angeles"]),
    (datetime(2026, 11, 1, 6, tzinfo=UTC), ["America/New_York", "America/St_Johns"]),
    (datetime(2026, 4, 4, 15, tzinfo=UTC), ["Australia/Lord_Howe", "Australia/Sydney"]),
    (datetime(2026, 10, 3, 15, tzinfo=UTC), ["Australia/Lord_Howe", "Australia/Brisbane"]),
    (datetime(2026, 4, 23, 22, tzinfo=UTC), ["Africa/Cairo", "Europe/Athens"]),
    (datetime(2026, 10, 29, 21, tzinfo=UTC), ["Africa/Cairo", "Asia/Kathmandu"]),
    (datetime(2026, 4, 5, 3, tzinfo=UTC), ["America/Santiago", "Pacific/Easter"]),
    (datetime(2026, 9, 6, 4, tzinfo=UTC), ["America/Santiago", "America/Bogota"]),
    (datetime(2026, 10, 25, 1, tzinfo=UTC), ["Europe/London", "Europe/Berlin"]),
    (datetime(2026, 9, 26, 20, tzinfo=UTC), ["Pacific/Apia", "Pacific/Pago_Pago"]),
    (datetime(2026, 4, 4, 14, tzinfo=UTC), ["Pacific/Chatham", "Pacific/Auckland"]),
    (datetime(2011, 12, 30, 10, tzinfo=UTC), ["Pacific/Apia", "Pacific/Fakaofo"]),
    (datetime(2026, 12, 31, 12, tzinfo=UTC), ["Asia/Kolkata", "Asia/Shanghai"]),
    (datetime(2026, 5, 12, 12, tzinfo=UTC), ["Asia/Tokyo", "UTC"]),
]

CHANNELS = ["call", "voicemail", "sms", "email", "letter", "visit"]
GROUPS = [*CHANNELS, "voice", "electronic", "paper"]
OUTCOMES = [
    "reserved", "unknown", "cancelled", "busy", "not_in_service", "no_answer", "voicemail_reached",
    "voicemail_left", "abandoned", "conversation", "sent", "delivered", "bounced", "message",
]  # fmt: skip
UNITS = ["attempt", "connected", "reached", "successful", "conversation", "sent", "unanswered"]
PURPOSES = ["reminder", "collection", "marketing", "location"]
CLASSES = ["ordinary", "opt_out_confirmation", "relay_request"]
PEOPLE = ["debtor", "spouse", "third_party"]
PLACES = ["home", "work", "personal"]
KEYS = [
    "person", "household", "debt", "account", "contact_point", "place", "collector", "creditor",
    "event",
]  # fmt: skip
FORMS = ["written", "electronic", "oral"]
STOPS = ["opt_out", "cease", "dispute", "promise", "hardship", "no_work_contact"]
CONSENTS = ["channel", "contact_time", "frequency"]


class Source(Protocol):
    """Where choices come from."""

    def one(self, options: list[Any]) -> Any: ...

    def number(self, low: int, high: int) -> int: ...

    def some(self, options: list[Any], most: int) -> list[Any]: ...


class Searching:
    """Hypothesis: it looks for the smallest case that fails, and takes its time."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def one(self, options: list[Any]) -> Any:
        return self._draw(st.sampled_from(options))

    def number(self, low: int, high: int) -> int:
        return int(self._draw(st.integers(low, high)))

    def some(self, options: list[Any], most: int) -> list[Any]:
        return list(
            self._draw(st.lists(st.sampled_from(options), min_size=1, max_size=most, unique=True))
        )


class Seeded:
    """A seed: twenty times as many cases in the same time, and each can be had again."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def one(self, options: list[Any]) -> Any:
        return self._random.choice(options)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def some(self, options: list[Any], most: int) -> list[Any]:
        return self._random.sample(options, self._random.randint(1, min(most, len(options))))


class Draw:
    """Short names for the draws below."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def one(self, options: list[Any]) -> Any:
        return self._source.one(options)

    def number(self, low: int, high: int) -> int:
        return self._source.number(low, high)

    def chance(self, percent: int) -> bool:
        return self.number(1, 100) <= percent

    def some(self, options: list[Any], most: int = 3) -> list[Any]:
        return self._source.some(options, most)

    def optional(self, percent: int, key: str, value: Any) -> Map:
        """`{key: value()}` sometimes."""
        return {key: value()} if self.chance(percent) else {}


class Times(Draw):
    """Instants and dates round one night."""

    def __init__(self, source: Source, night: datetime) -> None:
        super().__init__(source)
        self.night = night
        self.now = night + timedelta(minutes=self.number(-40 * 60, 30 * 60))

    def instant(self, days_before: int = 10, days_after: int = 4) -> str:
        near = self.chance(40)
        low, high = (-36 * 60, 6 * 60) if near else (-days_before * 1440, days_after * 1440)
        return text(self.night + timedelta(minutes=self.number(low, high)))

    def past(self, days: int = 10) -> str:
        if self.chance(5):
            return text(self.now)
        return text(
            self.now
            - timedelta(minutes=self.number(0, 36 * 60 if self.chance(50) else days * 1440))
        )

    def date(self, before: int = 6, after: int = 6) -> str:
        return f"{self.night + timedelta(days=self.number(-before, after)):%Y-%m-%d}"


def text(t: datetime) -> str:
    return f"{t:%Y-%m-%dT%H:%M:%SZ}"
