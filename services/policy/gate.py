"""What hand-off asks of one attempt after another: settled already, due facts, then the rules.

No I/O: everything was read under the locks before.
"""

from datetime import datetime, timedelta
from typing import get_args
from uuid import UUID

import msgspec

from services.events.permits import ContentFacts, Redeem
from services.events.words import Element, Label, OptOut
from services.policy import booking
from services.policy.activation import ActiveByTenant
from services.policy.asked import Asked, terms_of
from services.policy.decisions import Made
from services.policy.feeds import Feeds
from services.policy.gather import candidate_zones, candidates, facts_for
from services.policy.known import Known, Row, Who
from services.policy.reminders import State
from services.policy.ruleset import RuleSet
from services.policy.rulesets import Active, RuleSets, RulesUnreadable
from services.policy.verdict import (
    Outcome,
    Ruling,
    before_rules,
    judge_until,
    refusal,
    wait,
    within,
)
from services.policy.words import Place

# No provider keeps a message longer for us than this; further ahead there is nothing to look for.
LONGEST_VALIDITY = timedelta(hours=24)

ELEMENTS = frozenset(get_args(Element))
LABELS = frozenset(get_args(Label))
OPT_OUTS = frozenset(get_args(OptOut))


class Judged(msgspec.Struct, kw_only=True):
    """What becomes of one redeem."""

    redeem: Redeem
    asked: Asked
    ruling: Ruling
    rule_set: str | None = None
    allowed_until: datetime | None = None
    silent: bool = False  # nothing to publish: settled elsewhere, or refused before
    logged: bool = True
    fenced: bool = False  # nothing is touched
    barred: str | None = None  # a contact point that this reminder shall not try again
    made: Made | None = None
    place: Place = "personal"  # what the contact point is tied to


class Gate:
    """Judges one attempt after another; what is allowed counts for those after it."""

    def __init__(
        self,
        *,
        facts: Known,
        state: State,
        rule_sets: RuleSets,
        active: ActiveByTenant,
        feeds: Feeds,
        bookings: dict[tuple[str, UUID], booking.Booking],
    ) -> None:
        self._facts = facts
        self._state = state
        self._rule_sets = rule_sets
        self._active = active
        self._feeds = feeds
        self._bookings = bookings

    def order(self, r: Redeem) -> tuple[int, int]:
        """Several reminders of one borrower go by their priority."""
        row = self._state.rows.get((r.tenant, r.reminder_id))
        return (row["priority"] if row else 0, r.reminder_id.int)

    def judge(self, r: Redeem) -> Judged:
        """Never raises: what fails is asked again later, and nothing is sent."""
        row = self._state.rows.get((r.tenant, r.reminder_id))
        asked = _asked(self._facts, r, row)
        if self._fenced(r):
            ruling = refusal(Outcome.SUPPRESS, "superseded")
            return Judged(redeem=r, asked=asked, ruling=ruling, silent=True, fenced=True)
        booking.forget(self._facts, r)
        if settled := self._settled(r, row):
            ruling, logged = settled
            return Judged(redeem=r, asked=asked, ruling=ruling, silent=True, logged=logged)
        judged = Judged(redeem=r, asked=asked, ruling=refusal(Outcome.HOLD, "held_error"))
        try:
            early = self._before_rules(r, row)
            if early is not None:
                judged.ruling = early
            else:
                self._ask(judged, row)
        except Exception as error:
            booking.log_failure(r, error)
            judged.ruling = refusal(Outcome.HOLD, "held_error")
        if judged.ruling.outcome is Outcome.HOLD:
            # A person must mend it.  The message is ready and can't wait: the reminder goes back,
            # and is held when it falls due again.
            judged.ruling = self._later(judged.ruling, r, row)
        if judged.ruling.outcome is Outcome.ALLOW:
            booking.remember(self._facts, asked, r, judged.place)
        return judged

    def _fenced(self, r: Redeem) -> bool:
        """An asking that comes behind a later one of the same attempt, which may have left since,
        or behind the attempt's end: it was given up by who asked, so whatever it is answered
        nothing may come of it.
        """
        booked = self._bookings.get((r.tenant, r.attempt_id))
        if booked is None:
            return False
        if booked.ended:
            return True
        if booked.epoch is None or r.epoch is None:
            return False
        return r.epoch <= booked.epoch

    def _settled(self, r: Redeem, row: Row | None) -> tuple[Ruling, bool] | None:
        """Answered already: nothing to publish.  The second value: whether to log it."""
        if (r.tenant, r.reminder_id) in self._state.cancelled:
            return refusal(Outcome.SUPPRESS, "cancelled"), True
        booked = self._bookings.get((r.tenant, r.attempt_id))
        if booked is not None and booked.outcome not in booking.MOVABLE:
            return refusal(Outcome.SUPPRESS, "superseded"), True
        if row is None or r.emission > row["emission"]:
            return None
        if r.emission < row["emission"] or row["held_code"] is not None:
            return refusal(Outcome.SUPPRESS, "superseded"), True
        if row["refused_emission"] == r.emission:
            again = Ruling(
                outcome=Outcome(row["refused_verdict"]),
                until=row["refused_until"],
                code=row["refused_code"],
                rule=row["refused_rule"],
            )
            return again, False
        return None

    def _before_rules(self, r: Redeem, row: Row | None) -> Ruling | None:
        """What needs no rule: an attempt we know nothing of, stale or changed facts, too late."""
        debt = self._facts.debts.get((r.tenant, r.loan_id, r.installment_number))
        strange = (
            row is None
            or r.emission > row["emission"]
            or row["borrower_id"] != r.borrower_id
            or (debt is not None and debt["borrower_id"] != r.borrower_id)
            or (r.content is not None and not _is_known(r.content))
        )
        if strange:
            return refusal(Outcome.HOLD, "held_error")
        owed = debt["outstanding_minor"] if debt is not None else r.outstanding_minor
        if early := before_rules(self._facts, r.valid_until, owed):
            return early
        if debt is None or self._feeds.stale(r.tenant, debt["source"]):
            return self._later(refusal(Outcome.DEFER, "feed_stale"), r, row)
        if (owed, debt["currency"]) != (r.outstanding_minor, r.currency):
            until = wait(self._facts.now, 0)
            return within(refusal(Outcome.DEFER, "stale_amount", until), r.valid_until)
        return None

    def _ask(self, judged: Judged, row: Row | None) -> None:
        r = judged.redeem
        active = self._active.get(r.tenant, ())
        rules = rules_for(self._facts, self._rule_sets, active, (r.tenant, r.borrower_id))
        point = _point(self._facts, r)
        if isinstance(rules, str) or point is None or row is None:
            code = rules if isinstance(rules, str) else "held_address"
            judged.ruling = refusal(Outcome.HOLD, code)
            return
        judged.place = point["place"]
        now = self._facts.now
        facts = facts_for(self._facts, judged.asked, r.channel.value, point, r.content)
        limit = min(r.valid_until, now + LONGEST_VALIDITY)
        answer, until = judge_until(rules, facts, now, limit)
        judged.rule_set = rules.version
        judged.ruling = Ruling(
            outcome=answer.outcome,
            until=answer.until,
            code=answer.code,
            rule=answer.rule,
            channels=(r.channel.value,),
            answers=(answer,),
            facts=(facts,),
        )
        if answer.outcome is Outcome.ALLOW and until is not None:
            judged.allowed_until = min(limit, until)
        elif answer.outcome is Outcome.SUPPRESS and _others(self._facts, r, row):
            # This contact point is out, another may do: the reminder is asked about again at once.
            judged.barred = r.contact_point_id
            judged.ruling = msgspec.structs.replace(judged.ruling, outcome=Outcome.DEFER, until=now)
        judged.ruling = within(judged.ruling, r.valid_until)

    def _later(self, ruling: Ruling, r: Redeem, row: Row | None) -> Ruling:
        until = wait(self._facts.now, row["waits"] if row else 0)
        later = msgspec.structs.replace(ruling, outcome=Outcome.DEFER, until=until)
        return within(later, r.valid_until)


def rules_for(facts: Known, rule_sets: RuleSets, active: Active, who: Who) -> RuleSet | str:
    """The rules that hold for the borrower, or the code of what a person must mend."""
    borrower = facts.borrowers.get(who)
    if borrower is None or not candidate_zones(facts, who):
        return "held_zone"
    try:
        rules = rule_sets.for_borrower(borrower, active)
    except RulesUnreadable:
        return "held_rules"
    return rules or "held_pack"


def _asked(facts: Known, r: Redeem, row: Row | None) -> Asked:
    debt = facts.debts.get((r.tenant, r.loan_id, r.installment_number))
    return Asked(
        tenant=r.tenant,
        reminder_id=r.reminder_id,
        emission=r.emission,
        borrower_id=r.borrower_id,
        loan_id=r.loan_id,
        installment_number=r.installment_number,
        stage=r.stage,
        days_from_due=row["days_from_due"] if row else 0,
        days_past_due=row["days_past_due"] if row else 0,
        terms=terms_of(debt),
        outstanding_minor=debt["outstanding_minor"] if debt else r.outstanding_minor,
    )


def _point(facts: Known, r: Redeem) -> Row | None:
    """The contact point, if this borrower has it and it can be used for this channel."""
    for point in facts.points.get((r.tenant, r.borrower_id), ()):
        if point["contact_point_id"] == r.contact_point_id:
            return point if point["usable"] and r.channel in point["channels"] else None
    return None


def _others(facts: Known, r: Redeem, row: Row) -> bool:
    """Whether another contact point may do; whoever tries one that was barred would not heed it."""
    if r.contact_point_id in row["barred"]:
        return False
    barred = (*row["barred"], r.contact_point_id)
    return bool(candidates(facts, (r.tenant, r.borrower_id), row["channels"], barred))


def _is_known(content: ContentFacts) -> bool:
    """Only names of the closed lists: a label nobody knows could hide one that is banned."""
    return (
        ELEMENTS.issuperset(content.elements)
        and LABELS.issuperset(content.labels)
        and (content.opt_out is None or content.opt_out in OPT_OUTS)
    )
