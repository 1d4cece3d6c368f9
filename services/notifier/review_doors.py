"""HTTP for compliance people: stops that were taken from a message in doubt."""

from typing import Any

from aiohttp import web

from services.notifier import reviews
from services.notifier.reviews import ReviewAnswer, Settlement, Settling
from services.notifier.stops import Forwarder
from services.runtime.apikeys import ApiKeys
from services.runtime.database import Pool, connected, repeating, transaction
from services.runtime.web import invalid, json_response, path_id, read_json

_LISTS: dict[str, Any] = {"open": reviews.waiting, "settled": reviews.settled}


def review_routes(db: Pool, forwarder: Forwarder, api_keys: ApiKeys) -> list[web.RouteDef]:
    async def listed(request: web.Request) -> web.Response:
        tenant = await api_keys.tenant(request, "ingest", "admin")
        state = request.query.get("state", "open")
        if state not in _LISTS:
            raise invalid("state", "is none of ours", f"use one of: {', '.join(_LISTS)}")
        async with connected(db) as connection:
            return json_response({"reviews": await _LISTS[state](connection, tenant)})

    async def confirm(request: web.Request) -> web.Response:
        return await settle(request, "confirmed")

    async def lift(request: web.Request) -> web.Response:
        return await settle(request, "lifted")

    async def settle(request: web.Request, how: Settlement) -> web.Response:
        tenant = await api_keys.tenant(request, "admin")
        review_id = path_id(request)
        settling = await read_json(request, Settling)

        async def write() -> ReviewAnswer:
            async with transaction(db) as connection:
                return await reviews.settle(connection, tenant, review_id, settling, how)

        settled = await repeating(write)
        if how == "lifted":
            await forwarder.forward_soon()
        return json_response(settled)

    return [
        web.get("/v1/reviews", listed),
        web.post("/v1/reviews/{id}:confirm", confirm),
        web.post("/v1/reviews/{id}:lift", lift),
    ]
