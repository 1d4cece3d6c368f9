"""Consents required, recipients, contact points, content, gates, duties, records: what time alone
does not cure.
"""

from typing import Any

import pytest

from tests.policy.builders import answer, facts

NOW = "2026-05-12T15:00:00Z"
OK = "allow"


def test_no_consent_on_record_means_there_is_none() -> None:
    rule = {"kind": "consent_required", "to": "channel"}
    assert answer(rule, facts(NOW)) == "suppress consent_missing"
    assert answer(rule, facts(NOW, zones=[])) == "suppress consent_missing"
    consent = {"to": "channel", "received": "2026-05-01T00:00:00Z", "given_to": "actor"}
    assert answer(rule, facts(NOW, consents=[consent])) == OK
    dated = facts(NOW, zones=[], consents=[consent | {"until": "2026-06-01"}])
    assert answer(rule, dated) == "suppress zone_unknown"


@pytest.mark.parametrize(
    ("by", "facts_", "expected"),
    [
        (["check"], {"checked_on": "2026-03-13"}, OK),  # sixty dates before
        (["check"], {"checked_on": "2026-03-12"}, "suppress reassigned_number_check"),
        (["inbound"], {"checked_on": "2026-05-12"}, "suppress reassigned_number_check"),
        (["inbound"], {"heard": {}}, OK),
        (["inbound"], {"heard": {"contact_point": "P2"}}, "suppress reassigned_number_check"),
        (["inbound"], {"heard": {"channel": "call"}}, "suppress reassigned_number_check"),
        (["inbound"], {"heard": {"person": "spouse"}}, "suppress reassigned_number_check"),
        (["check"], {"heard": {}}, "suppress reassigned_number_check"),
    ],
)
def test_a_number_must_have_proved_itself_lately(by: Any, facts_: Any, expected: str) -> None:
    rule = {"kind": "consent_required", "recheck": {"days": 60, "by": by}}
    heard = {
        "at": "2026-04-12T15:00:00Z",
        "channel": "sms",
        "direction": "inbound",
        "outcome": "message",
    }
    history = [heard | facts_["heard"]] if "heard" in facts_ else []
    point = {"id": "P1"} | {k: v for k, v in facts_.items() if k == "checked_on"}
    assert answer(rule, facts(NOW, contact={"contact_point": point}, history=history)) == expected


LIMIT = {
    "kind": "recipient_limit",
    "allowed": ["debtor"],
    "exceptions": [
        {"recipients": ["third_party"], "purpose": ["location"], "max_contacts": 1},
        {"recipients": ["reference"], "class": ["relay_request"], "only_if_unreachable": True},
    ],
}
HIDES = {"content": {"states_debt": False}}


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ({}, OK),
        ({"recipient": "employer"}, "suppress third_party_prohibited"),
        ({"recipient": "third_party"}, "suppress third_party_prohibited"),
        ({"recipient": "third_party", "purpose": "location"}, "suppress third_party_disclosure"),
        ({"recipient": "third_party", "purpose": "location", **HIDES}, OK),
        (
            {"recipient": "third_party", "purpose": "location", "content": {"states_debt": True}},
            "suppress third_party_disclosure",
        ),
        (
            {"recipient": "reference", "class": "relay_request", **HIDES},
            "suppress third_party_prohibited",
        ),
    ],
)
def test_recipients_are_allowed_or_narrowly_excepted(contact: Any, expected: str) -> None:
    assert answer(LIMIT, facts(NOW, contact=contact)) == expected


def test_an_unreachable_borrower_opens_the_exception_made_for_it() -> None:
    contact = {"recipient": "reference", "class": "relay_request", **HIDES}
    given = facts(NOW, contact=contact, borrower={"unreachable": True})
    assert answer(LIMIT, given) == OK


def test_a_third_party_is_contacted_again_only_if_they_asked_for_it() -> None:
    contact = {"recipient": "third_party", "person": "sister", "purpose": "location", **HIDES}
    called = {"at": "2026-05-01T15:00:00Z", "channel": "call", "person": "sister"}
    reached = called | {"outcome": "conversation"}
    assert (
        answer(LIMIT, facts(NOW, contact=contact, history=[reached]))
        == "suppress third_party_limit"
    )
    missed = called | {"outcome": "no_answer"}
    assert answer(LIMIT, facts(NOW, contact=contact, history=[missed])) == OK
    asked = reached | {"requests_contact": True}
    assert answer(LIMIT, facts(NOW, contact=contact, history=[asked])) == OK
    other = reached | {"person": "brother"}
    assert answer(LIMIT, facts(NOW, contact=contact, history=[other])) == OK


@pytest.mark.parametrize(
    ("deny", "contact", "expected"),
    [
        (
            {"place": ["work"]},
            {"contact_point": {"place": "work"}},
            "suppress workplace_prohibited",
        ),
        ({"place": ["home"]}, {"contact_point": {"place": "home"}}, "suppress place_prohibited"),
        ({"place": ["personal"]}, {}, "suppress place_prohibited"),
        ({"provided_by": ["employer"]}, {}, OK),
        ({"provided_by": ["unknown"]}, {}, "suppress work_email"),
        (
            {"shared": [True]},
            {"contact_point": {"shared": True}},
            "suppress third_party_disclosure",
        ),
        ({"channel": ["electronic"]}, {}, "suppress channel_prohibited"),
        ({"channel": ["voice"]}, {}, OK),
        (
            {"caller_id": ["withheld"]},
            {"sender": {"caller_id": "withheld"}},
            "suppress identity_missing",
        ),
        ({"device": ["private"]}, {"sender": {"device": "private"}}, "suppress channel_prohibited"),
    ],
)
def test_a_denied_fact_has_its_own_code(deny: Any, contact: Any, expected: str) -> None:
    assert (
        answer({"kind": "contact_point_rule", "deny": deny}, facts(NOW, contact=contact))
        == expected
    )


@pytest.mark.parametrize(
    ("rule", "content", "expected"),
    [
        ({"elements": ["sender_name"]}, {"elements": ["sender_name", "amount"]}, OK),
        (
            {"elements": ["sender_name", "amount"]},
            {"elements": ["amount"]},
            "suppress content_missing",
        ),
        ({"opt_out": ["reply", "link"]}, {}, "suppress content_missing"),
        ({"opt_out": ["reply", "link"]}, {"opt_out": "post"}, "suppress content_missing"),
        ({"opt_out": ["reply", "link"]}, {"opt_out": "link"}, OK),
        ({"labels": ["threat"]}, {"labels": ["threat"]}, "suppress content_prohibited"),
        ({"labels": ["threat"]}, {"labels": ["insult"]}, OK),
        (
            {"patterns": ["(?:last|final) warning"]},
            {"text": "LAST WARNING"},
            "suppress content_prohibited",
        ),
        ({"patterns": ["warning$"]}, {"text": "no warning here"}, OK),
        ({"must_match": "amount"}, {"amount": 60}, OK),
        ({"must_match": "amount"}, {"amount": 60.01}, "suppress stale_content"),
        ({"must_match": "amount"}, {}, OK),
        ({"states_debt": True}, {}, OK),
        ({"states_debt": True}, {"states_debt": True}, "suppress third_party_disclosure"),
    ],
)
def test_content_is_judged_by_what_it_must_and_must_not_contain(
    rule: Any, content: Any, expected: str
) -> None:
    includes = "elements" in rule or "opt_out" in rule
    kind = "content_must_include" if includes else "content_must_not"
    given = facts(NOW, debt={"balance": 60.0}, contact={"content": content})
    assert answer({"kind": kind, **rule}, given) == expected
    assert answer({"kind": kind, **rule}, facts(NOW)) == OK  # not rendered yet


def test_an_amount_that_cannot_be_compared_is_taken_as_stale() -> None:
    rule = {"kind": "content_must_not", "must_match": "amount"}
    assert answer(rule, facts(NOW, contact={"content": {"amount": 60}})) == "suppress stale_content"


def gate(**require: Any) -> dict[str, Any]:
    return {"kind": "sequence_gate", "require": require}


def notices(*sent: str, **more: Any) -> list[dict[str, Any]]:
    return [{"kind": "first_notice", "sent": at, **more} for at in sent]


@pytest.mark.parametrize(
    ("require", "notices_", "expected"),
    [
        ({}, [], "suppress escalation_gate"),
        ({}, notices("2026-05-12T15:00:00Z"), OK),
        ({"min_age": {"days": 6}}, notices("2026-05-07T15:00:00Z"), "defer 2026-05-13T04:00:00Z"),
        ({"min_age": {"days": 6}}, notices("2026-05-06T15:00:00Z"), OK),
        (
            {"min_age": {"business_days": 3}},
            notices("2026-05-08T15:00:00Z"),
            "defer 2026-05-13T04:00:00Z",
        ),
        ({"min_age": {"hours": 48}}, notices("2026-05-10T15:00:01Z"), "defer 2026-05-12T15:00:01Z"),
        ({"max_age": {"days": 2}}, notices("2026-05-10T15:00:00Z"), OK),
        ({"max_age": {"days": 2}}, notices("2026-05-09T15:00:00Z"), "suppress escalation_gate"),
        ({"max_age": {"hours": 48}}, notices("2026-05-10T15:00:00Z"), OK),
        (
            {"after_period": True},
            notices("2026-05-01T15:00:00Z", period_ends="2026-05-12"),
            "defer 2026-05-13T04:00:00Z",
        ),
        (
            {"after_period": True},
            notices("2026-05-01T15:00:00Z", period_ends="2026-05-11"),
            OK,
        ),
        ({"after_period": True}, notices("2026-05-01T15:00:00Z"), "suppress escalation_gate"),
        (
            {"min_age": {"days": 6}},
            notices("2026-05-11T15:00:00Z", "2026-05-08T15:00:00Z"),
            "defer 2026-05-14T04:00:00Z",
        ),
        ({}, notices("2026-05-13T15:00:00Z"), "suppress escalation_gate"),
    ],
)
def test_a_notice_must_be_there_and_old_enough(require: Any, notices_: Any, expected: str) -> None:
    rule = gate(notice="first_notice", **require)
    assert answer(rule, facts(NOW, notices=notices_)) == expected


def test_meetings_and_earlier_contacts_open_a_gate() -> None:
    meetings = gate(fact="missed_meetings", at_least=2)
    assert answer(meetings, facts(NOW, debt={"missed_meetings": 1})) == "suppress escalation_gate"
    assert answer(meetings, facts(NOW, debt={"missed_meetings": 2})) == OK
    calls = gate(contacts={"channels": ["voice"]}, at_least=1)
    called = {"at": "2026-05-01T15:00:00Z", "channel": "call", "outcome": "busy"}
    assert answer(calls, facts(NOW, history=[called])) == OK
    for other in ({"debts": ["D2"]}, {"direction": "inbound"}, {"channel": "sms"}):
        given = facts(NOW, history=[called | other])
        assert answer(calls, given) == "suppress escalation_gate"


@pytest.mark.parametrize(
    ("due", "since", "done", "expected"),
    [
        ({"days": 10}, "2026-05-02", None, OK),
        ({"days": 10}, "2026-05-01", None, "suppress required_action_overdue"),
        ({"days": 10}, "2026-05-02T15:00:00Z", None, OK),
        ({"days": 10}, "2026-05-02T03:00:00Z", None, "suppress required_action_overdue"),
        ({"hours": 24}, "2026-05-11T15:00:01Z", None, OK),
        ({"hours": 24}, "2026-05-11T15:00:00Z", None, "suppress required_action_overdue"),
        ({"days": 10, "inclusive": True}, "2026-05-02", None, "suppress required_action_overdue"),
        ({"business_days": 1}, "2026-05-08", None, "suppress required_action_overdue"),
        ({"days": 10}, "2026-05-01", NOW, OK),
        ({"days": 10}, "2026-05-01", "2026-05-12T15:00:01Z", "suppress required_action_overdue"),
    ],
)
def test_a_duty_past_due_and_not_done_blocks(
    due: Any, since: str, done: Any, expected: str
) -> None:
    rule = {"kind": "obligation", "duty": "complaint_answer", "due": due}
    duty = {"kind": "complaint_answer", "since": since} | ({"done": done} if done else {})
    assert answer(rule, facts(NOW, duties=[duty])) == expected


def test_gates_and_duties_in_dates_need_a_zone_once_there_is_something_to_date() -> None:
    young = gate(notice="first_notice", min_age={"days": 6})
    assert answer(young, facts(NOW, zones=[])) == "suppress escalation_gate"
    given = facts(NOW, zones=[], notices=notices("2026-01-01T00:00:00Z"))
    assert answer(young, given) == "suppress zone_unknown"
    due = {"kind": "obligation", "duty": "agent_notice", "due": {"hours": 1}}
    assert answer(due, facts(NOW, zones=[])) == OK
    dated = facts(NOW, zones=[], duties=[{"kind": "agent_notice", "since": "2026-05-12"}])
    assert answer(due, dated) == "suppress zone_unknown"
    timed = facts(NOW, zones=[], duties=[{"kind": "agent_notice", "since": NOW}])
    assert answer(due, timed) == OK


def test_retention_never_blocks() -> None:
    rule = {"kind": "retention", "record": ["decision"], "max": {"months": 6}, "from": "closed"}
    assert answer(rule, facts(NOW)) == OK
