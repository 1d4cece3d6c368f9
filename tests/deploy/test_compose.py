"""The compose file and the image are well formed, and secrets are made as they should be."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from deploy import first_start
from services.runtime.migrate import SERVICES
from tests.deploy.compose import COMPOSE_FILE, ROOT, compose_services

BIN = Path(sys.executable).parent


def passes(*command: str | Path) -> None:
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_compose_file_is_what_the_specification_says() -> None:
    passes(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE_FILE)


def test_the_dockerfile_has_no_lint() -> None:
    passes(BIN / "hadolint", "deploy/Dockerfile")


def test_every_dependency_and_volume_is_defined() -> None:
    document = yaml.safe_load(COMPOSE_FILE.read_text())
    for service in document["services"].values():
        assert service.get("depends_on", {}).keys() <= document["services"].keys()
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in document["volumes"]
        for name, needed in service.get("depends_on", {}).items():
            if needed["condition"] == "service_healthy":
                assert document["services"][name]["healthcheck"]


def test_every_python_module_in_a_command_exists() -> None:
    modules = {
        service.command[2] for service in compose_services().values() if "-m" in service.command
    }
    for module in modules - {"services"}:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_kafka_is_the_version_that_the_tests_run() -> None:
    pom = (ROOT / "deploy" / "kafka" / "pom.xml").read_text()
    version = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>(.+?)</version>", pom)
    assert version is not None
    assert compose_services()["kafka"].image == f"apache/kafka:{version[1]}"


def test_the_image_runs_a_python_that_the_project_supports() -> None:
    image = re.search(r"^FROM python:(3\.\d+)", (ROOT / "deploy/Dockerfile").read_text(), re.M)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert image is not None
    assert tuple(map(int, image[1].split("."))) >= tuple(
        map(int, project["requires-python"].removeprefix(">=").split("."))
    )


def test_secrets_are_for_the_owner_only_and_all_different(tmp_path: Path) -> None:
    first_start.make_secrets(tmp_path, "postgres:5432/dunwell")
    files = list(tmp_path.iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert len({file.read_text() for file in files}) == len(files)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_asked_for_readiness_at_its_admin_port(service: str) -> None:
    composed = compose_services()[service]
    assert "/readyz" in composed.healthcheck[-1]
    assert composed.environment["DUNWELL_ADMIN_PORT"] != composed.environment["DUNWELL_HTTP_PORT"]
