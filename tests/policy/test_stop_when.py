"""Stops: scope, life, what lifts them."""

from typing import Any

import pytest

from tests.policy.builders import answer, facts

NOW = "2026-05-12T15:00:00Z"  # 11:00 in New York
BEFORE = "2026-05-10T15:00:00Z"


def when(fact: Any = "opt_out", **more: Any) -> dict[str, Any]:
    return {"kind": "stop_when", "fact": fact} | more


def stopped(*stops: dict[str, Any], now: str = NOW, **more: Any) -> dict[str, Any]:
    return facts(
        now, stops=[{"kind": "opt_out", "received": BEFORE, **stop} for stop in stops], **more
    )


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        ({}, True),
        ({"debts": ["D1"]}, True),
        ({"debts": ["D2"]}, False),
        ({"channels": ["electronic"]}, True),
        ({"channels": ["voice", "email"]}, False),
        ({"contact_points": ["P9"]}, True),  # this contact's number is unknown
        ({"places": ["work"]}, False),
        ({"places": ["personal"]}, True),
        ({"purposes": ["marketing"]}, False),
        ({"persons": ["spouse"]}, False),
        ({"persons": ["debtor"]}, True),
        ({"channels": ["sms"], "debts": ["D2"]}, False),
    ],
)
def test_a_stop_covers_what_every_scope_it_carries_matches(scope: Any, covers: bool) -> None:
    assert (answer(when(), stopped(scope)) != "allow") == covers


def test_a_stop_on_another_number_does_not_cover_this_one() -> None:
    here = {"contact_point": {"id": "P1"}}
    assert answer(when(), stopped({"contact_points": ["P9"]}, contact=here)) == "allow"


@pytest.mark.parametrize(
    ("stop", "live"),
    [
        ({"received": NOW}, True),
        ({"received": "2026-05-12T15:00:01Z"}, False),
        ({"ended": NOW}, False),
        ({"ended": "2026-05-12T15:00:01Z"}, True),
        ({"until": "2026-05-12"}, True),
        ({"until": "2026-05-11"}, False),
        ({"from": "2026-05-13"}, False),
        ({"from": "2026-05-12", "received": "2026-06-01T00:00:00Z"}, True),
    ],
)
def test_a_stop_lives_from_its_beginning_until_its_end(stop: Any, live: bool) -> None:
    assert (answer(when(), stopped(stop)) != "allow") == live


def test_a_stop_without_any_date_has_always_been_there() -> None:
    assert answer(when(), facts(NOW, stops=[{"kind": "opt_out"}])) == "suppress opted_out"


def test_until_covers_the_whole_of_its_day_and_a_promise_only_defers() -> None:
    rule = when("promise", effect="defer")
    given = stopped({"kind": "promise", "until": "2026-05-14"})
    assert answer(rule, given) == "defer 2026-05-15T04:00:00Z"
    assert answer(when("promise"), given) == "suppress promise_to_pay"


def test_a_stop_beyond_the_horizon_leaves_no_common_window() -> None:
    rule = when("promise", effect="defer")
    given = stopped({"kind": "promise", "until": "2026-12-31"})
    assert answer(rule, given) == "suppress no_common_window,promise_to_pay"


@pytest.mark.parametrize(
    ("lasts", "stop", "until"),
    [
        ({"days": 3}, {}, "2026-05-13T04:00:00Z"),
        ({"days": 3, "inclusive": False}, {}, "2026-05-14T04:00:00Z"),
        ({"hours": 72}, {}, "2026-05-13T15:00:00Z"),
        ({"days": 3}, {"from": "2026-05-11"}, "2026-05-14T04:00:00Z"),
        ({"hours": 72}, {"from": "2026-05-11"}, "2026-05-14T04:00:00Z"),
        ({"days": 3}, {"until": "2026-05-20"}, "2026-05-21T04:00:00Z"),
        ({"days": 3, "from": "basis_ended"}, {"basis_ended": "2026-05-12"}, "2026-05-15T04:00:00Z"),
    ],
)
def test_what_has_no_until_lasts_as_long_as_the_rule_says(
    lasts: Any, stop: Any, until: str
) -> None:
    assert answer(when(effect="defer", lasts=lasts), stopped(stop)) == f"defer {until}"


def test_until_its_basis_is_known_to_have_ended_a_stop_has_no_end() -> None:
    rule = when(effect="defer", lasts={"days": 3, "from": "basis_ended"})
    assert answer(rule, stopped({})).startswith("suppress no_common_window")


def test_a_stop_in_another_form_is_not_meant_and_one_in_an_unknown_form_is() -> None:
    rule = when(form=["written"])
    assert answer(rule, stopped({"form": "oral"})) == "allow"
    assert answer(rule, stopped({"form": "written"})) != "allow"
    assert answer(rule, stopped({})) != "allow"


def test_nothing_due_follows_from_the_balance() -> None:
    rule = when("nothing_due")
    assert answer(rule, facts(NOW, debt={"balance": 0})) == "suppress nothing_due"
    assert answer(rule, facts(NOW, debt={"balance": 0.01})) == "allow"
    assert answer(rule, facts(NOW)) == "allow"


@pytest.mark.parametrize(
    ("received", "notice", "blocks"),
    [
        ("2026-07-26T03:59:59Z", {}, True),  # 25 July, the last day
        ("2026-07-26T04:00:00Z", {}, False),
        ("2026-07-26T04:00:00Z", {"period_ends": "2026-07-26"}, True),
        ("2026-07-20T15:00:00Z", {"period_ends": "2026-07-19"}, False),
        ("2026-07-27T15:00:00Z", {"returned": True}, True),  # no notice: the period is open
    ],
)
def test_a_dispute_counts_if_it_came_in_the_period_of_the_notice(
    received: str, notice: Any, blocks: bool
) -> None:
    rule = when(
        "dispute",
        received_within={
            "notice": "validation",
            "receipt": {"business_days": 5, "calendar": "us"},
            "days": 30,
        },
    )
    calendars = {"us": {"covers": [2026], "dates": {"2026-06-19": "Juneteenth"}}}
    given = stopped(
        {"kind": "dispute", "received": received},
        now="2026-07-28T15:00:00Z",
        notices=[{"kind": "validation", "sent": "2026-06-17T15:00:00Z", **notice}],
    )
    assert (answer(rule, given, calendars) != "allow") == blocks


def inbound(at: str, **more: Any) -> dict[str, Any]:
    return {"at": at, "channel": "sms", "direction": "inbound", "outcome": "message"} | more


def test_the_stop_itself_is_no_message_to_answer_but_a_question_after_it_is() -> None:
    rule = when(unless=[{"reply": {"same_channel": True}}])
    assert answer(rule, stopped({}, history=[inbound(BEFORE)])) == "suppress opted_out"
    asked = inbound("2026-05-12T14:00:00Z")
    assert answer(rule, stopped({}, history=[inbound(BEFORE), asked])) == "allow"


def test_one_confirmation_of_the_class_and_no_second() -> None:
    rule = when(unless=[{"class": ["opt_out_confirmation"], "max": 1, "within": "5m"}])
    confirmation = {"class": "opt_out_confirmation"}
    just_now = {"received": "2026-05-12T14:55:00Z"}
    assert answer(rule, stopped(just_now, contact=confirmation)) == "allow"
    assert (
        answer(rule, stopped({"received": "2026-05-12T14:54:59Z"}, contact=confirmation)) != "allow"
    )
    sent = {"at": "2026-05-12T14:56:00Z", "channel": "sms", "outcome": "sent", **confirmation}
    assert answer(rule, stopped(just_now, contact=confirmation, history=[sent])) != "allow"
    assert answer(rule, stopped(just_now)) != "allow"


def test_unless_is_judged_for_each_live_stop_by_itself() -> None:
    rule = when(unless=[{"reply": {}}])
    later = {"received": "2026-05-12T14:30:00Z"}
    asked = [inbound("2026-05-12T14:00:00Z")]
    assert answer(rule, stopped({}, history=asked)) == "allow"
    assert answer(rule, stopped({}, later, history=asked)) == "suppress opted_out"


def test_only_a_stop_with_dates_needs_a_zone() -> None:
    assert answer(when(), stopped({}, zones=[])) == "suppress opted_out"
    assert answer(when(), stopped({"until": "2026-05-01"}, zones=[])) == "suppress zone_unknown"
    over = {"until": "2026-05-20", "ended": BEFORE}
    assert answer(when(), stopped(over, zones=[])) == "allow"
    assert answer(when(), facts(NOW, zones=[])) == "allow"


def test_where_nobody_knows_the_zone_a_stop_binds_from_receipt_until_it_is_lifted() -> None:
    dated = {"until": "2026-05-20", "received": "2026-05-12T15:00:01Z"}
    assert answer(when(), stopped(dated, zones=[])) == "allow"
    assert answer(when(), stopped(dated | {"received": NOW}, zones=[])) == "suppress zone_unknown"
    applies = {"kind": "contact_point_rule", "deny": {"channel": ["sms"]}}
    rule = applies | {"applies": {"stop": ["opt_out"]}}
    assert answer(rule, stopped(dated, zones=[])) == "allow"
    assert answer(rule, stopped(dated | {"received": NOW}, zones=[])) != "allow"


def test_a_stop_is_live_if_it_is_in_any_candidate_zone() -> None:
    zones = [
        {"zone": "Asia/Tokyo", "basis": "address"},
        {"zone": "America/New_York", "basis": "device"},
    ]
    given = stopped({"until": "2026-05-12"}, zones=zones)  # in Tokyo it is the 13th
    assert answer(when(effect="defer"), given) == "defer 2026-05-13T04:00:00Z"
