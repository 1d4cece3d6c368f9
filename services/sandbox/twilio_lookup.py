"""A message as Twilio shows it, and Twilio's list of messages."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from itertools import islice

from aiohttp import web

from services.sandbox.arrival import World
from services.sandbox.history import now
from services.sandbox.journeys import API_VERSION
from services.sandbox.messages import Message

PAGE_AT_MOST = 1000


def resource(world: World, message: Message) -> dict[str, object]:
    account = world.settings.twilio_account_sid
    uri = f"/{API_VERSION}/Accounts/{account}/Messages/{message.provider_ref}"
    return {
        "account_sid": account,
        "api_version": API_VERSION,
        "body": message.text,
        "date_created": _rfc2822(message.at),
        "date_sent": _rfc2822(message.sent_at),
        "date_updated": _rfc2822(message.updated_at),
        "direction": "outbound-api" if message.direction == "out" else "inbound",
        "error_code": message.code,
        "error_message": None,
        "from": None if message.service == message.sender else message.sender,
        "messaging_service_sid": message.service,
        "num_media": "0",
        # Twilio counts segments only once a Messaging Service has picked a sender.
        "num_segments": "0" if message.status == "accepted" else str(_segments(message.text)),
        "price": None,
        "price_unit": "USD",
        "sid": message.provider_ref,
        "status": message.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }


def listed(world: World, request: web.Request) -> dict[str, object]:
    """Newest first; ValueError names a date that can't be read."""
    query = request.query
    size = min(int(query.get("PageSize", "50")), PAGE_AT_MOST)
    page = int(query.get("Page", "0"))
    found = _matching(
        world,
        query.get("To"),
        query.get("From"),
        _instant(query.get("DateSent>") or query.get("DateSent>=")),
        _instant(query.get("DateSent<") or query.get("DateSent<=")),
        _day(query.get("DateSent")),
    )
    messages = list(islice(found, page * size, (page + 1) * size + 1))
    following = None
    if len(messages) > size:
        following = str(request.rel_url.update_query(Page=str(page + 1), PageSize=str(size)))
    return {
        "messages": [resource(world, message) for message in messages[:size]],
        "page": page,
        "page_size": size,
        "uri": str(request.rel_url),
        "next_page_uri": following,
    }


def _matching(
    world: World,
    to: str | None,
    sender: str | None,
    after: datetime | None,
    before: datetime | None,
    day: date | None,
) -> Iterator[Message]:
    """Twilio lists a message some time after it took it, so "not found" proves nothing."""
    listed_until = now() - timedelta(seconds=world.settings.lookup_lag_seconds)
    for message in world.messages.texts(to):
        sent_at = message.sent_at or message.at
        if (
            message.at <= listed_until
            and (sender is None or message.sender == sender)
            and (after is None or sent_at >= after)
            and (before is None or sent_at <= before)
            and (day is None or sent_at.date() == day)
        ):
            yield message


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"DateSent: {text!r} is no ISO 8601 date or time") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _day(text: str | None) -> date | None:
    instant = _instant(text)
    return instant.date() if instant else None


def _rfc2822(instant: datetime | None) -> str | None:
    return _formatted(instant.replace(microsecond=0)) if instant else None


@lru_cache(maxsize=64)
def _formatted(second: datetime) -> str:
    return format_datetime(second)


_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWO = frozenset("^{}\\[~]|€\f")
_GSM_ALL = _GSM | _GSM_TWO


def _segments(text: str) -> int:
    """GSM-7 in 160 or 153 septets, else UCS-2 in 70 or 67 UTF-16 units."""
    if _GSM_ALL.issuperset(text):
        twice = 0 if _GSM.issuperset(text) else sum(c in _GSM_TWO for c in text)
        units, single, joined = len(text) + twice, 160, 153
    else:
        units, single, joined = len(text.encode("utf-16-le", "surrogatepass")) // 2, 70, 67
    return 1 if units <= single else -(-units // joined)
