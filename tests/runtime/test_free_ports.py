"""Ports for processes that are yet to start, or to start again."""

import json
import subprocess
import sys

import pytest

from services.runtime import child_process
from services.runtime.child_process import free_ports

OTHER = """
import json, sys
from services.runtime import child_process
child_process._PORTS = json.loads(sys.argv[1])
print(json.dumps(child_process.free_ports(9)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="names without files are Linux's")
def test_a_port_that_was_given_out_is_given_to_no_other_process() -> None:
    ours = free_ports(5)
    assert len(set(ours)) == 5
    said = subprocess.run(
        [sys.executable, "-c", OTHER, json.dumps(ours)], capture_output=True, check=True
    )
    assert json.loads(said.stdout) == []


def test_no_more_ports_are_held_than_were_given_out_of_late() -> None:
    for _ in range(40):
        free_ports(3)
    assert len(child_process._held) <= child_process._HELD
