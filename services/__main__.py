"""The command `dunwell`: a table of subcommands, each loaded from the module that owns it."""

from importlib import import_module
from typing import NamedTuple

import click

from services import VERSION


class Subcommand(NamedTuple):
    """Where a subcommand lives, and what it is for in one line."""

    module: str
    name: str
    purpose: str


SUBCOMMANDS: dict[str, Subcommand] = {
    "demo": Subcommand("services.trial.commands", "demo", "Step a loan book through 45 days."),
    "up": Subcommand("services.trial.commands", "up", "Run everything on Kafka, until Ctrl-C."),
    "import": Subcommand(
        "services.scheduler.cli_import", "import_command", "Bring in a loan book from a CSV file."
    ),
    "check": Subcommand(
        "services.policy.cli_check", "check_command", "Answer decision cases and compare."
    ),
    "packs": Subcommand("services.policy.cli_packs", "packs", "Read, check and compare packs."),
    "content": Subcommand(
        "services.notifier.cli_content", "content_command", "Say what a message contains, and why."
    ),
    "policy": Subcommand(
        "services.policy.cli_policy", "policy", "Draft, try, activate rules; roll back."
    ),
    "explain": Subcommand(
        "services.policy.cli_explain", "explain_command", "Say why, in words and rule by rule."
    ),
    "stops": Subcommand(
        "services.policy.cli_stops", "stops_command", "Show and end what forbids contact."
    ),
    "reviews": Subcommand(
        "services.notifier.cli_reviews", "reviews_command", "Settle stops taken in doubt."
    ),
    "dlq": Subcommand("services.runtime.cli_dlq", "dlq", "List and replay dead letters."),
    "keys": Subcommand("services.runtime.cli_setup", "keys", "Issue and revoke API keys."),
    "migrate": Subcommand("services.runtime.cli_setup", "migrate", "Bring databases up to date."),
    "topics": Subcommand("services.runtime.cli_setup", "topics", "Create the topics."),
    "sandbox": Subcommand(
        "services.sandbox.command", "sandbox_command", "Be Twilio, FCM and a mail server."
    ),
}


class Dunwell(click.Group):
    """Imports a subcommand's module only when it is called, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table: what one needs first comes first."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, from its own module."""
        found = SUBCOMMANDS.get(cmd_name)
        if found is None:
            return None
        command: click.Command = getattr(import_module(found.module), found.name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's own lines: nothing is imported to print them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.purpose) for name, entry in SUBCOMMANDS.items()])


@click.group(cls=Dunwell, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=None, version=VERSION, prog_name="dunwell")
def main() -> None:
    """May I contact this person, about this, on this channel, now?

    Dunwell reminds borrowers only when the answer is yes, and can prove it.  The three services run
    as `python -m services.scheduler`, `services.policy` and `services.notifier`; the commands below
    are for people.  Start with `dunwell demo`.
    """


if __name__ == "__main__":
    main(prog_name="dunwell")
