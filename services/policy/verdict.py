"""The service's own checks round `decide`: what is asked before the rules, and what after.

Pure: what is known, the rules and `now` are arguments.  Nothing here turns a refusal into a yes:
checks only add refusals, and every failure of the rules is a hold.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import assert_never

import msgspec

from services.policy.asked import Asked
from services.policy.decide import Allow, Decision, Defer, Reason, Suppress, decide, decide_until
from services.policy.facts import Facts
from services.policy.gather import facts_for
from services.policy.known import Known, Row
from services.policy.ruleset import RuleSet

# What an expected fact will cure is asked again after this long, then ever less often.
FIRST_WAIT = timedelta(seconds=60)
LONGEST_WAIT = timedelta(minutes=15)


class Outcome(StrEnum):
    """What becomes of a reminder that was asked about; `hold` waits for a person."""

    ALLOW = "allow"
    DEFER = "defer"
    SUPPRESS = "suppress"
    HOLD = "hold"


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was said of one channel at one contact point, as the decision log keeps it."""

    channel: str
    contact_point: str
    outcome: Outcome
    until: datetime | None = None
    code: str | None = None
    rule: str | None = None
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()
    error: str | None = None  # the class of what failed; its text might quote a fact


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a reminder, with each answer and the facts it was given on."""

    outcome: Outcome
    until: datetime | None = None
    code: str | None = None
    rule: str | None = None
    channels: tuple[str, ...] = ()  # with allow: those that may be tried now
    refused_points: tuple[str, ...] = ()  # with allow: contact points that may not
    answers: tuple[Answer, ...] = ()
    facts: tuple[Facts, ...] = ()


def before_rules(known: Known, valid_until: datetime, outstanding_minor: int) -> Ruling | None:
    """What needs no rule: too late, or paid."""
    if known.now >= valid_until:
        return refusal(Outcome.SUPPRESS, "stale_step")
    if outstanding_minor == 0:
        return refusal(Outcome.SUPPRESS, "paid")
    return None


def rule_on(
    known: Known,
    asked: Asked,
    candidates: Sequence[tuple[str, Row]],
    rules: RuleSet,
    valid_until: datetime,
) -> Ruling:
    """Ask about each (channel, contact point) in order; a channel needs one point that may be used.

    Any yes: allow those channels.  Else the earliest deferral; else, if one answer failed, hold;
    else suppress for the first channel's reason.
    """
    answers, facts = [], []
    allowed: dict[str, None] = {}
    for channel, point in candidates:
        if channel in allowed:
            continue
        answer, read = ask(known, asked, channel, point, rules)
        answers.append(answer)
        facts += read
        if answer.outcome is Outcome.ALLOW:
            allowed[channel] = None
    chosen = choose(answers)
    ruling = Ruling(
        outcome=chosen.outcome,
        until=chosen.until,
        code=chosen.code,
        rule=chosen.rule,
        channels=tuple(allowed),
        refused_points=tuple(a.contact_point for a in answers if a.outcome is not Outcome.ALLOW),
        answers=tuple(answers),
        facts=tuple(facts),
    )
    return within(ruling, valid_until)


def ask(
    known: Known, asked: Asked, channel: str, point: Row, rules: RuleSet
) -> tuple[Answer, list[Facts]]:
    """One question to the rules.  A failure holds: it never allows, and stops no other reminder."""
    try:
        facts = facts_for(known, asked, channel, point)
        return judge(rules, facts, known.now), [facts]
    except Exception as error:
        failed = Answer(
            channel=channel,
            contact_point=point["contact_point_id"],
            outcome=Outcome.HOLD,
            code="held_error",
            error=type(error).__name__,
        )
        return failed, []


def judge(rules: RuleSet, facts: Facts, now: datetime) -> Answer:
    """The rules' answer.  A zone that nobody knows is for a person to mend: it holds, unless some
    other reason is final anyway."""
    return _answer(facts, decide(rules, facts, now))


def judge_until(
    rules: RuleSet, facts: Facts, now: datetime, limit: datetime
) -> tuple[Answer, datetime | None]:
    """The same, and for a yes how long it lasts, at most until `limit`."""
    decision, until = decide_until(rules, facts, now, limit)
    return _answer(facts, decision), until


def _answer(facts: Facts, decision: Decision) -> Answer:
    channel, point = facts.contact.channel, facts.contact.contact_point.id or ""
    until: datetime | None
    match decision:
        case Allow():
            return Answer(
                channel=channel,
                contact_point=point,
                outcome=Outcome.ALLOW,
                warnings=decision.warnings,
            )
        case Defer():
            first, outcome, until = decision.reasons[0], Outcome.DEFER, decision.until
        case Suppress():
            final = [r for r in decision.reasons if r.effect == "suppress"]
            known = [r for r in final if r.code != "zone_unknown"]
            first = (known or final)[0]
            outcome, until = Outcome.SUPPRESS if known else Outcome.HOLD, None
        case _:
            assert_never(decision)
    return Answer(
        channel=channel,
        contact_point=point,
        outcome=outcome,
        until=until,
        code="held_zone" if outcome is Outcome.HOLD else first.code,
        rule=first.rule,
        reasons=decision.reasons,
        warnings=decision.warnings,
    )


def within(ruling: Ruling, valid_until: datetime) -> Ruling:
    """A deferral ends: at or beyond `valid_until` the next step takes over."""
    if ruling.until is not None and ruling.until >= valid_until:
        return msgspec.structs.replace(
            ruling, outcome=Outcome.SUPPRESS, until=None, code="stale_step", rule=ruling.rule
        )
    return ruling


def refusal(outcome: Outcome, code: str, until: datetime | None = None) -> Ruling:
    """A refusal by the service itself: no rule, no facts."""
    return Ruling(outcome=outcome, code=code, until=until)


def wait(now: datetime, waits: int) -> datetime:
    """When to ask again for a fact that is expected: 60 s, then ever later, at most 15 minutes."""
    return now + min(FIRST_WAIT * int(2 ** min(waits, 10)), LONGEST_WAIT)


def choose(answers: Sequence[Answer]) -> Answer:
    """The answer that stands for all: a yes, else the earliest deferral, else a hold."""
    by_outcome: dict[Outcome, list[Answer]] = {}
    for answer in answers:
        by_outcome.setdefault(answer.outcome, []).append(answer)
    if yes := by_outcome.get(Outcome.ALLOW):
        return yes[0]
    if later := by_outcome.get(Outcome.DEFER):
        return min(later, key=lambda answer: answer.until or datetime.max.replace(tzinfo=UTC))
    return (by_outcome.get(Outcome.HOLD) or answers)[0]
