"""The enforcer lets the switch go first, and never takes back what its starter gave away."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import os
from enforcer.supervisor import give_way
give_way(5)
print(os.getpriority(os.PRIO_PROCESS, 0))
"""


@pytest.mark.parametrize(("started", "runs"), [(0, 5), (3, 5), (5, 5), (7, 7), (19, 19)])
def test_it_runs_at_least_so_nice_as_it_was_told(started: int, runs: int) -> None:
    command = ["nice", "-n", str(started), sys.executable, "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    here = int(subprocess.run(["nice"], capture_output=True, text=True, check=True).stdout)
    assert int(done.stdout) == max(5, min(19, here + started)) if here else int(done.stdout) == runs
