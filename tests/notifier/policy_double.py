"""Policy's doors as the notifier needs them, answering as a test wants."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
from aiohttp import web

from services.events.permits import Redeem, RedeemAnswer, Redeemed, RedeemRequest, Verdict


class PolicyDouble:
    """Redeems everything, unless told otherwise; remembers what it was asked."""

    def __init__(self) -> None:
        self.redeemed: list[Redeem] = []
        self.stops: list[dict[str, Any]] = []
        self.lifted: list[str] = []
        self.lifted_by: set[str] = set()
        self.answers: dict[str, Redeemed] = {}  # by channel
        self.status = 200
        self.away = False
        self.refusals: list[int] = []  # statuses of the next answers to a stop or its end
        self.stop_delay = 0.0
        self.drop_answers = 0
        self.send_within = timedelta(seconds=10)
        self.allowed_for = timedelta(hours=2)
        self.before_answer: Any = None

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/permits:redeem", self.redeem),
            web.post("/v1/stops", self.stop),
            web.post("/v1/stops/{stop_id}:lift", self.lift),
        ]

    async def redeem(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer dw_service"
        asked = msgspec.json.decode(await request.read(), type=RedeemRequest)
        self.redeemed += asked.redeems
        if self.before_answer is not None:
            await self.before_answer()
        if self.drop_answers:
            self.drop_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        if self.status != 200:
            return web.Response(status=self.status)
        answer = RedeemAnswer(results=tuple(self._one(redeem) for redeem in asked.redeems))
        return web.Response(body=msgspec.json.encode(answer))

    def _one(self, redeem: Redeem) -> Redeemed:
        refusal = self.answers.get(redeem.channel)
        if refusal is not None:
            return msgspec.structs.replace(refusal, attempt_id=redeem.attempt_id)
        now = datetime.now(UTC)
        return Redeemed(
            attempt_id=redeem.attempt_id,
            verdict=Verdict.ALLOW,
            permit_id=uuid4(),
            send_by=now + self.send_within,
            allowed_until=now + self.allowed_for,
            gate_now=now,
        )

    async def stop(self, request: web.Request) -> web.Response:
        if self.away:
            return web.Response(status=503)
        if self.refusals:
            return web.Response(status=self.refusals.pop(0))
        await asyncio.sleep(self.stop_delay)
        self.stops.append(await request.json())
        return web.json_response({"recorded": True, "known": True}, status=202)

    async def lift(self, request: web.Request) -> web.Response:
        if self.away:
            return web.Response(status=503)
        if self.refusals:
            return web.Response(status=self.refusals.pop(0))
        self.lifted.append(request.match_info["stop_id"])
        self.lifted_by.add(msgspec.json.decode(await request.read())["lifted_by"])
        return web.json_response({"recorded": True, "known": True})
