"""May I?, and now: one gate for those who are no message of ours."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from services.events.loans import FeedWatermark
from services.events.words import AttemptState
from services.policy import explain
from services.policy.clearances import filed
from services.policy.clearances.question import Content, Point
from services.policy.clearances.release import release
from services.runtime.database import transaction
from services.runtime.web import Problem
from tests.policy_clearances.asking import ask, redeem, report
from tests.policy_service.events import AFTERNOON, TENANT, WINDOW, debt, pack, receipt, stop, who
from tests.policy_service.world import World

NIGHT = datetime(2026, 6, 3, 2, 0, tzinfo=UTC)  # 22:00 in New York
MORNING = datetime(2026, 6, 3, 12, 0, tzinfo=UTC)


async def test_a_refusal_names_the_rule_its_law_and_the_instant(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.at(NIGHT)
    answer = await ask(world, "ada")
    assert (answer.verdict, answer.until) == ("defer", MORNING)
    [reason] = answer.reasons
    assert (reason.rule, reason.code, reason.cite) == (
        "t-hours",
        "outside_contact_window",
        ("test",),
    )
    assert reason.says
    assert await world.rows("contacts") == []


async def lines_of(world: World, decision_id: UUID) -> list[str]:
    """A decision in words."""
    async with transaction(world.db) as connection:
        found = await explain.recorded(connection, world.rule_sets, TENANT, decision_id)
    told = await explain.in_full(world.rule_sets, found, "en")
    lines: list[str] = told["words"]["lines"]
    return lines


async def test_its_explanation_names_whom_it_was_to_reach(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    answer = await ask(world, "ada", recipient="employer")
    lines = await lines_of(world, answer.decision_id)
    assert "whether the employer of this person may be contacted" in lines[0]


async def test_its_explanation_names_whom_though_no_rule_was_asked(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.debt("ada", owed=0, version=2)
    answer = await ask(world, "ada", recipient="employer")
    assert answer.code == "paid"
    assert "whether the employer of this person" in (await lines_of(world, answer.decision_id))[0]


async def test_a_clearance_of_the_same_id_says_nothing_of_a_reminders_message(
    world: World,
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    message = await world.ready("ada")
    await world.redeem_one(message)
    await world.send("delivery.receipt", receipt(message, AttemptState.DELIVERED))
    await ask(world, "ada", message.reminder_id)
    [decision] = await world.rows("decisions", attempt_id=message.attempt_id)
    assert "delivered" in (await lines_of(world, decision["decision_id"]))[2]


async def test_its_explanation_says_what_was_reported_of_the_contact(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    answer = await ask(world, "ada")
    redeemed = await redeem(world, answer.clearance_id)
    await report(world, "ada", clearance_id=answer.clearance_id)
    lines = await lines_of(world, redeemed.decision_id)
    assert "before this person was to be contacted about loan" in lines[0]
    assert "What became of it: nobody answered." in lines


async def test_a_stop_between_question_and_redeem_binds_the_redeem(world: World) -> None:
    await world.rules(pack(WINDOW, "{id: t-stop, kind: stop_when, cite: [test], fact: [cease]}"))
    await world.person("ada")
    answer = await ask(world, "ada")
    await world.send("stop.events", stop("ada", "cease"))
    now = await redeem(world, answer.clearance_id)
    assert (now.verdict, now.code, now.state) == ("suppress", "cease_communication", "refused")
    assert [row["outcome"] for row in await world.rows("contacts")] == ["cancelled"]


async def test_a_stop_binds_calls_to_the_borrower_whatever_the_packs_say(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.send("stop.events", stop("ada", "attorney"))
    answer = await ask(world, "ada")
    assert (answer.verdict, answer.rule) == ("suppress", "always-stops-people")
    assert (await ask(world, "ada", recipient="attorney")).verdict == "allow"


async def test_a_clearance_of_another_tenant_is_not_there(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    answer = await ask(world, "ada")
    for act in (
        redeem(world, answer.clearance_id, "zeta"),
        release(world.db, "zeta", answer.clearance_id),
        filed.shown(world.db, "zeta", answer.clearance_id),
    ):
        with pytest.raises(Problem) as problem:
            await act
        assert problem.value.status == 404


async def test_nobody_can_ask_about_another_borrowers_loan(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.person("bea")
    with pytest.raises(Problem) as problem:
        await ask(world, "ada", loan_id="loan-bea")
    assert [error.field for error in problem.value.errors] == ["loan_id"]


@pytest.mark.parametrize(
    ("changes", "verdict", "code"),
    [
        ({"contact_point": Point(id="cp_unknown")}, "defer", "held_address"),
        ({"loan_id": "loan-nobody"}, "defer", "feed_stale"),
    ],
)
async def test_what_is_not_known_is_not_allowed(
    world: World, changes: dict[str, object], verdict: str, code: str
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    answer = await ask(world, "ada", **changes)
    assert (answer.verdict, answer.code) == (verdict, code)
    assert [reason.code for reason in answer.reasons] == [code]


async def test_a_question_that_can_not_be_judged_is_not_allowed_and_the_class_of_error_logged(
    world: World,
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada", zones=("Mars/Olympus",))
    with capture_logs() as logged:
        answer = await ask(world, "ada")
    assert (answer.verdict, answer.code) == ("defer", "held_error")
    assert [line for line in logged if line["event"] == "clearance_failed"] == [
        {
            "event": "clearance_failed",
            "log_level": "error",
            "tenant": TENANT,
            "clearance_id": str(answer.clearance_id),
            "error": "FactsError",
        }
    ]


async def test_a_stale_source_lets_the_loans_of_another_be_asked_about(world: World) -> None:
    await world.rules(pack(WINDOW))
    for source, minutes in (("slow", 2), ("core", 0)):
        as_of = AFTERNOON - timedelta(minutes=minutes)
        mark = FeedWatermark(tenant=TENANT, source=source, as_of=as_of, bound_seconds=60)
        await world.send("loan.changed", mark)
    for name, source, verdict in (("ada", "slow", "defer"), ("ben", "core", "allow")):
        await world.person(name)
        await world.send("loan.changed", debt(name, version=2, source=source))
        assert (await ask(world, name)).verdict == verdict


async def test_nothing_is_owed_nothing_is_said(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await world.debt("ada", owed=0, version=2)
    answer = await ask(world, "ada", purpose="collection")
    assert (answer.verdict, answer.code) == ("suppress", "paid")


@pytest.mark.parametrize("moment", [AFTERNOON, NIGHT])
@pytest.mark.parametrize("stopped", [False, True])
async def test_the_same_question_gets_the_same_answer_by_clearance_and_by_redeem(
    world: World, moment: datetime, stopped: bool
) -> None:
    await world.rules(pack(WINDOW, "{id: t-stop, kind: stop_when, cite: [test], fact: [opt_out]}"))
    await world.person("ada")
    attempt = await world.ready("ada")
    await world.at(moment)
    if stopped:
        await world.send("stop.events", stop("ada"))
    content = Content(opt_out="reply")
    cleared = await ask(world, "ada", channel="sms", content=content, reserve=False)
    redeemed = await world.redeem_one(attempt)
    assert cleared.verdict == redeemed.verdict.value
    assert (cleared.until, cleared.code, cleared.rule) == (
        redeemed.until,
        redeemed.code,
        redeemed.rule,
    )
    assert cleared.allowed_until == redeemed.allowed_until


async def test_a_place_without_an_active_pack_is_held(world: World) -> None:
    await world.person("ada")
    answer = await ask(world, "ada")
    assert (answer.verdict, answer.code) == ("defer", "held_pack")


async def test_no_reference_of_the_lenders_is_kept(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await ask(world, "ada", borrower_ref="0042-7")
    assert "0042-7" not in repr(await world.rows("clearances"))
    assert "0042-7" not in repr(await world.rows("decision_facts"))
    assert [row["borrower_id"] for row in await world.rows("clearances")] == [who("ada")]
