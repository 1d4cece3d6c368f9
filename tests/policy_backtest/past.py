"""A past: borrowers who were asked about, by day and by night, and some of whom were contacted."""

from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner, Result
from rich.progress import Progress

from services.policy import cli_backtest
from services.policy.backtest import Sums
from services.policy.backtest_report import Report
from services.policy.backtest_run import Draft, Plan
from services.policy.cli_reading import reading
from tests.database import Database
from tests.policy_service.events import AFTERNOON, attempt, due, pack, stop
from tests.policy_service.world import World

START, END = AFTERNOON - timedelta(days=1), AFTERNOON + timedelta(days=9)

WIDE = '{id: t-hours, kind: contact_window, cite: [test], hours: {daily: "08:00-21:00"}}'
NARROW = '{id: t-hours, kind: contact_window, cite: [test], hours: {daily: "08:00-10:00"}}'
ONE_A_DAY = (
    "{id: t-cap, kind: frequency_cap, cite: [test], max: 1, window: {days: 1}, key: [person]}"
)


async def ten_people(world: World) -> None:
    """Ten are asked about in the afternoon: nine are allowed and six of them contacted, one has
    said stop.  At night two more are asked about, and deferred to the morning.
    """
    await world.rules(pack(WIDE))
    for i in range(10):
        await world.person(f"p{i}")
    await world.send("stop.events", stop("p9"))
    dues = [due(f"p{i}") for i in range(10)]
    await world.send("reminder.due", *dues)
    await world.redeem(*(attempt(asked) for asked in dues[:6]))
    night = AFTERNOON + timedelta(hours=10)  # midnight in New York
    await world.at(night)
    await world.send("reminder.due", *(due(f"p{i}", due_at=night) for i in (7, 8)))
    await world.out()


async def look_back(
    database: Database, *drafts: str, jobs: int = 1, ignore_dates: bool = False
) -> Sums:
    """Sums of a backtest against these drafts; none: under the rules recorded."""
    plan = Plan(
        start=START,
        end=END,
        drafts=tuple(Draft(f"draft-{i}", text) for i, text in enumerate(drafts)),
        jobs=jobs,
        ignore_dates=ignore_dates,
    )
    report = Report(show=0, as_json=False, verify=not drafts)
    async with reading(database.dsn("policy")) as connection:
        return await cli_backtest.backtest(connection, plan, report, Progress(disable=True))


def run(database: Database, *arguments: str) -> Result:
    """The command itself, on the test's database."""
    environment = {"DUNWELL_DATABASE_URL": database.dsn("policy")}
    times = ["--from", f"{START:%FT%TZ}", "--to", f"{END:%FT%TZ}"]
    return CliRunner().invoke(cli_backtest.backtest_command, [*arguments, *times], env=environment)


def written(folder: Path, text: str) -> str:
    """The path of a file with this text."""
    path = folder / "draft.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)
