"""Questions and reports about the invented people of tests/policy_service/events.py."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from services.policy.clearances import ask as asking
from services.policy.clearances import redeem as redeeming
from services.policy.clearances import reports
from services.policy.clearances.filed import Answered
from services.policy.clearances.question import Point, Question
from services.policy.clearances.reports import Report
from services.policy.clearances.visits import Plan
from tests.policy_service.events import AFTERNOON, TENANT, who
from tests.policy_service.world import World


def question(name: str, **changes: Any) -> Question:
    """May we call this person about the first installment of their loan?"""
    defaults: dict[str, Any] = {
        "borrower_ref": name,
        "loan_id": f"loan-{name}",
        "installment_number": 1,
        "channel": "call",
        "purpose": "reminder",
        "contact_point": Point(id=f"cp_{name}"),
    }
    return Question(**{**defaults, **changes})


async def ask(
    world: World, name: str, clearance_id: UUID | None = None, **changes: Any
) -> Answered:
    asked = question(name, **changes)
    own = clearance_id or uuid4()
    return await asking.ask(world.db, world.rule_sets, TENANT, who(name), own, asked)


async def redeem(world: World, clearance_id: UUID, tenant: str = TENANT) -> Answered:
    return await redeeming.redeem(world.db, world.rule_sets, tenant, clearance_id)


async def report(world: World, name: str, **changes: Any) -> dict[str, Any]:
    """A call that was not answered, just now."""
    defaults: dict[str, Any] = {
        "contact_id": uuid4(),
        "borrower_ref": name,
        "loan_ids": (f"loan-{name}",),
        "channel": "call",
        "outcome": "no_answer",
        "at": AFTERNOON,
    }
    told = Report(**{**defaults, **changes})
    return await reports.record(world.db, TENANT, who(name), told)


def plan(opens: datetime, **changes: Any) -> Plan:
    """Two people, two hours, approved by a third."""
    defaults: dict[str, Any] = {
        "people": ("staff-1", "staff-2"),
        "window_from": opens,
        "window_to": opens + timedelta(hours=2),
        "plan_id": "plan-7",
        "by": "staff-1",
        "approved_by": "staff-9",
    }
    return Plan(**{**defaults, **changes})
