"""The pure parts: how far receipts move, what is chosen next, how fast one may go, SMS segments."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.events.words import AttemptState as State
from services.events.words import Channel, Outcome, PointKind
from services.notifier.channels import (
    OUR_REASONS,
    Accepted,
    Deadline,
    NotSent,
    Rejected,
    Unknown,
)
from services.notifier.channels import Outcome as Answered
from services.notifier.choose import KINDS, MAX_TRIES, Point, Tried, backoff, choose
from services.notifier.pace import Brake, Pace
from services.notifier.permitted import shared_out
from services.notifier.segments import is_gsm7, segments
from services.notifier.states import PROOFS, RANK, outcome_of, raised

# Nothing was sent: the reminder may have another attempt.
RELEASED = {State.REJECTED, State.NOT_SENT, State.SUPPRESSED, State.DEFERRED, State.LAPSED}
POINTS = [Point(f"cp_{kind}_{n}", kind, "k1", b"") for kind in PointKind for n in range(2)]
tried = st.builds(
    Tried,
    st.sampled_from(sorted(RELEASED)),
    st.sampled_from(Channel),
    st.sampled_from([point.contact_point_id for point in POINTS]),
    st.booleans(),
)


@given(st.lists(st.sampled_from(State), max_size=8))
def test_whatever_providers_say_in_whatever_order_an_attempt_only_rises(said: list[State]) -> None:
    now = State.IN_FLIGHT
    for seen in said:
        after = raised(now, seen)
        if after is not None:
            assert RANK[after] > RANK[now]
            assert outcome_of(after) is Outcome.SENT
            now = after


@pytest.mark.parametrize("closed", sorted(RELEASED | {State.INTENT}))
def test_a_state_in_which_nothing_was_sent_is_never_raised(closed: State) -> None:
    assert all(raised(closed, seen) is None for seen in State)


def test_a_proof_after_the_end_is_accepted_late_first() -> None:
    assert {raised(State.ABANDONED, proof) for proof in PROOFS} == {State.ACCEPTED_LATE}
    assert raised(State.ACCEPTED_LATE, State.DELIVERED) is State.DELIVERED


@given(st.lists(st.sampled_from(Channel), unique=True), st.lists(tried, max_size=12))
def test_what_is_chosen_had_no_definite_no(channels: list[Channel], history: list[Tried]) -> None:
    chosen = choose(channels, set(Channel), POINTS, (), history)
    if chosen is None:
        return
    channel, point = chosen
    assert channel in channels
    assert point.kind is KINDS[channel]
    pair = channel, point.contact_point_id
    mine = [t for t in history if (t.channel, t.contact_point_id) == pair]
    assert not any(t.state is State.REJECTED and not t.retryable for t in mine)
    assert sum(t.state in (State.REJECTED, State.NOT_SENT) for t in mine) < MAX_TRIES


def test_channels_go_in_the_order_asked_and_points_in_the_lenders() -> None:
    order = (Channel.EMAIL, Channel.SMS)
    chosen = choose(order, set(Channel), POINTS, (), [])
    assert chosen is not None
    assert (chosen[0], chosen[1].contact_point_id) == (Channel.EMAIL, "cp_email_0")
    no = Tried(State.REJECTED, Channel.EMAIL, "cp_email_0", retryable=False)
    chosen = choose(order, set(Channel), POINTS, (), [no])
    assert chosen is not None
    assert chosen[1].contact_point_id == "cp_email_1"
    assert choose(order, {Channel.PUSH}, POINTS, (), []) is None


def test_what_policy_refused_is_not_chosen() -> None:
    order = (Channel.SMS, Channel.EMAIL)
    chosen = choose(order, set(Channel), POINTS, ("cp_mobile_0",), [])
    assert chosen is not None
    assert (chosen[0], chosen[1].contact_point_id) == (Channel.SMS, "cp_mobile_1")
    assert choose([Channel.SMS], set(Channel), POINTS, ("cp_mobile_0", "cp_mobile_1"), []) is None


def test_backoff_grows_and_is_bounded() -> None:
    waits = [backoff(timedelta(seconds=1), n) for n in range(1, 12)]
    assert waits[:3] == [timedelta(seconds=s) for s in (1, 4, 16)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(seconds=256)


@given(
    st.floats(0.5, 500),
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 300)), max_size=30),
)
def test_a_pace_is_never_exceeded_beyond_its_burst(
    rate: float, steps: list[tuple[float, int]]
) -> None:
    pace, now, taken = Pace(rate, 0.0), 0.0, 0
    for passed, wanted in steps:
        now += passed
        taken += pace.take(wanted, now)
        assert taken <= max(rate, 1.0) + rate * now + 1e-6


def test_a_brake_waits_longer_each_time_then_tries_one() -> None:
    brake = Brake()
    assert (brake.failing, brake.limit(50)) == (False, 50)
    brake.failed(0.0)
    brake.failed(0.1)  # of the same wave
    assert brake.wait(0.0) == pytest.approx(0.5)
    assert (brake.failing, brake.limit(50)) == (True, 1)
    brake.failed(1.0)
    assert brake.wait(1.0) == pytest.approx(1.0)
    brake.worked()
    assert (brake.failing, brake.wait(1.0), brake.limit(50)) == (False, 0.0, 50)


@pytest.mark.parametrize(
    ("outcome", "before", "after"),
    [
        (Unknown("raised_Unavailable"), 50, 1),
        (NotSent("connect_failed"), 50, 1),
        (Rejected("20003", stop_provider=True), 50, 1),
        (Accepted("SM1"), 1, 50),
        (Rejected("21614"), 1, 50),
        *((NotSent(ours), held, held) for ours in sorted(OUR_REASONS) for held in (1, 50)),
        (None, 1, 1),
        (None, 50, 50),
    ],
)
def test_only_what_the_provider_did_brakes_or_frees(
    outcome: Answered | None, before: int, after: int
) -> None:
    brake = Brake()
    if before == 1:
        brake.failed(0.0)
    brake.hear(outcome, 1.0)
    assert brake.limit(50) == after


@pytest.mark.parametrize(
    ("text", "gsm7", "count"),
    [
        ("x" * 160, True, 1),
        ("x" * 161, True, 2),
        ("€" * 80, True, 1),
        ("€" * 81, True, 2),
        ("您" * 70, False, 1),
        ("您" * 71, False, 2),
        ("100\u00a0MXN", False, 1),
        ("ç", False, 1),
    ],
)
def test_segments_are_counted_as_carriers_do(text: str, gsm7: bool, count: int) -> None:
    assert (is_gsm7(text), segments(text)) == (gsm7, count)


@given(left=st.floats(0, 100_000), write_within=st.floats(0, 8), now=st.floats(0, 1e9))
def test_a_message_written_as_late_as_it_may_be_still_ends_with_its_permit(
    left: float, write_within: float, now: float
) -> None:
    valid_until = now + left
    given_to_us = Deadline(write_by=now + write_within, end_by=now + 8)
    deadline, seconds = shared_out(given_to_us, valid_until, now)
    assert deadline.write_by + seconds <= valid_until + 1e-6
    assert deadline.write_by <= given_to_us.write_by
    assert deadline.end_by == given_to_us.end_by
    assert seconds >= left - 9 or seconds >= int(left / 2 - 0.001)  # no more is lost than need be
