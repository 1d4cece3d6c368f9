"""Policy's HTTP doors: redeem, the paid door, stops, consents, notices, activations, why."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from services.events.base import TENANT_PATTERN, Text
from services.events.loans import DebtChanged
from services.events.notices import DutyArisen, NoticeSent
from services.events.permits import MAX_REDEEMS, RedeemAnswer, RedeemRequest
from services.events.reminders import ReminderCancelled
from services.events.stops import (
    ConsentGiven,
    ConsentRevoked,
    PreferenceStated,
    StopLifted,
    StopRecorded,
)
from services.policy import activation, explain, held, intake, stops
from services.policy.activation import Activation, Deactivation
from services.policy.clearances.doors import ClearanceDoors
from services.policy.handlers import Context
from services.policy.locks import borrower_subject, lock
from services.policy.redeem import redeem
from services.policy.stop_problems import StopEvent, problems
from services.policy.timeline import page_of, timeline
from services.runtime.apikeys import EVERY_TENANT, ApiKeys, Scope
from services.runtime.database import Pool, repeating, transaction
from services.runtime.outbox import Outbox
from services.runtime.web import (
    FIELD_NAME,
    FieldError,
    Problem,
    described,
    invalid,
    json_response,
    mistaken,
    path_id,
    read_json,
    stored,
)

E = TypeVar("E", bound=StopEvent)


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """What is owed now, and which reminders are off: together, under the locks."""

    debts: tuple[DebtChanged, ...] = ()
    cancelled: tuple[ReminderCancelled, ...] = ()


class Doors:
    """The routes and what they share."""

    def __init__(
        self, *, context: Context, db: Pool, keys: ApiKeys, outbox: Outbox, sandbox: bool
    ) -> None:
        self._context = context
        self._db = db
        self._keys = keys
        self._outbox = outbox
        self._sandbox = sandbox
        self._clearances = ClearanceDoors(context=context, db=db, keys=keys)

    def routes(self) -> list[web.RouteDef]:
        """The table of docs/architecture.md."""
        return [
            web.post("/v1/permits:redeem", self.redeem),
            web.post("/v1/debts", self.paid),
            web.post("/v1/stops", self.stop),
            web.post("/v1/stops/{id}:lift", self.lift),
            web.post("/v1/consents", self.consent),
            web.post("/v1/consents/{id}:revoke", self.revoke),
            web.post("/v1/preferences", self.preference),
            web.post("/v1/notices", self.notice),
            web.post("/v1/duties", self.duty),
            web.post("/v1/activations", self.activate),
            web.post("/v1/activations:end", self.deactivate),
            web.get("/v1/activations", self.activations),
            web.get("/v1/decisions/{id}", self.decision),
            web.get("/v1/reminders/{id}/decisions", self.decisions),
            web.get("/v1/borrowers/{borrower_ref}/timeline", self.timeline),
            web.get("/v1/held", self.held),
            *self._clearances.routes(),
            described(Path(__file__).with_name("openapi.yaml")),
        ]

    async def redeem(self, request: web.Request) -> web.Response:
        """May these leave now?  Books what may."""
        await self._keys.tenant(request, "service")
        asked = await read_json(request, RedeemRequest)
        if len(asked.redeems) > MAX_REDEEMS:
            fix = f"ask in batches of at most {MAX_REDEEMS}"
            raise Problem(
                422, "invalid", fix, [FieldError("redeems", f"has {len(asked.redeems)}", fix)]
            )
        results = await redeem(self._db, self._context.rule_sets, self._outbox, asked.redeems)
        return json_response(RedeemAnswer(results=tuple(results)))

    async def paid(self, request: web.Request) -> web.Response:
        """Debts changed and reminders cancelled: committed before the answer."""
        await self._keys.tenant(request, "service")
        paid = await read_json(request, Paid)

        whom = {borrower_subject(d.tenant, d.borrower_id) for d in paid.debts}
        whom |= {borrower_subject(c.tenant, c.borrower_id) for c in paid.cancelled}

        async def commit() -> None:
            async with transaction(self._db) as connection:
                await lock(connection, whom)
                await intake.debts(connection, paid.debts)
                await intake.bury(connection, paid.cancelled)
                gone = [(c.tenant, c.reminder_id) for c in paid.cancelled]
                await held.let_go(connection, gone)

        await repeating(commit)
        return web.Response(status=204)

    async def stop(self, request: web.Request) -> web.Response:
        """A reason not to contact."""
        return await self._record(await self._event(request, StopRecorded))

    async def lift(self, request: web.Request) -> web.Response:
        """A stop has ended.  On an officer's word only with an officer's key."""
        stop_id = str(path_id(request))
        event = await self._event(request, StopLifted, "admin", stop_id=stop_id)
        if event.on_word_of == "officer":
            await self._keys.tenant(request, "admin", "service")
        else:
            await self._keys.tenant(request, "ingest", "service")
        return await self._record(event)

    async def consent(self, request: web.Request) -> web.Response:
        """Leave to use a channel, or more."""
        return await self._record(await self._event(request, ConsentGiven))

    async def revoke(self, request: web.Request) -> web.Response:
        """A consent was withdrawn."""
        given = str(path_id(request))
        event = await self._event(request, ConsentRevoked, consent_id=given)
        return await self._record(event)

    async def preference(self, request: web.Request) -> web.Response:
        """A narrower time."""
        return await self._record(await self._event(request, PreferenceStated))

    async def notice(self, request: web.Request) -> web.Response:
        """A formal notice was sent, or came back."""
        return await self._record(await self._event(request, NoticeSent))

    async def duty(self, request: web.Request) -> web.Response:
        """A duty has arisen, or is done."""
        return await self._record(await self._event(request, DutyArisen))

    async def activate(self, request: web.Request) -> web.Response:
        """Put a pack in force for the key's tenant."""
        tenant = await self._keys.tenant(request, "admin")
        asked = await read_json(request, Activation)

        async def commit() -> activation.Activated:
            async with transaction(self._db) as connection:
                return await activation.activate(
                    connection, self._context.rule_sets, tenant, asked, sandbox=self._sandbox
                )

        return json_response(await repeating(commit), 201)

    async def deactivate(self, request: web.Request) -> web.Response:
        """End a pack for the key's tenant."""
        tenant = await self._keys.tenant(request, "admin")
        asked = await read_json(request, Deactivation)

        async def commit() -> None:
            async with transaction(self._db) as connection:
                await activation.deactivate(connection, self._context.rule_sets, tenant, asked)

        await repeating(commit)
        return web.Response(status=204)

    async def activations(self, request: web.Request) -> web.Response:
        """Every activation of the key's tenant, ended ones too."""
        tenant = await self._keys.tenant(request, "admin", "ingest")
        async with transaction(self._db) as connection:
            return json_response({"activations": await activation.listed(connection, tenant)})

    async def decision(self, request: web.Request) -> web.Response:
        """One decision with its facts, every rule that was asked, and in words."""
        tenant = await self._keys.tenant(request, "ingest", "admin")
        accepted = request.headers.get("Accept-Language", "")
        language = explain.language_of(request.query, accepted)
        rule_sets = self._context.rule_sets
        async with transaction(self._db) as connection:
            found = await explain.recorded(connection, rule_sets, tenant, path_id(request))
        return json_response(await explain.in_full(rule_sets, found, language))

    async def timeline(self, request: web.Request) -> web.Response:
        """What happened to a borrower, oldest first, page by page."""
        tenant = await self._keys.tenant(request, "ingest", "admin")
        page = page_of(request.query)
        borrower_id = self._context.identify(tenant, _reference(request))
        async with transaction(self._db) as connection:
            return json_response(await timeline(connection, tenant, borrower_id, page))

    async def decisions(self, request: web.Request) -> web.Response:
        """Every decision about a reminder, oldest first."""
        tenant = await self._keys.tenant(request, "ingest", "admin")
        async with transaction(self._db) as connection:
            found = await explain.decisions(connection, tenant, path_id(request))
            return json_response({"decisions": found})

    async def held(self, request: web.Request) -> web.Response:
        """What waits for a person, longest first."""
        tenant = await self._keys.tenant(request, "ingest", "admin")
        async with transaction(self._db) as connection:
            return json_response({"held": await explain.held(connection, tenant)})

    async def _event(self, request: web.Request, kind: type[E], *scopes: Scope, **named: str) -> E:
        """The body as an event: a lender's tenant comes from the key, a service's from the body."""
        tenant = await self._keys.tenant(request, "ingest", "service", *scopes)
        body = await read_json(request, dict[str, Any])
        if tenant == EVERY_TENANT:
            tenant = str(body.get("tenant", ""))
            if not TENANT_PATTERN.match(tenant):
                raise invalid("tenant", "is missing or no tenant's name", "name whose it is")
        elif body.get("tenant", tenant) != tenant:
            raise invalid("tenant", "is not the key's", "leave it out: the key says who you are")
        known = [field.encode_name for field in msgspec.structs.fields(kind)]
        if unknown := sorted(body.keys() - {*known, "tenant"}):
            # Events may come from a newer writer; who calls a door has misspelled it.
            fix = f"the fields are {', '.join(name for name in known if name != 'tenant')}"
            name = unknown[0] if FIELD_NAME.match(unknown[0]) else "the body"  # may be anything
            raise invalid(name, "is no field of it", fix)
        try:
            whole = {**body, **named, "tenant": tenant}
            event = stored(msgspec.convert(whole, kind, strict=True), kind)
        except msgspec.ValidationError as wrong_type:
            raise mistaken(wrong_type, kind) from None
        if wrong := problems(event):
            said = "; ".join(f"{p.field} {p.problem}" for p in wrong)
            raise Problem(422, "invalid", said, wrong)
        return event

    async def _record(self, event: StopEvent) -> web.Response:
        async def commit() -> bool:
            async with transaction(self._db) as connection:
                return await stops.record(connection, self._context.identify, event)

        try:
            found = await repeating(commit)
        except stops.MayNotLift as refused:
            problem = refused.problem
            said = f"{problem.field} {problem.problem}: {problem.fix}"
            raise Problem(422, "may_not_lift", said, [problem]) from None
        except stops.IdTaken as refused:
            problem = refused.problem
            said = f"this {problem.field} {problem.problem}"
            raise Problem(409, "id_taken", said, [problem]) from None
        return json_response({"recorded": True, "known": found}, 200 if found else 202)


def _reference(request: web.Request) -> str:
    try:
        return msgspec.convert(request.match_info["borrower_ref"], Text)
    except msgspec.ValidationError:
        raise invalid(
            "borrower_ref", "is no reference", "1 to 200 characters, no line break"
        ) from None
