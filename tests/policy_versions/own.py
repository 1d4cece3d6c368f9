"""A tenant's own pack in several versions, with its cases, and the steps to put it in force."""

from services.policy import activation, cli_status, drafts
from services.policy.activation import Activated, Activation
from services.policy.drafts import Draft
from services.runtime.database import transaction
from tests.policy_service.events import TENANT
from tests.policy_service.world import World


def own(hours: str, *, pack: str = "acme-hours", rule: str = "acme-hours-day") -> str:
    """One contact window."""
    return (
        f"pack: {pack}\ntitle: Acme's own hours\njurisdiction: anywhere\nstatus: in_force\n"
        f"rules:\n  - {{id: {rule}, kind: contact_window, cite: [house rule],"
        f' hours: {{daily: "{hours}"}}}}\n'
    )


def by_calendar(calendar: str, *, holds: bool = False, pack: str = "acme-hours") -> str:
    """A contact window by a calendar, which the pack holds itself or leaves to the packs beside."""
    text = own("08:00-20:00", pack=pack, rule=f"{pack}-day")
    text = text.replace("hours: {daily", f"calendar: {calendar}, hours: {{holiday: closed, daily")
    dates = f"  {calendar}: {{covers: [2026], dates: {{'2026-12-25': Christmas}}}}\n"
    return text.replace("rules:\n", f"calendars:\n{dates}rules:\n") if holds else text


CASES = """cases:
- id: acme-at-night
  packs: [acme-hours]
  facts:
    now: '2026-05-13T05:00:00Z'
    actor: {role: creditor}
    borrower: {zones: [{zone: America/New_York, basis: address}]}
    debt: {id: D1, product: personal_loan}
    contact: {channel: sms, purpose: reminder, recipient: debtor}
  expect: {decision: defer, code: outside_contact_window, strict: false}
"""


async def drafted(world: World, text: str, *, by: str = "ann") -> Draft:
    async with transaction(world.db) as connection:
        return await drafts.draft(connection, TENANT, text, "acme-hours.yaml", by)


async def approved(
    world: World, text: str, *, loosens_own: bool = False, beside: str = ""
) -> Draft:
    """Drafted by ann, checked with cases that ask what is `beside` it too, approved by bob."""
    draft = await drafted(world, text)
    asked = f"{beside}, {draft.pack}" if beside else draft.pack
    cases = CASES.replace("[acme-hours]", f"[{asked}]")
    async with transaction(world.db) as connection:
        await drafts.check(connection, TENANT, draft.name, cases, "cases.yaml")
        return await drafts.approve(connection, TENANT, draft.name, "bob", loosens_own=loosens_own)


async def activated(world: World, pack: str, **more: object) -> Activated:
    asked = Activation(pack=pack, by="ann", approved_by="bob", **more)  # type: ignore[arg-type]
    async with transaction(world.db) as connection:
        return await activation.activate(connection, world.rule_sets, TENANT, asked, sandbox=False)


async def states(world: World) -> dict[str, str]:
    """Version → its state, of the tenant's own pack."""
    async with transaction(world.db) as connection:
        rows = await cli_status.status(connection, TENANT)
    return {row["version"]: row["state"] for row in rows if row["pack"] == "acme-hours"}
