"""Options that the commands of `dunwell policy` share."""

import os

import click

from services.runtime.settings import PREFIX

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
