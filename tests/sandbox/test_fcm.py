"""FCM HTTP v1 and its token endpoint, asked as google-auth asks."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from google.auth import crypt, jwt
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from services.sandbox.oauth import GRANT, SCOPE, write_service_account
from tests.sandbox.conftest import ATTEMPT, REMINDER, Outside, Outsides

HANDSET = "device-0123456789"


def assertion(account: Path, **claims: Any) -> str:
    """What google-auth's service-account credentials sign."""
    info = json.loads(account.read_text())
    issued = int(time.time())
    payload = {
        "iat": issued,
        "exp": issued + 3600,
        "iss": info["client_email"],
        "aud": info["token_uri"],
        "scope": SCOPE,
    }
    signer = crypt.RSASigner.from_service_account_info(info)
    return jwt.encode(signer, payload | claims).decode()


async def ask_token(http: aiohttp.ClientSession, url: str, signed: str) -> tuple[int, Any]:
    form = {"grant_type": GRANT, "assertion": signed}
    async with http.post(f"{url}/token", data=form) as answer:
        return answer.status, await answer.json()


async def bearer(http: aiohttp.ClientSession, world: Outside, account: Path) -> str:
    status, answer = await ask_token(http, world.url, assertion(account))
    assert status == 200
    assert answer["expires_in"] == 3599
    return str(answer["access_token"])


async def push(
    http: aiohttp.ClientSession, world: Outside, token: str, to: str = HANDSET, **more: Any
) -> tuple[int, Any]:
    message = {
        "token": to,
        "notification": {"title": "Reminder", "body": "Due tomorrow"},
        "data": {"attempt_id": ATTEMPT, "reminder_id": REMINDER},
        "android": {"ttl": "600s", "collapse_key": REMINDER},
    } | more
    async with http.post(
        f"{world.url}/v1/projects/dunwell-sandbox/messages:send",
        json={"message": message},
        headers={"Authorization": f"Bearer {token}"},
    ) as answer:
        raw = await answer.read()
        return answer.status, json.loads(raw) if raw.startswith(b"{") else raw


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One key for the module: making one takes a good part of a second."""
    path = tmp_path_factory.mktemp("fcm") / "service-account.json"
    write_service_account(path, "http://127.0.0.1:9/token")
    return path


async def test_a_push_is_sent_with_a_token_that_a_signed_assertion_bought(
    outside: Outsides, tmp_path: Path
) -> None:
    account = tmp_path / "made" / "service-account.json"
    async with (
        outside(fcm_service_account=account) as world,
        aiohttp.ClientSession() as http,
    ):
        assert json.loads(account.read_text())["token_uri"] == f"{world.url}/token"
        status, answer = await push(http, world, await bearer(http, world, account))
        assert status == 200
        assert answer["name"].startswith("projects/dunwell-sandbox/messages/")
        request = world.request()
        assert (request["attempt_id"], request["reminder_id"]) == (ATTEMPT, REMINDER)
        assert (request["validity_seconds"], request["collapse"]) == (600, REMINDER)
        assert (request["subject"], request["text"]) == ("Reminder", "Due tomorrow")
        assert request["accepted"] is True
        assert request["provider_ref"] == answer["name"]
        assert len(world.events("token")) == 1


async def test_google_auths_own_credentials_get_a_token(outside: Outsides, tmp_path: Path) -> None:
    account = tmp_path / "service-account.json"
    async with outside(fcm_service_account=account) as world, aiohttp.ClientSession() as http:
        credentials = service_account.Credentials.from_service_account_file(account, scopes=[SCOPE])
        await asyncio.to_thread(credentials.refresh, Request())
        status, _ = await push(http, world, credentials.token)
        assert status == 200


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"scope": "https://www.googleapis.com/auth/drive"}, "scope"),
        ({"exp": int(time.time()) - 60}, "short-lived"),
        ({"aud": "https://example.com/"}, "aud"),
    ],
)
async def test_a_wrong_assertion_buys_nothing(
    outside: Outsides, account: Path, claims: dict[str, Any], error: str
) -> None:
    async with outside(fcm_service_account=account) as world, aiohttp.ClientSession() as http:
        status, answer = await ask_token(http, world.url, assertion(account, **claims))
        assert (status, answer["error"]) == (400, "invalid_grant")
        assert error in answer["error_description"]


async def test_another_accounts_signature_and_nonsense_buy_nothing(
    outside: Outsides, account: Path, tmp_path: Path
) -> None:
    async with outside(fcm_service_account=account) as world, aiohttp.ClientSession() as http:
        other = tmp_path / "other.json"
        write_service_account(other, f"{world.url}/token")
        for signed in (assertion(other), "a.b", "a.b.c", "", "é.ü.ö"):
            status, answer = await ask_token(http, world.url, signed)
            assert (status, answer["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("token", "status", "word", "code"),
    [
        ("unregistered-1", 404, "NOT_FOUND", "UNREGISTERED"),
        ("invalid-token-1", 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        ("invalid-payload-1", 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        ("sender-mismatch-1", 403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
        ("429-1", 429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
        ("500-1", 500, "INTERNAL", "INTERNAL"),
        ("503-1", 503, "UNAVAILABLE", "UNAVAILABLE"),
        ("accept-503-1", 503, "UNAVAILABLE", "UNAVAILABLE"),
    ],
)
async def test_a_magic_token_is_refused_in_fcms_words(
    outside: Outsides, account: Path, token: str, status: int, word: str, code: str
) -> None:
    async with outside(fcm_service_account=account) as world, aiohttp.ClientSession() as http:
        got, answer = await push(http, world, await bearer(http, world, account), to=token)
        assert (got, answer["error"]["status"]) == (status, word)
        assert answer["error"]["details"][0]["errorCode"] == code
        if token.startswith("invalid"):
            (violation,) = answer["error"]["details"][1]["fieldViolations"]
            assert violation["field"] == f"message.{'token' if 'token' in token else 'data'}"
        assert world.request()["accepted"] is token.startswith("accept")
        assert world.request()["code"] == code


async def test_a_bad_gateway_is_html_and_garbage_is_no_json(
    outside: Outsides, account: Path
) -> None:
    async with outside(fcm_service_account=account) as world, aiohttp.ClientSession() as http:
        token = await bearer(http, world, account)
        assert (await push(http, world, token, to="502-x"))[1].startswith(b"<html>")
        assert (await push(http, world, token, to="garbage-x"))[0] == 200
        assert (await push(http, world, token, to="empty-id-x"))[1] == {"name": ""}
        accepted = [e["accepted"] for e in world.events("request")]
        assert accepted == [False, True, True]


async def test_what_fcm_would_not_take_is_refused(outside: Outsides, account: Path) -> None:
    async with outside(fcm_service_account=account) as world, aiohttp.ClientSession() as http:
        token = await bearer(http, world, account)
        for more, field in [
            ({"data": {"days": 3}}, "message.data"),
            ({"to": ""}, "message.token"),
            ({"notification": {"body": "x" * 5000}}, "message"),
            ({"android": {"ttl": "soon"}}, "message"),
        ]:
            status, answer = await push(http, world, token, **more)
            assert status == 400
            assert answer["error"]["details"][1]["fieldViolations"][0]["field"] == field
        assert (await push(http, world, "nobody's"))[0] == 401
        assert not any(e["accepted"] for e in world.events("request"))


async def test_a_dry_run_reaches_nobody(outside: Outsides, account: Path) -> None:
    async with outside(fcm_service_account=account) as world, aiohttp.ClientSession() as http:
        token = await bearer(http, world, account)
        async with http.post(
            f"{world.url}/v1/projects/p/messages:send",
            json={"validate_only": True, "message": {"token": HANDSET}},
            headers={"Authorization": f"Bearer {token}"},
        ) as answer:
            assert answer.status == 200
        assert world.request()["accepted"] is False


def test_the_command_writes_a_service_account(tmp_path: Path) -> None:
    out = tmp_path / "sa.json"
    wanted = ["service-account", "--out", str(out), "--http-port", "4321"]
    command = [sys.executable, "-m", "services.sandbox", *wanted]
    subprocess.run(command, check=True, capture_output=True)
    assert json.loads(out.read_text())["token_uri"] == "http://127.0.0.1:4321/token"
    assert out.stat().st_mode & 0o077 == 0
