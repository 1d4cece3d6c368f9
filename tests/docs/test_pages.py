"""The documents say what the code does: tables, routes, settings, log events, links, queries."""

import base64
import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from services.events.topics import TOPICS, wire_type
from services.notifier import settings as notifier_settings
from services.notifier.addresses import GivenAddress, Keyring, in_transit
from services.notifier.callbacks import twilio_routes
from services.notifier.doors import lender_routes
from services.notifier.inbound import inbound_routes
from services.notifier.review_doors import review_routes
from services.notifier.unsubscribe import unsubscribe_routes
from services.policy import settings as policy_settings
from services.policy.doors import Doors as PolicyDoors
from services.runtime import deadletters
from services.runtime.settings import PREFIX
from services.scheduler import settings as scheduler_settings
from services.scheduler.doors import Doors as SchedulerDoors
from tests.database import Database
from tests.docs import code, fill

ROOT = fill.ROOT
PAGES = [*sorted(fill.DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
EVENTS, API, OPERATIONS, ARCHITECTURE = (
    (fill.DOCS / f"{name}.md").read_text()
    for name in ("events", "api", "operations", "architecture")
)


SETTINGS = ARCHITECTURE.split("## Settings")[1]


def rows(text: str, first: str) -> list[list[str]]:
    """The cells of the table whose header begins with this cell."""
    table = text[text.index(f"| {first} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_the_code_knows_better_was_filled_from_it(page: Path) -> None:
    text = page.read_text()
    assert fill.filled(text) == text, "run: python -m tests.docs.fill"


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_every_topic_has_its_events_in_the_page_of_events(topic: Any) -> None:
    section = EVENTS.split(f"\n## {topic.name}\n")[1].split("\n## ")[0]
    told = re.findall(r"^### (.+)\n\n<!-- fill: event \1 -->", section, re.MULTILINE)
    assert told == [wire_type(event) for event in topic.events]


def test_an_address_sealed_as_the_page_of_events_says_can_be_opened() -> None:
    (snippet,) = re.findall(r"<!-- snippet: seal -->\n```python\n(.*?)```", EVENTS, re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet, names)
    key = secrets.token_bytes(32)
    sealed = names["seal"](key, "acme", "B-1001", "mobile", "+12025550142")
    opened = Keyring({"k1": key}).open("k1", in_transit("acme", "B-1001"), base64.b64decode(sealed))
    given = msgspec.json.decode(opened, type=GivenAddress)
    assert given == GivenAddress(kind=given.kind, value="+12025550142")


ANY_ID = "8d9f3f0e-6a0c-4a52-9d0b-1f2c6a1f4a11"


class _Asked(Exception):
    """What a door wanted of the key."""


class _Keys:
    """Stands where ApiKeys stands and tells what scopes a door asks for."""

    async def tenant(self, _request: web.Request, *scopes: str) -> str:
        raise _Asked(*scopes)


def routes() -> dict[str, list[web.RouteDef]]:
    """The routes each service registers, by its folder."""
    nobody: Any = None
    keys: Any = _Keys()
    return {
        "scheduler": list(SchedulerDoors(nobody, nobody, keys, nobody, nobody).routes()),
        "policy": PolicyDoors(
            context=nobody, db=nobody, keys=keys, outbox=nobody, sandbox=False
        ).routes(),
        "notifier": [
            *lender_routes(nobody, nobody, keys, nobody),
            *twilio_routes(nobody, nobody),
            *inbound_routes(nobody, nobody, nobody),
            *review_routes(nobody, nobody, keys),
            *unsubscribe_routes(nobody, nobody, b""),
        ],
    }


async def scopes_of(handler: Callable[[web.Request], Awaitable[Any]]) -> set[str]:
    """What the door asks of a key before all else; nothing where it asks for a signature."""
    try:
        await handler(make_mocked_request("POST", "/", match_info={"id": ANY_ID}))
    except _Asked as asked:
        return set(asked.args)
    except (AttributeError, KeyError):
        pass
    return set()


async def test_every_route_is_in_the_page_of_http_with_its_scope() -> None:
    told = {
        (method, path): set(re.findall(r"`(\w+)`", scope))
        for method, path, scope in re.findall(
            r"^### (GET|PUT|POST) (\S+)\n\n(?:\*(Scope [^*]*|Signed[^*]*)\*)?", API, re.MULTILINE
        )
        if not path.endswith(("livez", "readyz", "metrics"))
    }
    registered = {
        (route.method, route.path): await scopes_of(route.handler)
        for group in routes().values()
        for route in group
    }
    assert told == registered


@pytest.mark.parametrize("service", ["scheduler", "policy", "notifier"])
def test_no_other_route_is_written_anywhere(service: str) -> None:
    assert len(routes()[service]) == code.routes_written(service)


def test_every_route_is_in_the_table_of_doors() -> None:
    registered = {f"{r.method} {r.path}" for group in routes().values() for r in group}
    registered |= {"GET /livez", "GET /readyz", "GET /metrics"}
    doors = ARCHITECTURE.split("## Doors")[1].split("## Databases")[0]
    assert set(re.findall(r"`((?:GET|PUT|POST) [^`]+)`", doors)) == registered


def test_every_problem_code_is_explained() -> None:
    told = {
        (int(status), name)
        for status, codes, _ in rows(API, "status")
        for name in re.findall(r"`(\w+)`", codes)
    }
    assert told == code.problem_codes()


def test_every_log_event_is_explained_with_its_levels() -> None:
    told = {
        name: set(levels.split(", "))
        for names, levels, *_ in rows(OPERATIONS, "event")
        for name in re.findall(r"`(\w+)`", names)
    }
    assert told == code.log_events(), "docs/operations.md, Log events"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("admin.py", "the check itself failed: "),
        ("database.py", "takes no writes: "),
        ("outbox.py", "nothing is published for "),
        ("consume.py", "stands still for "),
        ("positions.py", "stopped at partitions "),
        ("positions.py", "a record at partition "),
        ("consume.py", "the loop has not turned for "),
        ("stream_kafka_consumer.py", "nothing moves for "),
        ("stream_postgres_consumer.py", "no sign of life of this member reached the stream for "),
        ("../scheduler/emit.py", "claiming has stood for "),
        ("../notifier/dispatch.py", "claiming has stood for "),
    ],
)
def test_every_complaint_of_health_is_explained_in_its_own_words(file: str, words: str) -> None:
    assert words in (code.SERVICES / "runtime" / file).read_text()
    assert f"`{words}…" in OPERATIONS


def test_every_setting_is_in_the_table_with_its_services_and_its_default() -> None:
    classes = {
        "scheduler": scheduler_settings.Settings,
        "policy": policy_settings.Settings,
        "notifier": notifier_settings.Settings,
    }
    fields: dict[str, dict[str, Any]] = {}
    for service, settings in classes.items():
        for name, field in settings.model_fields.items():
            default = "required" if field.is_required() else field.default
            fields.setdefault(PREFIX + name.upper(), {})[service] = default
    told = {name.strip("`"): (who, default) for name, who, default, _ in rows(SETTINGS, "variable")}
    assert told.keys() == fields.keys()
    for name, (who, default) in told.items():
        services = set(classes) if who == "all" else set(who.split(", "))
        assert services == set(fields[name]), name
        words = {
            "" if d is None else str(d).replace("False", "false") for d in fields[name].values()
        }
        if words != {""} and "own" not in default:
            assert all(word in default for word in words), name


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in _anchors(there), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_of_the_project_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`((?:services|tests|docs|deploy)/[\w./-]+)`", page.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


async def test_every_query_that_an_operator_is_told_runs(database: Database) -> None:
    queries = re.findall(r"```sql\n(.*?)```", OPERATIONS, re.DOTALL)
    assert len(queries) == 7
    connection = await asyncpg.connect(database.admin_dsn)
    for query in queries:
        await connection.execute(query)
    await connection.close()


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    told = [re.findall(r"`(\w+)`", names) for names, *_ in rows(EVENTS, "reason")]
    assert sorted(name for names in told for name in names) == sorted(deadletters.CODES)
