"""Canaries: addresses go to providers and into sealed columns, and nowhere else."""

import logging

import pytest
from prometheus_client import generate_latest

from services.events.words import Channel
from services.runtime.log import dropped_keys
from services.runtime.metrics import REGISTRY
from tests.notifier.world import World, allowed

PHONE, MAIL, TOKEN = "+12025550177", "canary.bird@example.com", "canary-token-4711"
CANARIES = (b"2025550177", b"canary.bird", b"canary-token", b"ref-canary")
LIES = (
    "ok",
    "reset_after",
    "garbage",
    "truncated",
    "status:500",
    f'status:400:{{"code":21211,"message":"{PHONE} is wrong","status":400}}',
)


async def test_no_canary_leaves_the_sealed_column(
    world: World, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await world.start(DUNWELL_LOG_LEVEL="debug")
    borrower = await world.addresses("ref-canary", mobile=PHONE, email=MAIL, app=TOKEN)
    world.http.lies.extend(LIES)
    world.mail.lies["dot"] = f"550 5.1.1 {MAIL} unknown"
    for channels in ((Channel.SMS,), (Channel.PUSH,), (Channel.EMAIL,)) * 3:
        await world.publish(allowed(borrower, *channels))
    await world.call("PUT", "/v1/borrowers/ref-canary/contact-points", {"version": PHONE})
    await world.call(
        "PUT",
        "/v1/borrowers/ref-canary/contact-points",
        {"version": 9, "contact_points": [{"kind": MAIL, "value": PHONE}]},
    )
    await world.until(
        "SELECT (SELECT count(*) FROM notifier.reminders) = 9 AND NOT EXISTS"
        " (SELECT FROM notifier.attempts WHERE state IN ('intent', 'in_flight'))"
    )
    assert world.http.requests
    assert world.mail.mails
    metrics = generate_latest(REGISTRY)
    await world.stop()
    said = capfd.readouterr()
    assert '"service":"notifier"' in said.err
    places = {
        "stderr": said.err.encode(),
        "stdout": said.out.encode(),
        "logging": caplog.text.encode(),
        "metrics": metrics,
        "database": await dump(world),
    }
    for place, content in places.items():
        for canary in CANARIES:
            assert canary not in content, (place, canary)
    assert not dropped_keys(), "a log line tried to say more than ids, codes and counts"


async def dump(world: World) -> bytes:
    """Every row of every table the notifier writes, as text and with its bytes as they are."""
    tables = await world.owner.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname IN ('notifier', 'stream')"
    )
    parts = []
    for table in tables:
        for row in await world.owner.fetch(f"SELECT * FROM {table['name']}"):
            parts += [v if isinstance(v, bytes) else str(v).encode() for v in row.values()]
    return b"\n".join(parts)
