"""A database restored to before a day's work, while the stream has kept what was said of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from services.trial.processes import ORDER
from tests.database import Database
from tests.docs.operations import environment, typed
from tests.e2e.thread import Thread

pytestmark = [pytest.mark.slow, pytest.mark.kafka]

BORROWERS = 24
STOPPED, EVENING = range(20, 22), range(22, 24)  # may not be asked; may be asked from 17:00 on
TEN = datetime(2026, 5, 12, 14, tzinfo=UTC)  # in New York
EIGHTEEN = TEN + timedelta(hours=8)
RUN_OUT = TEN + timedelta(days=4)  # `standard`: a step is valid for three


async def load(thread: Thread) -> None:
    """Each owes an installment on the 15th: the first reminder is for the 12th at ten."""
    for n in range(BORROWERS):
        ref = f"B-{n}"
        await thread.addresses(ref, mobile=f"+120255501{n:02}")
        body = {
            "loan_id": f"L-{n}",
            "borrower_ref": ref,
            "version": 1,
            "product": "personal_loan",
            "currency": "USD",
            "borrower": {
                "borrower_ref": ref,
                "version": 1,
                "country": "US",
                "subdivision": "NY",
                "zones": [{"zone": "America/New_York", "basis": "confirmed"}],
            },
            "installments": [
                {"installment_number": 1, "due_date": "2026-05-15", "amount_minor": 10_000}
            ],
        }
        status, said = await thread.call("POST", "scheduler", "/v1/loans", body)
        assert status == 200, said
    for n in STOPPED:
        stop = {"stop_id": str(uuid4()), "kind": "opt_out", "form": "written", "source": "desk"}
        when = {"borrower_ref": f"B-{n}", "received_at": "2026-05-12T12:00:00Z"}
        status, said = await thread.call("POST", "policy", "/v1/stops", stop | when)
        assert status < 300, said
    for n in EVENING:
        wish = {"preference_id": str(uuid4()), "kind": "only_between", "borrower_ref": f"B-{n}"}
        hours = {"from_clock": "17:00", "to_clock": "20:00", "received_at": "2026-05-12T12:00:00Z"}
        status, said = await thread.call("POST", "policy", "/v1/preferences", wish | hours)
        assert status < 300, said


async def run(thread: Thread, *services: str) -> None:
    for name in services:
        thread.processes.start_service(name)
    for name in services:
        await thread.processes.ready(name, thread.world.admin_door(name) + "/readyz")


async def stop_all(thread: Thread) -> None:
    for name in (*reversed(ORDER), "sandbox"):
        await thread.processes.stop(name)
    await thread.owner.close()


async def bring_back(thread: Thread, database: Database, folder: Path) -> None:
    """The backup, into the database as it is; then the sandbox, whose clock is the database's."""
    typed("bring-back", environment(database.admin_dsn, folder), folder)
    thread.owner = await asyncpg.connect(database.admin_dsn)
    options = ("--database-url", database.admin_dsn, "--clock", "database")
    thread.processes.start_sandbox(*options, "--callback-delay", "0.01")
    await thread.processes.ready("sandbox", thread.world.url("sandbox") + "/healthz")


@pytest.mark.parametrize("stream_kind", ["kafka"])
@pytest.mark.parametrize("first", ["asks again", "reads the answers"])
async def test_after_a_restore_what_was_answered_before_is_not_asked_again_and_none_stays_open(
    thread: Thread, database: Database, tmp_path: Path, first: str
) -> None:
    await load(thread)
    await thread.until("SELECT count(*) >= $1 FROM scheduler.reminders", BORROWERS)
    typed("back-up", environment(database.admin_dsn, tmp_path), tmp_path)

    day = "SELECT count(*) FROM scheduler.reminders WHERE step = 'T-3' AND status = '{}'"
    await thread.step_to(TEN)
    await thread.until(f"{day.format('sent')} HAVING count(*) = $1", BORROWERS - 4)
    await thread.until(f"{day.format('suppressed')} HAVING count(*) = $1", len(STOPPED))
    await thread.until(f"{day.format('planned')} HAVING count(*) = $1", len(EVENING))
    await thread.step_to(EIGHTEEN)
    await thread.until(f"{day.format('sent')} HAVING count(*) = $1", BORROWERS - 2)
    sent = len(await thread.history())
    assert sent == BORROWERS - 2

    await stop_all(thread)
    await bring_back(thread, database, tmp_path)
    if first == "asks again":
        await thread.step_to(EIGHTEEN)
    await run(thread, "policy", "scheduler")
    # The stream says what became of that day, though nobody sends.
    await thread.until(f"{day.format('sent')} HAVING count(*) = $1", BORROWERS - 2)
    await thread.until(f"{day.format('suppressed')} HAVING count(*) = $1", len(STOPPED))
    await thread.step_to(RUN_OUT)
    await run(thread, "notifier")
    await thread.until(
        "SELECT count(*) = 0 FROM scheduler.reminders"
        " WHERE status IN ('planned', 'due') AND due_at <= policy.gate_now()"
    )
    _, ledger = await thread.call("GET", "scheduler", "/v1/ledger")
    assert ledger["balanced"]
    assert ledger["sent"] == len(await thread.history())  # none of that day a second time
