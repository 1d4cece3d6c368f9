"""What does the message say?  Pure: a template set and an allowed reminder make the text.

One folder a stage and locale, one file a part of a channel's message.  The context holds numbers
and short texts only: no template reaches an object, and a missing name is an error.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path

import msgspec
import yaml
from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, get_currency_precision
from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.events.permits import ContentFacts
from services.events.reminders import ReminderAllowed
from services.events.words import Channel, Stage
from services.notifier.content.classify import MessageParts
from services.notifier.content.facts import content_facts
from services.notifier.content.lists import lists_for
from services.notifier.segments import is_gsm7

TEMPLATES = Path(__file__).with_name("templates")
DEFAULT_LOCALE = "en"
PARTS: Mapping[Channel, tuple[str | None, str]] = {
    Channel.SMS: (None, "sms"),
    Channel.EMAIL: ("email_subject", "email_text"),
    Channel.PUSH: ("push_title", "push_body"),
}

# A locale's nearest relatives, nearest first; the default locale comes after them.
RELATIVES: Mapping[str, tuple[str, ...]] = {"zh": ("zh-CN",), "zh-HK": ("zh-CN",)}


# "KWD12.345" reads as one word.
_GLUED = re.compile(r"(?<=[A-Z]{3})(?=\d)")


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """A text without its addressee, and what policy is told of it."""

    subject: str | None
    body: str
    content: ContentFacts


class _Compiled(msgspec.Struct, frozen=True):
    locale: str
    subject: Template | None
    body: Template
    content: ContentFacts


class TemplateSet(msgspec.Struct, frozen=True):
    """Every template, compiled once; `find` falls back to a relative and then to English."""

    compiled: Mapping[tuple[Stage, Channel, str], _Compiled]

    def find(self, stage: Stage, channel: Channel, locale: str) -> _Compiled:
        for candidate in (*_fallbacks(locale), DEFAULT_LOCALE):
            if found := self.compiled.get((stage, channel, candidate)):
                return found
        raise LookupError(f"no template for {stage}, {channel}")


def render(
    templates: TemplateSet,
    allowed: ReminderAllowed,
    channel: Channel,
    *,
    sender: str,
    unsubscribe_url: str | None = None,
) -> Rendered:
    """The text of one reminder on one channel, in the borrower's language if we have it."""
    found = templates.find(allowed.stage, channel, allowed.locale)
    context = {
        "sender": sender,
        "amount": _amount(
            allowed.outstanding_minor, allowed.currency, found.locale, channel is Channel.SMS
        ),
        "due_date": _day(allowed.due_date, found.locale),
        "installment_number": allowed.installment_number,
        "unsubscribe_url": unsubscribe_url or "",
    }
    subject = found.subject.render(context) if found.subject else None
    body = found.body.render(context)
    # What the template declares is confirmed, and what it doesn't is found, in this very text.
    parts = MessageParts(subject=subject, body=body, sender=sender)
    return Rendered(
        subject=subject,
        body=body,
        content=content_facts(parts, found.content, found.locale, channel),
    )


@cache
def load_templates(root: Path = TEMPLATES) -> TemplateSet:
    """Compile the tree; every stage and locale has every part and a `template.yaml` of facts."""
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, keep_trailing_newline=False
    )
    compiled = {}
    for stage in Stage:
        for folder in sorted((root / stage).iterdir()):
            facts = yaml.safe_load((folder / "template.yaml").read_text("utf-8"))
            for channel, (subject, body) in PARTS.items():
                compiled[stage, channel, folder.name] = _Compiled(
                    folder.name,
                    _part(environment, folder, subject) if subject else None,
                    _part(environment, folder, body),
                    msgspec.convert(facts[str(channel)], ContentFacts),
                )
    for _, _, locale in compiled:
        lists_for(locale)  # now, not when the first message waits
    return TemplateSet(compiled)


def _part(environment: ImmutableSandboxedEnvironment, folder: Path, name: str) -> Template:
    return environment.from_string((folder / f"{name}.jinja").read_text("utf-8"))


@lru_cache(maxsize=1024)
def _fallbacks(locale: str) -> tuple[str, ...]:
    """`es-MX` → es-MX, es; `zh-HK` → zh-HK, zh-CN, zh."""
    language = locale.partition("-")[0]
    names = (locale, *RELATIVES.get(locale, ()), language, *RELATIVES.get(language, ()))
    return tuple(dict.fromkeys(names))


@lru_cache(maxsize=65_536)
def _amount(minor: int, currency: str, locale: str, plain: bool) -> str:
    """`plain` for SMS: one character outside GSM-7 (₹, U+00A0) doubles the price of a text."""
    major = Decimal(minor).scaleb(-get_currency_precision(currency))
    text = format_currency(major, currency, locale=_babel(locale)).replace("\u00a0", " ")
    text = text.replace("\u202f", " ")
    if plain and not is_gsm7(text) and not locale.startswith("zh"):
        text = format_currency(major, currency, locale=_babel(locale), format="¤¤ #,##0.00")
        text = text.replace("\u00a0", " ").replace("\u202f", " ")
    return _GLUED.sub(" ", text)


@lru_cache(maxsize=16_384)
def _day(day: date, locale: str) -> str:
    return format_date(day, format="long", locale=_babel(locale))


@lru_cache(maxsize=64)
def _babel(locale: str) -> Locale:
    return Locale.parse(locale, sep="-")
