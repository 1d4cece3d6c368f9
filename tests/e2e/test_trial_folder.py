"""The folder of a trial: one that can't be had is told of in a sentence, with exit code 2."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from services.trial import folders
from services.trial.commands import demo, up

UNMADE = "/proc/nothing-can-be-made-here"


def told(command: click.Command, folder: Path | str) -> tuple[int, str]:
    """Exit code and what was said, on one line."""
    result = CliRunner().invoke(command, ["--folder", str(folder)])
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize("command", [demo, up])
@pytest.mark.skipif(sys.platform != "linux", reason="only there is /proc")
def test_a_folder_that_cannot_be_made_is_named_with_the_reason(command: click.Command) -> None:
    code, said = told(command, UNMADE)
    assert code == 2
    assert f"the folder {UNMADE} can't be used: No such file or directory" in said


@pytest.mark.parametrize("command", [demo, up])
def test_a_folder_below_a_file_is_named_with_the_reason(
    command: click.Command, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    code, said = told(command, tmp_path / "file" / "x")
    assert code == 2
    assert "can't be used: Not a directory" in said


@pytest.mark.parametrize("command", [demo, up])
def test_a_folder_in_which_another_trial_runs_is_refused(
    command: click.Command, tmp_path: Path
) -> None:
    with folders.held(tmp_path):
        code, said = told(command, tmp_path)
    assert code == 2
    assert f"another trial runs in the folder {tmp_path}" in said
    assert "--folder" in said


def test_a_folder_is_free_again_when_what_ran_in_it_ended(tmp_path: Path) -> None:
    for _ in range(2):
        with folders.held(tmp_path / "new"):
            pass


def test_a_folder_is_free_again_when_what_ran_in_it_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from services.trial import folders\n"
        "with folders.held(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, env=dict(os.environ)
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            with (
                pytest.raises(click.BadParameter, match="another trial runs"),
                folders.held(tmp_path),
            ):
                pass
        finally:
            process.kill()
    with folders.held(tmp_path):
        pass


def test_a_demo_does_not_go_on_with_the_record_of_an_earlier_run(tmp_path: Path) -> None:
    record = tmp_path / "sandbox-history.jsonl"
    record.write_text('{"n": 1, "event": "started"}\n')
    code, said = told(demo, tmp_path)
    assert code == 2
    assert f"the folder {tmp_path} holds the record of an earlier run" in said
    assert "name another with --folder" in said
    assert record.read_text() == '{"n": 1, "event": "started"}\n'
