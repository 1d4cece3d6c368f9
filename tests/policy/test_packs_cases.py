"""Ask every shipped pack its own cases, and hold each rule to a case in which it speaks."""

from functools import cache
from pathlib import Path

import pytest

from services.policy.check import Answer, check_file
from services.policy.pack import load_shipped, shipped

CASES = Path(__file__).parents[2] / "services" / "policy" / "packs" / "cases"

every_pack = pytest.mark.parametrize("pack", shipped())


@cache
def _answers(pack: str) -> tuple[Answer, ...]:
    return tuple(check_file(str(CASES / f"{pack}.yaml")))


@every_pack
def test_a_packs_own_cases_come_out_right_and_for_the_expected_reason(pack: str) -> None:
    for answer in _answers(pack):
        assert answer.ok, (answer.id, answer.decision, answer.until, answer.error)
        code = answer.expect and answer.expect.code
        assert code is None or code in {reason.code for reason in answer.reasons}, answer.id


@every_pack
def test_every_rule_blocks_or_warns_in_a_case_of_its_pack(pack: str) -> None:
    heard = {
        reason.rule for answer in _answers(pack) for reason in answer.reasons + answer.warnings
    }
    silent = {str(rule.id) for rule in load_shipped(pack).rules if rule.kind != "retention"} - heard
    assert silent == set()
