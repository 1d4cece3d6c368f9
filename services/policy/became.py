"""What became of a contact that was permitted, from the ledger's row: pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.events.words import AttemptState
from services.policy.receipts import OUTCOMES, RANKS
from services.policy.verdict import Outcome


class Became(msgspec.Struct, frozen=True, kw_only=True):
    """The word that counts.  Without an outcome nothing is on record; `reserved`: not told yet."""

    outcome: str | None = None  # as the ledger counts it
    state: AttemptState | None = None  # of the attempt, by the highest receipt; None: no receipt
    at: datetime | None = None
    code: str | None = None


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    state: AttemptState
    at: datetime
    code: str | None = None


_receipts = msgspec.json.Decoder(list[_Told])


def became(row: Mapping[str, Any]) -> Became | None:
    """Of a decision's row with `contact_outcome` and `contact_receipts`.

    None where no contact was to follow: a refusal, or the question before the last one.
    """
    if row["checkpoint"] != "redeem" or row["verdict"] != Outcome.ALLOW:
        return None
    outcome: str | None = row["contact_outcome"]
    heard = _receipts.decode(row["contact_receipts"] or "[]")
    if not heard:
        return Became(outcome=outcome)
    # Of equal rank the later: what was accepted and then undelivered is undelivered.
    last = max(enumerate(heard), key=lambda each: (_rank(each[1]), each[0]))[1]
    return Became(outcome=outcome, state=last.state, at=last.at, code=last.code)


def _rank(told: _Told) -> int:
    return RANKS.index(OUTCOMES[told.state] or "reserved")
