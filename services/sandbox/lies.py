"""Which behavior a request gets: an outage, a script, a magic address, then chance."""

import random
from collections import deque
from dataclasses import dataclass, field

from services.sandbox.behaviors import CONDUCT, Behavior, Channel

# What `--lies 0.1` spreads its rate over, in equal shares.
PLAIN_RATE: tuple[Behavior, ...] = (
    Behavior.RATE_LIMITED,
    Behavior.UNAVAILABLE,
    Behavior.ACCEPT_TIMEOUT,
    Behavior.ACCEPT_503,
    Behavior.GARBAGE,
    Behavior.RESET,
    Behavior.SLOW,
)

Mix = dict[str, float]
"""Rates by `behavior` or `channel.behavior`; each is a share of that channel's requests."""


def parse_mix(text: str) -> Mix:
    """`0.1`, or `429=0.05,sms.accept-503=0.02`; ValueError with the fix in its text."""
    text = text.strip()
    if not text:
        return {}
    if "=" not in text:
        share = _rate("lies", text) / len(PLAIN_RATE)
        return checked_mix({str(b): share for b in PLAIN_RATE})
    mix: Mix = {}
    for part in text.split(","):
        name, equals, rate = part.strip().partition("=")
        if not equals:
            raise ValueError(f"{part.strip()!r}: write each lie as name=rate, e.g. 429=0.05")
        mix[name.strip()] = _rate(name, rate)
    return checked_mix(mix)


def checked_mix(mix: Mix) -> Mix:
    for name, rate in mix.items():
        channels, behavior = _channels_and_behavior(name)
        if not 0 <= rate <= 1:
            raise ValueError(f"{name}: a rate lies between 0 and 1, not {rate}")
        if not channels:
            raise ValueError(f"{name}: {behavior} doesn't exist on that channel")
    for channel in Channel:
        if (total := sum(rate for rate, _ in _draws(mix, channel))) > 1 + 1e-9:
            raise ValueError(f"the rates for {channel} add up to {total:g}; at most 1")
    return mix


@dataclass(frozen=True, slots=True)
class Choice:
    """`cause` is none, outage, script, magic or random; only a cause other than none is a lie."""

    behavior: Behavior
    cause: str

    @property
    def lie(self) -> str | None:
        return None if self.behavior is Behavior.OK else str(self.behavior)


HONEST = Choice(Behavior.OK, "none")


@dataclass(slots=True)
class Lies:
    """The lies in force; one generator, so one seed gives one series of draws."""

    seed: int
    mix: Mix = field(default_factory=dict)
    max_lies: int | None = None
    told: int = 0
    outages: dict[Channel, Behavior] = field(default_factory=dict)
    scripts: dict[Channel, deque[Behavior]] = field(default_factory=dict)
    _random: random.Random = field(init=False)
    _table: dict[Channel, list[tuple[float, Behavior]]] = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.change(self.mix, self.max_lies)

    def change(self, mix: Mix, max_lies: int | None) -> None:
        """`max_lies` counts from the start, told ones included; None is no bound."""
        self.mix, self.max_lies = checked_mix(mix), max_lies
        self._table = {channel: _draws(mix, channel) for channel in Channel}

    def script(self, channel: Channel, behavior: Behavior, count: int) -> None:
        """The next `count` requests of the channel get this behavior, magic addresses too."""
        self.scripts.setdefault(channel, deque()).extend([behavior] * count)

    def choose(self, channel: Channel, magic: Behavior | None) -> Choice:
        if self.outages and (outage := self.outages.get(channel)):
            return Choice(outage, "outage")
        if self.scripts and (script := self.scripts.get(channel)):
            return Choice(script.popleft(), "script")
        if magic is not None:
            return Choice(magic, "magic")
        table = self._table[channel]
        if not table or (self.max_lies is not None and self.told >= self.max_lies):
            return HONEST
        draw = self._random.random()
        for rate, behavior in table:
            if draw < rate:
                self.told += 1
                return Choice(behavior, "random")
            draw -= rate
        return HONEST


def _draws(mix: Mix, channel: Channel) -> list[tuple[float, Behavior]]:
    named = ((rate, *_channels_and_behavior(name)) for name, rate in mix.items())
    return [(rate, behavior) for rate, channels, behavior in named if channel in channels and rate]


def _channels_and_behavior(name: str) -> tuple[frozenset[Channel], Behavior]:
    """A plain name means every channel that has the behavior, the token endpoint excepted."""
    channel, dot, bare = name.rpartition(".")
    try:
        behavior = Behavior(bare)
        only = frozenset({Channel(channel)}) if dot else frozenset(Channel) - {Channel.TOKEN}
    except ValueError:
        raise ValueError(
            f"{name!r} is no behavior; one of {', '.join(Behavior)}, "
            f"optionally after {', '.join(f'{c}.' for c in Channel)}"
        ) from None
    return CONDUCT[behavior].channels & only, behavior


def _rate(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name}: {text!r} is no rate; write a share such as 0.05") from None
