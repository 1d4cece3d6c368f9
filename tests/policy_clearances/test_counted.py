"""Metrics count the answers that were given: each once, and none whose transaction was lost."""

import asyncpg
import pytest

from services.runtime import metrics
from tests.policy_clearances.asking import ask, redeem
from tests.policy_service.events import WINDOW, pack
from tests.policy_service.world import World

# What fails at the last moment, as a connection does that is lost in its commit.
NO_COMMIT = """
CREATE FUNCTION policy.no_commit() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN RAISE EXCEPTION ''lost''; END';
CREATE CONSTRAINT TRIGGER no_commit AFTER INSERT OR UPDATE ON policy.contacts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION policy.no_commit()
"""


def counted(name: str) -> float:
    labels = {"verdict": "allow", "code": ""}
    return metrics.REGISTRY.get_sample_value(f"dunwell_{name}_total", labels) or 0.0


async def test_an_answer_at_hand_off_counts_when_it_is_committed(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    before = counted("redeems")
    await world.owner.execute(NO_COMMIT)
    with pytest.raises(asyncpg.RaiseError):
        await world.redeem_one(asked)
    assert counted("redeems") == before
    await world.owner.execute("DROP TRIGGER no_commit ON policy.contacts")
    await world.redeem_one(asked)
    assert counted("redeems") == before + 1


async def test_an_answer_to_a_dialer_counts_apart_when_it_is_committed(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    before, at_hand_off = counted("clearances"), counted("redeems")
    await world.owner.execute(NO_COMMIT)
    with pytest.raises(asyncpg.RaiseError):
        await ask(world, "ada")
    assert counted("clearances") == before
    await world.owner.execute("DROP TRIGGER no_commit ON policy.contacts")
    await redeem(world, (await ask(world, "ada")).clearance_id)
    assert counted("clearances") == before + 2
    assert counted("redeems") == at_hand_off
