"""What a consumer says of itself: how much is left to do, and that it stands still."""

import asyncio
import math
import os
import signal
import time
from collections.abc import Sequence

import pytest

from deploy.kafka.broker import KafkaBroker
from services.events.codec import Envelope
from services.runtime import consume as loop
from services.runtime import metrics, positions, stream_kafka_consumer
from services.runtime.admin import Health
from services.runtime.consume import Rejection
from services.runtime.database import Connection, Pool
from tests.database import Database
from tests.runtime.streams import Streams, publish
from tests.runtime.test_consume import TOPIC, cancelled, consuming, pool, streams, until

__all__ = ["pool", "streams"]  # fixtures


def lag() -> float | None:
    return metrics.REGISTRY.get_sample_value("dunwell_consumer_lag", {"topic": TOPIC})


async def test_nothing_left_to_do_is_never_said_of_what_nobody_has_measured(
    streams: Streams, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for the lag to be 0 would go on: before the group has said which partitions are
    ours there is none."""
    monkeypatch.setattr(loop, "POLL_SECONDS", 0.01)
    metrics.LAG.clear()
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_connection: Connection, _batch: Sequence[Envelope]) -> Sequence[Rejection]:
        arrived.set()
        await go_on.wait()
        return []

    async with streams.open() as stream:
        await stream.ensure_topics()
        await publish(stream, [cancelled(n) for n in range(40)])
    async with consuming(streams, pool, wait):
        await asyncio.wait_for(arrived.wait(), 60)
        assert lag() in (None, 40)
        go_on.set()


async def test_what_a_stopped_partition_holds_is_not_handled(
    streams: Streams, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics.LAG.clear()
    monkeypatch.setattr(loop, "LAG_SECONDS", 0.1)
    await pool.execute(
        "INSERT INTO stream_positions (consumer_group, topic, partition, epoch, next_offset)"
        " SELECT 'policy', $1, n, 1, 1000 FROM generate_series(0, 11) AS n",
        TOPIC,
    )
    async with consuming(streams, pool) as stream:
        await publish(stream, [cancelled(n) for n in range(40)])
        deadline = time.monotonic() + 60
        while lag() != 40:
            assert time.monotonic() < deadline, lag()
            await asyncio.sleep(0.05)


@pytest.mark.kafka
@pytest.mark.slow
async def test_a_broker_that_is_frozen_is_told_and_read_again_when_it_thaws(
    database: Database, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connections stay open and nobody answers: the client itself raises nothing."""
    for module, name, seconds in (
        (stream_kafka_consumer, "STALL_SECONDS", 6.0),
        (stream_kafka_consumer, "LOOK_SECONDS", 0.5),
        (stream_kafka_consumer, "REQUEST_SECONDS", 5.0),
        (loop, "LAG_SECONDS", 0.5),
        (positions, "LAG_WAIT_SECONDS", 1.0),
        (loop, "UNREADY_SECONDS", 1.0),
    ):
        monkeypatch.setattr(module, name, seconds)
    health = Health()
    async with KafkaBroker() as broker:
        streams = Streams("kafka", database, broker.bootstrap_servers)
        async with consuming(streams, pool, health=health) as stream:
            await publish(stream, [cancelled(n + 100) for n in range(40)])
            await until(pool, "SELECT count(*) FROM seen", 40)
            assert broker.pid
            os.kill(broker.pid, signal.SIGSTOP)
            try:
                deadline = time.monotonic() + 60
                while not await health.unready():
                    assert time.monotonic() < deadline, "nobody is told"
                    await asyncio.sleep(0.2)
                assert math.isnan(lag() or 0)
            finally:
                os.kill(broker.pid, signal.SIGCONT)
            await publish(stream, [cancelled(n + 200) for n in range(40)])
            await until(pool, "SELECT count(*) FROM seen", 80)
            while await health.unready():
                assert time.monotonic() < deadline + 60, "it is said for ever"
                await asyncio.sleep(0.2)
