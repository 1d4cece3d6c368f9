"""May this person be contacted now?  Pure: the rules, the facts and the clock are arguments."""

from datetime import UTC, datetime

from msgspec import Struct

from services.policy import words
from services.policy.blocks.bars import Bar, Objection
from services.policy.blocks.localtime import DAY, UnknownZone, instant, seconds
from services.policy.compiled_rule import CompiledRule
from services.policy.facts import Facts, FactsError
from services.policy.question import Question
from services.policy.ruleset import RuleSet

HORIZON = 45 * DAY  # beyond it a contact is not deferred but suppressed (rules.md section 1)


class Reason(Struct, frozen=True, kw_only=True):
    """One rule's own answer, as if it were the only rule. `until` is None unless it defers."""

    rule: str | None  # None: no rule's, but that of all together
    pack: str | None
    kind: str | None
    code: str
    effect: words.Effect
    until: datetime | None
    cite: tuple[str, ...]
    presumption: bool
    says: str


class Allow(Struct, frozen=True, kw_only=True):
    """No rule blocks now."""

    warnings: tuple[Reason, ...] = ()


class Defer(Struct, frozen=True, kw_only=True):
    """Time alone cures it: `until` is the earliest instant at which no rule blocks."""

    until: datetime
    reasons: tuple[Reason, ...]
    warnings: tuple[Reason, ...] = ()


class Suppress(Struct, frozen=True, kw_only=True):
    """Time alone does not cure it within 45 days: a fact must change, or a person must decide."""

    reasons: tuple[Reason, ...]
    warnings: tuple[Reason, ...] = ()


Decision = Allow | Defer | Suppress
Blocking = tuple[CompiledRule, Bar, Objection]


def decide(rules: RuleSet, facts: Facts, now: datetime) -> Decision:
    """Suppress beats defer beats allow. Every rule is asked, also when another already blocks.

    Raises FactsError if a zone does not exist; facts from `facts_from` have been checked.
    """
    return _weigh(rules, _question(facts, now))[0]


def decide_until(
    rules: RuleSet, facts: Facts, now: datetime, limit: datetime
) -> tuple[Decision, datetime | None]:
    """`decide`, and for an allow how long it lasts, at little more than the price of one.

    It lasts until the first later instant, at most `limit`, at which some rule would block or a new
    day begins in a zone in which days are counted.
    """
    question = _question(facts, now)
    decision, bars = _weigh(rules, question)
    if not isinstance(decision, Allow):
        return decision, None
    return decision, _lasts(rules, question, bars, limit)


def _weigh(rules: RuleSet, question: Question) -> tuple[Decision, list[Bar]]:
    """The decision, and the bars of the rules that may block now or later."""
    at = question.now
    bars: list[Bar] = []
    blocking: list[Blocking] = []
    warning: list[Blocking] = []
    for rule in rules.asked(question):
        bar = rule.bar(question)
        if bar is None:
            continue
        if not rule.blocks:
            if bar.blocks(at):
                warning.append((rule, bar, bar.objection(at)))
            continue
        bars.append(bar)
        if bar.blocks(at):
            blocking.append((rule, bar, bar.objection(at)))
    warnings = _reasons(warning, at) if warning else ()
    if not blocking:
        return Allow(warnings=warnings), bars
    reasons = _reasons(blocking, at)
    if not all(objection.curable for _, _, objection in blocking):
        return Suppress(reasons=reasons, warnings=warnings), bars
    # A rule without an own answer within the horizon leaves none to all of them together.
    # Until the latest own answer there is always one that blocks.
    latest = reasons[0].until if all(reason.until for reason in reasons) else None
    until = None if latest is None else _first_free(bars, seconds(latest), at + HORIZON)
    if until is None:
        return Suppress(reasons=(_NO_COMMON_WINDOW, *reasons), warnings=warnings), bars
    return Defer(until=instant(until), reasons=reasons, warnings=warnings), bars


def _lasts(rules: RuleSet, question: Question, bars: list[Bar], limit: datetime) -> datetime:
    end = seconds(limit)
    for zone in (*question.zones, *rules.fixed_zones):
        end = min(end, zone.date_ends(question.now))
    for bar in bars:
        t = question.now
        while t < end:
            if t > question.now and bar.blocks(t):
                end = t
            t = bar.changes(t)
    return instant(max(end, question.now))


def _question(facts: Facts, now: datetime) -> Question:
    try:
        return Question(facts, now)
    except UnknownZone as error:
        raise FactsError(f"borrower.zones: {error} is not an IANA time zone") from error


def _reasons(blocking: list[Blocking], now: int) -> tuple[Reason, ...]:
    """Suppressing rules first, then the latest own `until` first."""
    found = [_reason(*each, now) for each in blocking]
    if len(found) > 1:
        found.sort(key=lambda reason: (reason.pack or "", reason.rule or ""))
        found.sort(key=lambda reason: reason.until or _FAR, reverse=True)
    return tuple(found)


def _reason(rule: CompiledRule, bar: Bar, objection: Objection, now: int) -> Reason:
    until = _first_free([bar], now, now + HORIZON) if objection.curable else None
    return Reason(
        rule=rule.id,
        pack=rule.pack,
        kind=rule.kind,
        # What nobody knows is never renamed: a person must see it.
        code=objection.code if objection.code == "zone_unknown" else rule.code or objection.code,
        effect="suppress" if until is None else "defer",
        until=None if until is None else instant(until),
        cite=rule.cite,
        presumption=rule.presumption,
        says=objection.says(until),
    )


def _first_free(bars: list[Bar], t: int, last: int) -> int | None:
    """The first instant from `t` on, not later than `last`, at which none of the bars blocks.

    A bar that blocks at `t` goes on doing so until it changes, so nothing is left out by going
    there at once.
    """
    passed = 0  # how many bars in a row let `t` pass
    while passed < len(bars):
        for bar in bars:
            if bar.blocks(t):
                passed = 0
                while bar.blocks(t):
                    t = bar.changes(t)
                    if t > last:
                        return None
            passed += 1
            if passed == len(bars):
                break
    return t


_FAR = datetime.max.replace(tzinfo=UTC)
_NO_COMMON_WINDOW = Reason(
    rule=None,
    pack=None,
    kind=None,
    code="no_common_window",
    effect="suppress",
    until=None,
    cite=(),
    presumption=False,
    says="There is no instant within 45 days at which every rule would allow the contact.",
)
