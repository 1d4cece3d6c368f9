"""Policy's redeem door, asked in batches.  No answer is no permit: the intents stay intents."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal
from uuid import UUID

import aiohttp
import msgspec

from services.events.permits import Redeem, RedeemAnswer, Redeemed, RedeemRequest, Verdict
from services.runtime import log

REDEEM_SECONDS = 5.0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RedeemAnswer).decode


Reason = Literal["unreachable", "refused", "unreadable", "incomplete"]


class NoAnswer(Exception):
    """Policy is away, slow, or said something that isn't an answer to what was asked."""

    def __init__(self, reason: Reason, detail: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


class Gate:
    """The client of one door; a repeat under the same attempt ids books nothing twice."""

    def __init__(self, session: aiohttp.ClientSession, policy_url: str, service_key: str) -> None:
        self._session = session
        self._seldom = log.Seldom()
        self._url = f"{policy_url}/v1/permits:redeem"
        self._headers: Mapping[str, str] = MappingProxyType(
            {"Authorization": f"Bearer {service_key}", "Content-Type": "application/json"}
        )

    async def redeem(self, redeems: Sequence[Redeem]) -> dict[UUID, Redeemed]:
        """An answer for every attempt, or NoAnswer."""
        try:
            async with self._session.post(
                self._url,
                data=_encode(RedeemRequest(redeems=tuple(redeems))),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=REDEEM_SECONDS),
                allow_redirects=False,
            ) as response:
                body = await response.read()
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NoAnswer("unreachable", type(error).__name__) from None
        if status != 200:
            self._seldom.warning("redeem_refused", status=status, count=len(redeems))
            raise NoAnswer("refused", f"status {status}")
        try:
            results = _decode(body).results
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise NoAnswer("unreadable") from None
        answers = {result.attempt_id: result for result in results}
        if not all(_complete(answers.get(redeem.attempt_id)) for redeem in redeems):
            raise NoAnswer("incomplete")
        return answers


def _complete(answer: Redeemed | None) -> bool:
    return answer is not None and (answer.verdict is not Verdict.DEFER or answer.until is not None)
