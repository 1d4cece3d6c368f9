"""A Google service account's access token: signed in a thread, cached, refreshed ahead."""

import asyncio
import time
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

import msgspec
from google.auth import crypt, jwt
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random,
)

from services.notifier.channels import Deadline
from services.notifier.channels.transport import Transport

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_SECONDS = 3600
REFRESH_AHEAD_SECONDS = 300.0
REQUEST_SECONDS = 3.0


class NoToken(Exception):
    """The token endpoint did not give a token; nothing can be sent until it does."""


class ServiceAccount(msgspec.Struct, frozen=True):
    """The fields we use of the JSON key file that Google hands out."""

    client_email: str
    private_key: str
    project_id: str
    token_uri: str
    private_key_id: str | None = None

    def __repr__(self) -> str:
        return f"ServiceAccount(project_id={self.project_id})"


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float


def read_service_account(path: Path) -> ServiceAccount:
    """The key file; ValueError says what is wrong without quoting it."""
    try:
        account = msgspec.json.decode(path.read_bytes(), type=ServiceAccount)
    except OSError as error:
        raise ValueError(f"cannot read that file ({error.strerror})") from None
    except msgspec.MsgspecError:
        raise ValueError("is not a service account's JSON key file") from None
    try:
        _signer(account)
    except ValueError:
        raise ValueError("has a private_key that is none") from None
    return account


@lru_cache(maxsize=8)  # reading an RSA key and proving that it is one takes 30 ms
def _signer(account: ServiceAccount) -> crypt.RSASigner:
    return crypt.RSASigner.from_string(account.private_key, account.private_key_id)


class GoogleToken:
    """One token for all sends; google-auth has no async service account credential."""

    def __init__(self, transport: Transport, account: ServiceAccount) -> None:
        self._transport = transport
        self._account = account
        self._signer = _signer(account)
        self._token = ""
        self._fresh_until = 0.0
        self._refreshing: asyncio.Task[None] | None = None

    async def get(self) -> str:
        """The token in force; NoToken if there is none to be had.

        Whoever waits meanwhile waits for the same answer, and who gives up takes it from nobody.
        """
        if time.monotonic() >= self._fresh_until:
            if self._refreshing is None:
                self._refreshing = asyncio.create_task(self._refresh())
                self._refreshing.add_done_callback(self._refreshed)
            await asyncio.shield(self._refreshing)
        return self._token

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled():
            task.exception()  # looked at, though all who waited may be gone

    def drop(self) -> None:
        """The provider refused the token: fetch another before the next send."""
        self._fresh_until = 0.0

    async def _refresh(self) -> None:
        # Asking for a token twice harms nobody: this is one of the few calls that may be repeated.
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(3),
                wait=wait_random(0.05, 0.3),
                retry=retry_if_exception_type(Exception),
            ):
                with attempt:
                    granted = await self._ask()
        except RetryError as error:
            cause = error.last_attempt.exception()
            raise NoToken(type(cause).__name__) from None
        self._token = granted.access_token
        ahead = min(REFRESH_AHEAD_SECONDS, granted.expires_in / 2)
        self._fresh_until = time.monotonic() + granted.expires_in - ahead

    async def _ask(self) -> _Granted:
        assertion = await asyncio.to_thread(self._assertion)
        end_by = asyncio.get_running_loop().time() + REQUEST_SECONDS
        answer = await self._transport.request(
            "POST",
            self._account.token_uri,
            body=urlencode({"grant_type": GRANT_TYPE, "assertion": assertion}).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            deadline=Deadline(end_by, end_by),
        )
        if answer.status != 200:
            raise NoToken(f"status {answer.status}")
        granted = msgspec.json.decode(answer.body, type=_Granted)
        if not granted.access_token:
            raise NoToken("empty token")
        return granted

    def _assertion(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self._account.client_email,
            "scope": SCOPE,
            "aud": self._account.token_uri,
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
        }
        return bytes(jwt.encode(self._signer, claims)).decode()
