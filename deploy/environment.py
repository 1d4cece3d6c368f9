"""Makes .venv from a hashed requirements file, also where python3-venv (ensurepip) is missing."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

# So that `dunwell` works from any folder without installing the project.
LAUNCHER = """\
#!/bin/sh
venv=$(cd "$(dirname "$0")/.." && pwd)
PYTHONPATH=$(dirname "$venv")${PYTHONPATH:+:$PYTHONPATH} exec "$venv/bin/python" -m services "$@"
"""


def main() -> int:
    requirements = ROOT / sys.argv[1]
    print(
        f"Making .venv from {requirements.name} with Python {sys.version.split()[0]} …", flush=True
    )
    if not _runs(PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"):
        if find_spec("venv") is None:
            return _fail("this Python has no module venv: install python3-venv")
        command = [sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)]
        if subprocess.run(command, check=False).returncode != 0:
            return _fail(f"{' '.join(command)} failed: its own words are above")
    pip = _pip()
    if pip is None:
        return _fail("pip is missing: install python3-pip, or run `python3 -m ensurepip`")
    # Compiling all modules now takes longer than compiling those that are ever imported.
    install = [*pip, "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    install += ["--require-hashes", "-r", str(requirements)]
    environment = os.environ | {
        "PIP_USER": "0",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    environment.pop("PYTHONPATH", None)
    answer = subprocess.run(install, env=environment, check=False)
    if answer.returncode != 0:
        return _fail(f"pip could not install {requirements.name}: its own words are above")
    launcher = VENV / "bin" / "dunwell"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)
    return 0


def _pip() -> list[str] | None:
    """The command that runs some pip on .venv; pip itself need not be in there."""
    if _runs(PYTHON, "-m", "pip", "--version"):
        return [str(PYTHON), "-m", "pip"]
    for command in ([sys.executable, "-m", "pip"], ["python3", "-m", "pip"], ["pip3"], ["pip"]):
        if _runs(*command, "--python", str(PYTHON), "--version"):  # pip 22.3 and newer
            return [*command, "--python", str(PYTHON)]
    if _runs(PYTHON, "-m", "ensurepip"):
        return [str(PYTHON), "-m", "pip"]
    return None


def _runs(*command: str | Path) -> bool:
    try:
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError:
        return False
    return answer.returncode == 0


def _fail(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
