"""`dunwell sandbox`: flags, their environment variables, and the help that teaches them."""

from pathlib import Path
from typing import Any

import asyncpg
import click
import uvloop

from services.sandbox.app import run
from services.sandbox.behaviors import CONDUCT
from services.sandbox.lies import Mix, parse_mix
from services.sandbox.magic import BY_LAST_TWO_DIGITS, MAGIC_PREFIX
from services.sandbox.oauth import write_service_account
from services.sandbox.settings import ACCOUNT_SID, AUTH_TOKEN, Settings


def _lies(ctx: click.Context, parameter: click.Parameter, text: str) -> Mix:
    try:
        return parse_mix(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.group(
    invoke_without_command=True,
    context_settings={"auto_envvar_prefix": "DUNWELL_SANDBOX", "show_default": True},
)
@click.option("--host", help="Address to listen on.", default="127.0.0.1")
@click.option(
    "--http-port",
    help="Twilio, FCM and the page; 0 picks one.",
    type=int,
    default=8090,
)
@click.option("--smtp-port", help="Mail; 0 picks one.", type=int, default=8025)
@click.option(
    "--history", help="JSONL file that every event is appended to.", type=click.Path(path_type=Path)
)
@click.option(
    "--ready-file", help="Written with the ports once all listens.", type=click.Path(path_type=Path)
)
@click.option("--seed", help="Seed of the lies.", type=int, default=1)
@click.option(
    "--lies",
    help="0.1, or a mix: 429=0.05,sms.accept-503=0.02 (see `behaviors`).",
    default="",
    callback=_lies,
)
@click.option("--max-lies", help="Random lies told at most.", type=click.IntRange(min=0))
@click.option(
    "--hold-seconds",
    help="How long a request is held that gets no answer.",
    type=float,
    default=30.0,
)
@click.option("--slow-seconds", help="How late a slow answer is.", type=float, default=2.0)
@click.option(
    "--callback-delay",
    help="Seconds before each Twilio callback.",
    type=float,
    default=0.2,
)
@click.option(
    "--carrier-delay", help="More seconds before a message's last status.", type=float, default=0.0
)
@click.option(
    "--lookup-lag", help="Seconds before a message is listed by a look-up.", type=float, default=0.0
)
@click.option(
    "--keep-messages",
    help="Messages kept for look-ups and the page.",
    type=click.IntRange(min=1),
    default=100_000,
)
@click.option(
    "--magic-prefix",
    help="Numbers with this prefix and two digits are magic; comma-separated.",
    default=MAGIC_PREFIX,
)
@click.option("--twilio-account-sid", help="The account that may send.", default=ACCOUNT_SID)
@click.option("--twilio-auth-token", help="Its token; also signs callbacks.", default=AUTH_TOKEN)
@click.option(
    "--opt-out-at-provider/--no-opt-out-at-provider",
    help="After STOP answer 21610, as Twilio does by default.",
    default=False,
)
@click.option("--inbound-url", help="Webhook that is called when the borrower writes back.")
@click.option(
    "--fcm-service-account",
    help="Service-account file whose key must sign; made if missing.",
    type=click.Path(path_type=Path),
)
@click.option(
    "--database-url", help="PostgreSQL of the notifier: look at the attempt's row on every request."
)
@click.option(
    "--clock",
    help="Where the business time of an arrival comes from.",
    type=click.Choice(["real", "database"]),
    default="real",
)
@click.pass_context
def sandbox_command(ctx: click.Context, /, **flags: Any) -> None:
    """The world outside: a server that answers as Twilio and FCM do, and an SMTP server.

    It records all it sees in a JSONL history, shows it on a page at /, and lies on demand.
    Every flag is an environment variable too: --http-port is DUNWELL_SANDBOX_HTTP_PORT.

    \b
      dunwell sandbox --history sandbox.jsonl --lies 429=0.05,accept-timeout=0.02
    """
    if ctx.invoked_subcommand is not None:
        return
    if flags["clock"] == "database" and not flags["database_url"]:
        raise click.UsageError("--clock database needs --database-url, where the clock is asked.")
    settings = _settings(flags)
    try:
        uvloop.run(run(settings))
    except (OSError, ValueError, asyncpg.PostgresError) as error:
        raise click.ClickException(f"the sandbox can't start: {error}") from error


def _settings(flags: dict[str, Any]) -> Settings:
    renamed = {
        "callback_delay": "callback_delay_seconds",
        "carrier_delay": "carrier_delay_seconds",
        "lookup_lag": "lookup_lag_seconds",
        "magic_prefix": "magic_prefixes",
    }
    flags["magic_prefix"] = tuple(p.strip() for p in flags["magic_prefix"].split(",") if p.strip())
    return Settings(**{renamed.get(name, name): value for name, value in flags.items()})


@sandbox_command.command("behaviors")
def behaviors_command() -> None:
    """List every behavior: accepted or not, where, and its magic number."""
    digits = {behavior: last for last, behavior in BY_LAST_TWO_DIGITS.items()}
    for behavior, conduct in CONDUCT.items():
        number = f"{MAGIC_PREFIX}{digits[behavior]}" if behavior in digits else ""
        where = ",".join(sorted(conduct.channels))
        accepted = "accepted" if conduct.accepted else "refused"
        click.echo(f"{behavior:<20} {accepted:<9} {where:<21} {number:<13} {conduct.says}")


@sandbox_command.command("service-account")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--host", default="127.0.0.1")
@click.option("--http-port", type=int, default=8090)
def service_account_command(out: Path, host: str, http_port: int) -> None:
    """Write a throw-away service-account file whose token_uri is a sandbox."""
    write_service_account(out, f"http://{host}:{http_port}/token")
    click.echo(f"{out}: project dunwell-sandbox, tokens from http://{host}:{http_port}/token")
