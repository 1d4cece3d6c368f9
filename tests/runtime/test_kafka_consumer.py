"""A Kafka client is taken down in bounded time, and whoever does it can be cancelled meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiokafka.errors import KafkaError

from services.runtime import stream_kafka_consumer
from services.runtime.stream_kafka_consumer import _stop


class Client:
    """Ends as it was told to."""

    def __init__(self, stop: Callable[[], Awaitable[None]]) -> None:
        self.stop = stop


async def stands_still() -> None:
    await asyncio.Event().wait()


async def is_refused() -> None:
    raise KafkaError


async def finds_its_own_tasks_cancelled() -> None:
    raise asyncio.CancelledError


async def test_a_cancellation_while_a_client_is_stopped_is_not_swallowed() -> None:
    stopping = asyncio.create_task(_stop(Client(stands_still)))
    await asyncio.sleep(0.01)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping


@pytest.mark.parametrize("ends", [stands_still, is_refused, finds_its_own_tasks_cancelled])
async def test_however_a_client_ends_its_owner_goes_on(
    ends: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_kafka_consumer, "CLOSE_SECONDS", 0.05)
    await _stop(Client(ends))
