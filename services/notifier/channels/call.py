"""One provider call, timed: whatever isn't one of the three answers is Unknown."""

import asyncio
from functools import cache
from time import perf_counter

from prometheus_client import Histogram

from services.notifier.channels import (
    Accepted,
    Channel,
    Deadline,
    Message,
    NotSent,
    Outcome,
    Rejected,
    Unknown,
)
from services.runtime.metrics import PROVIDER_SECONDS

# A channel ends by the deadline itself, and knows best what that means; this is for one that hangs.
BACKSTOP_SECONDS = 0.25
LONGEST_REFERENCE = 250  # Twilio's have 34 signs, FCM's and a Message-ID some more


@cache
def _seconds(provider: str) -> Histogram:
    return PROVIDER_SECONDS.labels(provider)


def is_reference(said: str) -> bool:
    """What a provider names a message or a refusal by: short printable ASCII, as all of them do."""
    return 0 < len(said) <= LONGEST_REFERENCE and said.isascii() and said.isprintable()


async def call(channel: Channel, message: Message, deadline: Deadline) -> Outcome:
    """The outcome by `deadline.end_by`, never an exception but the task's own cancellation."""
    if asyncio.get_running_loop().time() >= deadline.write_by:
        return NotSent("too_late")
    began = perf_counter()
    try:
        async with asyncio.timeout_at(deadline.end_by + BACKSTOP_SECONDS):
            answer = await channel.send(message, deadline)
    except TimeoutError:
        return Unknown("timed_out")
    except Exception as error:
        # Its class only: a provider's words may quote an address.
        return Unknown(f"raised_{type(error).__name__}")
    finally:
        _seconds(channel.provider).observe(perf_counter() - began)
    match answer:
        case Accepted(said) | Rejected(said) if not is_reference(said):
            return Unknown("wrong_reference")  # it is kept as it is, or not at all
        case Accepted() | Rejected() | NotSent():
            return answer
        case _:
            return Unknown("no_answer")
