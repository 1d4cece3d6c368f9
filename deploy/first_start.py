"""What `docker compose up` does once: random secrets in a volume, and the keys made known.

No secret has a default that an installation could forget to change, and nothing has to be set by
hand before the first start. Both steps are safe to repeat: what exists is kept.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from services.runtime.migrate import SERVICES, role_url
from services.trial import first_keys

SECRETS: dict[str, Callable[[], str]] = {
    "postgres_password": first_keys.secret,
    **{f"{service}_password": first_keys.secret for service in SERVICES},
    "identity_key": first_keys.secret,
    "api_key_pepper": first_keys.secret,
    "address_keys": first_keys.address_keys,
    "service_key": first_keys.api_key,  # scheduler and notifier at the doors of policy
    "lender_key": first_keys.api_key,  # the first tenant's
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
    keys = first_keys.Keys(_read(folder, "service_key"), _read(folder, "lender_key"), tenant)
    pepper = _read(folder, "api_key_pepper").encode()
    await first_keys.make_known(_read(folder, "admin_database_url"), pepper, keys)


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
