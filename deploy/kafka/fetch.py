"""Fetches Apache Kafka's jars with Maven and holds every one to jars.lock (name and SHA-256)."""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
LOCK = HERE / "jars.lock"
POM = HERE / "pom.xml"
JAVA_VERSION = 17  # what Apache Kafka 4 needs
MAVEN_SECONDS = 300


class KafkaUnavailable(Exception):
    """Apache Kafka can't run here; the text says what is missing and what to do about it."""


def jars() -> Path:
    """The folder of verified jars; fetched once, verified each time.

    `DUNWELL_KAFKA_JARS` names a folder that already holds them, for machines without Maven; it is
    never written to.
    """
    given = os.environ.get("DUNWELL_KAFKA_JARS")
    folder = Path(given) if given else HERE / "jars"
    expected = _read_lock()
    if wrong := differences(folder, expected):
        if given:
            raise KafkaUnavailable(
                f"DUNWELL_KAFKA_JARS={folder} is not what jars.lock says: {wrong}"
            )
        _fetch(folder, expected)
    return folder


def java() -> str:
    """The java command, of a version that runs Apache Kafka."""
    home = os.environ.get("JAVA_HOME")
    command = shutil.which("java", path=f"{home}/bin") if home else None
    command = command or shutil.which("java")
    if command is None:
        raise KafkaUnavailable(f"Java is not installed: install Java {JAVA_VERSION} or newer")
    answer = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', answer.stderr)
    if found is None or int(found[1]) < JAVA_VERSION:
        version = found[1] if found else "unknown"
        raise KafkaUnavailable(
            f"{command} is version {version}: Apache Kafka needs Java {JAVA_VERSION} or newer"
        )
    return command


def _fetch(folder: Path, expected: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="jars-", dir=folder.parent) as scratch:
        fetched = Path(scratch) / "jars"
        _run_maven(fetched)
        if wrong := differences(fetched, expected):
            raise KafkaUnavailable(
                f"the jars that Maven fetched are not what jars.lock says: {wrong}"
            )
        shutil.rmtree(folder, ignore_errors=True)
        fetched.rename(folder)


def _run_maven(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable(
            "Maven (mvn), which fetches Apache Kafka's jars, is not installed: install it, or name "
            "a folder that holds the jars of deploy/kafka/jars.lock in DUNWELL_KAFKA_JARS"
        )
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=MAVEN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise KafkaUnavailable(f"Maven did not end within {MAVEN_SECONDS} s") from None
    if answer.returncode != 0:
        lines = [line for line in answer.stdout.splitlines() if line.startswith("[ERROR]")]
        raise KafkaUnavailable("Maven could not fetch Apache Kafka's jars: " + " ".join(lines[:1]))


def _read_lock() -> dict[str, str]:
    pairs = (line.split() for line in LOCK.read_text().splitlines() if not line.startswith("#"))
    return {name: digest for digest, name in pairs}


def differences(folder: Path, expected: Mapping[str, str]) -> str:
    """What is missing, extra or altered in the folder, in words; empty when nothing is."""
    if not folder.is_dir():
        return "the folder is missing"
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    lists = {
        "missing": expected.keys() - found.keys(),
        "not in the lock": found.keys() - expected.keys(),
        "altered": {name for name in expected.keys() & found if found[name] != expected[name]},
    }
    return "; ".join(
        f"{what}: {', '.join(sorted(names))}" for what, names in lists.items() if names
    )


def _write_lock() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "jars"
        _run_maven(folder)
        digests = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
        }
    lines = [f"{digest}  {name}" for name, digest in sorted(digests.items())]
    header = "# SHA-256 and name of every jar that pom.xml asks for; written by `make lock`."
    LOCK.write_text("\n".join([header, *lines]) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.kafka.fetch",
        description="Fetch Apache Kafka's jars with Maven and verify them against jars.lock.",
    )
    parser.add_argument(
        "--write-lock", action="store_true", help="after a change of pom.xml: write jars.lock anew"
    )
    try:
        if parser.parse_args().write_lock:
            _write_lock()
        print(f"Apache Kafka's jars are in {jars()}, as jars.lock says; Java: {java()}")
    except KafkaUnavailable as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
