"""Options that policy's commands share."""

import os
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import click

from services.runtime.cli_database import setting
from services.runtime.identity import surrogate
from services.runtime.settings import PREFIX

F = TypeVar("F", bound=Callable[..., Any])

TENANT = click.option(
    "--tenant",
    required=True,
    envvar=PREFIX + "TENANT",
    help=f"Whose rules; or set {PREFIX}TENANT.",
)
BY = click.option("--by", required=True, metavar="NAME", help="Who asks for it.")
APPROVED_BY = click.option(
    "--approved-by", required=True, metavar="NAME", help="Who approved it: somebody else."
)


def beside_the_sandbox() -> bool:
    """Whether every provider is the sandbox: shipped drafts need no word then."""
    return os.environ.get(PREFIX + "SANDBOX", "").lower() in ("1", "true", "yes", "on")


def borrower_options(command: F) -> F:
    """--borrower-ref and --borrower-id."""
    by_id = click.option(
        "--borrower-id", type=click.UUID, help="Or the surrogate, as decisions name it."
    )
    by_reference = click.option(
        "--borrower-ref", help=f"The lender's own reference (needs {PREFIX}IDENTITY_KEY)."
    )
    return by_reference(by_id(command))


def found_borrower(tenant: str, reference: str | None, borrower_id: UUID | None) -> UUID:
    """The surrogate of the one that is named; exit 2 if none or both are."""
    if reference is None and borrower_id is not None:
        return borrower_id
    if reference is None or borrower_id is not None:
        raise click.UsageError("name --borrower-ref or --borrower-id")
    key = setting("IDENTITY_KEY")
    if not key:
        raise click.UsageError(
            f"{PREFIX}IDENTITY_KEY (or {PREFIX}IDENTITY_KEY_FILE) is required to find a"
            " --borrower-ref; or name the --borrower-id"
        )
    return surrogate(key.encode(), tenant, "borrower", reference)
