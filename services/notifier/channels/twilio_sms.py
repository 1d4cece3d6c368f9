"""SMS by the twilio SDK over our own transport; Twilio keeps no idempotency key."""

import asyncio
import logging
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from urllib.parse import quote_plus, urlencode

import msgspec
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from services.events.words import AttemptState as State
from services.notifier.channels import Accepted, Answer, Deadline, Facts, Message, Rejected
from services.notifier.channels.transport import DEADLINE, HttpAnswer, NotWritten, Transport

LONGEST_VALIDITY_SECONDS = 36_000  # twilio.com/docs/messaging/api/message-resource, ValidityPeriod
LOOK_UP_SECONDS = 5.0

# Callbacks are retried on any failure, five times: by default Twilio tries once more, and only if
# it could not connect (twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
CALLBACK_OVERRIDES = "#rc=5&rp=all"

# Twilio's documented refusals.  Its codes change without notice, so a code that isn't here decides
# nothing: with a 4xx it is a no that doesn't pass.
REFUSALS: Mapping[int, Rejected] = MappingProxyType(
    {
        20003: Rejected("20003", retryable=True, stop_provider=True),  # authentication
        20403: Rejected("20403", retryable=True, stop_provider=True),  # forbidden
        20429: Rejected("20429", retryable=True),  # too many requests
        21211: Rejected("21211", suppress_point=True),  # invalid To
        21408: Rejected("21408"),  # region not enabled
        21606: Rejected("21606"),  # From not able to send to To
        21610: Rejected("21610", opted_out=True),  # said STOP; until START, which it tells us
        21611: Rejected("21611", retryable=True),  # From's queue is full
        21612: Rejected("21612"),  # no route for From and To
        21614: Rejected("21614", suppress_point=True),  # not a mobile number
        21617: Rejected("21617"),  # body too long
        21635: Rejected("21635", suppress_point=True),  # a landline
    }
)

# How Twilio's message status reads in our words.
STATES: Mapping[str, State] = MappingProxyType(
    {
        "accepted": State.ACCEPTED,
        "scheduled": State.ACCEPTED,
        "queued": State.ACCEPTED,
        "sending": State.ACCEPTED,
        "sent": State.ACCEPTED,
        "partially_delivered": State.ACCEPTED,
        "delivered": State.DELIVERED,
        "read": State.DELIVERED,
        "undelivered": State.UNDELIVERED,
        "failed": State.UNDELIVERED,
        "canceled": State.UNDELIVERED,
    }
)
EXPIRED_CODES = frozenset({"30036"})  # the validity period ended first
DEAD_POINT_CODES = frozenset({"30005", "30006", "21211", "21614", "21635"})
OPT_OUT_CODES = frozenset({"21610"})


class TwilioSms:
    """One account and sender."""

    provider = "twilio"
    facts = Facts(idempotency=None, look_up="best_effort", expiry="ValidityPeriod", collapse=None)

    def __init__(
        self,
        transport: Transport,
        *,
        account_sid: str,
        auth_token: str,
        sender: str,
        api_url: str | None,
        public_url: str,
    ) -> None:
        client = Client(
            account_sid, auth_token, http_client=_Http(transport, account_sid, auth_token)
        )
        if api_url:
            client.api.base_url = api_url
        self._messages = client.api.v2010.account.messages
        self._from = {
            "messaging_service_sid" if sender.startswith("MG") else "from_": sender,
        }
        self._public_url = public_url

    async def send(self, message: Message, deadline: Deadline) -> Answer:
        """One POST.  Only a 201 with a SID is a yes, only a 4xx with Twilio's code is a no."""
        token = DEADLINE.set(deadline)
        try:
            created = await self._messages.create_async(
                to=message.to,
                body=message.body,
                validity_period=max(1, min(message.valid_seconds, LONGEST_VALIDITY_SECONDS)),
                status_callback=callback_url(self._public_url, message) + CALLBACK_OVERRIDES,
                **self._from,
            )
        except NotWritten as failed:
            return failed.answer
        except TwilioRestException as refusal:
            return refused(refusal.status, refusal.code, refusal)
        finally:
            DEADLINE.reset(token)
        if not created.sid:
            raise TwilioException("a message without a SID")
        return Accepted(created.sid)

    async def look_up(self, message: Message, known: frozenset[str], since: datetime) -> str | None:
        """The SID of a message to the same number with the same text that is nobody else's.

        An earlier one proves nothing: two steps of a cadence may say the same.
        """
        end_by = asyncio.get_running_loop().time() + LOOK_UP_SECONDS
        token = DEADLINE.set(Deadline(end_by, end_by))
        try:
            for found in await self._messages.list_async(to=message.to, limit=50, page_size=50):
                taken = found.date_created
                if not isinstance(taken, datetime) or taken < since:
                    continue
                if found.body == message.body and found.sid and found.sid not in known:
                    return str(found.sid)
        finally:
            DEADLINE.reset(token)
        return None


def refused(status: int, code: int, error: Exception) -> Rejected:
    """Twilio's no; anything that isn't in its documented form stays unknown."""
    # The SDK puts the HTTP status where an answer had no code: then it isn't Twilio that spoke.
    if not 400 <= status < 500 or code < 10_000:
        raise error
    return REFUSALS.get(code, Rejected(str(code), retryable=status == 429))


def callback_url(public_url: str, message: Message) -> str:
    """Where Twilio reports on a message: the attempt's id is our only tie to it."""
    return f"{public_url}/v1/callbacks/twilio/{message.attempt_id}"


_QUOTED = {chr(code): quote_plus(bytes([code])) for code in range(256)}
_SAFE = frozenset(sign for sign, quoted in _QUOTED.items() if sign == quoted)


def _quote(text: str) -> str:
    """What `quote_plus` makes of it; that looks at each character in Python, this in C."""
    text = text.encode().decode("latin-1")
    signs = {*text} - _SAFE
    for first in "%+":  # these two are also written by what follows
        if first in signs:
            text = text.replace(first, _QUOTED[first])
            signs.remove(first)
    for sign in signs:
        text = text.replace(sign, _QUOTED[sign])
    return text


def form(data: Mapping[str, object]) -> bytes:
    """A form body, as `urlencode` makes it of single values."""
    return "&".join([f"{name}={_quote(str(value))}" for name, value in data.items()]).encode()


class _Created(msgspec.Struct):
    sid: str


_encode = msgspec.json.Encoder().encode


class _Http(AsyncHttpClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's HTTP client, replaced: its own re-sends on 5xx and has no deadline."""

    def __init__(self, transport: Transport, account_sid: str, auth_token: str) -> None:
        # The SDK logs request parameters, numbers included, at level INFO.
        quiet = logging.getLogger("dunwell.twilio")
        quiet.disabled = True
        super().__init__(quiet, is_async=True)
        self._transport = transport
        credentials = b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._headers = {
            "Accept": "application/json",
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    async def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        answer: HttpAnswer = await self._transport.request(
            method,
            f"{uri}?{urlencode(params, doseq=True)}" if params else uri,
            body=form(data) if data else None,
            headers=self._headers,
            deadline=DEADLINE.get(),
        )
        if method == "POST" and 200 <= answer.status < 300:
            # Not JSON, or no SID: unknown, whatever the SDK would make of it.  The SDK gets the SID
            # alone: parsing the dates of an answer costs as much as the rest of it together.
            created = msgspec.json.decode(answer.body, type=_Created)
            return Response(answer.status, _encode({"sid": created.sid}).decode())
        return Response(answer.status, answer.body.decode("utf-8", "replace"), answer.headers)
