"""Runs every benchmark interleaved in one run, prints ratios, writes docs/bench.md."""

import argparse
import asyncio
import contextlib
import os
import platform
import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from deploy.kafka.broker import KafkaBroker
from services.runtime.child_process import free_ports
from services.runtime.embedded_postgres import EmbeddedPostgres
from tests.bench import bare_inserts, bare_kafka, celery_pipeline, decisions, past, whole_product

REPORT = Path(__file__).parents[2] / "docs" / "bench.md"
WHOLE = "the three services, end to end"
POLICY = "policy alone: stream to decided, recorded, told"
KAFKA = "bare aiokafka loop: consume, decode, encode, produce"
INSERTS = "bare asyncpg: the same number of rows in batches"
CELERY = "Celery on Redis, one task a notification"
PAST = "decisions asked again by a backtest, a process a core"


Measured = dict[str, list[float]]  # a figure a round


async def measure(rounds: int, count: int) -> tuple[Measured, Measured]:
    """Each contestant once a round, in turn, so that a slow minute hurts all alike; and what a
    reminder cost each process of ours, in microseconds of CPU."""
    rates: Measured = {}
    costs: Measured = {}
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(KafkaBroker(short_lived=False, heap_mb=1024))
        postgres = await stack.enter_async_context(EmbeddedPostgres())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dunwell-bench-")))
        owner = await asyncpg.connect(postgres.dsn)
        await owner.execute("CREATE DATABASE peers")
        await owner.close()
        peers = postgres.dsn_of("peers")
        servers = {"PostgreSQL": postgres.pid or 0, "Apache Kafka": broker.pid or 0}
        bench = await stack.enter_async_context(
            whole_product.started(folder, postgres.dsn, broker.bootstrap_servers, servers)
        )
        for number in range(rounds + 1):
            whole = await bench.round(count)
            cost = bench.cost
            found: dict[str, float | None] = {
                WHOLE: whole,
                POLICY: await bench.policy_alone(count),
                KAFKA: await bare_kafka.run(broker.bootstrap_servers, count * 3),
                INSERTS: await bare_inserts.run(peers, count),
                CELERY: await asyncio.to_thread(
                    celery_pipeline.run, peers, bench.provider, free_ports(1)[0], count // 10
                ),
            }
            found[PAST] = await past.run(bench.policy_database, whole_product.BEGIN, bench.now)
            if number == 0:
                continue  # the first round warms up
            for name, spent in cost.items():
                costs.setdefault(name, []).append(spent * 1e6)
            for name, rate in found.items():
                if rate is not None:
                    rates.setdefault(name, []).append(rate)
                    print(f"round {number}  {name}: {rate:,.0f}/s", flush=True)
    return rates, costs


def bill(costs: Mapping[str, Sequence[float]]) -> list[str]:
    """Markdown rows: what a reminder costs, process by process."""
    medians = {name: statistics.median(found) for name, found in costs.items()}
    whole = sum(medians.values())
    return [
        "| process | µs of CPU a reminder | share |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {cost:,.0f} | {cost / whole:.0%} |" for name, cost in medians.items()),
        f"| all | {whole:,.0f} | |",
    ]


def table(rates: Mapping[str, Sequence[float]], base: str) -> list[str]:
    """Markdown rows: median a second, and `base` as a multiple of it."""
    own = statistics.median(rates[base])
    lines = ["| what | median/s | lowest–highest | ours ÷ this |", "| --- | ---: | ---: | ---: |"]
    for name, found in rates.items():
        median = statistics.median(found)
        spread = f"{min(found):,.0f}–{max(found):,.0f}"
        lines.append(f"| {name} | {median:,.0f} | {spread} | {own / median:.2f} |")
    return lines


def main() -> None:
    """`make bench`; `--rounds 1 --count 2000` for a quick look."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=5_000, help="reminders a round")
    parser.add_argument("--no-report", action="store_true", help="leave docs/bench.md alone")
    options = parser.parse_args()
    loaded = 2 * (options.rounds + 1) * options.count  # twice a round, and one to warm up
    if loaded > whole_product.NUMBERS:
        parser.error(
            f"that needs {loaded:,} invented telephone numbers and there are"
            f" {whole_product.NUMBERS:,}; take fewer rounds or a smaller --count"
        )
    whole, costs = asyncio.run(measure(options.rounds, options.count))
    single = decisions.measure(options.rounds)
    parts = [
        "# How fast",
        "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, {options.rounds} interleaved rounds of"
        f" {options.count:,} reminders, medians. Trust the ratios, not the absolutes.",
        "",
        "## Reminders a second, from due to the provider's answer",
        "",
        *table({name: found for name, found in whole.items() if name != PAST}, WHOLE),
        "",
        *_notes(whole),
        "## What a reminder costs",
        "",
        *bill(costs),
        "",
        "From due to the last receipt, of the same rounds: why it is no less is told in"
        " [decision 0005](decisions/0005-what-a-reminder-costs.md).",
        "",
        "## Decisions a second, one process",
        "",
        *table(single, decisions.OURS),
        "",
        decisions.NOTE,
        "",
    ]
    text = "\n".join(parts)
    print(text)
    if not options.no_report:
        REPORT.write_text(text)


def _notes(rates: Mapping[str, Sequence[float]]) -> list[str]:
    again = statistics.median(rates[PAST])
    notes = [
        "Ours is three processes on Apache Kafka and PostgreSQL (fsync on) with every duty done;"
        " broker, database, provider and load share the same cores.",
        "",
        f"A backtest asks {again:,.0f} recorded decisions a second again under a draft that changes"
        " one in six, with a process a core, while it reads them from PostgreSQL.",
        "",
    ]
    if CELERY not in rates:
        assert shutil.which("redis-server") is None
        notes += ["Celery was not measured: no Redis server was found on this machine.", ""]
    return notes


if __name__ == "__main__":
    main()
