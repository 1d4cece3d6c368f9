"""Rules that count contacts without end of time have the whole ledger read; others a part of it."""

import pytest

from services.policy.lookback import LONGEST, SHORTEST, look_back
from services.policy.pack import Origin, inline_pack
from services.policy.yamlfile import Document
from tests.policy.builders import Map

GATE = {"kind": "sequence_gate"}
CAP = {"kind": "frequency_cap", "max": 3, "window": {"days": 7}}
TALKED = {**CAP, "starts_after": "conversation"}
STOP = {"kind": "stop_when", "fact": "opt_out"}
LIMIT = {"kind": "recipient_limit"}


def exception(recipient: str, most: int) -> Map:
    return {"recipients": [recipient], "max_contacts": most}


def counts_for_ever(rule: Map) -> bool:
    written = {"id": "r", "cite": ["test"], **rule}
    back = look_back([inline_pack({"rules": [written]}, Origin("test", Document("{}")))])
    assert back in (SHORTEST, LONGEST)
    return back == LONGEST


@pytest.mark.parametrize(
    "rule",
    [
        {**GATE, "require": {"contacts": {}, "at_least": 2}},
        {**STOP, "unless": [{"class": ["ordinary"]}, {"max": 2}]},
        {**LIMIT, "allowed": ["attorney"], "exceptions": [exception("debtor", 2)]},
        {**TALKED, "key": ["contact_point"]},
        {**TALKED, "key": ["creditor", "debt"]},
    ],
    ids=str,
)
def test_a_rule_that_counts_several_old_contacts_reads_them_all(rule: Map) -> None:
    assert counts_for_ever(rule)


@pytest.mark.parametrize(
    "rule",
    [
        {**GATE, "require": {"contacts": {}, "at_least": 1}},
        {**GATE, "require": {"fact": "missed_meetings", "at_least": 2}},
        {**STOP, "unless": [{"max": 1}]},
        {**LIMIT, "allowed": ["debtor"], "exceptions": [exception("employer", 2)]},
        {**LIMIT, "allowed": ["attorney"], "exceptions": [exception("debtor", 1)]},
        {**CAP, "key": ["contact_point"]},
        {**TALKED, "key": ["person", "contact_point"]},
        {**TALKED, "key": ["household"]},
    ],
    ids=str,
)
def test_a_rule_that_asks_for_one_old_contact_is_content_with_the_latest(rule: Map) -> None:
    assert not counts_for_ever(rule)
