"""A tenant's own pack, from a file to a second person's yes."""

import hashlib
from datetime import timedelta

import asyncpg
import pytest

from services.policy import drafts
from services.policy.pack import load_shipped
from services.runtime.database import transaction
from services.runtime.web import Problem
from tests.policy_service.events import AFTERNOON, TENANT
from tests.policy_service.world import World
from tests.policy_versions.own import CASES, activated, approved, by_calendar, drafted, own


async def check(world: World, named: str, cases: str = CASES) -> drafts.Checked:
    async with transaction(world.db) as connection:
        return await drafts.check(connection, TENANT, named, cases, "cases.yaml")


async def approve(world: World, named: str, by: str, *, loosens_own: bool = False) -> drafts.Draft:
    async with transaction(world.db) as connection:
        return await drafts.approve(connection, TENANT, named, by, loosens_own=loosens_own)


def said(refused: pytest.ExceptionInfo[Problem]) -> str:
    return "\n".join(f"{e.field} {e.problem} {e.fix}" for e in refused.value.errors)


async def test_a_draft_is_named_by_its_hash_and_records_who_did_what_when(world: World) -> None:
    text = own("09:00-18:00")
    draft = await drafted(world, text)
    assert draft.version == hashlib.sha256(text.encode()).hexdigest()
    assert (draft.state, draft.drafted_by) == ("drafted", "ann")
    checked = await check(world, draft.name)
    assert checked.cases_right == 1
    done = await approve(world, "acme-hours", "bob")
    assert (done.state, done.approved_by, done.text) == ("approved", "bob", text)
    assert done.drafted_at
    assert done.checked_at
    assert done.approved_at


async def test_the_same_text_twice_is_one_draft_of_its_first_drafter(world: World) -> None:
    first = await drafted(world, own("09:00-18:00"))
    again = await drafted(world, own("09:00-18:00"), by="bob")
    assert again == first


async def test_a_rule_or_pack_whose_dates_are_swapped_does_not_pass_its_check(
    world: World,
) -> None:
    dates = "{from: '2027-01-01', to: '2026-01-01'}"
    rule = own("09:00-18:00").replace("cite:", f"effective: {dates}, cite:")
    for text in (rule, own("09:00-18:00").replace("rules:", f"effective: {dates}\nrules:")):
        draft = await drafted(world, text)
        with pytest.raises(Problem) as refused:
            await check(world, draft.name)
        assert "effective: ends on 2026-01-01 before it begins on 2027-01-01" in said(refused)


async def test_nobody_approves_what_they_drafted_or_what_was_not_checked(world: World) -> None:
    draft = await drafted(world, own("09:00-18:00"))
    with pytest.raises(Problem) as refused:
        await approve(world, draft.name, "bob")
    assert "dunwell policy check" in said(refused)
    await check(world, draft.name)
    with pytest.raises(Problem) as refused:
        await approve(world, draft.name, " Ann")
    assert "somebody else" in said(refused)


async def test_a_draft_with_a_wrong_case_is_not_checked(world: World) -> None:
    draft = await drafted(world, own("00:00-24:00"))
    with pytest.raises(Problem) as refused:
        await check(world, draft.name)
    assert "case acme-at-night" in said(refused)
    with pytest.raises(Problem):
        await approve(world, draft.name, "bob")


async def test_a_rule_on_texts_is_refused_for_the_services_never_show_it_one(world: World) -> None:
    rule = "  - {id: acme-words, kind: content_must_not, cite: [house rule], patterns: [bailiff]}\n"
    draft = await drafted(world, own("09:00-18:00") + rule)
    with pytest.raises(Problem) as refused:
        await check(world, draft.name)
    assert "rule acme-words: patterns" in said(refused)
    assert "use `labels`" in said(refused)


async def test_cases_that_never_ask_the_draft_prove_nothing(world: World) -> None:
    draft = await drafted(world, own("09:00-18:00"))
    with pytest.raises(Problem) as refused:
        await check(world, draft.name, CASES.replace("[acme-hours]", "[house]"))
    assert "no case asks acme-hours" in said(refused)


async def test_a_draft_that_leans_on_a_calendar_of_another_country_is_refused_for_the_place(
    world: World,
) -> None:
    await world.activate("us-fed", "gb")
    draft = await drafted(world, by_calendar("us-federal"))
    beside = CASES.replace("[acme-hours]", "[us-fed, acme-hours]")
    with pytest.raises(Problem) as refused:
        await check(world, draft.name, beside)
    assert "unknown calendar 'us-federal'" in said(refused)
    assert "for a borrower in GB" in said(refused)
    assert "define the calendar in the pack itself" in said(refused)
    draft = await drafted(world, by_calendar("acme-days", holds=True))
    assert (await check(world, draft.name)).cases_right == 1


async def test_a_draft_may_lean_on_a_calendar_of_the_one_country_that_is_in_force(
    world: World,
) -> None:
    await world.activate("us-fed", "us-ma")
    draft = await drafted(world, by_calendar("us-federal"))
    beside = CASES.replace("[acme-hours]", "[us-fed, acme-hours]")
    assert (await check(world, draft.name, beside)).cases_right == 1


async def test_a_pack_that_can_not_be_read_is_refused_with_line_rule_and_field(
    world: World,
) -> None:
    with pytest.raises(Problem) as refused:
        await drafted(world, own("09:00-18:00").replace("daily", "dayly"))
    assert "acme-hours.yaml:6: rule acme-hours-day: hours" in said(refused)
    assert not await world.rows("drafts")


async def test_a_tenant_may_not_redefine_a_shipped_rule_and_is_told_what_it_loosens(
    world: World,
) -> None:
    rule = next(r for r in load_shipped("house").rules if r.kind == "contact_window")
    with pytest.raises(Problem) as refused:
        await drafted(world, own("00:00-24:00", rule=rule.id))
    assert "is a rule of house, which forbids it" in said(refused)
    assert "open at times that were closed" in said(refused)


@pytest.mark.parametrize("pack", ["us-fed", "house", "always"])
async def test_a_tenant_may_not_take_the_name_of_a_shipped_pack(world: World, pack: str) -> None:
    with pytest.raises(Problem) as refused:
        await drafted(world, own("09:00-18:00", pack=pack))
    assert "shipped pack" in said(refused)


async def test_two_drafts_that_wait_are_approved_by_hash_only(world: World) -> None:
    one = await drafted(world, own("09:00-18:00"))
    two = await drafted(world, own("10:00-18:00"))
    with pytest.raises(Problem) as refused:
        await approve(world, "acme-hours", "bob")
    assert one.name in said(refused)
    await check(world, two.name)
    assert (await approve(world, two.name, "bob")).version == two.version


async def test_a_tenants_own_version_loosens_only_with_a_word_that_is_recorded(
    world: World,
) -> None:
    await approved(world, own("09:00-18:00"))
    await activated(world, "acme-hours")
    looser = await drafted(world, own("08:00-20:00"))
    assert (await check(world, looser.name)).loosens
    with pytest.raises(Problem) as refused:
        await approve(world, looser.name, "bob")
    assert "acme-hours-day" in said(refused)
    assert "--loosens-own" in said(refused)
    done = await approve(world, looser.name, "bob", loosens_own=True)
    assert done.loosens == ("acme-hours-day",)
    assert (await activated(world, "acme-hours")).version == looser.version


async def test_a_tighter_version_needs_no_such_word(world: World) -> None:
    await approved(world, own("09:00-18:00"))
    await activated(world, "acme-hours")
    assert (await approved(world, own("10:00-17:00"))).loosens == ()


async def approved_under_a_stricter_one(world: World) -> drafts.Draft:
    """Approved when nothing was in force; then a narrower version was put in force."""
    wide = await approved(world, own("08:00-20:00"))
    narrow = await approved(world, own("09:00-18:00"))
    await activated(world, narrow.name)
    return wide


async def test_what_was_approved_when_nothing_was_in_force_is_not_put_over_something_stricter(
    world: World,
) -> None:
    wide = await approved_under_a_stricter_one(world)
    with pytest.raises(Problem) as refused:
        await activated(world, wide.name)
    assert "loosens acme-hours-day" in said(refused)


async def test_a_version_approved_before_a_stricter_one_comes_back_with_a_word_that_is_recorded(
    world: World,
) -> None:
    wide = await approved_under_a_stricter_one(world)
    with pytest.raises(Problem) as refused:
        await approve(world, wide.name, "carol")
    assert "--loosens-own" in said(refused)
    with pytest.raises(Problem) as refused:
        await approve(world, wide.name, "ann", loosens_own=True)
    assert "somebody else" in said(refused)
    done = await approve(world, wide.name, "carol", loosens_own=True)
    assert (done.approved_by, done.approved_at) == ("bob", wide.approved_at)
    assert [(each.rule, each.by) for each in done.loosenings] == [("acme-hours-day", "carol")]
    assert (await activated(world, wide.name)).version == wide.version


async def test_an_approval_that_adds_no_word_is_refused_and_the_newest_is_not_guessed(
    world: World,
) -> None:
    one = await approved(world, own("08:00-20:00"))
    with pytest.raises(Problem) as refused:
        await approve(world, one.name, "carol", loosens_own=True)
    assert "was approved by bob" in said(refused)
    two = await approved(world, own("09:00-18:00"))
    await activated(world, two.name)
    with pytest.raises(Problem) as refused:
        await approve(world, "acme-hours", "carol", loosens_own=True)
    assert one.name in said(refused)


async def test_a_draft_is_compared_with_the_stricter_version_that_is_only_scheduled(
    world: World,
) -> None:
    await activated(world, (await approved(world, own("08:00-20:00"))).name)
    strict = await approved(world, own("12:00-16:00"))
    await activated(world, strict.name, active_from=AFTERNOON + timedelta(days=1))
    between = await drafted(world, own("09:00-18:00"))
    assert (await check(world, between.name)).loosens
    with pytest.raises(Problem):
        await approve(world, between.name, "bob")
    await approve(world, between.name, "bob", loosens_own=True)
    await activated(world, between.name, active_from=AFTERNOON + timedelta(days=2))


async def test_the_database_keeps_a_draft_as_it_was_written(world: World) -> None:
    await activated(world, (await approved(world, own("09:00-18:00"))).name)
    await approved(world, own("08:00-20:00"), loosens_own=True)
    for change in (
        "UPDATE policy.drafts SET text = text || ' '",
        "UPDATE policy.drafts SET approved_by = 'eve'",
        "DELETE FROM policy.drafts",
        "UPDATE policy.loosenings SET accepted_by = 'eve'",
        "DELETE FROM policy.loosenings",
    ):
        with pytest.raises(asyncpg.PostgresError):
            await world.owner.execute(change)
