"""What a borrower answers binds at policy and ends there: from the phone, through both services."""

import pytest

from services.trial.world import SMS_FROM
from tests.e2e.thread import Thread

PHONE = "+12025550143"


async def answers(thread: Thread, text: str) -> None:
    """The borrower writes back."""
    url = thread.world.url("sandbox") + "/sandbox/inbound"
    body = {"from": PHONE, "to": SMS_FROM, "body": text}
    async with thread.session.post(url, json=body) as answer:
        assert answer.status < 300, await answer.text()


@pytest.mark.slow
@pytest.mark.parametrize("stream_kind", ["postgres"], indirect=True)
async def test_a_stop_ends_at_policy_on_the_word_of_who_may_end_it(thread: Thread) -> None:
    await thread.addresses("B-1", mobile=PHONE)
    await thread.until("SELECT count(*) = 1 FROM policy.contact_points")
    ended = "SELECT count(*) = 1 FROM policy.stop_ends e JOIN policy.stops s USING (stop_id)"
    ended += " WHERE e.on_word_of = ANY (s.may_lift) AND e.on_word_of = $1 AND e.evidence <> ''"

    await answers(thread, "STOP")
    await thread.until("SELECT count(*) = 1 FROM policy.stops WHERE kind = 'opt_out'")
    await answers(thread, "START")
    await thread.until(ended, "borrower")

    await answers(thread, "can you stop the late fees please")
    await thread.until("SELECT count(*) = 2 FROM policy.stops")
    _, said = await thread.call("GET", "notifier", "/v1/reviews")
    (review,) = said["reviews"]
    path = f"/v1/reviews/{review['review_id']}:lift"
    settling = {"by": "ann", "reason": "asked about late fees"}
    status, _ = await thread.call("POST", "notifier", path, settling)
    assert status == 200
    await thread.until(ended, "officer")
    await thread.until("SELECT bool_and(lifted_at IS NOT NULL) FROM notifier.forwarded_stops")
