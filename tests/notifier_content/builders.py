"""The shipped templates, rendered with invented samples."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from services.events.permits import ContentFacts
from services.events.words import Channel, Stage
from services.notifier import render
from services.notifier.content.classify import MessageParts

LINK = "https://notify.example.com/v1/unsubscribe/0190a1b2/5f1c0e9ab34d77c2"
SENDERS = ("Harbor Credit", "海港金融")
SAMPLES = (  # minor units, currency, due date
    (125_000, "USD", date(2026, 6, 3)),
    (99, "EUR", date(2026, 12, 31)),
    (1_234_567_800, "IDR", date(2027, 1, 1)),
    (80_000, "CNY", date(2026, 2, 28)),
    (450_050, "INR", date(2026, 10, 9)),
    (1_000, "BRL", date(2026, 3, 15)),
)


class Sampled(NamedTuple):
    """One shipped template, filled."""

    name: str
    stage: Stage
    locale: str
    channel: Channel
    declared: ContentFacts
    parts: tuple[MessageParts, ...]


def shipped() -> Iterator[Sampled]:
    """Every stage, locale and channel that ships."""
    templates = render.load_templates()
    for (stage, channel, locale), template in sorted(templates.compiled.items()):
        parts = tuple(
            _parts(template, sender, minor, currency, day, channel)
            for minor, currency, day in SAMPLES
            for sender in SENDERS
        )
        name = f"{stage}-{locale}-{channel}"
        yield Sampled(name, stage, locale, channel, template.content, parts)


def _parts(
    template: render._Compiled,
    sender: str,
    minor: int,
    currency: str,
    day: date,
    channel: Channel,
) -> MessageParts:
    context = {
        "sender": sender,
        "amount": render._amount(minor, currency, template.locale, channel is Channel.SMS),
        "due_date": render._day(day, template.locale),
        "installment_number": 3,
        "unsubscribe_url": LINK if channel is Channel.EMAIL else "",
    }
    return MessageParts(
        subject=template.subject.render(context) if template.subject else None,
        body=template.body.render(context),
        sender=sender,
    )
