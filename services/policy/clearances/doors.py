"""The doors of human and foreign channels: may I?, now, not after all, what happened, and what a
visit needs.
"""

from uuid import uuid4

import msgspec
from aiohttp import web

from services.events.base import Text
from services.policy.activation_refused import unless_two_people
from services.policy.clearances import filed, reports, visit_limits, visits
from services.policy.clearances.ask import ask
from services.policy.clearances.question import Question
from services.policy.clearances.redeem import redeem
from services.policy.clearances.release import release
from services.policy.clearances.reports import Report
from services.policy.handlers import Context
from services.runtime.apikeys import EVERY_TENANT, ApiKeys, Scope
from services.runtime.database import Pool, transaction
from services.runtime.web import Problem, invalid, json_response, path_id, read_json


class NewLimits(visits.Limits, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant's thresholds, with the two people who answer for them."""

    by: Text
    approved_by: Text


class ClearanceDoors:
    """The routes and what they share."""

    def __init__(self, *, context: Context, db: Pool, keys: ApiKeys) -> None:
        self._context = context
        self._db = db
        self._keys = keys

    def routes(self) -> list[web.RouteDef]:
        """The table of docs/architecture.md."""
        return [
            web.post("/v1/clearances", self.ask),
            web.get("/v1/clearances/{id}", self.show),
            web.post("/v1/clearances/{id}:redeem", self.redeem),
            web.post("/v1/clearances/{id}:release", self.release),
            web.post("/v1/contacts", self.report),
            web.get("/v1/visit-limits", self.limits),
            web.put("/v1/visit-limits", self.limit),
        ]

    async def ask(self, request: web.Request) -> web.Response:
        """May I make this contact?  A yes reserves its place."""
        tenant = await self._tenant(request, "clearance", "ingest")
        question = await read_json(request, Question)
        _check(question)
        answered = await ask(
            self._db,
            self._context.rule_sets,
            tenant,
            self._context.identify(tenant, question.borrower_ref),
            question.clearance_id or uuid4(),
            question,
        )
        return json_response(answered)

    async def show(self, request: web.Request) -> web.Response:
        """What became of a clearance."""
        tenant = await self._tenant(request, "clearance", "ingest")
        return json_response(await filed.shown(self._db, tenant, path_id(request)))

    async def redeem(self, request: web.Request) -> web.Response:
        """The contact begins now: asked afresh."""
        tenant = await self._tenant(request, "clearance", "ingest")
        rule_sets = self._context.rule_sets
        return json_response(await redeem(self._db, rule_sets, tenant, path_id(request)))

    async def release(self, request: web.Request) -> web.Response:
        """Not after all."""
        tenant = await self._tenant(request, "clearance", "ingest")
        return json_response(await release(self._db, tenant, path_id(request)))

    async def report(self, request: web.Request) -> web.Response:
        """What happened."""
        tenant = await self._tenant(request, "clearance", "ingest")
        report = await read_json(request, Report)
        borrower_id = self._context.identify(tenant, report.borrower_ref)
        recorded = await reports.record(self._db, tenant, borrower_id, report)
        return json_response(recorded, 200 if recorded["known"] else 201)

    async def limits(self, request: web.Request) -> web.Response:
        """What a visit needs at least."""
        tenant = await self._tenant(request, "clearance", "ingest", "admin")
        async with transaction(self._db) as connection:
            return json_response(await visit_limits.read(connection, tenant))

    async def limit(self, request: web.Request) -> web.Response:
        """Set what a visit needs at least; somebody else has approved it."""
        tenant = await self._tenant(request, "admin")
        new = await read_json(request, NewLimits)
        unless_two_people(new.by, new.approved_by)
        values = msgspec.structs.asdict(new)
        by, approved_by = values.pop("by"), values.pop("approved_by")
        limits = visits.Limits(**values)
        async with transaction(self._db) as connection:
            await visit_limits.write(connection, tenant, limits, by.strip(), approved_by.strip())
        return json_response(limits)

    async def _tenant(self, request: web.Request, *scopes: Scope) -> str:
        tenant = await self._keys.tenant(request, *scopes)
        if tenant == EVERY_TENANT:
            raise Problem(403, "tenant_missing", "use a key of the tenant whose borrower it is")
        return tenant


def _check(question: Question) -> None:
    if question.visit is not None and question.channel != "visit":
        raise invalid("visit", "stands beside another channel", "leave it out")
    if question.recipient == "debtor" and question.person not in (None, "debtor"):
        # By another name the borrower's contacts would count as somebody else's.
        fix = "leave it out for the borrower, or say by recipient who else it is"
        raise invalid("person", "is a name for the borrower", fix)
