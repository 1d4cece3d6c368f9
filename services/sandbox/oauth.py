"""Google's token endpoint, and throw-away service accounts whose token_uri points here."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from services.sandbox.arrival import World
from services.sandbox.behaviors import Behavior, Channel
from services.sandbox.history import now
from services.sandbox.wire import Reply, fault_reply, hold, json_reply, reset

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
TOKEN_SECONDS = 3599  # as Google answers
PROJECT = "dunwell-sandbox"


@dataclass(frozen=True, slots=True)
class InvalidGrant(Exception):
    """The assertion isn't one Google would take; `says` tells its author why."""

    says: str


def write_service_account(path: Path, token_uri: str) -> None:
    """A new RSA key that opens nothing but a sandbox; the file is for its owner's eyes."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": hashlib.sha256(pem).hexdigest()[:40],
        "private_key": pem.decode(),
        "client_email": f"reminders@{PROJECT}.iam.gserviceaccount.com",
        "client_id": "100000000000000000000",
        "token_uri": token_uri,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(account), indent=2) + b"\n")


def public_key(path: Path) -> rsa.RSAPublicKey:
    """The key of a service-account file; ValueError when the file is none."""
    try:
        account = msgspec.json.decode(path.read_bytes())
        key = serialization.load_pem_private_key(account["private_key"].encode(), None)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no service-account file: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{path}: private_key is no RSA key")
    return key.public_key()


def token_routes(world: World, key: rsa.RSAPublicKey | None) -> list[web.RouteDef]:
    """`key`, where given, must have signed the assertions."""

    async def token(request: web.Request) -> web.StreamResponse:
        form = dict(parse_qsl((await request.read()).decode(errors="replace")))
        choice = world.lies.choose(Channel.TOKEN, None)
        reply = fault_reply(choice.behavior, _grant(form, key, world), FAULTS, request.path)
        world.history.write(
            "token", t=now(), lie=choice.lie, status=None if reply is None else reply.status
        )
        if reply is None:
            if choice.behavior is Behavior.TIMEOUT:
                await hold(world, request.transport)
            reset(request.transport)
            return web.Response()
        return reply.response()

    return [web.post("/token", token)]


def _grant(form: dict[str, str], key: rsa.RSAPublicKey | None, world: World) -> Reply:
    if form.get("grant_type") != GRANT:
        return _error("unsupported_grant_type", f"grant_type must be {GRANT}")
    try:
        check_assertion(form.get("assertion", ""), key, time.time())
    except InvalidGrant as error:
        return _error("invalid_grant", error.says)
    expires_at = int(time.time()) + TOKEN_SECONDS
    return json_reply(
        200,
        {
            "access_token": f"ya29.sandbox.{expires_at}.{_seal(world.settings.seed, expires_at)}",
            "expires_in": TOKEN_SECONDS,
            "token_type": "Bearer",
        },
    )


def is_live(seed: int) -> Callable[[str], bool]:
    """Tells our live tokens; they outlive a restart of the sandbox, as Google's would."""

    def check(bearer: str) -> bool:
        head, _, seal = bearer.rpartition(".")
        expires_at = head.removeprefix("ya29.sandbox.")
        return (
            expires_at.isascii()
            and expires_at.isdigit()
            and int(expires_at) > time.time()
            and hmac.compare_digest(seal.encode(), _seal(seed, int(expires_at)).encode())
        )

    return check


def check_assertion(assertion: str, key: rsa.RSAPublicKey | None, now_seconds: float) -> None:
    """RFC 7523 as Google applies it: RS256, an hour at most, aud is the token endpoint."""
    signed, _, signature = assertion.rpartition(".")
    header, claims = _segments(signed)
    if header.get("alg") != "RS256":
        raise InvalidGrant("Invalid JWT: alg must be RS256.")
    if not claims.get("iss") or not str(claims.get("aud", "")).endswith("/token"):
        raise InvalidGrant("Invalid JWT: iss and aud must be the account and its token_uri.")
    if SCOPE not in str(claims.get("scope", "")).split():
        raise InvalidGrant(f"Invalid JWT: scope must hold {SCOPE}.")
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not isinstance(expires, int):
        raise InvalidGrant("Invalid JWT: iat and exp must be whole seconds.")
    if not issued - 300 <= now_seconds < expires <= issued + 3600:
        raise InvalidGrant("Invalid JWT: Token must be a short-lived token (60 minutes).")
    if key is None:
        return
    try:
        key.verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise InvalidGrant("Invalid JWT Signature.") from None


def _segments(signed: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header, claims = (msgspec.json.decode(_decoded(part)) for part in signed.split("."))
    except (ValueError, msgspec.DecodeError):
        raise InvalidGrant("Invalid JWT: it must have three parts of base64url.") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise InvalidGrant("Invalid JWT: header and claims must be objects.")
    return header, claims


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _seal(seed: int, expires_at: int) -> str:
    key = hashlib.sha256(f"dunwell-sandbox/{seed}".encode()).digest()
    return hmac.new(key, str(expires_at).encode(), "sha256").hexdigest()


def _error(error: str, says: str) -> Reply:
    return json_reply(400, {"error": error, "error_description": says}, code=error)


FAULTS: dict[int, Reply] = {
    429: json_reply(429, {"error": "rate_limit_exceeded"}, {"Retry-After": "1"}),
    500: json_reply(500, {"error": "internal_failure"}),
    503: json_reply(503, {"error": "service_unavailable"}),
}
