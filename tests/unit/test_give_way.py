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
SESSION = """
from enforcer.supervisor import AUTOGROUP, give_way
for nice in (0, 5):
    give_way(nice)
    print(AUTOGROUP.read_text().strip() if AUTOGROUP.exists() else "")
"""


@pytest.mark.parametrize(("started", "runs"), [(0, 5), (3, 5), (5, 5), (7, 7), (19, 19)])
def test_it_runs_at_least_so_nice_as_it_was_told(started: int, runs: int) -> None:
    command = ["nice", "-n", str(started), sys.executable, "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    here = int(subprocess.run(["nice"], capture_output=True, text=True, check=True).stdout)
    assert int(done.stdout) == max(5, min(19, here + started)) if here else int(done.stdout) == runs


@pytest.mark.parametrize("alone", [True, False], ids=["a session of its own", "somebody's session"])
def test_it_makes_a_session_of_its_own_stand_back_and_nobody_elses(alone: bool) -> None:
    """Where the kernel has autogroups; where it has none, there is nothing to stand back with. A session has
    one where it began after the kernel was told to have them."""
    done = subprocess.run(
        [sys.executable, "-c", SESSION], capture_output=True, text=True, check=True, start_new_session=alone
    )
    before, after = done.stdout.splitlines()            # each "/autogroup-N nice 0", or nothing
    assert after == (before.replace("nice 0", "nice 5") if alone else before)
