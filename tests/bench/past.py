"""Decisions of the past asked again: what was just sent, under a draft with a narrower window."""

import os
import time
from datetime import datetime

import yaml

from services.policy import backtest_run
from services.policy.backtest_run import Draft, Plan
from services.policy.cli_reading import pack_text, reading

WARM_UP = 3  # batches a process, while it starts and compiles the rules
# Loads fall due on one weekday after another: about one decision in six becomes another.
NARROWER = {"mon": "09:00-20:00", "tue": "10:30-20:00", "wed-sat": "09:00-20:00"}


async def run(database_url: str, start: datetime, end: datetime) -> float:
    """Decisions a second with a process a core; the processes' start is not counted."""
    jobs = os.cpu_count() or 1
    plan = Plan(start=start, end=end, drafts=(_draft(),), jobs=jobs)
    async with reading(database_url) as connection:
        kept = await backtest_run.shelf(connection, None)
        done, batches, began = 0, 0, 0.0
        async for heard in backtest_run.decisions(connection, plan, kept):
            assert not heard.compared.missing, heard.compared.missing[0]
            batches += 1
            if batches <= WARM_UP * jobs:
                began = time.perf_counter()
            else:
                done += len(heard.rows)
    return done / (time.perf_counter() - began)


def _draft() -> Draft:
    """The house pack, its window on Tuesdays made narrower."""
    name, text = pack_text("house")
    pack = yaml.safe_load(text)
    pack["rules"][0]["hours"] = NARROWER
    return Draft(name, yaml.safe_dump(pack, sort_keys=False))
