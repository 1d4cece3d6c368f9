"""`dunwell explain`: why a reminder was or wasn't sent, in words a borrower or a judge can read."""

import asyncio
import json
from typing import Any
from uuid import UUID

import aiohttp
import click
import msgspec

from services.policy import explain, jurisdictions
from services.policy.cli_reading import reading
from services.policy.rulesets import RuleSets
from services.policy.sentences import LANGUAGES
from services.runtime.cli_database import setting
from services.runtime.settings import PREFIX
from services.runtime.web import Problem

Explanation = dict[str, Any]


@click.command("explain")
@click.argument("decision", type=click.UUID, required=False)
@click.option("--reminder", type=click.UUID, help="Explain every decision about this reminder.")
@click.option("--tenant", help="Only this tenant's; not needed, for ids are unique.")
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a decision, one a line.")
def explain_command(
    decision: UUID | None, reminder: UUID | None, tenant: str | None, language: str, as_json: bool
) -> None:
    """Say why: what was asked, on which facts, what each rule answered, and when it may be.

    DECISION is the `decision_id` of an event, of the timeline or of `GET /v1/reminders/…`.

    \b
    dunwell explain 0b6f…                        one decision
    dunwell explain --reminder 5c1d…             a reminder's, oldest first
    dunwell explain 0b6f… --language zh-CN       in Chinese
    dunwell explain 0b6f… --json                 with every rule and all facts

    Reads policy's database, DUNWELL_DATABASE_URL; without it, asks the service at
    DUNWELL_POLICY_URL with DUNWELL_API_KEY.  Nothing is changed.
    """
    if (decision is None) == (reminder is None):
        raise click.UsageError("Name a decision, or --reminder and its id.")
    if url := setting("DATABASE_URL"):
        asked = _from_database(url, tenant, decision, reminder, language)
    elif (url := setting("POLICY_URL")) and (key := setting("API_KEY")):
        asked = _by_http(url, key, decision, reminder, language)
    else:
        raise click.UsageError(
            f"Set {PREFIX}DATABASE_URL to read policy's database,"
            f" or {PREFIX}POLICY_URL and {PREFIX}API_KEY to ask the service."
        )
    try:
        found = asyncio.run(asked)
    except Problem as problem:
        raise click.ClickException(_refused(problem, tenant)) from None
    except (OSError, aiohttp.ClientError) as error:
        raise click.ClickException(
            f"policy at {PREFIX}POLICY_URL can't be reached: {type(error).__name__}"
        ) from None
    if not found:
        raise click.ClickException("no decision about this reminder")
    for i, each in enumerate(found):
        if as_json:
            click.echo(json.dumps(each, ensure_ascii=False))
        else:
            click.echo(("\n" if i else "") + f"{each['decision_id']}")
            for line in each["words"]["lines"]:
                click.echo(f"  {line}")


def _refused(problem: Problem, tenant: str | None) -> str:
    if problem.status != 404:
        return problem.detail
    whose = f" of {tenant}" if tenant else ""
    return f"no decision of this id{whose} is on record; a reminder's id goes with --reminder"


async def _from_database(
    url: str, tenant: str | None, decision: UUID | None, reminder: UUID | None, language: str
) -> list[Explanation]:
    rule_sets = RuleSets(jurisdictions.load())
    async with reading(url) as connection:
        ids = [decision] if decision else []
        if reminder:
            rows = await explain.decisions(connection, tenant, reminder)
            ids = [row["decision_id"] for row in rows]
        records = [await explain.recorded(connection, rule_sets, tenant, each) for each in ids]
    found = [await explain.in_full(rule_sets, each, language) for each in records]
    plain: list[Explanation] = msgspec.json.decode(msgspec.json.encode(found))
    return plain


async def _by_http(
    url: str, key: str, decision: UUID | None, reminder: UUID | None, language: str
) -> list[Explanation]:
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def get(path: str) -> Explanation:
            params = {"language": language} if "/decisions/" in path else {}
            async with session.get(url.rstrip("/") + path, params=params) as answer:
                try:
                    body: Explanation = await answer.json(content_type=None)
                except ValueError:
                    said = f"what answers at {PREFIX}POLICY_URL is not policy"
                    raise click.ClickException(said) from None
                if answer.status != 200:
                    detail = body.get("detail", f"the service answered {answer.status}")
                    raise Problem(answer.status, body.get("code", "refused"), detail)
                return body

        ids = [str(decision)] if decision else []
        if reminder:
            listed = await get(f"/v1/reminders/{reminder}/decisions")
            ids = [each["decision_id"] for each in listed["decisions"]]
        return [await get(f"/v1/decisions/{each}") for each in ids]
