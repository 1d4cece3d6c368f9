"""Channels and their groups (rules.md 6.1)."""

from collections.abc import Iterable

GROUPS: dict[str, frozenset[str]] = {
    "voice": frozenset({"call", "voicemail", "ringless_voicemail"}),
    "electronic": frozenset({"sms", "whatsapp", "im", "email", "push", "chat", "social_dm"}),
    "paper": frozenset({"letter", "postcard", "card"}),
}
VOICE = GROUPS["voice"]


def spelled_out(channels: Iterable[str]) -> frozenset[str]:
    """Each group replaced by its channels."""
    found: set[str] = set()
    for name in channels:
        found |= GROUPS.get(name, frozenset({name}))
    return frozenset(found)


def covers(channels: Iterable[str], channel: str) -> bool:
    return channel in channels or any(
        channel in GROUPS[name] for name in channels if name in GROUPS
    )


def counted_as(channel: str) -> str:
    """The name under which distinct channels are told apart: voice is one channel."""
    return "voice" if channel in VOICE else channel
