"""The contact is made now: everything is asked afresh, and its place counts from now on."""

from uuid import UUID

from services.policy.clearances.clear import clear, superseded
from services.policy.clearances.filed import Answered, give_back, on_file
from services.policy.clearances.locked import Kept, log, move, reserve, under_locks
from services.policy.rulesets import RuleSets
from services.policy.verdict import Outcome
from services.runtime.database import Pool

# Nothing is left of such a clearance that could be redeemed.
USED_UP = frozenset({"released", "reported"})


async def redeem(db: Pool, rule_sets: RuleSets, tenant: str, clearance_id: UUID) -> Answered:
    """The contact is made now: everything is asked afresh, without its own reservation, which
    moves to this moment and no longer ends by itself.  What was redeemed once goes on counting,
    whatever a repeat is answered, until it is reported or released.  Raises Problem."""
    borrower_id, q = await on_file(db, tenant, clearance_id)

    async def act(kept: Kept) -> Answered:
        filed = kept.filed
        if filed is None or filed["state"] in USED_UP:
            state = filed["state"] if filed else "refused"
            return await log(kept, superseded(kept.scene, q), state, "redeem", None)
        cleared = clear(kept.scene, q)
        if cleared.ruling.outcome is Outcome.ALLOW:
            answered = await log(kept, cleared, "redeemed", "redeem", None)
            await reserve(kept, q, cleared, None)
        elif filed["state"] == "redeemed":
            # Asked again, perhaps because the yes was lost: the contact may have been made.
            return await log(kept, cleared, "redeemed", "redeem", None)
        else:
            answered = await log(kept, cleared, "refused", "redeem", None)
            await give_back(kept.connection, tenant, clearance_id)
        await move(kept, answered.state)
        return answered

    return await under_locks(db, rule_sets, tenant, borrower_id, clearance_id, q, act)
