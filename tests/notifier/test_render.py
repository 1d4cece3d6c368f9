"""Templates: complete, short, kind, honest about what they contain, and closed to code."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from services.events.reminders import ReminderAllowed
from services.events.words import Channel, Stage
from services.notifier.render import TEMPLATES, Rendered, load_templates, render
from services.notifier.segments import is_gsm7, segments
from tests.notifier.world import allowed

SET = load_templates()
LOCALES = sorted(folder.name for folder in (TEMPLATES / "upcoming").iterdir())
CURRENCIES = {"en": "USD", "zh-CN": "CNY", "es": "MXN", "pt": "BRL"}
DEBT_WORDS = ("debt", "owe", "overdue", "loan", "deuda", "préstamo", "dívida", "欠", "逾期")


def event(stage: Stage = Stage.UPCOMING, locale: str = "en", **wanted: object) -> ReminderAllowed:
    facts = {"currency": CURRENCIES.get(locale, "USD"), "due_date": date(2026, 9, 25)} | wanted
    return allowed(UUID(int=1), stage=stage, locale=locale, **facts)


def rendered(channel: Channel, one: ReminderAllowed) -> Rendered:
    link = "https://reminders.example.com/v1/unsubscribe/x/y" if channel is Channel.EMAIL else None
    return render(SET, one, channel, sender="Harbor Lending", unsubscribe_url=link)


def test_the_locales_are_the_same_for_every_stage() -> None:
    assert {"en", "zh-CN", "es", "pt"} <= set(LOCALES)
    for stage in Stage:
        assert sorted(folder.name for folder in (TEMPLATES / stage).iterdir()) == LOCALES


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("stage", Stage)
def test_an_sms_names_sender_amount_and_way_out_in_two_segments(stage: Stage, locale: str) -> None:
    body = rendered(Channel.SMS, event(stage, locale, outstanding_minor=1_234_567)).body
    assert "Harbor Lending" in body
    assert "12,345.67" in body or "12.345,67" in body
    assert ("STOP" in body) or ("回复T" in body)
    assert segments(body) <= 2
    assert locale == "zh-CN" or is_gsm7(body), "one character outside GSM-7 doubles the price"


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("stage", Stage)
def test_what_shows_on_a_locked_screen_hints_at_no_debt(stage: Stage, locale: str) -> None:
    for channel in (Channel.EMAIL, Channel.PUSH):
        subject = rendered(channel, event(stage, locale)).subject
        assert subject
        assert "Harbor Lending" in subject
        assert not any(character.isdigit() for character in subject)
        assert not any(word in subject.casefold() for word in DEBT_WORDS)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("stage", Stage)
def test_what_policy_is_told_of_a_text_is_true(stage: Stage, locale: str) -> None:
    for channel in Channel:
        message = rendered(channel, event(stage, locale))
        assert "sender_name" in message.content.elements
        assert "amount" in message.content.elements
        assert "Harbor Lending" in message.body or channel is Channel.PUSH
        if message.content.opt_out == "link":
            assert "/v1/unsubscribe/" in message.body
        if message.content.opt_out == "reply":
            assert channel is Channel.SMS


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("zh-HK", "【"),
        ("zh", "【"),
        ("es-MX", "cuota"),
        ("pt-BR", "parcela"),
        ("en-IN", "payment"),
        ("fr", "payment"),
        ("xx-YY", "payment"),
    ],
)
def test_a_locale_without_templates_falls_back_to_a_relative(asked: str, expected: str) -> None:
    assert expected in rendered(Channel.SMS, event(locale=asked)).body


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [
        (12_345, "USD", "$123.45"),
        (12_345, "JPY", "¥12,345"),
        (12_345, "KWD", "KWD 12.345"),
        (12_345, "INR", "INR 123.45"),
        (10**15, "USD", "$10,000,000,000,000.00"),
    ],
)
def test_money_is_written_with_its_currencys_own_digits(
    minor: int, currency: str, expected: str
) -> None:
    body = rendered(Channel.SMS, event(outstanding_minor=minor, currency=currency)).body
    assert expected in body.replace("\u00a0", " ")


def test_a_missing_name_in_a_template_is_an_error(tmp_path: Path) -> None:
    templates = load_templates(copy(tmp_path, "{{ borrower_name }}"))
    with pytest.raises(UndefinedError):
        render(templates, event(), Channel.SMS, sender="x")


@pytest.mark.parametrize(
    "hostile",
    [
        "{{ sender.__class__.__mro__ }}",
        "{{ ''.__class__ }}",
        "{{ '{0.__class__}'.format(sender) }}",
    ],
)
def test_a_template_reaches_no_code(tmp_path: Path, hostile: str) -> None:
    templates = load_templates(copy(tmp_path, hostile))
    with pytest.raises((SecurityError, UndefinedError)):
        render(templates, event(), Channel.SMS, sender="x").body.encode()


def test_a_value_is_never_read_as_a_template() -> None:
    message = render(SET, event(), Channel.SMS, sender="{{ 7 * 7 }}")
    assert "{{ 7 * 7 }}" in message.body


def copy(root: Path, sms: str) -> Path:
    """The shipped English templates with another SMS text."""
    for stage in Stage:
        source, target = TEMPLATES / stage / "en", root / stage / "en"
        target.mkdir(parents=True)
        for file in source.iterdir():
            (target / file.name).write_text(file.read_text("utf-8"), "utf-8")
        (target / "sms.jinja").write_text(sms)
    return root


def test_the_same_reminder_makes_the_same_text() -> None:
    one = event(reminder_id=uuid4(), valid_until=datetime.now(UTC) + timedelta(days=1))
    assert rendered(Channel.SMS, one) == rendered(Channel.SMS, one)
