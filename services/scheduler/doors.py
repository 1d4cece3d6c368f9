"""The scheduler's HTTP doors: facts in, reminders and the balance out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from services.events.loans import DebtChanged, LoanClosed
from services.events.reminders import ReminderCancelled
from services.runtime import clock
from services.runtime.apikeys import ApiKeys
from services.runtime.database import Connection, Pool, connected, repeating, transaction
from services.runtime.outbox import Outbox
from services.runtime.web import (
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
from services.scheduler import bodies, intake, store_reminders
from services.scheduler.conflicts import Fact
from services.scheduler.intake import Context, Outcome, Status
from services.scheduler.keys import InstallmentKey, LoanKey
from services.scheduler.ledger import Tally, balance
from services.scheduler.paid_door import PaidDoor
from services.scheduler.refresh import cancelled
from services.scheduler.replan import debt_told
from services.scheduler.store import installments_of_loans, loan_versions

MAX_BODY_BYTES = 8 * 1024 * 1024  # a thousand loans of a few dozen installments
MAX_LISTED = 2_000


class Doors:
    """What the doors need; each method is one door."""

    def __init__(
        self, context: Context, db: Pool, keys: ApiKeys, relay: Outbox, paid: PaidDoor
    ) -> None:
        self._context = context
        self._db = db
        self._keys = keys
        self._relay = relay
        self._paid = paid

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """Every route of the scheduler."""
        return [
            web.post("/v1/borrowers", self.register_borrower),
            web.post("/v1/loans", self.register_loan),
            web.post("/v1/loans:bulk", self.register_loans),
            web.post("/v1/loans/{loan_id}:close", self.close_loan),
            web.get("/v1/loans/{loan_id}/reminders", self.list_reminders),
            web.post("/v1/payments", self.receive_payment),
            web.post("/v1/payments:reverse", self.reverse_payment),
            web.get("/v1/reminders/{reminder_id}", self.show_reminder),
            web.get("/v1/ledger", self.show_ledger),
            web.get("/v1/cadences", self.list_cadences),
            described(Path(__file__).with_name("openapi.yaml")),
        ]

    async def register_borrower(self, request: web.Request) -> web.Response:
        """200 with `status` recorded or unchanged."""
        tenant = await self._keys.tenant(request, "ingest")
        body = await read_json(request, bodies.BorrowerBody)
        return json_response({"status": await self._one([bodies.borrower(tenant, body)])})

    async def register_loan(self, request: web.Request) -> web.Response:
        """A loan with its installments, all or nothing."""
        tenant = await self._keys.tenant(request, "ingest")
        body = await read_json(request, bodies.LoanBody)
        _same_borrower(body)
        status = await self._one(bodies.loan(tenant, body))
        return json_response({"loan_id": body.loan_id, "status": status})

    async def register_loans(self, request: web.Request) -> web.Response:
        """At most 1,000 loans; each row is answered, a wrong one harms no other."""
        tenant = await self._keys.tenant(request, "ingest")
        body = await read_json(request, bodies.BulkBody)
        answers: list[dict[str, Any]] = []
        groups: list[list[Fact]] = []
        versions: dict[str, int] = {}
        installments = 0
        for row, raw in enumerate(body.loans):
            try:
                loan = _read_row(raw)
            except Problem as problem:
                answers.append(_answer(row, None, Outcome(Status.REJECTED, problem.errors)))
            else:
                answers.append({"row": row, "loan_id": loan.loan_id})
                groups.append(bodies.loan(tenant, loan))
                versions[loan.loan_id] = loan.version
                installments += len(loan.installments)
        if installments > bodies.MAX_INSTALLMENTS:
            fix = f"send at most {bodies.MAX_INSTALLMENTS:,} installments in one request"
            raise invalid("loans", "have too many installments together", fix)
        outcomes = iter(await self._record(groups))
        results = [
            answer
            if "status" in answer
            else _answer(answer["row"], answer["loan_id"], next(outcomes))
            for answer in answers
        ]
        await self._tell_newer(tenant, results, versions)
        return json_response({"results": results})

    async def receive_payment(self, request: web.Request) -> web.Response:
        """2xx only after policy knows it too: from then on no reminder of a paid debt leaves."""
        tenant = await self._keys.tenant(request, "ingest")
        fact = bodies.payment(tenant, await read_json(request, bodies.PaymentBody))
        return _of_installment(*await self._settle(fact, fact.loan_id, fact.installment_number))

    async def reverse_payment(self, request: web.Request) -> web.Response:
        """The debt is owed again; its remaining reminders are armed in a new cycle."""
        tenant = await self._keys.tenant(request, "ingest")
        fact = bodies.reversal(tenant, await read_json(request, bodies.ReversalBody))
        return _of_installment(*await self._settle(fact, fact.loan_id, fact.installment_number))

    async def close_loan(self, request: web.Request) -> web.Response:
        """Nothing more is owed; 2xx only after policy knows it too."""
        tenant = await self._keys.tenant(request, "ingest")
        loan_id = _loan_id(request)
        body = await read_json(request, bodies.CloseBody)
        version = body.version
        if version is None:
            version = await self._known_version(tenant, loan_id)
        fact = bodies.close(tenant, loan_id, version, body)
        status, installments = await self._settle(fact, loan_id, None)
        return json_response({"status": status, "installments": installments})

    async def show_reminder(self, request: web.Request) -> web.Response:
        """One reminder with its history; policy's door tells why it was answered so."""
        tenant = await self._keys.tenant(request, "ingest")
        reminder_id = path_id(request, "reminder_id")
        async with connected(self._db) as connection:
            found = await store_reminders.reminder(connection, tenant, reminder_id)
        if found is None:
            raise Problem(404, "no_such_reminder", "this tenant has no reminder of that id")
        return json_response(found)

    async def list_reminders(self, request: web.Request) -> web.Response:
        """A loan's reminders in order of time, planned ones too."""
        tenant = await self._keys.tenant(request, "ingest")
        loan_id = _loan_id(request)
        async with connected(self._db) as connection:
            found = await store_reminders.reminders_of_loan(connection, tenant, loan_id, MAX_LISTED)
            known = found or await loan_versions(connection, [LoanKey(tenant, loan_id)])
        if not known:
            raise Problem(404, "no_such_loan", "this tenant has no loan of that id")
        return json_response({"loan_id": loan_id, "reminders": found})

    async def show_ledger(self, request: web.Request) -> web.Response:
        """The balance of P2 for the key's tenant."""
        tenant = await self._keys.tenant(request, "ingest")
        async with connected(self._db) as connection:
            rows, emitted = await store_reminders.ledger(connection, tenant)
        return json_response(balance((Tally(*row) for row in rows), emitted))

    async def list_cadences(self, request: web.Request) -> web.Response:
        """The names that a loan may give as its cadence."""
        await self._keys.tenant(request, "ingest")
        return json_response({"cadences": sorted(self._context.cadences)})

    async def _tell_newer(
        self, tenant: str, results: Sequence[dict[str, Any]], sent: Mapping[str, int]
    ) -> None:
        """Say of each loan that was left as it is whether that is of a higher version."""
        unchanged = {row["loan_id"]: row for row in results if row["status"] == Status.UNCHANGED}
        async with connected(self._db) as connection:
            found = await loan_versions(connection, (LoanKey(tenant, i) for i in unchanged))
        for (_, loan_id), version in found.items():
            if version > sent[loan_id]:
                unchanged[loan_id]["stored_version"] = version

    async def _known_version(self, tenant: str, loan_id: str) -> int:
        async with connected(self._db) as connection:
            versions = await loan_versions(connection, [LoanKey(tenant, loan_id)])
        if not versions:
            fix = "give the close a version: the loan itself is not known here yet"
            raise invalid("version", "is missing", fix)
        return versions[LoanKey(tenant, loan_id)]

    async def _one(self, facts: Sequence[Fact]) -> Status:
        [outcome] = await self._record([facts])
        _refuse(outcome)
        return outcome.status

    async def _record(self, groups: Sequence[Sequence[Fact]]) -> list[Outcome]:
        async def commit() -> list[Outcome]:
            async with transaction(self._db) as connection:
                now = await clock.gate_now(connection)
                return await intake.record(self._context, connection, groups, now)

        outcomes = await repeating(commit)
        self._relay.nudge()
        return outcomes

    async def _settle(self, fact: Fact, loan_id: str, number: int | None) -> tuple[Status, int]:
        """Commit here, tell policy, then answer.  A repeat tells policy again: it may not know.

        Answers what became of the fact and how many installments it is about.
        """

        async def commit() -> tuple[Outcome, list[DebtChanged], list[ReminderCancelled]]:
            async with transaction(self._db) as connection:
                now = await clock.gate_now(connection)
                [outcome] = await intake.record(self._context, connection, [[fact]], now)
                if isinstance(fact, LoanClosed) and not outcome.errors:
                    await _unless_newer(connection, fact)
                return outcome, *await _standing(connection, LoanKey(fact.tenant, loan_id), number)

        outcome, debts, gone = await repeating(commit)
        self._relay.nudge()
        _refuse(outcome)
        if debts or gone:
            await self._paid.forward(debts, gone)
        return outcome.status, len(debts)


async def _unless_newer(connection: Connection, close: LoanClosed) -> None:
    """A close is of the loan as its sender knew it: one of a higher version stays open."""
    key = LoanKey(close.tenant, close.loan_id)
    stored_version = (await loan_versions(connection, [key])).get(key, close.version)
    if stored_version > close.version:
        raise Problem(
            409,
            "version_old",
            f"the loan is stored in version {stored_version}; nothing was changed",
            [
                FieldError(
                    "version", "is lower than the stored one", "leave it out, or send that one"
                )
            ],
        )


async def _standing(
    connection: Connection, loan: LoanKey, number: int | None
) -> tuple[list[DebtChanged], list[ReminderCancelled]]:
    """What policy must know of an installment, or of all the loan's: as it stands now."""
    keys = (
        await installments_of_loans(connection, [loan])
        if number is None
        else {InstallmentKey(*loan, number)}
    )
    found = await store_reminders.situations(connection, keys)
    rows = await store_reminders.cancelled_of_installments(connection, keys)
    return [debt for s in found if (debt := debt_told(s))], [cancelled(row) for row in rows]


def _of_installment(status: Status, installments: int) -> web.Response:
    """202 if the installment is not here yet, or mistyped: the fact is kept and waits for it."""
    known = installments > 0
    body = {"status": status, "installments": installments, "known": known}
    return json_response(body, 200 if known else 202)


def _read_row(raw: msgspec.Raw) -> bodies.LoanBody:
    try:
        body = stored(msgspec.json.decode(raw, type=bodies.LoanBody), bodies.LoanBody)
    except msgspec.ValidationError as wrong:
        raise mistaken(wrong, bodies.LoanBody) from None
    except UnicodeDecodeError:
        # Only here: as a whole the body was read without looking into its rows.
        raise invalid("$", "is not UTF-8", "send JSON in UTF-8") from None
    _same_borrower(body)
    return body


def _same_borrower(body: bodies.LoanBody) -> None:
    if body.borrower is not None and body.borrower.borrower_ref != body.borrower_ref:
        fix = "give the loan's own borrower, or register the other by POST /v1/borrowers"
        raise invalid("borrower.borrower_ref", "differs from the loan's borrower_ref", fix)


def _answer(row: int, loan_id: str | None, outcome: Outcome) -> dict[str, Any]:
    answer: dict[str, Any] = {"row": row, "loan_id": loan_id, "status": outcome.status}
    if outcome.errors:
        answer["errors"] = [error._asdict() for error in outcome.errors]
    return answer


def _refuse(outcome: Outcome) -> None:
    if outcome.errors:
        first = outcome.errors[0]
        detail = f"{first.field} {first.problem}: {first.fix}"
        raise Problem(422, "invalid", detail, outcome.errors)


def _loan_id(request: web.Request) -> str:
    loan_id = request.match_info["loan_id"]
    if 1 <= len(loan_id) <= 200 and not set(loan_id) & {"\x00", "\r", "\n"}:
        return loan_id
    raise invalid("loan_id", "is not an id", "1 to 200 characters, no line breaks")
