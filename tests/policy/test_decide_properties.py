"""What must hold of every decision, whatever the rules and facts; compared with the minute-walking
oracle.
"""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given

from services.policy.decide import Allow, Decision, Defer, Suppress, decide, decide_until
from services.policy.facts import Facts
from services.policy.given_facts import facts_from
from services.policy.pack import Origin, inline_pack
from services.policy.question import Question
from services.policy.ruleset import RuleSet, compile_rules
from services.policy.yamlfile import Document
from tests.policy import oracle
from tests.policy.random_cases import cases

Case = dict[str, Any]
MINUTE = timedelta(minutes=1)


def rules_of(case: Case) -> RuleSet:
    return compile_rules([inline_pack(case, Origin("random", Document("{}")))])


def facts_of(case: Case) -> Facts:
    return facts_from(case["facts"])


def now_of(case: Case) -> datetime:
    return oracle.instant(case["facts"]["now"])


def answer(case: Case) -> Decision:
    return decide(rules_of(case), facts_of(case), now_of(case))


def codes(decision: Suppress) -> list[str]:
    return [reason.code for reason in decision.reasons]


def instants_to_try(now: datetime, end: datetime) -> list[datetime]:
    """Every minute for a day, then every 20th; and the last two hours before the end."""
    found: list[datetime] = []
    t = now
    while t < end:
        found.append(t)
        t += MINUTE if t - now < timedelta(days=1) or end - t < timedelta(hours=2) else 20 * MINUTE
    return found


@given(case=cases())
def test_a_rule_that_is_not_asked_has_nothing_to_say(case: Case) -> None:
    rules, question = rules_of(case), Question(facts_of(case), now_of(case))
    asked = rules.asked(question)
    assert set(asked) <= set(rules.applying(question))
    for rule in rules.applying(question):
        assert rule in asked or rule.bar(question) is None


@given(case=cases())
def test_a_deferral_is_sound_and_minimal_and_a_suppression_is_not_cured_by_time(case: Case) -> None:
    rules, cals, now = case["rules"], case["calendars"], now_of(case)
    plain = oracle.Case(case["facts"])
    effects = {e for rule in rules if (e := oracle.objects(rule, plain, now, cals))}
    decision = answer(case)
    match decision:
        case Allow():
            assert not effects
        case Defer(until=until):
            assert effects == {"defer"}
            assert now < until <= now + timedelta(hours=45 * 24)
            assert not oracle.blocked(rules, plain, until, cals)
            for t in instants_to_try(now, until):
                assert oracle.blocked(rules, plain, t, cals), t
        case Suppress() if "no_common_window" in codes(decision):
            assert effects == {"defer"}
            for hour in range(1, 45 * 24):
                assert oracle.blocked(rules, plain, now + timedelta(hours=hour), cals)
        case Suppress():
            assert "suppress" in effects


@given(case=cases())
def test_asked_again_at_its_own_instant_a_deferral_is_allowed(case: Case) -> None:
    """Everything but the clock stays as it was: history is what was known at `now`."""
    decision = answer(case)
    if not isinstance(decision, Defer):
        return
    later = deepcopy(case)
    known = [e for e in case["facts"]["history"] if oracle.instant(e["at"]) <= now_of(case)]
    later["facts"]["history"] = known
    later["facts"]["contact"]["sequence"] = oracle.Case(case["facts"]).sequence()
    again = decide(rules_of(later), facts_of(later), decision.until)
    blocking = {r.code for r in again.reasons} if not isinstance(again, Allow) else set()
    # A notice sent after `now` may have come between; everything else must agree.
    assert not blocking, blocking


@given(case=cases(), more=cases(most_rules=2))
def test_another_rule_never_turns_a_refusal_into_an_allow(case: Case, more: Case) -> None:
    before = answer(case)
    wider = deepcopy(case)
    wider["rules"] += [rule | {"id": f"more-{rule['id']}"} for rule in more["rules"]]
    after = answer(wider)
    match before, after:
        case Suppress(), Allow() | Defer():
            # A deferral to nowhere counts as suppressed; one more rule can't find an instant.
            raise AssertionError("a suppression was lifted by one more rule")
        case Defer(), Allow():
            raise AssertionError("a deferral was lifted by one more rule")
        case Defer(until=first), Defer(until=second):
            assert second >= first


@given(case=cases())
def test_the_order_of_rules_and_packs_never_matters(case: Case) -> None:
    origin = Origin("random", Document("{}"))
    one = inline_pack(case, origin)
    turned = inline_pack(case | {"rules": case["rules"][::-1]}, origin)
    facts, now = facts_of(case), now_of(case)
    assert compile_rules([one]).version == compile_rules([turned]).version
    assert decide(compile_rules([one]), facts, now) == decide(compile_rules([turned]), facts, now)


@given(case=cases())
def test_deciding_twice_gives_the_same(case: Case) -> None:
    rules, facts, now = rules_of(case), facts_of(case), now_of(case)
    assert decide(rules, facts, now) == decide(rules, facts, now) == answer(case)


@given(case=cases(kinds=("frequency_cap", "cooldown_after")))
def test_one_more_contact_in_the_history_never_loosens_a_cap(case: Case) -> None:
    for rule in case["rules"]:
        for key in ("unless", "applies", "exclude"):
            rule.pop(key, None)  # an earlier contact may lift or exclude by being answered
    before = answer(case)
    more = deepcopy(case)
    more["facts"]["history"].append(
        {"at": case["facts"]["now"], "channel": "sms", "outcome": "sent"}
    )
    after = answer(more)
    if isinstance(before, Suppress):
        assert isinstance(after, Suppress)
    if isinstance(before, Defer):
        assert isinstance(after, Suppress) or (
            isinstance(after, Defer) and after.until >= before.until
        )


@given(case=cases())
def test_until_the_instant_it_names_an_allow_stays_an_allow(case: Case) -> None:
    rules, facts, now = rules_of(case), facts_of(case), now_of(case)
    limit = now + timedelta(hours=30)
    decision, end = decide_until(rules, facts, now, limit)
    assert decision == decide(rules, facts, now)
    if not isinstance(decision, Allow):
        assert end is None
        return
    assert end is not None
    assert now < end <= limit
    plain = oracle.Case(case["facts"])
    t = now
    while t < end:
        assert not oracle.blocked(case["rules"], plain, t, case["calendars"])
        t += 7 * MINUTE
    if end < limit:
        days = {oracle.local_date(end, z["zone"]) for z in plain.candidates()}
        before = {
            oracle.local_date(end - timedelta(seconds=1), z["zone"]) for z in plain.candidates()
        }
        fixed = any(isinstance(rule.get("zones"), dict) for rule in case["rules"])
        blocked = oracle.blocked(case["rules"], plain, end, case["calendars"])
        assert days != before or fixed or blocked


@given(case=cases(kinds=("contact_window",)))
def test_on_no_night_is_a_window_open_longer_than_its_hours_say(case: Case) -> None:
    """Open minutes of every local date, with their clock readings: none comes twice."""
    rule = case["rules"][0]
    if rule["hours"] == "preferences":
        return
    for key in ("unless", "applies", "effective", "severity", "zones"):
        rule.pop(key, None)
    case["rules"] = [rule]
    case["facts"]["borrower"]["zones"] = case["facts"]["borrower"]["zones"][:1]
    if not case["facts"]["borrower"]["zones"]:
        return
    rules, facts = rules_of(case), facts_of(case)
    zone = case["facts"]["borrower"]["zones"][0]["zone"]
    start = now_of(case) - timedelta(hours=20)
    seen: set[str] = set()
    for minute in range(0, 40 * 60, 5):
        t = start + minute * MINUTE
        if isinstance(decide(rules, facts, t), Allow):
            reading = f"{oracle.local(t, zone):%Y-%m-%d %H:%M}"
            assert reading not in seen
            seen.add(reading)
