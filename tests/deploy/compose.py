"""Reads docker-compose.yml so that a test can run its services as plain processes."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"


@dataclass(frozen=True)
class ComposeService:
    """One of the file's services: what it runs, with what variables, and how it is asked."""

    image: str
    command: list[str]
    environment: dict[str, str]
    healthcheck: list[str]  # empty for those that run once

    def run(self) -> str:
        """Run it to its end as a container would; its output. It must succeed."""
        answer = subprocess.run(
            self.command,
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, f"{' '.join(self.command)}:\n{answer.stdout}"
        return answer.stdout


def compose_services(substitutions: Mapping[str, str] | None = None) -> dict[str, ComposeService]:
    """The services by name, each text with the substitutions made in it, in their order.

    What differs between a container and a process: {"kafka:9092": "127.0.0.1:41234",
    "/run/dunwell": str(tmp_path), "0.0.0.0": "127.0.0.1", "8020": "45678", ...}.
    """

    def here(text: str) -> str:
        for old, new in (substitutions or {}).items():
            text = text.replace(old, new)
        return text

    def words(given: list[str]) -> list[str]:
        return [sys.executable if word == "python" else here(word) for word in given]

    document: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
    return {
        name: ComposeService(
            image=service["image"],
            command=words(service.get("command", [])),
            environment={
                variable: here(value) for variable, value in service.get("environment", {}).items()
            },
            healthcheck=words(service.get("healthcheck", {}).get("test", ["CMD"])[1:]),
        )
        for name, service in document["services"].items()
    }
