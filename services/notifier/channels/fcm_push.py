"""Push by Firebase Cloud Messaging, HTTP v1; FCM keeps no idempotency key and has no look-up."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

from services.notifier.channels import (
    Accepted,
    Answer,
    Deadline,
    Facts,
    Message,
    NotSent,
    Rejected,
)
from services.notifier.channels.google_token import GoogleToken, NoToken
from services.notifier.channels.transport import NotWritten, Transport

LONGEST_TTL_SECONDS = 28 * 24 * 3600  # firebase.google.com/docs/cloud-messaging, message lifespan

# firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode.  Not here, because they promise nothing:
# UNAVAILABLE (503) and INTERNAL (500).
REFUSALS: Mapping[str, Rejected] = MappingProxyType(
    {
        "UNREGISTERED": Rejected("unregistered", suppress_point=True),
        "SENDER_ID_MISMATCH": Rejected("sender_id_mismatch", suppress_point=True),
        "INVALID_ARGUMENT": Rejected("invalid_argument"),
        "QUOTA_EXCEEDED": Rejected("quota_exceeded", retryable=True),
        "RESOURCE_EXHAUSTED": Rejected("quota_exceeded", retryable=True),
        "THIRD_PARTY_AUTH_ERROR": Rejected("third_party_auth_error", retryable=True),
        "UNAUTHENTICATED": Rejected("unauthenticated", retryable=True),
        "PERMISSION_DENIED": Rejected("permission_denied", retryable=True, stop_provider=True),
    }
)
INVALID_TOKEN = Rejected("invalid_token", suppress_point=True)


class _Sent(msgspec.Struct):
    name: str


class _Error(msgspec.Struct):
    status: str = ""
    details: list[dict[str, Any]] = []


class _Refused(msgspec.Struct):
    error: _Error


class UnexpectedAnswer(Exception):
    """Neither FCM's yes nor one of its documented refusals."""


class FcmPush:
    """One Firebase project."""

    provider = "fcm"
    facts = Facts(
        idempotency=None, look_up=None, expiry="android.ttl", collapse="android.collapse_key"
    )

    def __init__(
        self, transport: Transport, token: GoogleToken, *, project_id: str, api_url: str
    ) -> None:
        self._transport = transport
        self._token = token
        self._url = f"{api_url}/v1/projects/{project_id}/messages:send"

    async def send(self, message: Message, deadline: Deadline) -> Answer:
        """One POST; a device that gets a reminder twice shows it once (tag, collapse id)."""
        try:
            # Those who wait for a token in turn, too: no byte of theirs has left.
            async with asyncio.timeout_at(deadline.end_by):
                token = await self._token.get()
        except (NoToken, TimeoutError):
            return NotSent("no_token")
        try:
            answer = await self._transport.request(
                "POST",
                self._url,
                body=_body(message),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
                deadline=deadline,
            )
        except NotWritten as failed:
            return failed.answer
        if answer.status == 200:
            name = msgspec.json.decode(answer.body, type=_Sent).name
            if not name:
                raise UnexpectedAnswer
            return Accepted(name)
        refusal = _refusal(answer.status, answer.body)
        if refusal.code == "unauthenticated":
            self._token.drop()
        return refusal

    async def look_up(self, message: Message, known: frozenset[str], since: datetime) -> str | None:
        return None


def _body(message: Message) -> bytes:
    reminder_id = str(message.reminder_id)
    ttl = min(message.valid_seconds, LONGEST_TTL_SECONDS)
    return msgspec.json.encode(
        {
            "message": {
                "token": message.to,
                "notification": {"title": message.subject, "body": message.body},
                "data": {"attempt_id": str(message.attempt_id), "reminder_id": reminder_id},
                "android": {
                    "ttl": f"{ttl}s",
                    "collapse_key": reminder_id,
                    "notification": {"tag": reminder_id},
                },
                "apns": {
                    "headers": {
                        "apns-expiration": str(int(time.time()) + ttl),
                        "apns-collapse-id": reminder_id,
                    }
                },
            }
        }
    )


def _refusal(status: int, body: bytes) -> Rejected:
    """FCM's no; UnexpectedAnswer, and so unknown, for whatever doesn't read like one."""
    if not 400 <= status < 500:
        raise UnexpectedAnswer
    error = msgspec.json.decode(body, type=_Refused).error
    codes = [d["errorCode"] for d in error.details if isinstance(d.get("errorCode"), str)]
    code = codes[0] if codes else error.status
    # INVALID_ARGUMENT is a bad payload or a bad token: only the violated field tells which.
    if code == "INVALID_ARGUMENT" and "message.token" in _violated_fields(error):
        return INVALID_TOKEN
    try:
        return REFUSALS[code]
    except KeyError:
        raise UnexpectedAnswer from None


def _violated_fields(error: _Error) -> set[object]:
    return {
        violation.get("field")
        for detail in error.details
        for violation in detail.get("fieldViolations") or ()
        if isinstance(violation, dict)
    }
