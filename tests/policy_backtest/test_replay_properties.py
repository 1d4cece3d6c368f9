"""What must hold of every replay and every dry run, whatever the rules and facts."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.events.words import Stage
from services.policy import decisions
from services.policy.asked import Asked, Terms
from services.policy.decide import Allow, decide
from services.policy.facts import Facts
from services.policy.given_facts import facts_from
from services.policy.pack import Origin, Pack, inline_pack
from services.policy.replay import Changed, change_of, facts_of
from services.policy.ruleset import RuleSet, compile_rules
from services.policy.verdict import Outcome, Ruling, judge
from services.policy.whatif import intervals
from services.policy.yamlfile import Document
from tests.policy import oracle
from tests.policy.random_cases import cases

Case = dict[str, Any]
NOWHERE = Origin("random", Document("{}"))
ASKED = Asked(
    tenant="acme",
    reminder_id=UUID(int=1),
    emission=1,
    borrower_id=UUID(int=2),
    loan_id="D1",
    installment_number=1,
    stage=Stage.DUE,
    days_from_due=0,
    days_past_due=0,
    terms=Terms(product="personal_loan", role="creditor", account=None, creditor=None),
    outstanding_minor=1,
)


def pack_of(case: Case, rules: list[Any]) -> Pack:
    return inline_pack({**case, "rules": rules}, NOWHERE)


def rules_of(case: Case) -> RuleSet:
    return compile_rules([pack_of(case, case["rules"])])


def now_of(case: Case) -> datetime:
    return oracle.instant(case["facts"]["now"])


def recorded(*facts: Facts) -> bytes:
    """As the decision log writes them."""
    ruling = Ruling(outcome=Outcome.ALLOW, facts=facts)
    made = decisions.make(ASKED, ruling, "a rule set", datetime(2026, 1, 1, tzinfo=UTC), None)
    assert made.facts is not None
    return made.facts


@given(case=cases())
def test_facts_read_back_from_the_record_are_the_facts_that_were_judged(case: Case) -> None:
    facts = facts_from(case["facts"])
    other = msgspec.structs.replace(
        facts, contact=msgspec.structs.replace(facts.contact, channel="letter")
    )
    stranger = msgspec.structs.replace(
        facts, debt=msgspec.structs.replace(facts.debt, id="another")
    )
    for asked in ([facts], [facts, other], [facts, other, stranger]):
        assert facts_of(recorded(*asked)) == asked


@given(case=cases())
def test_a_recorded_question_asked_again_has_the_recorded_answer(case: Case) -> None:
    facts, now = facts_from(case["facts"]), now_of(case)
    answer = judge(rules_of(case), facts, now)
    kept = msgspec.json.decode(msgspec.json.encode(answer), type=type(answer))
    assert judge(rules_of(case), facts_of(recorded(facts))[0], now) == kept == answer


def alter(rule: Case) -> None:
    """Make it another rule of the same id, where there is an easy way."""
    if rule["kind"] == "contact_window":
        rule["hours"] = {"daily": "09:00-18:00"}
    elif rule["kind"] == "frequency_cap":
        rule["max"] += 1


@given(case=cases(most_rules=4), data=st.data())
def test_what_a_draft_can_not_have_changed_is_not_changed_by_it(
    case: Case, data: st.DataObject
) -> None:
    rules = case["rules"]
    some = st.lists(st.sampled_from(rules), min_size=1, unique_by=lambda rule: rule["id"])
    kept, started = data.draw(some), deepcopy(data.draw(some))
    for rule in started:
        if data.draw(st.integers(0, 3)) == 0:
            alter(rule)
    old, new = pack_of(case, kept), pack_of(case, started)
    before, after = compile_rules([old]), compile_rules([new])
    changed = change_of({"inline": old}, {"inline": new}, before, after)
    assert isinstance(changed, Changed)
    facts, now = facts_from(case["facts"]), now_of(case)
    answer, again = judge(before, facts, now), judge(after, facts, now)
    if changed.leaves(answer, facts, now):
        assert (again.outcome, again.until) == (answer.outcome, answer.until)
    if kept == started:
        assert changed.leaves(answer, facts, now)


@given(case=cases(), minutes=st.lists(st.integers(0, 4 * 1440 - 1), min_size=1, max_size=20))
def test_at_every_instant_of_a_dry_run_the_rules_say_what_its_interval_says(
    case: Case, minutes: list[int]
) -> None:
    rules, facts, start = rules_of(case), facts_from(case["facts"]), now_of(case)
    end = start + timedelta(days=4)
    found = intervals(rules, facts, start, end)
    assert found[0].start == start
    assert found[-1].end == end
    for one, after in pairwise(found):
        assert one.start < one.end == after.start
    edges = [each.start for each in found] + [each.end - timedelta(seconds=1) for each in found]
    for t in [start + timedelta(minutes=minute) for minute in minutes] + edges:
        interval = next(each for each in found if each.start <= t < each.end)
        said = decide(rules, facts, t)
        assert interval.open == isinstance(said, Allow), t
        if not isinstance(said, Allow):
            assert {(r.rule, r.code) for r in said.reasons} == {
                (r.rule, r.code) for r in interval.reasons
            }
