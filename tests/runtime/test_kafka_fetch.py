"""The search for the record that makes a member's fetches fail."""

from hypothesis import given
from hypothesis import strategies as st

from services.runtime.stream import Partition
from services.runtime.stream_kafka_fetch import Search

PLACES = [Partition("loan.events", number) for number in range(4)]


@given(
    st.lists(st.integers(0, 900), min_size=4, max_size=4),
    st.integers(0, 3),
    st.integers(1, 500),
)
def test_a_search_finds_the_one_record_and_gives_out_all_that_is_before_it(
    waiting: list[int], bad: int, most: int
) -> None:
    """`waiting` records in each partition; behind those of `bad` lies one that can't be read."""
    search, given_out = Search(), dict.fromkeys(PLACES, 0)
    found, asked = None, 0
    while found is None:  # until a search that began with a failed fetch of all finds it
        search.begin(PLACES)
        while found is None and (place := search.suspect(PLACES)):
            asked += 1
            limit = search.limit(most)
            assert 1 <= limit <= most
            left = waiting[place.number] - given_out[place]
            if place.number == bad and limit > left:
                found = (place, given_out[place]) if search.failed(limit) else None
            else:
                given_out[place] += min(limit, left)
                search.read(min(limit, left))
        assert asked < 5_000
    assert found == (PLACES[bad], waiting[bad])


def test_whoever_is_not_polled_any_more_is_no_suspect() -> None:
    search = Search()
    search.begin(PLACES)
    assert search.suspect(PLACES[2:]) == PLACES[2]
    assert search.suspect([]) is None
