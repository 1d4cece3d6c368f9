"""Hold every shipped pack to the published schema and to the habits of the house."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

POLICY = Path(__file__).parents[2] / "services" / "policy"
PACKS = sorted((POLICY / "packs").glob("*.yaml"))
CASES = sorted((POLICY / "packs" / "cases").glob("*.yaml"))
SCHEMA = Path(__file__).parents[3] / "shared" / "cases" / "case.schema.json"

published = pytest.mark.skipif(
    not SCHEMA.exists(), reason="the published schema is not beside the project"
)
every_pack = pytest.mark.parametrize("path", PACKS, ids=lambda path: path.stem)


@cache
def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


@cache
def _validator(part: str) -> Draft202012Validator:
    whole = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return Draft202012Validator(
        {"$defs": whole["$defs"], "$ref": f"#/$defs/{part}"} if part else whole
    )


def _complaints(part: str, value: object) -> list[str]:
    """Where the value breaks the published definition; `part` empty: a whole case file."""
    return [
        f"{error.json_path}: {error.message[:300]}" for error in _validator(part).iter_errors(value)
    ]


@published
@every_pack
def test_a_pack_obeys_the_published_schema(path: Path) -> None:
    assert _complaints("pack", _read(path)) == []


@published
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_cases_beside_the_packs_obey_the_published_schema(path: Path) -> None:
    assert _complaints("", _read(path)) == []


@every_pack
def test_a_pack_is_named_like_its_file_and_still_a_draft(path: Path) -> None:
    pack = _read(path)
    assert pack["pack"] == path.stem
    assert pack["status"] == "draft"
    assert pack["sources"]


@every_pack
def test_every_rule_carries_title_citation_and_confidence_and_its_packs_prefix(path: Path) -> None:
    for rule in _read(path)["rules"]:
        assert rule["id"].startswith(f"{path.stem}-"), rule["id"]
        assert rule["cite"], rule["id"]
        assert all(rule["cite"]), rule["id"]
        assert rule["confidence"] in ("high", "medium", "low"), rule["id"]
        assert rule["title"], rule["id"]


def test_no_rule_id_and_no_calendar_stands_in_two_packs() -> None:
    packs = [_read(path) for path in PACKS]
    ids = [rule["id"] for pack in packs for rule in pack["rules"]]
    calendars = [name for pack in packs for name in pack.get("calendars", {})]
    assert len(ids) == len(set(ids))
    assert len(calendars) == len(set(calendars))


@every_pack
def test_a_pack_names_only_calendars_of_its_own(path: Path) -> None:
    pack = _read(path)
    named = {str(value) for rule in pack["rules"] for value in _calendars_named(rule)}
    assert named == set(pack.get("calendars", {}))


def _calendars_named(part: object) -> list[object]:
    if isinstance(part, dict):
        here = (
            [part["calendar"]]
            if isinstance(part.get("calendar"), str) and "starts" not in part
            else []
        )
        return [name for name in here if name not in ("day", "week", "month")] + [
            name for value in part.values() for name in _calendars_named(value)
        ]
    if isinstance(part, list):
        return [name for value in part for name in _calendars_named(value)]
    return []


def test_every_pack_has_cases_of_its_own() -> None:
    assert [path.stem for path in CASES] == [path.stem for path in PACKS]


def test_no_case_id_stands_twice() -> None:
    ids = [case["id"] for path in CASES for case in _read(path)["cases"]]
    assert len(ids) == len(set(ids))


def test_the_table_of_places_names_every_pack_but_the_house_and_each_for_one_place() -> None:
    places = _read(POLICY / "jurisdictions.yaml")["places"]
    # A city may stand there under several names.
    named = {(place.partition("/")[0], pack) for place, packs in places.items() for pack in packs}
    assert sorted([*(pack for _, pack in named), "house"]) == sorted(path.stem for path in PACKS)


def test_a_subdivision_or_city_stands_below_a_place_in_the_table() -> None:
    places = _read(POLICY / "jurisdictions.yaml")["places"]
    for place in places:
        above = place.rpartition("/")[0] or place.rpartition("-")[0]
        assert not above or above in places, place
