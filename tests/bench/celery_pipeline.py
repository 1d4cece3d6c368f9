"""What many would build instead: Celery on Redis, one task a notification, plain SQL, requests.

The task does what a reminder needs at the least: read the history, a cap, an opt-out, a decision
row, an attempt row, the provider's request, the result.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from uuid import uuid4

import psycopg
import redis
import requests
from celery import Celery

REDIS_PORT = int(os.environ.get("BENCH_REDIS_PORT", "0"))
DATABASE = os.environ.get("BENCH_DATABASE", "")
PROVIDER = os.environ.get("BENCH_PROVIDER", "")

app = Celery(broker=f"redis://127.0.0.1:{REDIS_PORT}/0")
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
_held: dict[str, object] = {}


def _connection() -> psycopg.Connection[tuple[object, ...]]:
    if "db" not in _held:
        _held["db"] = psycopg.connect(DATABASE, autocommit=True)
        _held["http"] = requests.Session()
    return _held["db"]  # type: ignore[return-value]


@app.task
def remind(borrower: str) -> None:
    """One notification from decision to result."""
    db = _connection()
    contacts = db.execute(
        "SELECT count(*) FROM celery.contacts WHERE borrower = %s AND at > now() - '7 d'::interval",
        (borrower,),
    ).fetchone()
    stopped = db.execute("SELECT 1 FROM celery.stops WHERE borrower = %s", (borrower,)).fetchone()
    allowed = stopped is None and contacts is not None and int(str(contacts[0])) < 3
    db.execute("INSERT INTO celery.decisions VALUES (%s, %s, %s)", (uuid4(), borrower, allowed))
    if not allowed:
        return
    attempt = uuid4()
    db.execute("INSERT INTO celery.contacts VALUES (%s, %s, 'sending')", (attempt, borrower))
    http = _held["http"]
    answer = http.post(  # type: ignore[attr-defined]
        f"{PROVIDER}/2010-04-01/Accounts/AC0/Messages.json",
        data={"To": "+12025550100", "From": "+12025550101", "Body": "Your installment is due."},
        auth=("AC0", "token"),
        timeout=10,
    )
    db.execute(
        "UPDATE celery.contacts SET state = %s WHERE id = %s", (str(answer.status_code), attempt)
    )


def run(database: str, provider: str, redis_port: int, count: int) -> float | None:
    """Notifications a second with two prefork workers, or None where no Redis server can be had."""
    server = shutil.which("redis-server")
    if server is None:
        return None
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("DROP SCHEMA IF EXISTS celery CASCADE; CREATE SCHEMA celery")
        db.execute("CREATE TABLE celery.stops (borrower text PRIMARY KEY)")
        db.execute("CREATE TABLE celery.decisions (id uuid PRIMARY KEY, borrower text, yes bool)")
        db.execute(
            "CREATE TABLE celery.contacts (id uuid PRIMARY KEY, borrower text, state text,"
            " at timestamptz DEFAULT now())"
        )
        db.execute("CREATE INDEX ON celery.contacts (borrower, at)")
    environment = os.environ | {
        "BENCH_REDIS_PORT": str(redis_port),
        "BENCH_DATABASE": database,
        "BENCH_PROVIDER": provider,
    }
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        broker = subprocess.Popen([server, *options], stdout=subprocess.DEVNULL)
        worker = None
        try:
            _enqueue(redis_port, count)
            command = [sys.executable, "-m", "celery", "-A", __name__, "worker", "-c", "2"]
            command += ["--loglevel", "error", "--without-gossip", "--without-mingle"]
            worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            return _rate(database, count)
        finally:
            for process in (worker, broker):
                if process is not None:
                    process.terminate()
                    process.wait()


def _enqueue(redis_port: int, count: int) -> None:
    client = redis.Redis(port=redis_port)
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    sender = Celery(broker=f"redis://127.0.0.1:{redis_port}/0")
    for index in range(count):
        sender.send_task(f"{__name__}.remind", args=[f"B{index}"])


def _rate(database: str, count: int) -> float:
    """From the first tenth to the last task, so that the workers' start isn't measured."""
    first, began = 0, 0.0
    with psycopg.connect(database, autocommit=True) as db:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            row = db.execute("SELECT count(*) FROM celery.contacts WHERE state = '201'").fetchone()
            done = int(str(row[0])) if row else 0
            if not first and done >= count // 10:
                first, began = done, time.perf_counter()
            if done >= count:
                return (done - first) / (time.perf_counter() - began)
            time.sleep(0.02)
    raise TimeoutError("the Celery workers did not finish in two minutes")
