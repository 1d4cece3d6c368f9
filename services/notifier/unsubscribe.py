"""The page behind an e-mail's unsubscribe link, in the reader's language."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal
from uuid import UUID

import msgspec
from aiohttp import web

from services.events.words import Channel
from services.notifier.inbound import Inbound
from services.notifier.prepare import unsubscribe_signature
from services.notifier.replies import SAID_STOP
from services.notifier.stops import Points
from services.notifier.store import SQL
from services.runtime.database import Pool, connected
from services.runtime.languages import preferred
from services.runtime.metrics import CALLBACKS

WORDS = Path(__file__).with_suffix(".yaml")

_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">
<style>body {{font: 1.1rem sans-serif; margin: 3rem auto; max-width: 30rem; padding: 0 1rem}}
button {{font: inherit; padding: .5rem 1rem}}</style>
<body>{body}"""


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is said in one language; `wrong`: the link is not one of ours."""

    title: str
    ask: str
    button: str
    done: str
    unknown: str
    wrong: str


@cache
def spoken() -> Mapping[str, Words]:
    """By language, English first."""
    return msgspec.yaml.decode(WORDS.read_bytes(), type=dict[str, Words])


def _page(
    request: web.Request, said: Literal["ask", "done", "unknown", "wrong"], status: int = 200
) -> web.Response:
    languages = spoken()
    language = preferred(request.headers.get("Accept-Language", ""), list(languages))
    words = languages[language]
    body = f"<p>{getattr(words, said)}</p>"
    if said == "ask":
        body = f'<form method="post">{body}<button>{words.button}</button></form>'
    text = _PAGE.format(language=language, title=words.title, body=body)
    return web.Response(status=status, text=text, content_type="text/html")


def unsubscribe_routes(db: Pool, inbound: Inbound, key: bytes) -> Sequence[web.RouteDef]:
    """GET only asks, because link scanners follow links; POST acts (RFC 8058, one click)."""

    def attempt_of(request: web.Request) -> UUID | None:
        try:
            attempt_id = UUID(request.match_info["attempt_id"])
        except ValueError:
            return None
        given = request.match_info["signature"].encode()
        ours = unsubscribe_signature(key, attempt_id).encode()
        return attempt_id if hmac.compare_digest(ours, given) else None

    async def ask(request: web.Request) -> web.Response:
        if attempt_of(request) is None:
            return _page(request, "wrong", 404)
        return _page(request, "ask")

    async def act(request: web.Request) -> web.Response:
        attempt_id = attempt_of(request)
        if attempt_id is None:
            return _page(request, "wrong", 404)
        async with connected(db) as connection:
            rows = await connection.fetch(SQL["contact_point_of"], attempt_id)
        points: Points = [(row["tenant"], row["contact_point_id"]) for row in rows]
        if not points:
            return _page(request, "unknown", 404)
        ref = f"unsubscribe/{attempt_id}/{datetime.now(UTC).date()}"
        await inbound.heard(points, message_ref=ref, channel=Channel.EMAIL, heard=SAID_STOP)
        CALLBACKS.labels("smtp", "stop").inc()
        return _page(request, "done")

    path = "/v1/unsubscribe/{attempt_id}/{signature}"
    return [web.get(path, ask), web.post(path, act)]
