"""The first checkpoint: a batch of due reminders is loaded, decided and answered."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from services.events.codec import Record
from services.events.reminders import ReminderDue
from services.policy import activation, decisions, held, known
from services.policy.answers import answer
from services.policy.asked import Asked, Terms, terms_of
from services.policy.decisions import Made
from services.policy.gather import candidate_zones, candidates
from services.policy.ids import row_id
from services.policy.known import Known, Row
from services.policy.reminders import Reminder, State, state_of
from services.policy.rulesets import Active, RuleSets, RulesUnreadable
from services.policy.verdict import Outcome, Ruling, before_rules, refusal, rule_on
from services.runtime import log, metrics
from services.runtime.clock import gate_now
from services.runtime.database import Connection, Overtaken, after_commit


async def decide_due(
    connection: Connection, rule_sets: RuleSets, dues: Sequence[ReminderDue]
) -> list[Record]:
    """What to publish about these; a due that came before, or is older than one that did, is not
    asked again.  One that is held may be: its emission has no answer yet.

    Raises Overtaken if another replica decides on one of them at once.
    """
    if not dues:
        return []
    latest: dict[Reminder, ReminderDue] = {}
    for given in dues:
        due = _with_row_ids(given)
        key = (due.tenant, due.reminder_id)
        if key not in latest or latest[key].emission < due.emission:
            latest[key] = due
    state = await state_of(connection, list(latest))
    fresh = [due for key, due in latest.items() if _is_new(due, state.rows.get(key))]
    if len(fresh) < len(latest):
        new = {(due.tenant, due.reminder_id) for due in fresh}
        await held.let_go(connection, [key for key in latest if key not in new])
    if not fresh:
        return []
    # Several reminders of one borrower are decided, and leave, in the order of their priority.
    fresh.sort(key=lambda due: (due.priority, due.due_at, due.reminder_id.int))
    now = (await gate_now(connection)).replace(microsecond=0)
    active = await activation.active(connection, rule_sets, {due.tenant for due in fresh}, now)
    facts = await known.load(
        connection,
        now,
        ((due.tenant, due.borrower_id) for due in fresh),
        ((due.tenant, due.loan_id, due.installment_number) for due in fresh),
        back=rule_sets.look_back(active.values()),
    )
    made = []
    for due in fresh:
        key = (due.tenant, due.reminder_id)
        asked, packs = _asked(facts, due), active.get(due.tenant, ())
        ruling, rule_set = _rule_or_hold(facts, state, due, asked, rule_sets, packs)
        made.append(decisions.make(asked, ruling, rule_set, now, state.last(key)))
    await _save(connection, rule_sets, state, facts, fresh, made, now)
    after_commit(partial(_count, made))
    return [
        record
        for due, m in zip(fresh, made, strict=True)
        if (record := answer(due, m, now)) is not None
    ]


def _count(made: Sequence[Made]) -> None:
    for (outcome, code), many in Counter((m.ruling.outcome, m.ruling.code) for m in made).items():
        metrics.DECISIONS.labels(outcome.value, code or "").inc(many)


def _with_row_ids(due: ReminderDue) -> ReminderDue:
    """They are looked up and sent a dozen times."""
    reminder, borrower = row_id(due.reminder_id), row_id(due.borrower_id)
    return replace(due, reminder_id=reminder, borrower_id=borrower)


def _is_new(due: ReminderDue, row: Row | None) -> bool:
    """Never asked, or asked with a lower emission, or asked and held."""
    return (
        row is None
        or row["emission"] < due.emission
        or (row["held_code"] is not None and row["emission"] == due.emission)
    )


def _rule_or_hold(
    facts: Known, state: State, due: ReminderDue, asked: Asked, rule_sets: RuleSets, active: Active
) -> tuple[Ruling, str | None]:
    """What fails holds this reminder and stops no other; the class only, its text may quote."""
    try:
        return _rule(facts, state, due, asked, rule_sets, active)
    except Exception as error:
        log.get().error(
            "decide_failed",
            tenant=due.tenant,
            reminder_id=str(due.reminder_id),
            error=type(error).__name__,
        )
        return refusal(Outcome.HOLD, "held_error"), None


def _rule(
    facts: Known, state: State, due: ReminderDue, asked: Asked, rule_sets: RuleSets, active: Active
) -> tuple[Ruling, str | None]:
    key = (due.tenant, due.reminder_id)
    who = (due.tenant, due.borrower_id)
    if key in state.cancelled:
        return refusal(Outcome.SUPPRESS, "cancelled"), None
    row = state.rows.get(key)
    if early := before_rules(facts, due.valid_until, asked.outstanding_minor):
        if row is not None and row["held_code"] is not None and early.code == "stale_step":
            # Held to its end: it ends with what should have been mended.
            return refusal(early.outcome, row["held_code"]), None
        return early, None
    borrower = facts.borrowers.get(who)
    if borrower is None:
        return refusal(Outcome.HOLD, "held_zone"), None
    try:
        rules = rule_sets.for_borrower(borrower, active)
    except RulesUnreadable:
        return refusal(Outcome.HOLD, "held_rules"), None
    if rules is None:
        return refusal(Outcome.HOLD, "held_pack"), None
    if not candidate_zones(facts, who):
        return refusal(Outcome.HOLD, "held_zone"), rules.version
    barred = row["barred"] if row else ()
    open_ones = candidates(facts, who, due.channels, barred)
    if not open_ones:
        return refusal(Outcome.HOLD, "held_address"), rules.version
    ruling = rule_on(facts, asked, open_ones, rules, due.valid_until)
    return replace(ruling, refused_points=(*barred, *ruling.refused_points)), rules.version


def _asked(facts: Known, due: ReminderDue) -> Asked:
    """What we know of the debt ourselves wins over what the message says of it."""
    debt = facts.debts.get((due.tenant, due.loan_id, due.installment_number))
    return Asked(
        tenant=due.tenant,
        reminder_id=due.reminder_id,
        emission=due.emission,
        borrower_id=due.borrower_id,
        loan_id=due.loan_id,
        installment_number=due.installment_number,
        stage=due.stage,
        days_from_due=due.days_from_due,
        days_past_due=due.days_past_due,
        terms=terms_of(debt) if debt else _terms_told(due),
        outstanding_minor=debt["outstanding_minor"] if debt else due.outstanding_minor,
    )


def _terms_told(due: ReminderDue) -> Terms:
    return Terms(
        product=due.product.value,
        role=due.role.value,
        account=due.account,
        creditor=due.creditor,
    )


async def _save(
    connection: Connection,
    rule_sets: RuleSets,
    state: State,
    facts: Known,
    dues: list[ReminderDue],
    made: list[Made],
    now: datetime,
) -> None:
    await decisions.log(connection, made, now, "due", rule_sets, facts.borrowers)
    remembered = await connection.fetch(
        known.SQL["remember"],
        [due.tenant for due in dues],
        [due.reminder_id for due in dues],
        [due.borrower_id for due in dues],
        [due.emission for due in dues],
        [due.days_from_due for due in dues],
        [due.days_past_due for due in dues],
        [due.priority for due in dues],
        [",".join(due.channels) for due in dues],
        [m.last.decision_id for m in made],
        [m.last.decided_at for m in made],
        [m.last.digest for m in made],
        [m.ruling.code if m.ruling.outcome is Outcome.HOLD else None for m in made],
    )
    if len(remembered) < len(dues):
        # Another replica decided on the same reminder at the same time: everything once more.
        raise Overtaken
    both = list(zip(dues, made, strict=True))
    await held.hold(
        connection,
        [(due, m.ruling.code or "") for due, m in both if m.ruling.outcome is Outcome.HOLD],
    )
    await held.let_go(
        connection,
        [
            (due.tenant, due.reminder_id)
            for due, m in both
            if m.ruling.outcome is not Outcome.HOLD and state.is_held((due.tenant, due.reminder_id))
        ],
    )
