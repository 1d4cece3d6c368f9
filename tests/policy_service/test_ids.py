"""Ids of the kind that rows have."""

from uuid import UUID, uuid4

import msgspec

from services.policy.ids import new_id, row_id


def test_an_id_as_rows_have_it_is_the_same_key_and_the_same_text() -> None:
    given = uuid4()
    same = row_id(given)
    assert same == given
    assert given == same
    assert {given: "found"}[same] == {same: "found"}[given] == "found"
    assert msgspec.json.encode(same) == msgspec.json.encode(given)


def test_a_new_id_is_random_and_of_version_4() -> None:
    made = {new_id() for _ in range(100)}
    assert len(made) == 100
    assert {UUID(str(one)).version for one in made} == {4}
    assert {UUID(str(one)).variant for one in made} == {uuid4().variant}
