"""HTTP for lenders: give addresses, read attempts.  What goes in never comes out again."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from aiohttp import web

from services.events.base import Text
from services.events.words import PointKind
from services.notifier.address_book import Given
from services.notifier.addresses import Address, GivenAddress, InvalidAddress, normalise
from services.notifier.intake import Intake
from services.notifier.store import SQL, Row
from services.runtime.apikeys import ApiKeys
from services.runtime.database import Pool, connected
from services.runtime.identity import surrogate
from services.runtime.web import (
    FieldError,
    Problem,
    described,
    json_response,
    path_id,
    read_json,
)

MAX_CONTACT_POINTS = 20
MAX_REF = 200

# fmt: off
_SHOWN = (
    "attempt_id", "reminder_id", "emission", "state", "channel", "provider", "contact_point_id",
    "provider_ref", "code", "permit_id", "created_at", "in_flight_at", "ended_at",
)
# fmt: on


class PutContactPoints(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A borrower's whole list, in the order in which it is to be tried."""

    version: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    contact_points: Annotated[list[GivenAddress], msgspec.Meta(max_length=MAX_CONTACT_POINTS)]


def lender_routes(
    db: Pool, intake: Intake, api_keys: ApiKeys, identity: bytes
) -> list[web.RouteDef]:
    async def put_contact_points(request: web.Request) -> web.Response:
        tenant = await api_keys.tenant(request, "ingest")
        reference = _reference(request.match_info["borrower_ref"])
        body = await read_json(request, PutContactPoints)
        borrower_id = surrogate(identity, tenant, "borrower", reference)
        given = Given(tenant, borrower_id, body.version, _normalised(body), whole=True)
        written = await intake.write(given)
        if not written.counted:
            raise Problem(
                409,
                "version_old",
                "a list of a higher version is stored; nothing was changed",
                [FieldError("version", "is lower than the stored one", "send a higher version")],
            )
        return json_response(
            {
                "borrower_id": borrower_id,
                "version": body.version,
                "contact_points": [
                    {"contact_point_id": point_id, "kind": a.kind, "country": a.country}
                    for point_id, a in zip(written.ids, given.addresses, strict=True)
                ],
            }
        )

    async def get_attempt(request: web.Request) -> web.Response:
        tenant = await api_keys.tenant(request, "ingest")
        attempt_id = path_id(request, "attempt_id")
        async with connected(db) as connection:
            row = await connection.fetchrow(SQL["attempt"], attempt_id, tenant)
        if row is None:
            raise Problem(404, "no_such_attempt", "this tenant has no attempt of that id")
        return json_response(_shown(row))

    async def get_attempts(request: web.Request) -> web.Response:
        tenant = await api_keys.tenant(request, "ingest")
        reminder_id = path_id(request, "reminder_id")
        async with connected(db) as connection:
            rows = await connection.fetch(SQL["attempts_of_reminder"], tenant, reminder_id)
        return json_response({"reminder_id": reminder_id, "attempts": [_shown(r) for r in rows]})

    return [
        web.put("/v1/borrowers/{borrower_ref}/contact-points", put_contact_points),
        web.get("/v1/attempts/{attempt_id}", get_attempt),
        web.get("/v1/reminders/{reminder_id}/attempts", get_attempts),
        described(Path(__file__).with_name("openapi.yaml")),
    ]


def _reference(raw: str) -> str:
    try:
        return msgspec.convert(raw, Text)
    except msgspec.ValidationError:
        problem = f"must have 1 to {MAX_REF} characters and no line break"
        error = FieldError("borrower_ref", problem, "use the lender's own id of the borrower")
        raise Problem(422, "invalid", f"borrower_ref {problem}", [error]) from None


def _normalised(body: PutContactPoints) -> tuple[Address, ...]:
    """Each distinct address once, in order; 422 naming every place that is wrong."""
    addresses: dict[tuple[PointKind, str], Address] = {}
    errors = []
    for position, given in enumerate(body.contact_points):
        try:
            address = normalise(given)
            if addresses.setdefault((address.kind, address.value), address) != address:
                field = f"contact_points[{position}].place"
                fix = "give an address once, with one place and one who provided it"
                errors.append(FieldError(field, "differs from the first mention's", fix))
        except InvalidAddress as error:
            field = f"contact_points[{position}].value"
            errors.append(FieldError(field, error.problem, error.fix))
    if errors:
        where = f"{errors[0].field} {errors[0].problem}"
        raise Problem(422, "invalid", where, errors)
    return tuple(addresses.values())


def _shown(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in _SHOWN}
