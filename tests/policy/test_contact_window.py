"""Hours, clock changes, candidate zones, holidays, wishes."""

import pytest

from tests.policy.builders import LOS_ANGELES, NEW_YORK, answer, ask, facts, rule_set

DAY = {"kind": "contact_window", "hours": {"daily": "08:00-21:00"}}
WISHES = {"kind": "contact_window", "hours": "preferences"}


def window(**hours: object) -> dict[str, object]:
    names = {name.replace("_", "-") if name != "half_day" else name: v for name, v in hours.items()}
    return {"kind": "contact_window", "hours": names}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-05-12T11:59:59Z", "defer 2026-05-12T12:00:00Z"),
        ("2026-05-12T12:00:00Z", "allow"),
        ("2026-05-13T00:59:59Z", "allow"),
        ("2026-05-13T01:00:00Z", "defer 2026-05-13T12:00:00Z"),
    ],
)
def test_a_window_is_half_open_to_the_second(now: str, expected: str) -> None:
    assert answer(DAY, facts(now)) == expected


def test_friday_night_is_open_on_saturday_morning_though_saturday_is_closed() -> None:
    friday = window(fri="20:00-02:00")
    assert answer(friday, facts("2026-06-13T05:00:00Z")) == "allow"  # Saturday 01:00
    assert answer(friday, facts("2026-06-13T06:00:00Z")).startswith("defer 2026-06-20T00:00")


def test_a_night_window_keeps_the_day_class_of_the_date_on_which_it_opens() -> None:
    calendars = {"c": {"covers": [2026], "dates": {"2026-06-12": "Feast"}}}
    rule = {
        "kind": "contact_window",
        "calendar": "c",
        "hours": {"daily": "20:00-02:00", "holiday": "closed"},
    }
    # Friday is a holiday: nothing opens on it, so Saturday 01:00 is closed; Thursday's runs into
    # it.
    assert answer(rule, facts("2026-06-13T05:00:00Z"), calendars) == "defer 2026-06-14T00:00:00Z"
    assert answer(rule, facts("2026-06-12T05:00:00Z"), calendars) == "allow"
    # What bars Saturday 01:00 is Friday's class, and what bars 03:00 is the hour.
    for now, code, said in (
        ("2026-06-13T05:00:00Z", "holiday", "the hours of Friday 12 June 2026 are those of its"),
        ("2026-06-13T07:00:00Z", "outside_contact_window", "It is 03:00 for the borrower"),
    ):
        found = ask(rule_set(rule, calendars=calendars), facts(now))
        [reason] = found.reasons  # type: ignore[union-attr]
        assert (reason.code, said in reason.says) == (code, True), reason.says


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("9999-12-31T15:00:00Z", "allow"),
        ("9999-12-31T04:00:00Z", "defer 9999-12-31T13:00:00Z"),
        ("0001-01-02T15:00:00Z", "allow"),
    ],
)
def test_the_hours_are_known_to_both_ends_of_the_calendar(now: str, expected: str) -> None:
    assert answer(DAY, facts(now)) == expected


def test_a_window_that_should_close_in_the_gap_closes_when_the_gap_begins() -> None:
    rule = window(daily="01:00-02:30")
    assert answer(rule, facts("2026-03-08T06:59:59Z")) == "allow"
    assert answer(rule, facts("2026-03-08T07:00:00Z")) == "defer 2026-03-09T05:00:00Z"


def test_a_window_wholly_inside_the_gap_does_not_open_that_night() -> None:
    assert answer(window(daily="02:10-02:50"), facts("2026-03-08T06:00:00Z")) == (
        "defer 2026-03-09T06:10:00Z"
    )


def test_a_second_pass_of_half_an_hour_is_closed() -> None:
    lord_howe = [{"zone": "Australia/Lord_Howe", "basis": "address"}]
    rule = window(daily="01:00-03:00")
    # Clocks go back from 02:00 (+11) to 01:30 (+10:30) at 15:00 UTC.
    assert answer(rule, facts("2026-04-04T14:59:00Z", zones=lord_howe)) == "allow"
    assert answer(rule, facts("2026-04-04T15:00:00Z", zones=lord_howe)) == (
        "defer 2026-04-04T15:30:00Z"
    )


def test_a_date_that_was_left_out_is_one_long_gap() -> None:
    """Apia had no Friday 30 December 2011: its window opens, and Thursday's closes, in the gap."""
    apia = [{"zone": "Pacific/Apia", "basis": "address"}]
    saturday = facts("2011-12-30T10:30:00Z", zones=apia)  # 00:30
    assert answer(window(fri="20:00-02:00"), saturday) == "allow"
    assert answer(window(thu="20:00-02:00"), saturday).startswith("defer 2012-01-05")
    assert answer(window(thu="20:00-02:00"), facts("2011-12-30T09:59:00Z", zones=apia)) == "allow"


def test_a_confirmed_zone_supersedes_all_others() -> None:
    zones = [NEW_YORK, {"zone": "America/Los_Angeles", "basis": "confirmed"}]
    assert answer(DAY, facts("2026-06-04T02:30:00Z", zones=zones)) == "allow"


def test_best_evidence_uses_every_zone_of_the_strongest_rank() -> None:
    zones = [NEW_YORK, LOS_ANGELES, {"zone": "Asia/Tokyo", "basis": "device"}]
    rule = DAY | {"zones": "best_evidence"}
    assert answer(rule, facts("2026-06-03T14:30:00Z", zones=zones)) == "defer 2026-06-03T15:00:00Z"


def test_a_fixed_zone_is_used_wherever_the_borrower_is_and_even_if_nobody_knows() -> None:
    rule = DAY | {"zones": {"fixed": "Asia/Shanghai"}}
    assert answer(rule, facts("2026-06-03T14:30:00Z")) == "defer 2026-06-04T00:00:00Z"
    assert answer(rule, facts("2026-06-03T10:00:00Z", zones=[])) == "allow"


def test_without_a_zone_the_rule_suppresses_with_zone_unknown() -> None:
    assert answer(DAY, facts("2026-06-03T14:30:00Z", zones=[])) == "suppress zone_unknown"


@pytest.mark.parametrize(
    ("now", "code"),
    [
        ("2026-12-25T15:00:00Z", "holiday"),  # Friday
        ("2026-12-27T15:00:00Z", "closed_day"),  # Sunday
        ("2026-12-28T04:00:00Z", "closed_day"),  # still Sunday
        ("2026-12-29T04:00:00Z", "outside_contact_window"),
    ],
)
def test_the_code_says_what_kind_of_day_it_is(now: str, code: str) -> None:
    calendars = {"c": {"covers": [2026, 2027], "dates": {"2026-12-25": "Christmas Day"}}}
    rule = {
        "kind": "contact_window",
        "calendar": "c",
        "hours": {"mon-sat": "08:00-21:00", "holiday": "closed"},
    }
    (reason,) = ask(rule_set(rule, calendars=calendars), facts(now)).reasons  # type: ignore[union-attr]
    assert reason.code == code


def test_a_class_the_hours_do_not_name_changes_nothing() -> None:
    calendars = {"c": {"covers": [2020], "dates": {"2026-05-12": "Feast"}}}
    rule = DAY | {"calendar": "c"}
    assert answer(rule, facts("2026-05-12T15:00:00Z"), calendars) == "allow"


def test_a_year_the_calendar_does_not_cover_is_closed_only_where_holidays_are_named() -> None:
    calendars = {"c": {"covers": [2026], "dates": {}}}
    half = {"kind": "contact_window", "calendar": "c"}
    names_holiday = half | {"hours": {"daily": "08:00-21:00", "holiday": "09:00-12:00"}}
    names_half_day = half | {"hours": {"daily": "08:00-21:00", "half_day": "closed"}}
    now = facts("2027-01-04T15:00:00Z")
    assert answer(names_holiday, now, calendars) == "suppress no_common_window,holiday"
    assert answer(names_half_day, now, calendars) == "allow"


def test_what_the_borrower_forbids_is_forbidden_in_both_passes() -> None:
    wish = {"kind": "not_between", "from": "01:00", "to": "02:00"}
    for now in ("2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"):
        assert answer(WISHES, facts(now, preferences=[wish])) == "defer 2026-11-01T07:00:00Z"


def test_what_the_borrower_offers_is_open_in_the_first_pass_only() -> None:
    wish = {"kind": "only_between", "from": "01:00", "to": "03:00"}
    assert answer(WISHES, facts("2026-11-01T05:30:00Z", preferences=[wish])) == "allow"
    assert answer(WISHES, facts("2026-11-01T06:30:00Z", preferences=[wish])) == (
        "defer 2026-11-01T07:00:00Z"
    )


def test_of_several_offered_times_one_is_enough_and_a_forbidden_one_wins() -> None:
    offers = [
        {"kind": "only_between", "from": "09:00", "to": "10:00"},
        {"kind": "only_between", "from": "18:00", "to": "19:00"},
    ]
    now = "2026-05-12T22:30:00Z"  # 18:30
    assert answer(WISHES, facts(now, preferences=offers)) == "allow"
    barred = [*offers, {"kind": "not_between", "from": "18:15", "to": "18:45"}]
    assert answer(WISHES, facts(now, preferences=barred)) == "defer 2026-05-12T22:45:00Z"


def test_a_wish_with_a_zone_of_its_own_is_read_there() -> None:
    wish = {"kind": "not_between", "from": "08:00", "to": "12:00", "zone": "Asia/Tokyo"}
    now = "2026-05-12T00:00:00Z"  # 09:00 in Tokyo, 20:00 the day before in New York
    assert answer(WISHES, facts(now, preferences=[wish])) == "defer 2026-05-12T03:00:00Z"
    assert answer(WISHES, facts(now, preferences=[wish], zones=[])) == "defer 2026-05-12T03:00:00Z"


def test_wishes_need_a_zone_only_if_there_are_any() -> None:
    wish = {"kind": "not_between", "from": "08:00", "to": "12:00"}
    now = "2026-05-12T15:00:00Z"
    assert answer(WISHES, facts(now, zones=[])) == "allow"
    assert answer(WISHES, facts(now, zones=[], preferences=[wish])) == "suppress zone_unknown"


def test_a_wish_that_is_not_received_yet_needs_no_zone() -> None:
    wish = {"kind": "not_between", "from": "08:00", "to": "12:00"}
    now, later = "2026-05-12T15:00:00Z", "2026-05-12T15:00:01Z"
    given = facts(now, zones=[], preferences=[wish | {"received": later}])
    assert answer(WISHES, given) == "allow"
    given = facts(now, zones=[], preferences=[wish | {"received": now}])
    assert answer(WISHES, given) == "suppress zone_unknown"


def test_a_wish_withdrawn_at_this_very_second_no_longer_binds() -> None:
    wish = {"kind": "not_between", "from": "00:00", "to": "24:00"}
    now = "2026-05-12T15:00:00Z"
    assert answer(WISHES, facts(now, preferences=[wish | {"withdrawn": now}])) == "allow"
    soon = wish | {"withdrawn": "2026-05-12T15:00:01Z"}
    assert answer(WISHES, facts(now, preferences=[soon])) == "defer 2026-05-12T15:00:01Z"


def test_the_sentence_names_the_hour_the_zone_and_when_contact_may_start() -> None:
    (reason,) = ask(rule_set(DAY), facts("2026-05-12T11:59:00Z")).reasons  # type: ignore[union-attr]
    assert reason.says == (
        "It is 07:59 for the borrower (America/New_York). Contact may start at 08:00."
    )


def test_of_several_zones_the_sentence_tells_the_clock_of_the_last_to_open_and_names_it() -> None:
    zones = [{"zone": z, "basis": "address"} for z in ("Australia/Sydney", "Australia/Perth")]
    given = facts("2026-05-12T11:30:00Z", zones=zones)  # 21:30 in Sydney, 19:30 in Perth
    (reason,) = ask(rule_set(DAY), given).reasons  # type: ignore[union-attr]
    assert reason.says == (
        "It is 21:30 where the borrower may be (Australia/Sydney)."
        " Contact may start on Wednesday 13 May 2026 at 08:00 (Australia/Perth)."
    )


def test_the_sentence_tells_the_clock_of_the_wish_that_forbids() -> None:
    wishes = [
        {"kind": "only_between", "from": "09:00", "to": "10:00"},
        {"kind": "only_between", "from": "18:00", "to": "19:00"},
        {"kind": "not_between", "from": "07:00", "to": "08:00", "zone": "Asia/Tokyo"},
    ]
    given = facts("2026-05-12T22:30:00Z", preferences=wishes)  # 18:30 in New York, 07:30 in Tokyo
    (reason,) = ask(rule_set(WISHES), given).reasons  # type: ignore[union-attr]
    assert reason.says.startswith("It is 07:30 for the borrower (Asia/Tokyo), a time")
