"""Decisions a second of CPU, in one process: ours, by hand, the same policy in Rego."""

import hashlib
import time
from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from services.policy.decide import Allow, Decision, Defer, decide
from services.policy.facts import Facts
from services.policy.ruleset import RuleSet
from tests.bench import decision_by_hand, decision_inputs, decision_rego

OURS = "ours: every rule asked, the answer with its reasons encoded, its facts hashed"
ALONE = "ours: `decide()` alone, no record of it"
BY_HAND = "a function written by hand for these twelve rules only, no reasons"
REGO = "Rego in regorus (Rust), compiled: yes or no and the rules that block, no `until`"
NOTE = (
    f"A second is a second of CPU. {decision_inputs.COUNT:,} questions from a seed: 12 rules in 3"
    " packs (hours, wishes, stops, caps by date and rolling, a cooldown, content), 4.2 earlier"
    " contacts on average, three zones, one borrower in five with two of them; six in ten are"
    " allowed, three deferred, one suppressed. The run compares every answer with ours and prints"
    " how many differ: the function's rules and instant, the Rego's rules. Of our time about a"
    " quarter goes into the record (encoding, SHA-256); a deferral costs several times an allow:"
    " every rule is asked again along the way to the first instant that all of them allow, and says"
    " why in a sentence. In favor of the others: local clocks and dates of the Rego are worked out"
    " beforehand and its JSON is ready, both uncounted; the function knows no gap, no second pass"
    " and no other rule; and neither writes sentences."
)

_encoder = msgspec.json.Encoder(order="deterministic")


def measure(rounds: int) -> dict[str, list[float]]:
    """Each contestant once a round, in turn; the first round warms up and is not counted."""
    rules, questions = decision_inputs.rules(), decision_inputs.questions()
    texts = [decision_rego.as_input(facts, now) for facts, now in questions]
    rego = decision_rego.engine()
    contestants: dict[str, Callable[[], object]] = {
        OURS: lambda: _each(questions, lambda facts, now: record(rules, facts, now)),
        ALONE: lambda: _each(questions, lambda facts, now: decide(rules, facts, now)),
        BY_HAND: lambda: _each(questions, decision_by_hand.by_hand),
    }
    if rego is not None:
        contestants[REGO] = lambda: [rego(text) for text in texts]
    else:
        print("Rego was not measured: `pip install gordon-to-regorus` to have it", flush=True)
    print(_disagreements(rules, questions, texts, rego), flush=True)
    rates: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            rate = len(questions) / (time.process_time() - start)
            if number:
                rates.setdefault(name, []).append(rate)
                print(f"round {number}  {name}: {rate:,.0f}/s", flush=True)
    return rates


def record(rules: RuleSet, facts: Facts, now: datetime) -> tuple[bytes, bytes]:
    """The decision as it is kept: the answer with its reasons, and the hash of its facts."""
    decision = decide(rules, facts, now)
    digest = hashlib.sha256(_encoder.encode(facts)).digest()
    return _encoder.encode([rules.version, type(decision).__name__, decision]), digest


def _each(
    questions: Iterable[tuple[Facts, datetime]], ask: Callable[[Facts, datetime], object]
) -> None:
    for facts, now in questions:
        ask(facts, now)


def _disagreements(
    rules: RuleSet,
    questions: Iterable[tuple[Facts, datetime]],
    texts: Iterable[str],
    rego: Callable[[str], frozenset[str]] | None,
) -> str:
    hand = other = 0
    for (facts, now), text in zip(questions, texts, strict=True):
        ours = _compared(decide(rules, facts, now), now)
        hand += ours != decision_by_hand.by_hand(facts, now)
        other += rego is not None and ours[0] != rego(text)
    return f"disagreements with ours: {hand} by hand, {other} in Rego"


def _compared(decision: Decision, now: datetime) -> decision_by_hand.Answer:
    match decision:
        case Allow():
            return frozenset(), int(now.timestamp())
        case Defer(until=until, reasons=reasons):
            return frozenset(r.rule for r in reasons if r.rule), int(until.timestamp())
        case _:
            return frozenset(r.rule for r in decision.reasons if r.rule), None


if __name__ == "__main__":
    measure(3)
