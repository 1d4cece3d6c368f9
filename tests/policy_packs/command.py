"""`dunwell packs` in this process."""

from click.testing import CliRunner, Result

from services.policy.cli_packs import packs


def run(*arguments: str) -> Result:
    return CliRunner().invoke(packs, arguments)
