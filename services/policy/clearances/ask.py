"""May I?  A yes reserves the contact's place under the caps until it is redeemed or ends."""

import hashlib
from datetime import datetime
from uuid import UUID

import msgspec

from services.policy.clearances.clear import clear
from services.policy.clearances.filed import SQL, Answered, state_of
from services.policy.clearances.locked import Kept, log, reserve, under_locks
from services.policy.clearances.question import Question, ends_at
from services.policy.known import Row
from services.policy.rulesets import RuleSets
from services.policy.verdict import Outcome
from services.runtime.database import Pool
from services.runtime.web import FieldError, Problem

_encode = msgspec.json.Encoder(order="deterministic").encode


async def ask(
    db: Pool, rule_sets: RuleSets, tenant: str, borrower_id: UUID, clearance_id: UUID, q: Question
) -> Answered:
    """May I?  The same id with the same question gets the same answer again.  Raises Problem."""
    digest = hashlib.sha256(_encode([borrower_id, _filed(q)])).digest()

    async def act(kept: Kept) -> Answered:
        if kept.filed is not None:
            if kept.filed["digest"] != digest:
                raise _taken()
            return _again(kept.filed, kept.gate_now)
        cleared = clear(kept.scene, q)
        allowed = cleared.ruling.outcome is Outcome.ALLOW
        ends = ends_at(q, kept.gate_now) if allowed and q.reserve else None
        state = "refused" if not allowed else "reserved" if ends else "allowed"
        answered = await log(kept, cleared, state, "clearance", ends)
        if ends:
            await reserve(kept, q, cleared, ends)
        new = await kept.connection.fetchval(
            SQL["file"],
            tenant,
            clearance_id,
            borrower_id,
            q.channel,
            digest,
            _encode(_filed(q)).decode(),
            state,
            _encode(answered).decode(),
            kept.gate_now,
            ends,
        )
        if new is None:
            raise _taken()
        return answered

    return await under_locks(db, rule_sets, tenant, borrower_id, clearance_id, q, act)


def _again(filed: Row, now: datetime) -> Answered:
    answered = msgspec.json.decode(filed["answer"], type=Answered)
    return msgspec.structs.replace(answered, state=state_of(filed, now))


def _filed(q: Question) -> Question:
    """As it is kept: the reference may be a number or a name, the surrogate stands for it."""
    return msgspec.structs.replace(q, borrower_ref="-", clearance_id=None)


def _taken() -> Problem:
    wrong = FieldError("clearance_id", "is taken", "use a new id for another question")
    return Problem(409, "id_taken", "this clearance_id was used before", [wrong])
