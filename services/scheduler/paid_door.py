"""Policy's paid door: what was paid or closed is told before the lender is answered."""

from collections.abc import Sequence

import aiohttp
import msgspec

from services.events.loans import DebtChanged
from services.events.reminders import ReminderCancelled
from services.runtime import log
from services.runtime.web import Problem

TIMEOUT_SECONDS = 8.0

_encode = msgspec.json.Encoder().encode


class PaidDoor:
    """Forwards under policy's locks: once it has answered, no new send can start."""

    def __init__(self, session: aiohttp.ClientSession, policy_url: str, service_key: str) -> None:
        self._session = session
        self._url = policy_url.rstrip("/") + "/v1/debts"
        self._headers = {
            "Authorization": f"Bearer {service_key}",
            "Content-Type": "application/json",
        }

    async def forward(
        self, debts: Sequence[DebtChanged], cancelled: Sequence[ReminderCancelled]
    ) -> None:
        """Return when policy has committed it; else Problem 503, and the lender repeats."""
        body = _encode({"debts": debts, "cancelled": cancelled})
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers=self._headers,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                status = answer.status
                await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.get().warning("policy_unreachable", error=type(error).__name__)
            raise _repeat() from None
        if status != 204:  # a 200 is the page of a proxy: policy's own word has no body
            log.get().error("policy_refused", status=status)
            raise _repeat()


def _repeat() -> Problem:
    return Problem(
        503,
        "policy_unreachable",
        "it is recorded here, but policy has not confirmed it yet, so a reminder may still leave:"
        " repeat the request until it is answered 2xx; nothing is lost and nothing counts twice",
    )
