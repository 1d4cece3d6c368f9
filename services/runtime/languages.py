"""Which of our languages somebody would like: reads an Accept-Language header."""

from collections.abc import Sequence


def preferred(accepted: str, spoken: Sequence[str]) -> str:
    """The first accepted language that is spoken; the first spoken where none is."""
    offers: list[tuple[float, str]] = []
    for part in accepted.split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        offers.append((-quality, tag.lower()))
    for quality, tag in sorted(offers, key=lambda offer: offer[0]):
        for language in spoken:
            if quality < 0 and tag.split("-")[0] == language.split("-")[0]:
                return language
    return spoken[0]
