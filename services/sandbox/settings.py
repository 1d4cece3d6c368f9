"""How one sandbox is set up; the fields are the flags of `dunwell sandbox`."""

from dataclasses import dataclass, field
from pathlib import Path

from services.sandbox.lies import Mix
from services.sandbox.magic import MAGIC_PREFIX

# Nobody's account: a sandbox's own.
ACCOUNT_SID = "AC5a4db0c5a4db0c5a4db0c5a4db0c5a4d"
AUTH_TOKEN = "sandbox-auth-token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Ports of 0 mean: any free one, told in the ready line."""

    host: str = "127.0.0.1"
    http_port: int = 0
    smtp_port: int = 0
    history: Path | None = None
    ready_file: Path | None = None
    seed: int = 1
    lies: Mix = field(default_factory=dict)
    max_lies: int | None = None
    hold_seconds: float = 30.0  # how long a request is held that is never answered
    slow_seconds: float = 2.0
    callback_delay_seconds: float = 0.2  # between the answer and a callback, and between callbacks
    carrier_delay_seconds: float = 0.0  # more before the last status
    lookup_lag_seconds: float = 0.0  # a message is listed only after this long
    keep_messages: int = 100_000
    magic_prefixes: tuple[str, ...] = (MAGIC_PREFIX,)
    twilio_account_sid: str = ACCOUNT_SID
    twilio_auth_token: str = AUTH_TOKEN
    opt_out_at_provider: bool = False
    inbound_url: str | None = None
    fcm_service_account: Path | None = None
    database_url: str | None = None
    clock: str = "real"
