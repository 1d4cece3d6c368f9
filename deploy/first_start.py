"""What `docker compose up` does once: random secrets in a volume, and the keys made known.

No secret has a default that an installation could forget to change, and nothing has to be set by
hand before the first start. Both steps are safe to repeat: what exists is kept.
"""

import argparse
import asyncio
import base64
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg

from services.runtime import apikeys
from services.runtime.migrate import SERVICES, role_url

SERVICE_SCOPES = ["service"]
LENDER_SCOPES = ["ingest", "clearance", "admin"]


def _text() -> str:
    return secrets.token_urlsafe(32)


def _api_key() -> str:
    return f"dw_{secrets.token_hex(6)}_{_text()}"


def _address_key() -> str:
    return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()


SECRETS: dict[str, Callable[[], str]] = {
    "postgres_password": _text,
    **{f"{service}_password": _text for service in SERVICES},
    "identity_key": _text,
    "api_key_pepper": _text,
    "address_keys": _address_key,
    "service_key": _api_key,  # scheduler and notifier at the doors of policy
    "lender_key": _api_key,  # the first tenant's
}


def make_secrets(folder: Path, database: str) -> None:
    """Write each secret that is missing to a file of its own, and the URLs that hold passwords."""
    for name, make in SECRETS.items():
        if not (folder / name).exists():
            _write(folder / name, make())
    admin = f"postgresql://dunwell:{_read(folder, 'postgres_password')}@{database}"
    _write(folder / "admin_database_url", admin)
    for service in SERVICES:
        url = role_url(admin, service, _read(folder, f"{service}_password"))
        _write(folder / f"{service}_database_url", url)


async def store_keys(folder: Path, tenant: str) -> None:
    """Make the services' and the first lender's key known to every service."""
    pepper = _read(folder, "api_key_pepper").encode()
    owner = await asyncpg.connect(_read(folder, "admin_database_url"))
    try:
        for service in SERVICES:
            async with owner.transaction():
                await owner.execute(f"SET LOCAL search_path = {service}")
                for name, who, scopes in (
                    ("service_key", apikeys.EVERY_TENANT, SERVICE_SCOPES),
                    ("lender_key", tenant, LENDER_SCOPES),
                ):
                    key = _read(folder, name)
                    await apikeys.store(owner, pepper, key, who, scopes, "made at first start")
    finally:
        await owner.close()


def _read(folder: Path, name: str) -> str:
    return (folder / name).read_text()


def _write(file: Path, text: str) -> None:
    """Readable by its owner only, and never half written."""
    partial = file.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
    partial.rename(file)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.first_start", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    first = steps.add_parser("secrets", help="write the secrets that are missing")
    first.add_argument("--database", required=True, help="host:port/name, as the services see it")
    second = steps.add_parser("keys", help="after migrating: make the API keys known")
    second.add_argument("--tenant", default="demo", help="whom the lender's key is for")
    for step in (first, second):
        step.add_argument("--folder", type=Path, required=True, help="one file a secret")
    arguments = parser.parse_args()
    if arguments.step == "secrets":
        make_secrets(arguments.folder, arguments.database)
        print(f"The secrets are in {arguments.folder}.")
    else:
        asyncio.run(store_keys(arguments.folder, arguments.tenant))
        print(f"The keys of the services and of tenant {arguments.tenant} are known.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
