"""`dunwell policy explain`: why a decision was as it was, in words with rules and sources."""

from typing import Any
from uuid import UUID

import click
import msgspec

from services.policy import explain
from services.policy.cli_writing import TENANT, on_database
from services.policy.verdict import Answer
from services.runtime.database import Connection

_answers = msgspec.json.Decoder(list[Answer])

SAID = {
    "allow": "allowed",
    "defer": "deferred",
    "suppress": "refused, for good",
    "hold": "held until a person mends it",
}


@click.command("explain")
@click.argument("decision_id", required=False, type=click.UUID)
@click.option("--reminder", type=click.UUID, help="Every decision about this reminder instead.")
@TENANT
@click.option("--json", "as_json", is_flag=True, help="The record itself, with its facts.")
def explain_command(
    decision_id: UUID | None, reminder: UUID | None, tenant: str, as_json: bool
) -> None:
    """Say why DECISION_ID was as it was: each rule that objected, its source, the rule set.

    A refusal names its decision in GET /v1/decisions; a reminder is named in its events.  What is
    shown is the record: it says the same years later.

    \b
    dunwell policy explain --reminder 6f1c6a52-… --tenant acme
    """
    if (decision_id is None) == (reminder is None):
        raise click.UsageError("name one: DECISION_ID, or --reminder ID")

    async def run(connection: Connection) -> list[dict[str, Any]]:
        ids = [decision_id]
        if reminder is not None:
            ids = [
                each["decision_id"]
                for each in await explain.decisions(connection, tenant, reminder)
            ]
        rows = [await connection.fetchrow(explain.SQL["decision"], tenant, each) for each in ids]
        return [dict(row) for row in rows if row is not None]

    found = on_database(run)
    if not found:
        raise click.ClickException(
            f"{tenant} has no such decision; what still waits: dunwell policy held"
        )
    for each in found:
        if as_json:
            click.echo(msgspec.json.encode(each))
        else:
            click.echo("\n".join(in_words(each)))


def in_words(decision: dict[str, Any]) -> list[str]:
    """The lines on one decision."""
    at, until = decision["decided_at"], decision["until"]
    asked = "at hand-off" if decision["checkpoint"] == "redeem" else "when it was due"
    head = f"{at:%F %H:%M:%SZ}  {SAID[decision['verdict']]}"
    head += f" until {until:%F %H:%M:%SZ}" if until else ""
    lines = [f"{head}  (asked {asked})", f"  decision {decision['decision_id']}"]
    lines.append(f"  about installment {decision['installment_number']} of {decision['loan_id']}")
    if decision["code"] and not decision["rule"]:
        lines.append(f"  because: {decision['code']}")
    for answer in _answers.decode(decision["answers"]):
        lines.append(f"  {answer.channel}: {SAID[answer.outcome]}")
        for reason in answer.reasons:
            again = f"; alone it would allow at {reason.until:%F %H:%MZ}" if reason.until else ""
            lines.append(f"    {reason.says or reason.code}{again}")
            lines.append(f"      rule {reason.rule or '-'} of pack {reason.pack or '-'}")
            lines += [f"      source: {cite}" for cite in reason.cite]
        lines += [f"    note: {warning.says}" for warning in answer.warnings]
    if decision["repeats"]:
        lines.append(f"  asked {decision['repeats']} more time(s), with the same answer")
    if decision["rule_set"]:
        packs = msgspec.json.decode(decision["packs"], type=dict[str, str])
        named = ", ".join(f"{pack}@{version[:12]}" for pack, version in sorted(packs.items()))
        lines.append(f"  under rule set {decision['rule_set'][:12]}: {named}")
    return lines
