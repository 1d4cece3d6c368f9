"""May this contact be made?  The answer to one question, from what was read.  Pure, but for a line
in the log about what could not be judged.

The same rules, on the same facts, by the same functions as at a message's hand-off.
"""

from datetime import datetime

import msgspec

from services.policy.asked import Asked
from services.policy.clearances import visits
from services.policy.clearances.question import Question
from services.policy.clearances.scene import Scene, asked_of, debt_of, facts_of, point_of
from services.policy.decide import Reason
from services.policy.facts import Facts
from services.policy.gate import LONGEST_VALIDITY, rules_for
from services.policy.known import Row
from services.policy.ruleset import RuleSet
from services.policy.verdict import Answer, Outcome, Ruling, judge, judge_until, refusal, wait
from services.runtime import log

SAYS = {
    "paid": "Nothing is owed.",
    "feed_stale": "What we know of the debt is missing or too old; ask again.",
    "held_zone": "Nobody knows in which time zone the borrower may be.",
    "held_pack": "No active pack governs the borrower's place.",
    "held_rules": "The active rules can't be read.",
    "held_address": "This contact point is not known, or not fit for the channel.",
    "held_error": "The question could not be judged.",
    "superseded": "The clearance was released, or its contact is reported already.",
}


class Cleared(msgspec.Struct, kw_only=True):
    """The answer, and what it was given on."""

    asked: Asked
    ruling: Ruling
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()
    rule_set: str | None = None
    allowed_until: datetime | None = None


def clear(scene: Scene, question: Question) -> Cleared:
    """Never raises: what fails is asked again later, and nothing is allowed."""
    debt = debt_of(scene, question)
    cleared = Cleared(asked=asked_of(scene, question, debt), ruling=_early(scene, question, debt))
    if cleared.ruling.outcome is Outcome.ALLOW:
        try:
            _ask(scene, question, cleared)
        except Exception as error:
            # The class only: an exception's text may quote a fact.
            log.get().error(
                "clearance_failed",
                tenant=scene.tenant,
                clearance_id=str(scene.clearance_id),
                error=type(error).__name__,
            )
            cleared.ruling = refusal(Outcome.HOLD, "held_error")
            cleared.reasons, cleared.allowed_until = (), None
    ruling = cleared.ruling
    if ruling.outcome is Outcome.HOLD:
        # A person must mend it; as at hand-off the one who asks may try again.
        until = wait(scene.known.now, 0)
        ruling = msgspec.structs.replace(ruling, outcome=Outcome.DEFER, until=until)
        cleared.ruling = ruling
    if ruling.outcome is not Outcome.ALLOW and not cleared.reasons:
        says = SAYS[ruling.code or "held_error"]
        cleared.reasons = (visits.refused(ruling.code or "", says, ruling.until),)
    return cleared


def superseded(scene: Scene, question: Question) -> Cleared:
    """Released, or reported: this clearance is used up."""
    ruling = refusal(Outcome.SUPPRESS, "superseded")
    reasons = (visits.refused("superseded", SAYS["superseded"]),)
    debt = debt_of(scene, question)
    return Cleared(asked=asked_of(scene, question, debt), ruling=ruling, reasons=reasons)


def _early(scene: Scene, question: Question, debt: Row | None) -> Ruling:
    """What needs no rule; allow: the rules are to be asked."""
    owed = debt["outstanding_minor"] if debt else 1
    if owed == 0 and question.purpose in ("reminder", "collection"):
        return refusal(Outcome.SUPPRESS, "paid")
    if debt is None or scene.feeds.stale(scene.tenant, debt["source"]):
        return refusal(Outcome.DEFER, "feed_stale", wait(scene.known.now, 0))
    return Ruling(outcome=Outcome.ALLOW)


def _ask(scene: Scene, question: Question, cleared: Cleared) -> None:
    known, now = scene.known, scene.known.now
    rules = rules_for(known, scene.rule_sets, scene.active, (scene.tenant, scene.borrower_id))
    point = point_of(scene, question)
    if isinstance(rules, str) or point is None:
        code = rules if isinstance(rules, str) else "held_address"
        cleared.ruling = refusal(Outcome.HOLD, code)
        return
    facts = facts_of(scene, question, cleared.asked, point)
    answer, until = judge_until(rules, facts, now, _latest(question, now))
    shut = _shut(scene, question, cleared.asked, facts) if question.channel == "visit" else ()
    cleared.rule_set = rules.version
    cleared.warnings = answer.warnings
    cleared.reasons = (*answer.reasons, *shut)
    if question.channel == "visit":
        answer = _with_gates(answer, shut, question.visit, rules, facts)
    cleared.ruling = Ruling(
        outcome=answer.outcome,
        until=answer.until,
        code=answer.code,
        rule=answer.rule,
        channels=(question.channel,),
        answers=(msgspec.structs.replace(answer, reasons=cleared.reasons),),
        facts=(facts,),
    )
    if answer.outcome is Outcome.ALLOW:
        cleared.allowed_until = until


def _latest(question: Question, now: datetime) -> datetime:
    """No yes lasts longer than this, nor than a visit's own window."""
    closes = question.visit.window_to if question.visit is not None else None
    latest = now + LONGEST_VALIDITY
    return latest if closes is None else min(latest, closes)


def _shut(scene: Scene, question: Question, asked: Asked, facts: Facts) -> tuple[Reason, ...]:
    record = visits.Record(
        loan_id=question.loan_id,
        outstanding_minor=asked.outstanding_minor,
        days_past_due=asked.days_past_due,
        history=facts.history,
        unreported=scene.unreported,
    )
    return visits.objections(scene.limits, question.visit, record, scene.known.now)


def _with_gates(
    answer: Answer,
    shut: tuple[Reason, ...],
    plan: visits.Plan | None,
    rules: RuleSet,
    facts: Facts,
) -> Answer:
    """Suppress beats defer.  A visit is deferred to where its window and the rules both allow."""
    if answer.outcome in (Outcome.SUPPRESS, Outcome.HOLD):
        return answer
    if final := [reason for reason in shut if reason.effect == "suppress"]:
        return _refuse(answer, final[0], None)
    if shut and shut[0].until is not None:
        later = judge(rules, facts, shut[0].until)
        if later.outcome not in (Outcome.ALLOW, Outcome.DEFER):
            return later
        answer = _refuse(answer, shut[0], later.until or shut[0].until)
    closes = plan.window_to if plan else None
    if answer.until is not None and (closes is None or answer.until >= closes):
        says = "The rules allow no visit within its window."
        return _refuse(answer, visits.refused("visit_outside_window", says), None)
    return answer


def _refuse(answer: Answer, reason: Reason, until: datetime | None) -> Answer:
    outcome = Outcome.SUPPRESS if until is None else Outcome.DEFER
    return msgspec.structs.replace(
        answer, outcome=outcome, until=until, code=reason.code, rule=None
    )
