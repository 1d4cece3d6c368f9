"""What recorded facts make of reminders, on a real database."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.events.loans import BorrowerChanged, CandidateZone, DebtChanged
from services.events.reminders import ReminderDue
from services.events.words import Basis
from services.runtime import migrate
from services.runtime.database import Pool
from services.scheduler.checks import language_tag
from services.scheduler.conflicts import Fact
from services.scheduler.intake import Context, Status
from tests.database import Database
from tests.scheduler.builders import (
    DUE_DATE,
    NOW,
    borrower,
    days,
    emit,
    installment,
    loan,
    payment,
    published,
    record,
    reminders,
    reversal,
    stand_at,
)

WHOLE_BOOK: tuple[Fact, ...] = (borrower(), loan(), installment())
SCHEMA = Path(migrate.__file__).parents[1] / "scheduler" / "schema"
TEN_IN_NEW_YORK = 14  # o'clock UTC, in June


async def test_a_loan_with_its_borrower_and_installment_gets_the_whole_ladder(
    context: Context, db: Pool
) -> None:
    outcomes = await record(context, db, *WHOLE_BOOK)
    assert [o.status for o in outcomes] == [Status.RECORDED] * 3
    planned = await reminders(db)
    assert [row["step"] for row in planned] == [
        "T-7", "T-3", "T-1", "T+0", "T+1", "T+3", "T+7", "T+14", "T+21", "T+30",
    ]  # fmt: skip
    assert {row["due_at"].hour for row in planned} == {TEN_IN_NEW_YORK}
    assert {row["status"] for row in planned} == {"planned"}
    told = await published(db)
    assert [type(event) for event in told] == [BorrowerChanged, DebtChanged]
    assert (told[1].version, told[1].outstanding_minor) == (1, 10_000)


async def test_the_order_in_which_facts_come_changes_nothing(context: Context, db: Pool) -> None:
    for number, order in enumerate(itertools.permutations(range(5))):
        tenant = f"lender-{number}"  # each order in a world of its own
        facts: tuple[Fact, ...] = (
            borrower(tenant=tenant),
            loan(tenant=tenant),
            installment(tenant=tenant),
            payment(tenant=tenant, amount_minor=4_000),
            installment(tenant=tenant, version=2, due_date=DUE_DATE + days(2)),
        )
        for i in order:
            [outcome] = await record(context, db, facts[i])
            assert outcome.status != Status.REJECTED
    ends = await db.fetch("SELECT DISTINCT outstanding_minor, due_date FROM installments")
    assert [tuple(row) for row in ends] == [(6_000, DUE_DATE + days(2))]
    still = await db.fetch(
        "SELECT tenant, count(*), max(due_date) AS day FROM reminders WHERE status = 'planned'"
        " GROUP BY tenant"
    )
    assert len(still) == 120
    assert {(row["count"], row["day"]) for row in still} == {(10, DUE_DATE + days(2))}
    last = {debt.tenant: debt for debt in await published(db, DebtChanged)}
    assert {debt.outstanding_minor for debt in last.values()} == {6_000}


async def test_a_fact_told_twice_changes_nothing_and_says_nothing(
    context: Context, db: Pool
) -> None:
    facts = (*WHOLE_BOOK, payment(amount_minor=1))
    await record(context, db, *facts)
    before = [dict(row) for row in await reminders(db)]
    await published(db)
    outcomes = await record(context, db, *facts, now=NOW + timedelta(hours=1))
    assert {o.status for o in outcomes} == {Status.UNCHANGED}
    assert [dict(row) for row in await reminders(db)] == before
    assert await published(db) == []


async def test_an_older_version_changes_nothing(context: Context, db: Pool) -> None:
    await record(context, db, borrower(version=3), loan(version=3), installment(version=3))
    await published(db)
    stale = (
        borrower(version=2, country="IN"),
        loan(version=2, cadence="gentle"),
        installment(version=2, amount_minor=5),
    )
    outcomes = await record(context, db, *stale)
    assert {o.status for o in outcomes} == {Status.UNCHANGED}
    assert await published(db) == []


async def test_a_moved_due_date_cancels_the_old_reminders_and_makes_others(
    context: Context, db: Pool
) -> None:
    await record(context, db, *WHOLE_BOOK)
    for version, shift in ((2, 3), (3, 0)):
        await record(context, db, installment(version=version, due_date=DUE_DATE + days(shift)))
    gone, there = await reminders(db, status="cancelled"), await reminders(db, status="planned")
    assert {row["reason"] for row in gone} == {"rescheduled"}
    assert len(there) == 10
    # Moved there and back: the first ids are spent, the third set has its own.
    assert {row["cycle"] for row in there} == {2}
    assert not {r["reminder_id"] for r in gone} & {r["reminder_id"] for r in there}


async def test_a_moved_due_date_cancels_the_old_reminders_though_the_cadence_is_gone(
    context: Context, db: Pool
) -> None:
    await record(context, db, *WHOLE_BOOK)
    without = Context(identity_key=context.identity_key, cadences={})
    await record(without, db, installment(version=2, due_date=DUE_DATE + days(10)))
    assert {(row["status"], row["reason"]) for row in await reminders(db)} == {
        ("cancelled", "rescheduled")
    }
    # Moved back as well: the first ids are spent, and others wait for the cadence.
    await record(without, db, installment(version=3))
    assert await reminders(db, status="planned") == []
    await record(context, db, installment(version=4))
    assert {row["cycle"] for row in await reminders(db, status="planned")} == {2}


async def test_a_debt_owed_again_while_the_cadence_is_gone_is_armed_when_it_is_back(
    context: Context, db: Pool
) -> None:
    await record(context, db, *WHOLE_BOOK)
    await record(context, db, payment())
    without = Context(identity_key=context.identity_key, cadences={})
    await record(without, db, reversal())
    assert await reminders(db, status="planned") == []
    await record(context, db, installment(version=2, amount_minor=10_001))
    assert {row["cycle"] for row in await reminders(db, status="planned")} == {1}


async def test_languages_told_before_are_written_anew_as_templates_are_found(
    context: Context, db: Pool
) -> None:
    told = ("pt_BR", "zh_Hans_CN", "ES", "EN-us", "zh-CN", "es-419", "en")
    for number, locale in enumerate(told):
        await record(context, db, borrower(borrower_ref=f"B-{number}"))
        await db.execute("UPDATE borrowers SET locale = $1 WHERE locale = 'en'", locale)
    await db.execute((SCHEMA / "0004_locales.sql").read_text())
    now = {row["locale"] for row in await db.fetch("SELECT locale FROM borrowers")}
    assert now == {"pt-BR", "zh-Hans-CN", "es", "en-us", "zh-CN", "es-419", "en"}


async def test_languages_told_before_become_what_the_door_makes_of_them_today(
    context: Context, db: Pool
) -> None:
    told = ("es.UTF-8", "es@euro", "pt_BR.UTF-8@x", "zh-cn", "EN-us", "zh_hant_TW", "es-419", "en")
    for number, locale in enumerate(told):
        await record(context, db, borrower(borrower_ref=f"B-{number}"))
        await db.execute("UPDATE borrowers SET locale = $1 WHERE locale = 'en'", locale)
    await db.execute((SCHEMA / "0006_language_tags.sql").read_text())
    now = [row["locale"] for row in await db.fetch("SELECT locale FROM borrowers")]
    assert sorted(now) == sorted(language_tag(locale) for locale in told)


async def test_another_cadence_keeps_the_shared_steps_and_may_be_taken_back(
    context: Context, db: Pool
) -> None:
    await record(context, db, *WHOLE_BOOK)
    before = {row["step"]: row["reminder_id"] for row in await reminders(db)}
    await record(context, db, loan(version=2, cadence="gentle"))
    gentle = {r["step"]: r["reminder_id"] for r in await reminders(db, status="planned")}
    assert set(gentle) == {"T-3", "T+0", "T+3", "T+10"}
    assert gentle["T-3"] == before["T-3"]
    await record(context, db, loan(version=3, cadence="standard"))
    after = {r["step"]: r["reminder_id"] for r in await reminders(db, status="planned")}
    assert after == before


async def test_another_zone_moves_what_nobody_has_heard_of_and_leaves_the_rest(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, *WHOLE_BOOK)
    await stand_at(database, datetime(2026, 6, 8, 15, tzinfo=UTC))
    await emit(db)
    ids = [row["reminder_id"] for row in await reminders(db)]
    kolkata = (CandidateZone(zone="Asia/Kolkata", basis=Basis.CONFIRMED),)
    await record(context, db, borrower(version=2, zones=kolkata))
    rows = await reminders(db)
    assert [row["reminder_id"] for row in rows] == ids
    assert rows[0]["due_at"].hour == TEN_IN_NEW_YORK
    assert {(r["due_at"].hour, r["due_at"].minute) for r in rows[1:]} == {(4, 30)}


async def test_facts_that_contradict_what_is_known_are_refused_and_change_nothing(
    context: Context, db: Pool
) -> None:
    await record(context, db, *WHOLE_BOOK, payment(amount_minor=100))
    await published(db)
    wrong = (
        loan(version=2, currency="EUR"),
        installment(version=2, currency="EUR"),
        installment(version=2, borrower_ref="B-2"),
        payment(payment_id="P-2", currency="EUR"),
        payment(amount_minor=200),
        payment(amount_minor=100, installment_number=2),
    )
    outcomes = await record(context, db, *wrong)
    assert [o.errors[0].field for o in outcomes] == [
        "currency", "currency", "borrower_ref", "currency", "payment_id", "payment_id",
    ]  # fmt: skip
    assert await published(db) == []


async def test_the_later_of_two_contradicting_facts_is_refused_though_its_loan_is_missing(
    context: Context, db: Pool
) -> None:
    await record(context, db, borrower(), installment(currency="EUR"))
    [outcome] = await record(context, db, loan())
    assert outcome.errors[0].field == "currency"
    assert await published(db, DebtChanged) == []


async def test_a_due_reminder_says_how_late_the_oldest_unpaid_installment_is(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    older = installment(installment_number=2, due_date=DUE_DATE - days(60))
    await record(context, db, *WHOLE_BOOK, older)
    await stand_at(database, datetime(2026, 6, 12, 15, tzinfo=UTC))
    await emit(db)
    due = {event.step: event for event in await published(db, ReminderDue)}
    assert due["T-3"].days_past_due == 57
    assert (due["T-3"].days_from_due, due["T-3"].emission) == (-3, 1)
