"""Each service's OpenAPI document is what its doors and structs are, and is served by it."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from schemathesis.specs.openapi import definitions

from services.runtime.web import application
from tests.openapi.doors import ROUTES
from tests.openapi.fill import BODIES, document, schemas

SERVICES = list(ROUTES)
METHODS = ("get", "post", "put", "delete", "patch")


def operations(service: str) -> dict[tuple[str, str], dict[str, Any]]:
    paths = document(service)["paths"]
    return {(m, path): item[m] for path, item in paths.items() for m in METHODS if m in item}


@pytest.mark.parametrize("service", SERVICES)
def test_a_document_follows_openapi_3_1(service: str) -> None:
    definitions.OPENAPI_31_VALIDATOR.validate(document(service))


@pytest.mark.parametrize("service", SERVICES)
def test_a_document_has_every_route_and_no_other(service: str) -> None:
    routes: list[web.RouteDef] = ROUTES[service]()
    described = {key: each["operationId"] for key, each in operations(service).items()}
    assert set(described) == {(route.method.lower(), route.path) for route in routes}
    assert len(set(described.values())) == len(described)


@pytest.mark.parametrize("service", SERVICES)
def test_a_documents_bodies_are_the_structs_of_the_code(service: str) -> None:
    written = document(service)["components"]["schemas"]
    by_hand = {"Problem", "Answer"}
    assert {name: each for name, each in written.items() if name not in by_hand} == schemas(
        service
    ), "run `python -m tests.openapi.fill`"
    taken = {
        content["schema"]["$ref"].rpartition("/")[2]
        for each in operations(service).values()
        for content in each.get("requestBody", {"content": {}})["content"].values()
        if "$ref" in content["schema"]
    }
    assert taken == {name for name in BODIES[service] if not name.endswith("Answer")}


@pytest.mark.parametrize("service", SERVICES)
def test_every_refusal_is_described_as_problem_json(service: str) -> None:
    for (_, path), each in operations(service).items():
        public = each.get("security") == []
        said = each["responses"].get("200", {})
        page = "text/html" in said.get("content", {})  # whoever opens it is told by a page, too
        for status, answer in each["responses"].items():
            refused = status >= "4" and not page
            assert (answer.get("$ref") == "#/components/responses/problem") == refused
        assert public or {"401", "403"} <= set(each["responses"]), path
        assert "{" not in path or each["parameters"][0]["in"] == "path"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_serves_its_document_without_a_key(service: str) -> None:
    async with TestClient(TestServer(application(ROUTES[service]()))) as client:
        answer = await client.get("/openapi.json")
        assert await answer.json() == document(service)
