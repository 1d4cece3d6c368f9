"""Counting: windows of time, keys, units, exclusions."""

from typing import Any

import pytest

from tests.policy.builders import answer, facts

NOW = "2026-05-12T15:00:00Z"  # Tuesday 11:00 in New York


def cap(max: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "kind": "frequency_cap",
        "max": max,
        "window": {"calendar": "day"},
        "key": ["person"],
    } | more


def sent(at: str = "2026-05-12T13:00:00Z", **more: Any) -> dict[str, Any]:
    return {"at": at, "channel": "sms", "outcome": "sent"} | more


def test_a_rolling_window_lets_go_of_an_entry_exactly_so_old() -> None:
    rule = cap(window={"rolling": "24h"})
    assert answer(rule, facts(NOW, history=[sent("2026-05-11T15:00:00Z")])) == "allow"
    assert answer(rule, facts(NOW, history=[sent("2026-05-11T15:00:01Z")])) == (
        "defer 2026-05-12T15:00:01Z"
    )


@pytest.mark.parametrize(
    ("window", "at", "until"),
    [
        ({"days": 7}, "2026-05-06T03:59:59Z", "allow"),  # 5 May 23:59:59
        ({"days": 7}, "2026-05-06T04:00:00Z", "defer 2026-05-13T04:00:00Z"),
        ({"days": 1}, "2026-05-12T04:00:00Z", "defer 2026-05-13T04:00:00Z"),
        ({"calendar": "week"}, "2026-05-11T04:00:00Z", "defer 2026-05-18T04:00:00Z"),
        ({"calendar": "week"}, "2026-05-11T03:59:00Z", "allow"),
        (
            {"calendar": "week", "starts": "wed"},
            "2026-05-11T03:59:00Z",
            "defer 2026-05-13T04:00:00Z",
        ),
        ({"calendar": "month"}, "2026-05-01T04:00:00Z", "defer 2026-06-01T04:00:00Z"),
        ({"calendar": "month"}, "2026-05-01T03:59:00Z", "allow"),
    ],
)
def test_windows_of_dates_are_counted_in_local_dates(window: Any, at: str, until: str) -> None:
    assert answer(cap(window=window), facts(NOW, history=[sent(at)])) == until


def test_in_december_a_calendar_month_ends_with_the_year() -> None:
    given = facts("2026-12-20T15:00:00Z", history=[sent("2026-12-02T15:00:00Z")])
    assert answer(cap(window={"calendar": "month"}), given) == "defer 2027-01-01T05:00:00Z"


def test_the_count_must_have_room_in_every_candidate_zone() -> None:
    zones = [
        {"zone": "America/New_York", "basis": "address"},
        {"zone": "Asia/Tokyo", "basis": "device"},
    ]
    # 11 May 22:00 in New York, 12 May 11:00 in Tokyo: the same date as now only there.
    given = facts("2026-05-12T14:00:00Z", zones=zones, history=[sent("2026-05-12T02:00:00Z")])
    assert answer(cap(), given) == "defer 2026-05-12T15:00:00Z"


def test_a_cap_in_days_needs_a_zone_and_one_in_hours_does_not() -> None:
    assert answer(cap(), facts(NOW, zones=[], history=[sent()])) == "suppress zone_unknown"
    rolling = cap(window={"rolling": "24h"})
    assert answer(rolling, facts(NOW, zones=[], history=[sent()])) == "defer 2026-05-13T13:00:00Z"


def test_a_cap_of_none_is_not_cured_by_time() -> None:
    assert answer(cap(0), facts(NOW)) == "suppress no_common_window,frequency_cap"


def test_entries_later_than_now_do_not_exist_and_one_at_now_does() -> None:
    assert answer(cap(), facts(NOW, history=[sent("2026-05-12T15:00:01Z")])) == "allow"
    assert answer(cap(), facts(NOW, history=[sent(NOW)])).startswith("defer")


@pytest.mark.parametrize(
    ("outcome", "unit", "counts"),
    [
        ("cancelled", "attempt", False),
        ("reserved", "conversation", True),
        ("unknown", "sent", True),
        ("unknown", ["no_answer"], True),
        ("busy", "attempt", True),
        ("busy", "connected", False),
        ("no_answer", "connected", True),
        ("no_answer", "reached", False),
        ("abandoned", "reached", True),
        ("abandoned", "successful", False),
        ("voicemail_left", "successful", True),
        ("voicemail_left", "unanswered", True),
        ("bounced", "sent", True),
        ("bounced", "connected", False),
        ("conversation", ["busy", "conversation"], True),
        ("sent", ["busy", "conversation"], False),
    ],
)
def test_units_are_the_columns_of_the_table(outcome: str, unit: Any, counts: bool) -> None:
    given = facts(NOW, history=[sent(outcome=outcome)])
    assert (answer(cap(counts={"unit": unit}), given) != "allow") == counts


@pytest.mark.parametrize(
    ("key", "entry", "counts"),
    [
        ("person", {"person": "spouse"}, False),
        ("person", {}, True),
        ("debt", {"debts": ["D2"]}, False),
        ("debt", {"debts": ["D2", "D1"]}, True),
        ("debt", {}, True),
        ("account", {"account": "D1", "debts": ["D9"]}, True),
        ("account", {"account": "A7"}, False),
        ("account", {"debts": ["D2"]}, False),
        ("account", {"debts": ["D1"]}, True),
        ("contact_point", {"contact_point": "P2"}, False),
        ("contact_point", {}, True),
        ("event", {"event": "E1"}, True),  # this contact's event is unknown
        ("place", {"place": "work"}, False),
        ("collector", {"collector": "other"}, False),
        ("creditor", {"creditor": "bank-b"}, True),  # the debt's creditor is unknown
    ],
)
def test_an_unknown_value_belongs_and_a_different_one_does_not(
    key: str, entry: Any, counts: bool
) -> None:
    given = facts(NOW, contact={"contact_point": {"id": "P1"}}, history=[sent(**entry)])
    assert (answer(cap(key=[key]), given) != "allow") == counts


def test_a_household_counts_together_only_for_its_members() -> None:
    household = {"household": ["debtor", "spouse"]}
    rule = cap(key=["household"])
    to_spouse = [sent(person="spouse")]
    assert answer(rule, facts(NOW, borrower=household, history=to_spouse)) != "allow"
    neighbor = {"recipient": "third_party", "person": "neighbor"}
    assert (
        answer(rule, facts(NOW, borrower=household, contact=neighbor, history=to_spouse)) == "allow"
    )


def test_an_allocated_call_counts_only_for_the_debt_it_was_allocated_to() -> None:
    given = facts(NOW, history=[sent(debts=["D1", "D2"], allocated_to=["D2"])])
    assert answer(cap(key=["debt"]), given) != "allow"
    assert answer(cap(key=["debt"], multi_debt="allocated"), given) == "allow"


def test_counted_channels_are_those_the_rule_applies_to_unless_it_says_otherwise() -> None:
    letters = [sent(channel="letter")]
    rule = cap(applies={"channel": ["electronic"]})
    assert answer(rule, facts(NOW, history=letters)) == "allow"
    assert (
        answer(rule | {"counts": {"channels": ["paper"]}}, facts(NOW, history=letters)) != "allow"
    )


def test_inbound_entries_count_only_where_asked_for() -> None:
    inbound = [sent(direction="inbound", outcome="message")]
    assert answer(cap(), facts(NOW, history=inbound)) == "allow"
    assert answer(cap(counts={"direction": "any"}), facts(NOW, history=inbound)) != "allow"


def test_an_entry_without_purpose_or_technology_counts() -> None:
    counts = {"purposes": ["marketing"], "technologies": ["dialer"]}
    assert answer(cap(counts=counts), facts(NOW, history=[sent()])) != "allow"
    known = [sent(purpose="collection")]
    assert answer(cap(counts=counts), facts(NOW, history=known)) == "allow"
    assert (
        answer(cap(counts={"classes": ["first_notice"]}), facts(NOW, history=[sent()])) == "allow"
    )


@pytest.mark.parametrize(
    ("exclude", "entry", "counts"),
    [
        ("consented", {"consented": True}, False),
        ("reply", {"in_reply_to": "gone"}, False),
        ("requested", {"in_reply_to": "q1"}, False),
        ("requested", {"in_reply_to": "q2"}, True),
        ("requested", {"in_reply_to": "gone"}, True),
    ],
)
def test_what_is_excluded_does_not_count(exclude: str, entry: Any, counts: bool) -> None:
    asked = sent("2026-05-12T12:00:00Z", direction="inbound", outcome="message")
    history = [asked | {"id": "q1", "requests_contact": True}, asked | {"id": "q2"}, sent(**entry)]
    assert (answer(cap(exclude=[exclude]), facts(NOW, history=history)) != "allow") == counts


def test_distinct_channels_take_voice_as_one_and_this_contact_along() -> None:
    rule = cap(1, aggregate={"distinct": "channel"}, window={"days": 7})
    calls = [sent(channel="call"), sent("2026-05-10T13:00:00Z", channel="voicemail")]
    again = {"channel": "ringless_voicemail"}
    assert answer(rule, facts(NOW, contact=again, history=calls)) == "allow"
    assert answer(rule, facts(NOW, history=calls)) == "defer 2026-05-19T04:00:00Z"
    both = [sent(channel="call"), sent("2026-05-10T13:00:00Z")]
    assert answer(rule, facts(NOW, history=both)) == "defer 2026-05-19T04:00:00Z"
    assert answer(rule | {"max": 2}, facts(NOW, history=both)) == "allow"


def test_a_cap_starts_only_after_the_unit_it_names_in_any_direction() -> None:
    rule = cap(starts_after="conversation")
    assert answer(rule, facts(NOW, history=[sent()])) == "allow"
    talk = sent("2026-01-12T13:00:00Z", channel="call", outcome="conversation", direction="inbound")
    assert answer(rule, facts(NOW, history=[sent(), talk])) != "allow"


def test_with_two_over_the_cap_the_second_oldest_makes_room() -> None:
    history = [sent(f"2026-05-{day:02}T13:00:00Z") for day in (8, 9, 10)]
    assert answer(cap(2, window={"days": 7}), facts(NOW, history=history)) == (
        "defer 2026-05-16T04:00:00Z"
    )
