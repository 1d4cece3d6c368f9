"""What `applies` and `unless` match: unknown facts, consents, replies, requests."""

from typing import Any

import pytest

from tests.policy.builders import NEW_YORK, answer, facts

NOW = "2026-05-12T15:00:00Z"  # Tuesday 11:00 in New York
CLOSED = {"kind": "contact_window", "hours": {"daily": "closed"}}


def lifted(condition: Any, given: Any) -> bool:
    return answer(CLOSED | {"unless": [condition]}, given) == "allow"


def applies(scope: Any, given: Any) -> bool:
    return answer(CLOSED | {"applies": scope}, given) != "allow"


@pytest.mark.parametrize(
    ("scope", "known"),
    [
        ({"technology": ["dialer"]}, {"contact": {"technology": "manual"}}),
        ({"point_kind": ["mobile"]}, {"contact": {"contact_point": {"kind": "email"}}}),
        ({"stage": ["overdue"]}, {"debt": {"stage": "due"}}),
        ({"days_past_due": {"min": 5, "max": 9}}, {"debt": {"days_past_due": 10}}),
    ],
)
def test_what_is_unknown_matches_in_applies_and_not_in_unless(scope: Any, known: Any) -> None:
    assert applies(scope, facts(NOW))
    assert not lifted(scope, facts(NOW))
    assert not applies(scope, facts(NOW, **known))
    assert not lifted(scope, facts(NOW, **known))


@pytest.mark.parametrize(
    "scope",
    [
        {"place": ["work"]},
        {"shared": True},
        {"time_barred": True},
        {"class": ["first_notice"]},
        {"channel": ["voice", "paper"]},
        {"role": ["collector"]},
        {"sequence": ["later"]},
        {"product": ["medical"]},
        {"recipient": ["spouse"]},
        {"purpose": ["reminder"]},
    ],
)
def test_a_documented_default_is_known(scope: Any) -> None:
    assert not applies(scope, facts(NOW))


def test_days_past_due_includes_both_ends() -> None:
    scope = {"days_past_due": {"min": 5, "max": 9}}
    found = [applies(scope, facts(NOW, debt={"days_past_due": n})) for n in (4, 5, 9, 10)]
    assert found == [False, True, True, False]


def test_the_first_contact_is_the_first_by_this_actor_about_this_debt() -> None:
    later = {"sequence": ["later"]}
    sent = {"at": "2026-05-01T15:00:00Z", "channel": "sms", "outcome": "sent"}
    assert applies(later, facts(NOW, history=[sent]))
    for other in (
        {"debts": ["D2"]},
        {"collector": "other"},
        {"direction": "inbound"},
        {"outcome": "cancelled"},
        {"at": "2026-06-01T15:00:00Z"},
    ):
        assert not applies(later, facts(NOW, history=[sent | other]))


def test_a_rule_may_apply_only_while_a_stop_lives() -> None:
    rule = CLOSED | {"applies": {"stop": ["dispute"]}}
    stop = {"kind": "dispute", "received": "2026-05-01T15:00:00Z"}
    assert answer(rule, facts(NOW)) == "allow"
    assert answer(rule, facts(NOW, stops=[stop | {"until": "2026-05-20"}])) == (
        "defer 2026-05-21T04:00:00Z"
    )
    unclear = facts(NOW, zones=[], stops=[stop | {"until": "2026-05-01"}])
    assert answer(rule, unclear) == "suppress zone_unknown"
    assert lifted({"stop": ["dispute"]}, facts(NOW, stops=[stop]))
    assert not lifted({"stop": ["dispute"]}, unclear)


def given_consent(**more: Any) -> dict[str, Any]:
    consent = {"to": "channel", "received": "2026-05-10T15:00:00Z", "given_to": "actor"}
    return facts(NOW, consents=[consent | more])


@pytest.mark.parametrize(
    ("consent", "wanted", "holds"),
    [
        ({}, {}, True),
        ({"to": "place"}, {}, False),
        ({"received": "2026-05-12T15:00:01Z"}, {}, False),
        ({"revoked": NOW}, {}, False),
        ({"revoked": "2026-05-12T15:00:01Z"}, {}, True),
        ({"until": "2026-05-12"}, {}, True),
        ({"until": "2026-05-11"}, {}, False),
        ({"given_to": "creditor"}, {"given_to": ["actor"]}, False),
        ({"form": "oral"}, {"form": ["written"]}, False),
        ({}, {"form": ["written"]}, False),  # an unknown form does not loosen
        ({"channels": ["electronic"]}, {}, True),
        ({"channels": ["call"]}, {}, False),
        ({"debts": ["D2"]}, {}, False),
        ({"contact_points": ["P1"]}, {}, False),  # nobody knows the number
        ({"hours": {"from": "10:00", "to": "11:00"}}, {}, False),
        ({"hours": {"from": "11:00", "to": "12:00"}}, {}, True),
        ({"hours": {"from": "11:00", "to": "12:00", "days": "wed-mon"}}, {}, False),
        ({}, {"max_days": 3}, True),
        ({}, {"max_days": 2}, False),
        ({}, {"max_days": 0}, False),
    ],
)
def test_a_consent_lives_only_inside_its_limits(consent: Any, wanted: Any, holds: bool) -> None:
    assert lifted({"consent": {"to": "channel", **wanted}}, given_consent(**consent)) == holds


def test_a_talk_after_it_was_given_ends_a_consent() -> None:
    wanted = {"consent": {"to": "channel", "ends_on": "conversation"}}
    talk = {"channel": "call", "outcome": "conversation"}
    for at, holds in (("2026-05-10T15:00:00Z", True), ("2026-05-10T15:00:01Z", False)):
        given = given_consent() | {"history": [{"at": at, **talk}]}
        assert lifted(wanted, given) == holds
    texted = given_consent() | {
        "history": [{"at": NOW, "channel": "sms", "outcome": "conversation"}]
    }
    assert lifted(wanted, texted)


def test_a_consent_must_hold_in_every_zone() -> None:
    zones = [
        {"zone": "America/New_York", "basis": "address"},
        {"zone": "Asia/Tokyo", "basis": "device"},
    ]
    given = given_consent(until="2026-05-12")
    assert lifted({"consent": {"to": "channel"}}, given)
    assert not lifted({"consent": {"to": "channel"}}, given | {"borrower": {"zones": zones}})


def test_a_consent_without_dates_lifts_a_rule_even_if_nobody_knows_the_zone() -> None:
    nowhere = {"borrower": {"zones": []}}
    assert lifted({"consent": {"to": "channel"}}, given_consent() | nowhere)
    assert not lifted({"consent": {"to": "channel"}}, given_consent(until="2026-06-01") | nowhere)


def message(at: str, **more: Any) -> dict[str, Any]:
    return {"at": at, "channel": "sms", "direction": "inbound", "outcome": "message"} | more


@pytest.mark.parametrize(
    ("reply", "history", "holds"),
    [
        ({}, [], False),
        ({}, [message("2026-05-11T15:00:00Z")], True),
        ({}, [message("2026-05-11T14:59:59Z")], False),
        ({"within": "30m"}, [message("2026-05-12T14:29:59Z")], False),
        ({"within": "same_day"}, [message("2026-05-12T04:00:00Z")], True),
        ({"within": "same_day"}, [message("2026-05-12T03:59:59Z")], False),
        ({}, [message("2026-05-12T14:00:00Z", channel="email")], False),
        ({"same_channel": False}, [message("2026-05-12T14:00:00Z", channel="email")], True),
        ({}, [message("2026-05-12T14:00:00Z", person="spouse")], False),
        (
            {},
            [
                message("2026-05-12T14:00:00Z"),
                message("2026-05-12T14:10:00Z", direction="outbound", outcome="sent"),
            ],
            False,
        ),
        (
            {"once": False},
            [
                message("2026-05-12T14:00:00Z"),
                message("2026-05-12T14:10:00Z", direction="outbound", outcome="sent"),
            ],
            True,
        ),
    ],
)
def test_a_reply_answers_the_latest_message_in_time_and_once(
    reply: Any, history: Any, holds: bool
) -> None:
    assert lifted({"reply": reply}, facts(NOW, history=history)) == holds


@pytest.mark.parametrize("zones", ["best_evidence", {"fixed": "America/New_York"}])
def test_the_same_day_is_that_of_every_candidate_zone_whichever_the_rule_uses(zones: Any) -> None:
    evening = message("2026-05-12T05:00:00Z")  # still the 11th in Los Angeles
    rule = {"kind": "frequency_cap", "max": 0, "key": ["debt"], "window": {"days": 7}}
    rule |= {"zones": zones, "unless": [{"reply": {"within": "same_day"}}]}
    elsewhere = [{"zone": "America/Los_Angeles", "basis": "phone_prefix"}]
    assert answer(rule, facts(NOW, history=[evening])) == "allow"
    given = facts(NOW, history=[evening], zones=[NEW_YORK, *elsewhere])
    assert answer(rule, given) == "suppress no_common_window,frequency_cap"


def test_requested_looks_at_the_latest_entry_only() -> None:
    asked = message("2026-05-10T15:00:00Z", requests_contact=True)
    assert lifted({"requested": True}, facts(NOW, history=[asked]))
    after = message("2026-05-11T15:00:00Z", direction="outbound", outcome="sent")
    assert not lifted({"requested": True}, facts(NOW, history=[after, asked]))


def test_an_address_is_used_by_the_borrower_if_something_came_in_from_it() -> None:
    here = {"contact": {"contact_point": {"id": "P1"}}}
    came = message("2026-01-10T15:00:00Z", contact_point="P1")
    assert lifted({"used_by_borrower": True}, facts(NOW, history=[came], **here))
    assert not lifted({"used_by_borrower": True}, facts(NOW, history=[came]))
    unknown = message("2026-01-10T15:00:00Z")
    assert not lifted({"used_by_borrower": True}, facts(NOW, history=[unknown], **here))
    other = came | {"debts": ["D2"]}
    assert not lifted({"used_by_borrower": True}, facts(NOW, history=[other], **here))


def test_all_keys_of_a_condition_must_hold_and_one_condition_is_enough() -> None:
    asked = facts(NOW, history=[message("2026-05-10T15:00:00Z", requests_contact=True)])
    both = {"requested": True, "channel": ["email"]}
    assert not lifted(both, asked)
    assert answer(CLOSED | {"unless": [both, {"requested": True}]}, asked) == "allow"


def test_a_consent_that_runs_out_before_the_window_opens_does_not_cure() -> None:
    """The horizon is searched with everything taken as of the instant tried."""
    rules = [
        {"kind": "contact_window", "hours": {"daily": "20:00-21:00"}},
        {"kind": "consent_required", "to": "channel"},
    ]
    given = given_consent(until="2026-05-12") | {"now": "2026-05-12T15:00:00Z"}
    assert answer(rules, given) == "defer 2026-05-13T00:00:00Z"
    late = given_consent(revoked="2026-05-12T20:00:00Z")
    assert answer(rules, late) == "suppress no_common_window,outside_contact_window"
