"""Reads docker-compose.yml so that a test can run its services as plain processes."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from services.runtime.child_process import start_child

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"


@dataclass(frozen=True)
class ComposeService:
    """One of the file's services: what it runs, with what variables, and how it is asked."""

    image: str
    command: list[str]
    environment: dict[str, str]
    healthcheck: list[str]  # empty for those that run once

    @property
    def is_ours(self) -> bool:
        """Whether it runs from our image."""
        return self.image == "dunwell"

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

    def start(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start it; what it says goes to `output`."""
        return start_child(self.command, output=output, environment=self.environment, folder=ROOT)

    def is_healthy(self) -> bool:
        """Whether its health check ends with exit code 0."""
        answer = subprocess.run(
            self.healthcheck, env=self.environment, cwd=ROOT, capture_output=True, check=False
        )
        return answer.returncode == 0


def compose_services(substitutions: Mapping[str, str] | None = None) -> dict[str, ComposeService]:
    """The services by name, each text with the substitutions made in it, the longest first.

    What differs between a container and a process: {"kafka:9092": "127.0.0.1:41234",
    "/run/dunwell": str(tmp_path), "0.0.0.0": "127.0.0.1", "8020": "45678", ...}.  Names of hosts
    alone (DUNWELL_SMTP_HOST, --host) become 127.0.0.1.
    """
    given = substitutions or {}
    longest_first = sorted(given, key=len, reverse=True)
    one_of = re.compile("|".join(map(re.escape, longest_first)) or r"\Z.")

    def here(text: str) -> str:
        return one_of.sub(lambda found: given[found[0]], text)

    def words(line: list[str]) -> list[str]:
        return [sys.executable if word == "python" else here(word) for word in line]

    document: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
    return {
        name: ComposeService(
            image=service["image"],
            command=words(service.get("command", [])),
            environment={
                variable: "127.0.0.1" if given and variable.endswith("_HOST") else here(value)
                for variable, value in service.get("environment", {}).items()
            },
            healthcheck=words(service.get("healthcheck", {}).get("test", ["CMD"])[1:]),
        )
        for name, service in document["services"].items()
    }
