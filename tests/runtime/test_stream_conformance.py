"""One suite that both streams pass: what the services may rely on."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from services.runtime.stream import OutOfRange, Partition, Stream, partition_of
from tests.database import Database
from tests.runtime.streams import (
    Member,
    Streams,
    new_topic,
    publish,
    record,
    streams_for,
    until_all,
)


@pytest.fixture
def streams(request: pytest.FixtureRequest, stream_kind: str, database: Database) -> Streams:
    return streams_for(request, stream_kind, database)


@pytest.fixture
async def stream(streams: Streams) -> AsyncIterator[Stream]:
    async with streams.open() as opened:
        yield opened


def group() -> str:
    return f"group-{uuid4().hex[:8]}"


async def test_a_key_lands_in_the_partition_that_kafka_chooses(stream: Stream) -> None:
    topic = await new_topic(stream)
    keys = [f"acme/{uuid4()}" for _ in range(60)]
    await publish(stream, [record(topic, key, key) for key in keys])
    landed = {
        message.key.decode(): polled.partition.number
        async for polled in stream.scan([topic])
        for message in polled.records
    }
    assert landed == {key: partition_of(key.encode(), 12) for key in keys}
    # From Kafka's own UtilsTest (murmur2 of "21" and "foobar").
    assert partition_of(b"21", 1 << 31) == -973932308 & 0x7FFFFFFF
    assert partition_of(b"foobar", 1 << 31) == -790332482 & 0x7FFFFFFF


async def test_the_order_of_a_key_is_the_order_of_publishing(stream: Stream) -> None:
    topic = await new_topic(stream, 3)
    for start in range(0, 200, 20):
        await publish(
            stream,
            [record(topic, f"k{n % 7}", f"{n % 7}:{n}") for n in range(start, start + 20)],
        )
    member = await Member().join(stream, group(), topic)
    await member.until(lambda: len(member.values) >= 200)
    await member.consumer.close()
    for key in range(7):
        mine = [int(v.split(":")[1]) for v in member.values if v.startswith(f"{key}:")]
        assert mine == sorted(mine)
    assert len(set(member.values)) == 200


async def test_headers_and_bytes_arrive_untouched(stream: Stream) -> None:
    topic = await new_topic(stream, 1)
    headers = (("ce_id", b"1"), ("twice", b"\x00\xff"), ("twice", b""), ("ünï", "ö".encode()))
    sent = record(topic, "k", "x", headers=headers)
    await publish(stream, [sent])
    got = [m async for polled in stream.scan([topic]) for m in polled.records]
    assert [(m.key, m.value, m.headers) for m in got] == [(b"k", b"x", headers)]


async def test_a_large_message_arrives(stream: Stream) -> None:
    topic = await new_topic(stream, 2)
    large = "é" * 450_000
    await publish(stream, [record(topic, "a", large), record(topic, "a", "after")])
    member = await Member().join(stream, group(), topic)
    await member.until(lambda: len(member.values) == 2)
    await member.consumer.close()
    assert member.values == [large, "after"]


async def test_a_record_can_be_sent_to_each_partition(stream: Stream) -> None:
    topic = await new_topic(stream, 4)
    await publish(stream, [record(topic, "one", str(n), partition=n) for n in range(4)])
    got = {
        polled.partition.number: polled.records[0].value async for polled in stream.scan([topic])
    }
    assert got == {n: str(n).encode() for n in range(4)}


async def test_an_empty_poll_ends_with_the_timeout(stream: Stream) -> None:
    topic = await new_topic(stream, 2)
    member = await Member().join(stream, group(), topic)
    await member.until(lambda: len(member.consumer.assignment()) == 2)
    assert await member.poll(timeout=0.2) == []
    await member.consumer.close()


async def test_groups_are_independent(stream: Stream) -> None:
    topic = await new_topic(stream, 2)
    await publish(stream, [record(topic, str(n), str(n)) for n in range(10)])
    for _ in range(2):
        member = await Member().join(stream, group(), topic)
        await member.until(lambda member=member: len(member.values) == 10)
        await member.consumer.close()
        assert sorted(member.values, key=int) == [str(n) for n in range(10)]


async def test_a_poll_brings_at_most_what_was_asked_and_partitions_take_turns(
    stream: Stream,
) -> None:
    topic = await new_topic(stream, 2)
    await publish(stream, [record(topic, "", str(n), partition=0) for n in range(300)])
    await publish(stream, [record(topic, "", "x", partition=1)])
    member = await Member().join(stream, group(), topic)
    await member.until(lambda: "x" in member.values)
    await member.consumer.close()
    assert all(sum(len(p.records) for p in [polled]) <= 500 for polled in member.polled)
    other = await Member().join(stream, group(), topic)
    while len(other.values) < 40:
        assert sum(len(polled.records) for polled in await other.poll(max_records=20)) <= 20
    await other.consumer.close()
    assert "x" in other.values[:80]


async def test_a_seek_decides_where_the_next_poll_begins(stream: Stream) -> None:
    topic = await new_topic(stream, 1)
    await publish(stream, [record(topic, "", str(n)) for n in range(10)])
    partition = Partition(topic, 0)
    member = await Member({partition: 7}).join(stream, group(), topic)
    await member.until(lambda: len(member.values) == 3)
    assert member.values == ["7", "8", "9"]
    assert member.polled[0].position == 7
    assert member.polled[-1].next_offset == 10
    member.consumer.seek(partition, 4)
    await member.until(lambda: len(member.values) == 9)
    assert member.values[3:] == ["4", "5", "6", "7", "8", "9"]
    await member.consumer.close()


async def test_what_was_polled_but_not_stored_comes_again_after_a_crash(streams: Streams) -> None:
    async with streams.open() as stream:
        topic = await new_topic(stream, 1)
        await publish(stream, [record(topic, "", str(n)) for n in range(6)])
        name = group()
        first = await Member().join(stream, name, topic)
        await first.until(lambda: len(first.values) == 6)
        await first.consumer.commit({Partition(topic, 0): 6})
        await first.consumer.close()
        # The stored position is the service's own: the hint does not move it.
        second = await Member({Partition(topic, 0): 4}).join(stream, name, topic)
        await second.until(lambda: len(second.values) == 2)
        assert second.values == ["4", "5"]
        await second.consumer.close()


async def test_bounds_tell_the_lag(stream: Stream) -> None:
    topic = await new_topic(stream, 2)
    await publish(stream, [record(topic, "", str(n), partition=1) for n in range(5)])
    member = await Member().join(stream, group(), topic)
    await member.until(lambda: len(member.values) == 5)
    bounds = await member.consumer.bounds([Partition(topic, 0), Partition(topic, 1)])
    assert bounds == {Partition(topic, 0): (0, 0), Partition(topic, 1): (0, 5)}
    await member.consumer.close()


async def test_two_members_share_and_one_takes_over_from_a_dead_one(streams: Streams) -> None:
    name = group()
    async with streams.open() as stream:
        topic = await new_topic(stream, 6)
        async with streams.other_process(name, topic) as other:
            await other.until_assigned(6)
            one = await Member().join(stream, name, topic)
            await one.until(lambda: len(one.consumer.assignment()) == 3)
            await other.until_assigned(3)
            other.kill()
            await one.until(lambda: len(one.consumer.assignment()) == 6)
        await publish(stream, [record(topic, "", str(n), partition=n) for n in range(6)])
        await one.until(lambda: len(set(one.values)) == 6)
        await one.consumer.close()


async def test_a_member_that_leaves_hands_over(streams: Streams) -> None:
    name = group()
    async with streams.open() as stream, streams.open() as other_process:
        topic = await new_topic(stream, 4)
        one = await Member().join(stream, name, topic)
        two = await Member().join(other_process, name, topic)
        await until_all(
            [one, two],
            lambda: [len(m.consumer.assignment()) for m in (one, two)] == [2, 2],
        )
        await one.consumer.close()
        await two.until(lambda: len(two.consumer.assignment()) == 4)
        await two.consumer.close()


async def test_a_stopped_partition_stays_silent_until_it_is_sought(stream: Stream) -> None:
    topic = await new_topic(stream, 1)
    partition = Partition(topic, 0)
    member = await Member().join(stream, group(), topic)
    await member.until(lambda: bool(member.consumer.assignment()))
    member.consumer.stop(partition)
    await publish(stream, [record(topic, "", "a")])
    assert await member.poll(timeout=0.5) == []
    member.consumer.seek(partition, 0)
    await member.until(lambda: member.values == ["a"])
    await member.consumer.close()


async def test_a_position_behind_the_end_is_never_reset_silently(stream: Stream) -> None:
    topic = await new_topic(stream, 1)
    await publish(stream, [record(topic, "", "a")])
    member = await Member().join(stream, group(), topic)
    await member.until(lambda: member.values == ["a"])
    member.consumer.seek(Partition(topic, 0), 50)
    await publish(stream, [record(topic, "", "b")])
    with pytest.raises(OutOfRange) as caught:
        await member.until(lambda: len(member.values) > 1)
    assert caught.value.partitions == {Partition(topic, 0)}
    await member.consumer.close()
