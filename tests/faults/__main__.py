"""`python -m tests.faults [FAULT ...]`: the fault matrix, or the rows named; --list says which there are.

Prints a table and writes faults.json (rows named replace those in it; --show only prints it). Exit 1 where a
cell is not as it should be, 2 for a name that is none.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lab.process import LabFailed
from lab.provision import LabUnavailable, Provisioned, provision
from tests.bench.report import machine
from tests.faults.faults import ALL, Fault
from tests.faults.house import POLICIES
from tests.faults.matrix import PHASES, Row, run

WRITTEN = Path("faults.json")


def main(names: list[str]) -> int:
    """Run, show, write."""
    if names == ["--list"]:
        for name, fault in ALL.items():
            print(f"{name:20} {fault.words}")
        return 0
    rows = known() if names else {}
    if names == ["--show"]:
        return show(rows)
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no such fault: {unknown[0]} (--list names them)", file=sys.stderr)
        return 2
    try:
        parts = provision(["asterisk", "sipp", "mosquitto", "faketime"])
    except LabUnavailable as problem:
        print(f"the fault matrix needs a real switch: {problem}", file=sys.stderr)
        return 2
    broken = 0
    for name in names or list(ALL):
        row = row_of(ALL[name], parts)
        if row is None:
            rows.pop(name, None)
            broken += 1
            continue
        words = "as it should be" if row.well else "; ".join(row.problems)
        print(f"  {name}: {words}", file=sys.stderr, flush=True)
        rows[name] = row.as_json()
        document = {"machine": machine(), "faults": [rows[one] for one in ALL if one in rows]}
        WRITTEN.write_text(json.dumps(document, indent=1) + "\n")
    return show({name: rows[name] for name in names or list(ALL) if name in rows}) or min(broken, 1)


def row_of(fault: type[Fault], parts: Mapping[str, Provisioned]) -> Row | None:
    """One row, at the second try at the latest: a phase lasts a moment, others have the machine too, and the
    lab's programs have their own moods. None where it could not be played to its end."""
    row = None
    for _ in range(2):
        try:
            row = asyncio.run(run(fault, parts))
        except* (LabFailed, AssertionError, TimeoutError, OSError) as problems:
            said = "; ".join(str(one) or repr(one) for one in problems.exceptions)
            print(f"  {fault.name}: not played to its end: {said}", file=sys.stderr, flush=True)
        if row is not None and not row.missed:
            break
    return row


def known() -> dict[str, Any]:
    """The rows of an earlier run, by fault."""
    rows = json.loads(WRITTEN.read_text())["faults"] if WRITTEN.exists() else []
    return {row["fault"]: row for row in rows}


def show(rows: dict[str, Any]) -> int:
    """One line a fault, and below it one a phase: calls that went as their policy says, of those placed."""
    table = Table(title="calls that went as their policy says / calls placed")
    for column in ("fault", "phase", *POLICIES, "worst added delay", "counters = CDRs", "emergency"):
        table.add_column(column)
    for row in rows.values():
        table.add_section()
        stale = "" if row["worst_stale"] is None else f", stale {1000 * row['worst_stale']:.0f} ms"
        table.add_row(
            row["fault"], f"all {row['as_policy']}/{row['placed']}", *("" for _ in POLICIES),
            f"{1000 * row['worst_added']:.0f} ms{stale}",
            "yes" if row["counters_agree"] else "NO",
            f"{row['emergency_passed']}/{row['emergency_placed']}, {1000 * row['emergency_worst']:.0f} ms",
        )
        for phase in PHASES:
            cells = [row["cells"][phase][policy] for policy in POLICIES]
            table.add_row("", phase, *(f"{cell['as_policy']}/{cell['placed']}" for cell in cells))
    Console(width=140).print(table)
    return 0 if all(row["well"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
