"""Twilio's later word on a message: statuses in time, and signed callbacks that say so."""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

import aiohttp
from twilio.request_validator import RequestValidator
from yarl import URL

from services.sandbox.behaviors import Behavior
from services.sandbox.history import History, now
from services.sandbox.journeys import API_VERSION, RANK, TERMINAL, Step
from services.sandbox.messages import Message, Messages
from services.sandbox.settings import Settings

WORKERS = 12
QUEUED_AT_MOST = 2_000  # due callbacks; more wait in their timers
ANSWER_SECONDS = 15.0  # Twilio's read timeout for a webhook
SOON_SECONDS = 60.0  # what is due later than this isn't called pending


@dataclass(slots=True)
class Journey:
    message: Message
    url: str | None
    steps: deque[Step]


class Callbacks:
    """Journeys wait in timers, due ones in a bounded queue that a few workers empty."""

    def __init__(
        self,
        settings: Settings,
        history: History,
        messages: Messages,
        session: aiohttp.ClientSession,
    ) -> None:
        self._settings = settings
        self._history = history
        self._messages = messages
        self._session = session
        self._validator = RequestValidator(settings.twilio_auth_token)
        self._due: asyncio.Queue[Journey] = asyncio.Queue(QUEUED_AT_MOST)
        self._timers: set[asyncio.TimerHandle] = set()
        self.pending = 0

    def follow(self, message: Message, url: str | None, course: list[Step]) -> None:
        if not url:  # nobody is told of the steps between: one timer will do
            last = course[-1] if course[-1].status in TERMINAL else course[0]
            total = sum(step.delay for step in course)
            course = [Step(total, last.status, last.code)]
        self._wait(Journey(message, url, deque(course)))

    async def follow_now(self, message: Message, url: str | None, course: list[Step]) -> None:
        """Every step at once, awaited: callbacks that overtake the answer."""
        for step in course:
            await self._take(message, url, step)

    async def work(self) -> None:
        while True:
            journey = await self._due.get()
            try:
                await self._take(journey.message, journey.url, journey.steps.popleft())
            finally:
                self.pending -= 1
            self._wait(journey)

    async def post_signed(self, url: str, form: dict[str, str], *, forged: bool = False) -> int:
        """The webhook's status; aiohttp.ClientError or TimeoutError when there is none."""
        bare = url.partition("#")[0]
        signature = self._validator.compute_signature(bare, form)
        if forged:
            signature = self._validator.compute_signature(bare + "?", form)
        async with self._session.post(
            URL(bare, encoded=True),  # signed as it is written, so sent as it is written
            data=urlencode(form).encode(),
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Twilio-Signature": signature,
                "I-Twilio-Idempotency-Token": secrets.token_hex(16),
                "User-Agent": "TwilioProxy/1.1",
            },
            allow_redirects=False,
        ) as response:
            await response.read()
            return response.status

    def cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()

    def _wait(self, journey: Journey) -> None:
        if not journey.steps:
            return
        delay = journey.steps[0].delay
        if soon := delay <= SOON_SECONDS:
            self.pending += 1
        self._after(delay, journey, soon)

    def _after(self, delay: float, journey: Journey, counted: bool) -> None:
        def ring() -> None:
            self._timers.discard(timer)
            if not counted:
                self.pending += 1
            try:
                self._due.put_nowait(journey)
            except asyncio.QueueFull:
                self._after(0.05, journey, True)

        timer = asyncio.get_running_loop().call_later(delay, ring)
        self._timers.add(timer)

    async def _take(self, message: Message, url: str | None, step: Step) -> None:
        if not step.forged and RANK[step.status] > RANK[message.status]:
            message.status, message.updated_at = step.status, now()
            if step.status not in {"queued", "failed"} and message.sent_at is None:
                message.sent_at = message.updated_at
            if step.code is not None:
                message.code = step.code
            self._messages.touch(message)
            if step.status in TERMINAL:
                self._history.write(
                    "outcome",
                    t=message.updated_at,
                    request=message.request,
                    attempt_id=message.attempt_id,
                    provider_ref=message.provider_ref,
                    status=step.status,
                    code=step.code,
                )
        if url and message.behavior is not Behavior.NO_CALLBACK:
            await self._call_back(message, url, step)

    async def _call_back(self, message: Message, url: str, step: Step) -> None:
        form = _form(self._settings.twilio_account_sid, message, step)
        tries, retried = connection_overrides(url)
        for attempt in range(1, tries + 2):
            sent_at, status, error = now(), None, None
            try:
                status = await self.post_signed(url, form, forged=step.forged)
            except (aiohttp.ClientError, TimeoutError, ValueError) as failure:
                error = type(failure).__name__
            self._history.write(
                "callback",
                t_sent=sent_at,
                t_answered=None if status is None else now(),
                request=message.request,
                attempt_id=message.attempt_id,
                provider_ref=message.provider_ref,
                status=step.status,
                code=step.code,
                forged=step.forged,
                attempt=attempt,
                http_status=status,
                error=error,
            )
            if not _worth_another(status, retried):
                return


def connection_overrides(url: str) -> tuple[int, set[str]]:
    """(retries, what is retried) of a URL's `#rc=5&rp=all`; Twilio's default is 1, ct."""
    overrides = dict(parse_qsl(url.partition("#")[2]))
    count = overrides.get("rc", "1")
    return min(int(count), 5) if count.isdigit() else 1, set(overrides.get("rp", "ct").split(","))


def _worth_another(status: int | None, retried: set[str]) -> bool:
    if status is None:
        return bool(retried & {"ct", "rt", "all"})
    if 400 <= status < 500:
        return bool(retried & {"4xx", "all"})
    return status >= 500 and bool(retried & {"5xx", "all"})


def _form(account: str, message: Message, step: Step) -> dict[str, str]:
    form = {
        "AccountSid": account,
        "ApiVersion": API_VERSION,
        "From": message.sender,
        "MessageSid": message.provider_ref or "",
        "MessageStatus": step.status,
        "SmsSid": message.provider_ref or "",
        "SmsStatus": step.status,
        "To": message.to,
    }
    if step.code is not None:
        form["ErrorCode"] = str(step.code)
    if message.service is not None:
        form["MessagingServiceSid"] = message.service
    return form


@asynccontextmanager
async def callbacks(
    settings: Settings, history: History, messages: Messages
) -> AsyncIterator[Callbacks]:
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    connector = aiohttp.TCPConnector(limit=WORKERS)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        sender = Callbacks(settings, history, messages, session)
        workers = [asyncio.create_task(sender.work()) for _ in range(WORKERS)]
        try:
            yield sender
        finally:
            sender.cancel()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
