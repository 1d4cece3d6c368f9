"""Which lie a request gets, by mix, bound, outage and script."""

from collections import Counter

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sandbox.behaviors import CONDUCT, Behavior, Channel
from services.sandbox.journeys import TERMINAL, steps
from services.sandbox.lies import PLAIN_RATE, Lies, parse_mix
from services.sandbox.magic import (
    BY_LAST_TWO_DIGITS,
    magic_for_address,
    magic_for_number,
    magic_for_token,
)
from services.sandbox.settings import Settings
from tests.sandbox.conftest import Outside, Outsides


def test_a_plain_rate_is_shared_out_evenly() -> None:
    mix = parse_mix("0.14")
    assert set(mix) == {str(b) for b in PLAIN_RATE}
    assert sum(mix.values()) == pytest.approx(0.14)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("429=often", "no rate"),
        ("429=2", "between 0 and 1"),
        ("nonsense=0.1", "no behavior"),
        ("fax.429=0.1", "no behavior"),
        ("email.accept-503=0.1", "doesn't exist on that channel"),
        ("429=0.6,503=0.6", "add up"),
        ("429=0.1,503", "name=rate"),
    ],
)
def test_a_wrong_mix_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_mix(text)


def test_lies_come_at_their_rate_and_only_where_they_exist() -> None:
    lies = Lies(7, parse_mix("429=0.2,accept-503=0.1,email.reset=0.3"))
    told = Counter(lies.choose(Channel.SMS, None).behavior for _ in range(10_000))
    assert told[Behavior.RATE_LIMITED] == pytest.approx(2000, rel=0.1)
    assert told[Behavior.ACCEPT_503] == pytest.approx(1000, rel=0.15)
    assert set(told) == {Behavior.OK, Behavior.RATE_LIMITED, Behavior.ACCEPT_503}
    mail = {lies.choose(Channel.EMAIL, None).behavior for _ in range(1000)}
    assert mail == {Behavior.OK, Behavior.RATE_LIMITED, Behavior.RESET}
    assert lies.choose(Channel.TOKEN, None).behavior is Behavior.OK


def test_the_same_seed_tells_the_same_lies() -> None:
    first, second = (Lies(3, parse_mix("0.5")) for _ in range(2))
    assert [first.choose(Channel.SMS, None) for _ in range(99)] == [
        second.choose(Channel.SMS, None) for _ in range(99)
    ]


def test_no_more_random_lies_are_told_than_allowed() -> None:
    lies = Lies(1, parse_mix("429=1"), max_lies=5)
    told = [lies.choose(Channel.SMS, None).lie for _ in range(50)]
    assert told == ["429"] * 5 + [None] * 45


def test_an_outage_beats_a_script_beats_magic_beats_chance() -> None:
    lies = Lies(1, parse_mix("429=1"))
    lies.script(Channel.SMS, Behavior.GARBAGE, 2)
    lies.outages[Channel.SMS] = Behavior.UNAVAILABLE
    causes = [lies.choose(Channel.SMS, Behavior.STUCK).cause]
    lies.outages.clear()
    causes += [lies.choose(Channel.SMS, Behavior.STUCK).cause for _ in range(3)]
    causes += [lies.choose(Channel.SMS, None).cause]
    assert causes == ["outage", "script", "script", "magic", "random"]


def test_magic_is_found_where_it_is_and_nowhere_else() -> None:
    prefixes = ("+150055501",)
    assert magic_for_number("+15005550111", prefixes) is Behavior.UNREACHABLE
    assert magic_for_number("+12025550111", prefixes) is None
    assert magic_for_number("+15005550009", prefixes) is Behavior.NOT_MOBILE
    assert magic_for_address("Bounce-Hard+3@mail.example.com") is Behavior.BOUNCE_HARD
    assert magic_for_address("unregistered@example.com") is None
    assert magic_for_token("accept-503-abc") is Behavior.ACCEPT_503
    assert magic_for_token("unregistered") is Behavior.UNREGISTERED
    assert magic_for_token("503rd-device") is None


def test_every_magic_number_is_for_texts() -> None:
    assert all(Channel.SMS in CONDUCT[b].channels for b in BY_LAST_TWO_DIGITS.values())


@given(
    behavior=st.sampled_from([b for b in Behavior if Channel.SMS in CONDUCT[b].channels]),
    validity=st.none() | st.integers(1, 36_000),
    service=st.booleans(),
    carrier=st.floats(0, 50_000),
)
def test_a_text_ends_once_and_never_after_its_validity(
    behavior: Behavior, validity: int | None, service: bool, carrier: float
) -> None:
    settings = Settings(carrier_delay_seconds=carrier)
    course = steps(settings, behavior, validity, service)
    told = [step for step in course if not step.forged]
    ends = {(step.status, step.code) for step in told if step.status in TERMINAL}
    assert len(ends) == 1
    assert sum(step.delay for step in told) <= max(validity or 36_000, 0) + 60
    assert all(step.delay >= 0 for step in course)


async def post(world: Outside) -> int:
    form = {"To": "+12025550123", "From": "+12025550100", "Body": "x"}
    settings = world.world.settings
    login = aiohttp.encode_basic_auth(settings.twilio_account_sid, settings.twilio_auth_token)
    url = f"{world.url}/2010-04-01/Accounts/{settings.twilio_account_sid}/Messages.json"
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=form, headers={"Authorization": login}) as answer,
    ):
        return answer.status


async def test_lies_outages_and_scripts_change_while_it_runs(outside: Outsides) -> None:
    async with outside() as world, aiohttp.ClientSession(world.url) as http:
        assert await post(world) == 201
        async with http.put("/sandbox/lies", json={"mix": "429=1", "max_lies": 1}) as answer:
            assert (await answer.json())["told"] == 0
        assert [await post(world), await post(world)] == [429, 201]
        async with http.put("/sandbox/outage", json={"on": True, "channels": ["sms"]}) as answer:
            assert await answer.json() == {"outages": {"sms": "503"}}
        assert await post(world) == 503
        async with http.put("/sandbox/outage", json={"on": False}) as answer:
            assert await answer.json() == {"outages": {}}
        wanted = {"channel": "sms", "behavior": "accept-500", "count": 1}
        async with http.post("/sandbox/next", json=wanted) as answer:
            assert answer.status == 200
        assert [await post(world), await post(world)] == [500, 201]
        causes = [(e["cause"], e["lie"], e["accepted"]) for e in world.events("request")]
        assert causes == [
            ("none", None, True),
            ("random", "429", False),
            ("none", None, True),
            ("outage", "503", False),
            ("script", "accept-500", True),
            ("none", None, True),
        ]
        assert world.events("lies")
        assert len(world.events("outage")) == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("PUT", "/sandbox/lies", {"mix": "fib=1"}, "no behavior"),
        ("PUT", "/sandbox/lies", {"mux": "0.1"}, "mux"),
        ("PUT", "/sandbox/outage", {"on": True, "behavior": "garbage"}, "accepts"),
        ("POST", "/sandbox/next", {"channel": "email", "behavior": "21610"}, "doesn't exist"),
        ("POST", "/sandbox/next", {"channel": "fax", "behavior": "429"}, "fax"),
    ],
)
async def test_a_wrong_order_is_answered_with_what_is_wrong(
    outside: Outsides, method: str, path: str, body: object, says: str
) -> None:
    async with (
        outside() as world,
        aiohttp.ClientSession(world.url) as http,
        http.request(method, path, json=body) as answer,
    ):
        assert answer.status == 400
        assert says in (await answer.json())["error"]


async def test_a_form_from_another_page_changes_nothing(outside: Outsides) -> None:
    async with (
        outside() as world,
        aiohttp.ClientSession(world.url) as http,
        http.post("/sandbox/next", data=b'{"channel":"sms","behavior":"429"}') as answer,
    ):
        assert answer.status == 400
        assert await post(world) == 201
