"""Personal data has one door: canaries that enter there are found nowhere else."""

from datetime import UTC, datetime

import pytest

from services.runtime.settings import ServiceSettings, read
from services.runtime.stream import all_topics
from services.runtime.streams import open_stream
from services.trial.world import SMS_FROM
from tests.e2e.thread import Thread

NUMBER = "+12025550187"
MAIL = "canary.person@example.com"
TOKEN = "canary-device-token"
REFERENCE = "078-05-1120-canary"  # some lenders use a national id as their own reference
CANARIES = (NUMBER, NUMBER[2:], MAIL, TOKEN, REFERENCE, "canary")

DUE = datetime(2026, 5, 12, 14, tzinfo=UTC)


async def live_through_it(thread: Thread) -> list[str]:
    """All that happens to personal data: given, used, replied from, refused.  The answers."""
    answers = []
    await thread.addresses(REFERENCE, mobile=NUMBER, email=MAIL, app=TOKEN)
    loan = {
        "loan_id": "L-9",
        "borrower_ref": REFERENCE,
        "version": 1,
        "product": "personal_loan",
        "currency": "USD",
        "borrower": {
            "borrower_ref": REFERENCE,
            "version": 1,
            "country": "US",
            "subdivision": "NY",
            "zones": [{"zone": "America/New_York", "basis": "confirmed"}],
        },
        "installments": [
            {"installment_number": 1, "due_date": "2026-05-12", "amount_minor": 12_345}
        ],
    }
    status, said = await thread.call("POST", "scheduler", "/v1/loans", loan)
    assert status < 300, said
    await thread.until("SELECT count(*) > 0 FROM policy.debts")
    await thread.until("SELECT count(*) >= 3 FROM policy.contact_points")
    await thread.step_to(DUE)
    await thread.until("SELECT count(*) > 0 FROM scheduler.reminders WHERE status = 'sent'")

    # Wrong things that quote personal data: the answers must not quote it back.
    path = f"/v1/borrowers/{REFERENCE}/contact-points"
    for points in (
        [{"kind": "mobile", "value": f"{NUMBER}999999999"}],
        [{"kind": "email", "value": f"{MAIL}@@"}],
        [{"kind": MAIL, "value": NUMBER}],
        [{"kind": "mobile", "value": f"{NUMBER}\u0000"}],
    ):
        body = {"version": 9, "contact_points": points}
        status, said = await thread.call("PUT", "notifier", path, body)
        assert 400 <= status < 500, said
        answers.append(str(said))
    wrong = loan | {"currency": MAIL, "product": NUMBER}
    status, said = await thread.call("POST", "scheduler", "/v1/loans", wrong)
    assert 400 <= status < 500
    answers.append(str(said))

    # The borrower replies, first with a question, then with STOP.
    for text in ("who is this? canary", "STOP"):
        async with thread.session.post(
            thread.world.url("sandbox") + "/sandbox/inbound",
            json={"from": NUMBER, "to": SMS_FROM, "body": text},
        ) as answer:
            assert answer.status == 200
    await thread.until("SELECT count(*) > 0 FROM policy.stops")
    return answers


@pytest.mark.slow
async def test_what_enters_by_the_notifiers_door_is_found_nowhere_else(thread: Thread) -> None:
    found = {"answers": "\n".join(await live_through_it(thread))}
    for name in ("scheduler", "policy", "notifier"):
        async with thread.session.get(thread.world.admin_door(name) + "/metrics") as answer:
            found[f"{name}'s metrics"] = await answer.text()
        found[f"{name}'s log"] = (thread.world.folder / f"{name}.log").read_text()
    settings = read(ServiceSettings, thread.world.environment("scheduler"))
    async with open_stream(settings) as stream:
        topics = list(all_topics())
        everything = [r async for polled in stream.scan(topics) for r in polled.records]
    assert len(everything) > 10
    found["the streams"] = "\n".join(
        part.decode(errors="replace")
        for record in everything
        for part in (record.key, record.value, *(value for _, value in record.headers))
    )
    for schema in ("scheduler", "policy", "stream"):
        found[f"the schema {schema}"] = await rows_of(thread, schema)
    for where, text in found.items():
        for canary in CANARIES:
            assert canary not in text, f"{canary!r} is in {where}"
    assert TOKEN in {line["to"] for line in await thread.history()}


async def rows_of(thread: Thread, schema: str) -> str:
    """Every row of every table of a schema, as text."""
    tables = await thread.owner.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname = $1",
        schema,
    )
    assert tables
    parts = []
    for table in tables:
        rows = await thread.owner.fetch(f"SELECT t::text AS row FROM {table['name']} AS t")
        for row in rows:
            parts.append(row["row"])
            # bytea is shown as hex: read it as text too
            for piece in row["row"].split("\\\\x")[1:]:
                digits = piece.split('"')[0].split(",")[0].split(")")[0]
                if len(digits) % 2 == 0 and digits:
                    try:
                        parts.append(bytes.fromhex(digits).decode(errors="replace"))
                    except ValueError:
                        continue
    return "\n".join(parts)
