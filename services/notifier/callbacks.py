"""Twilio's status callbacks: signed, in any order, twice, or before our own row knows.  Batched."""

import asyncio
from typing import NamedTuple, NoReturn
from uuid import UUID

from aiohttp import web
from twilio.request_validator import RequestValidator

from services.events.words import AttemptState as State
from services.notifier.channels.twilio_sms import (
    DEAD_POINT_CODES,
    EXPIRED_CODES,
    OPT_OUT_CODES,
    STATES,
)
from services.notifier.observe import Observed, Seen, observe
from services.runtime import log, outbox
from services.runtime.database import Pool, repeating, transaction
from services.runtime.metrics import CALLBACKS, start_at_zero
from services.runtime.outbox import Outbox
from services.runtime.web import Problem

BATCH = 200
GROUP_SECONDS = 0.004
# Twilio waits 15 s for an answer: a database that is away must not make it wait longer.
ANSWER_SECONDS = 10.0


class Signatures:
    """Checks that a request came from Twilio, for the URL that *we* gave it.

    The URL is taken from the settings: behind a proxy the request's Host is the proxy's, or a
    forger's choice.
    """

    def __init__(self, auth_token: str, public_url: str) -> None:
        self._validator = RequestValidator(auth_token)
        self._public_url = public_url
        start_at_zero(CALLBACKS, ["twilio"], ["moved", "unmoved", "forged"])

    async def form(self, request: web.Request) -> dict[str, str]:
        """The form of a genuine request; 403 for any other, without saying what is wrong."""
        form = await request.post()
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        signature = request.headers.get("X-Twilio-Signature", "")
        url = self._public_url + request.path_qs
        if not signature or not self._validator.validate(url, form, signature):
            CALLBACKS.labels("twilio", "forged").inc()
            raise Problem(403, "signature_wrong", "this request is not signed by the provider")
        if any("\0" in value for value in fields.values()):
            raise Problem(422, "invalid", "the form contains a NUL character")
        return fields


class _Waiting(NamedTuple):
    seen: Seen
    known: asyncio.Future[bool]


class Callbacks:
    """Collects what came within a few milliseconds and applies it in one transaction."""

    def __init__(self, db: Pool, relay: Outbox) -> None:
        self._db = db
        self._relay = relay
        self._waiting: list[_Waiting] = []
        self._came = asyncio.Event()

    async def apply(self, seen: Seen) -> bool:
        """Committed; False if there is no such attempt."""
        known: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(seen, known))
        self._came.set()
        async with asyncio.timeout(ANSWER_SECONDS):
            return await known

    async def run(self) -> NoReturn:
        while True:
            await self._came.wait()
            if len(self._waiting) < BATCH:
                await asyncio.sleep(GROUP_SECONDS)
            self._came.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._apply(batch)

    async def _apply(self, batch: list[_Waiting]) -> None:
        async def write() -> Observed:
            async with transaction(self._db) as connection:
                observed = await observe(connection, [waiting.seen for waiting in batch])
                await outbox.put(connection, observed.records)
            return observed

        try:
            # A 503 would cost one of the few times that Twilio comes.
            observed = await repeating(write)
        except Exception as error:
            log.get().warning("callbacks_failed", error=type(error).__name__, count=len(batch))
            problem = Problem(503, "unavailable", "not stored; send it again")
            for waiting in batch:
                if not waiting.known.done():
                    waiting.known.set_exception(problem)
            return
        self._relay.nudge()
        CALLBACKS.labels("twilio", "moved").inc(len(observed.moved))
        CALLBACKS.labels("twilio", "unmoved").inc(len(batch) - len(observed.moved))
        for waiting in batch:
            if not waiting.known.done():
                waiting.known.set_result(waiting.seen.attempt_id in observed.known)


def twilio_routes(signatures: Signatures, callbacks: Callbacks) -> list[web.RouteDef]:
    async def status(request: web.Request) -> web.Response:
        fields = await signatures.form(request)
        try:
            attempt_id = UUID(request.match_info["attempt_id"])
        except ValueError:
            raise Problem(404, "no_such_attempt", "the path names no attempt of ours") from None
        try:
            known = await callbacks.apply(seen_of(attempt_id, fields))
        except TimeoutError:
            raise Problem(503, "unavailable", "not stored; send it again") from None
        if not known:
            raise Problem(404, "no_such_attempt", "the path names no attempt of ours")
        return web.Response(status=204)

    return [web.post("/v1/callbacks/twilio/{attempt_id}", status)]


def seen_of(attempt_id: UUID, fields: dict[str, str]) -> Seen:
    """What a callback's form says, in our words; 422 if it isn't a status callback."""
    status = fields.get("MessageStatus", "")
    sid = fields.get("MessageSid", "")
    state = STATES.get(status)
    if state is None or not 10 <= len(sid) <= 64:
        raise Problem(422, "invalid", "MessageStatus or MessageSid is missing or unknown")
    raw = fields.get("ErrorCode", "")
    code = raw if raw.isascii() and raw.isdigit() and len(raw) <= 6 and raw != "0" else None
    if code in EXPIRED_CODES and state is State.UNDELIVERED:
        state = State.EXPIRED
    return Seen(
        attempt_id,
        "callback",
        state,
        status,
        sid,
        code,
        spoils_point=code in DEAD_POINT_CODES,
        opted_out=code in OPT_OUT_CODES,
    )
