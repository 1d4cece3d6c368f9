"""Too soon after an event."""

from typing import Any

import pytest

from tests.policy.builders import answer, facts


def cooldown(lasts: Any, **trigger: Any) -> dict[str, Any]:
    return {"kind": "cooldown_after", "trigger": trigger, "lasts": lasts, "key": ["person"]}


def talk(at: str, **more: Any) -> dict[str, Any]:
    return {"at": at, "channel": "call", "outcome": "conversation"} | more


def test_the_day_of_the_talk_is_day_one_even_ten_minutes_before_midnight() -> None:
    history = [talk("2026-08-14T03:50:00Z")]  # Thursday the 13th, 23:50
    rule = cooldown({"days": 7})
    assert answer(rule, facts("2026-08-20T03:59:59Z", history=history)) == (
        "defer 2026-08-20T04:00:00Z"
    )
    assert answer(rule, facts("2026-08-20T04:00:00Z", history=history)) == "allow"


@pytest.mark.parametrize(
    ("lasts", "until"),
    [
        ({"days": 2, "inclusive": False}, "2026-05-15T04:00:00Z"),
        ({"days": 1}, "2026-05-13T04:00:00Z"),
        ({"hours": 30}, "2026-05-13T21:00:00Z"),
        ({"minutes": 90}, "2026-05-12T16:30:00Z"),
        ({"business_days": 4}, "2026-05-16T04:00:00Z"),  # Tuesday to Friday
        ({"business_days": 4, "inclusive": False}, "2026-05-19T04:00:00Z"),  # Monday is the fourth
    ],
)
def test_durations_in_dates_and_in_hours(lasts: Any, until: str) -> None:
    given = facts("2026-05-12T15:30:00Z", history=[talk("2026-05-12T15:00:00Z")])
    assert answer(cooldown(lasts), given) == f"defer {until}"


@pytest.mark.parametrize(("covers", "until"), [(2026, "13"), (2027, "12")])
def test_of_a_year_the_calendar_does_not_cover_the_weekday_alone_decides(
    covers: int, until: str
) -> None:
    calendars = {"cal": {"covers": [covers], "dates": {"2026-05-12": "Holiday"}}}  # a Tuesday
    rule = cooldown({"business_days": 2, "calendar": "cal"})
    given = facts("2026-05-11T15:00:00Z", history=[talk("2026-05-11T14:00:00Z")])
    assert answer(rule, given, calendars) == f"defer 2026-05-{int(until) + 1}T04:00:00Z"


def test_inside_a_repeated_hour_it_is_elapsed_minutes_that_count() -> None:
    history = [talk("2026-11-01T05:30:00Z")]  # 01:30, first pass
    given = facts("2026-11-01T06:00:00Z", history=history)  # 01:00, second pass
    assert answer(cooldown({"minutes": 60}), given) == "defer 2026-11-01T06:30:00Z"


def test_either_party_may_have_begun_and_only_conversations_trigger_by_default() -> None:
    now = "2026-05-12T16:00:00Z"
    inbound = talk("2026-05-12T15:00:00Z", direction="inbound")
    assert answer(cooldown({"days": 1}), facts(now, history=[inbound])) != "allow"
    text = talk("2026-05-12T15:00:00Z", channel="sms", outcome="sent")
    assert answer(cooldown({"days": 1}), facts(now, history=[text])) == "allow"
    assert answer(cooldown({"days": 1}, unit="sent"), facts(now, history=[text])) != "allow"


def test_a_cooldown_in_days_needs_a_zone_once_there_is_an_event() -> None:
    now = "2026-05-12T16:00:00Z"
    assert answer(cooldown({"days": 1}), facts(now, zones=[])) == "allow"
    given = facts(now, zones=[], history=[talk("2026-05-12T15:00:00Z")])
    assert answer(cooldown({"days": 1}), given) == "suppress zone_unknown"
    assert answer(cooldown({"hours": 2}), given) == "defer 2026-05-12T17:00:00Z"
