"""The ledger on a disk: what an account costs in memory, how long a restart takes with a month's calls,
how fast CDR files come in, and how fast calls become durable. Each in a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lab.provision import ROOT, lab_dir
from tests.bench import site as of_site
from tests.bench.report import Figure, at_most, median
from tests.bench.site import freeswitch_csv, master_csv, site

RESTART_ROWS, RESTART_ACCOUNTS = 1_000_000, 10_000
RESTARTS = 3
MEMORY_FIRST, MEMORY_MORE = 100_000, 100_000    # the first fill what is bounded: desks, calls remembered
IMPORT_ROWS = (50_000, 200_000)
DURABLE_CALLS = 30_000
ENVIRONMENT = {**os.environ, "ENFORCER_AMI_SECRET": "bench"}


def _run(*words: str) -> Any:
    """What a role of `ledger_process` measured."""
    command = [sys.executable, "-m", "tests.bench.ledger_process", *words]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def memory() -> list[Figure]:
    """Through the whole of admission, with five rules, each account one call; 100 calls a second."""
    with tempfile.TemporaryDirectory() as directory:
        config = site(Path(directory))
        numbers = (str(MEMORY_FIRST), str(MEMORY_MORE))
        _, some, all_of_them = _run("memory", str(config), *numbers)["kib"]
    each = (all_of_them - some) / MEMORY_MORE
    million = (some + (1_000_000 - MEMORY_FIRST) * each) / 1024**2
    note = f"from account {MEMORY_FIRST:,} to {MEMORY_FIRST + MEMORY_MORE:,}"
    bounded = (some - MEMORY_FIRST * each) / 1024
    return [
        at_most("memory, each account that has called", each, "KB", 1.5, note),
        at_most("memory, 1,000,000 accounts, extrapolated", million, "GB", 1.5, f"{bounded:.0f} MB anyway"),
    ]


def restart() -> list[Figure]:
    """From the start of the process to its first decision."""
    with tempfile.TemporaryDirectory() as directory:
        file = _filled()
        config = site(Path(directory), str(file))
        warm, cold = [], []
        for n in range(2 * RESTARTS):
            if n % 2:
                _forget(file)
            begin = time.perf_counter()
            told = _run("restart", str(config))
            (cold if n % 2 else warm).append(time.perf_counter() - begin)
            assert told["attempts"][-1] >= RESTART_ROWS // RESTART_ACCOUNTS, told
    what = f"restart to first decision, {RESTART_ROWS:,} calls this month"
    return [
        at_most(what, median(warm), "s", 3, f"{RESTART_ACCOUNTS:,} accounts; whole process"),
        Figure(f"{what}, file not in memory", median(cold), "s"),
    ]


def _filled() -> Path:
    """A ledger of a month's calls, made once. Its name says what it was made by."""
    made_by = hashlib.sha256()
    for source in (Path(of_site.__file__), *sorted((ROOT / "enforcer" / "ledger" / "sql").glob("0*.sql"))):
        made_by.update(source.read_bytes())
    folder = lab_dir() / "bench"
    file = folder / f"month-{made_by.hexdigest()[:12]}.db"
    if not file.exists():
        for old in folder.glob("month-*"):
            old.unlink()
        making = folder / "month-making.db"
        config = site(folder, making.name)
        _run("fill", str(config), str(RESTART_ROWS), str(RESTART_ACCOUNTS))
        making.rename(file)
    return file


def _forget(file: Path) -> None:
    """Ask the kernel to drop the file from its cache: as after the machine started."""
    for path in file.parent.glob(f"{file.name}*"):
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
            os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cdr_import() -> list[Figure]:
    """`enforcer cdr import` into an empty ledger, as a person runs it: of Asterisk's Master.csv, where each
    row is a call, and of FreeSWITCH's, where each leg has a row."""
    figures = []
    for kind, name, write in (
        ("asterisk", "cdr import", master_csv), ("freeswitch", "cdr import of a FreeSWITCH", freeswitch_csv),
    ):
        took, peak = [], []
        with tempfile.TemporaryDirectory() as directory:
            for rows in IMPORT_ROWS:
                folder = Path(directory) / str(rows)
                config = site(folder, kind=kind)
                file = folder / "Master.csv"
                write(file, rows, RESTART_ACCOUNTS)
                begin = time.perf_counter()
                words = ["cdr", "import", str(file), "--switch", "pbx1", "--config", str(config)]
                peak.append(_peak([sys.executable, "-m", "enforcer", *words]))
                took.append(time.perf_counter() - begin)
        (few, many), (first, second) = IMPORT_ROWS, took
        each = (second - first) / (many - few)
        million = second + (1_000_000 - many) * each
        figures += [
            Figure(f"{name}, rows a second", many / second, "/s", note=f"{many:,} rows"),
            at_most(f"{name}, 1,000,000 rows, extrapolated", million, "s", 90),
            Figure(f"{name}, peak memory", peak[1], "MB", note=f"{peak[0]:.0f} MB for {few:,} rows"),
        ]
    return figures


def _peak(command: list[str]) -> float:
    """Run a command; the most it had in memory, in MB. (`ru_maxrss` would include us before exec.)"""
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL) as process:
        most = 0
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            most = max(most, *(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line), 0)
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}")
    return most / 1024


def durable() -> list[Figure]:
    """Calls counted at full speed by the hot path while the writer's thread keeps up as it can."""
    with tempfile.TemporaryDirectory() as directory:
        configs = [site(Path(directory) / str(n)) for n in range(3)]
        seconds = [_run("durable", str(config), str(DURABLE_CALLS))["durable"] for config in configs]
    rate = DURABLE_CALLS / median(seconds)
    return [Figure("calls counted and made durable", rate, "/s", note="three events a call")]


def run() -> list[Figure]:
    """All figures of this page."""
    return [*memory(), *restart(), *cdr_import(), *durable()]
