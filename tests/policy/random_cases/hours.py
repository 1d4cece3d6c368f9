"""Random hours, durations and calendars."""

from typing import Any

from tests.policy.random_cases.draw import Draw, Map, Times

CLOCKS = ["00:00", "00:30", "01:00", "01:30", "02:00", "02:30", "03:00", "08:00", "12:00", "20:00",
          "21:00", "23:00", "23:30"]  # fmt: skip
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def hours_map(d: Draw, *, classes: bool) -> Map:
    days = d.one(
        [["daily"], ["mon-fri"], ["mon-fri", "sat"], ["fri-mon"], ["mon-sat", "sun"], WEEKDAYS[:4]]
    )
    hours = {name: intervals(d) for name in days}
    if classes:
        for name in d.some(["holiday", "half_day"], 2):
            hours[name] = intervals(d)
    return hours


def intervals(d: Draw) -> Any:
    if d.chance(15):
        return "closed"
    found = [interval(d) for _ in range(d.number(1, 2))]
    return found[0] if len(found) == 1 else found


def interval(d: Draw) -> str:
    if d.chance(50):
        return str(
            d.one(["08:00-21:00", "09:00-18:00", "00:00-24:00", "20:00-02:00", "02:30-04:00"])
        )
    opens = d.one(CLOCKS)
    return f"{opens}-{d.one([c for c in [*CLOCKS, '24:00'] if c != opens])}"


def recurring(d: Draw) -> Map:
    opens, closes = interval(d).split("-")
    return {"from": opens, "to": closes} | d.optional(
        40, "days", lambda: d.one(["daily", "mon-fri", "sat-sun", "sun", "fri-mon"])
    )


def duration(d: Draw, *, inclusive: bool = True) -> Map:
    unit = d.one(["minutes", "hours", "days", "days", "business_days"])
    high = {"minutes": 3000, "hours": 60, "days": 6, "business_days": 4}[unit]
    found: Map = {unit: d.number(0, high)}
    if inclusive and unit in ("days", "business_days"):
        found |= d.optional(25, "inclusive", lambda: d.chance(50))
    if unit == "business_days":
        found |= d.optional(60, "calendar", lambda: "cal")
    return found


def calendar(t: Times) -> Map:
    year = t.night.year
    days = {t.date(5, 20) for _ in range(t.number(0, 6))}
    return {
        "covers": t.one([[year], [year, year + 1], [year - 1, year + 2]]),
        "dates": {
            day: t.one(["Holiday", {"class": "half_day"}, {"class": "holiday", "name": "Feast"}])
            for day in sorted(days)
        },
    }
