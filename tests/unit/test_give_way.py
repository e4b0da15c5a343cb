"""The enforcer lets the switch go first, and never takes back what its starter gave away."""

from __future__ import annotations

import subprocess
import sys

import pytest

from enforcer.supervisor import AUTOGROUP

CODE = """
import os
from enforcer.supervisor import give_way
give_way(5)
print(os.getpriority(os.PRIO_PROCESS, 0))
"""
SESSION = """
from enforcer.supervisor import AUTOGROUP
print(AUTOGROUP.read_text() if AUTOGROUP.exists() else "")
"""


@pytest.mark.parametrize(("started", "runs"), [(0, 5), (3, 5), (5, 5), (7, 7), (19, 19)])
def test_it_runs_at_least_so_nice_as_it_was_told(started: int, runs: int) -> None:
    command = ["nice", "-n", str(started), sys.executable, "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    here = int(subprocess.run(["nice"], capture_output=True, text=True, check=True).stdout)
    assert int(done.stdout) == max(5, min(19, here + started)) if here else int(done.stdout) == runs


@pytest.mark.parametrize("alone", [True, False], ids=["a session of its own", "somebody's session"])
def test_it_makes_a_session_of_its_own_stand_back_and_nobody_elses(alone: bool) -> None:
    """Where the kernel has autogroups; where it has none, there is nothing to stand back with."""
    before = AUTOGROUP.read_text().split() if AUTOGROUP.exists() else []
    done = subprocess.run(
        [sys.executable, "-c", CODE + SESSION], capture_output=True, text=True, check=True,
        start_new_session=alone,
    )
    ours = done.stdout.split()[1:]      # after the nice value: "/autogroup-N nice 5"
    assert ours[1:] == (["nice", "5"] if before and alone else before[1:])
