"""`python -m tests.faults [FAULT ...]`: the fault matrix, or the rows named; --list says which there are.

Prints a table, writes faults.json, exits 1 where a cell is not as it should be and 2 for a name that is none.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab.provision import LabUnavailable, provision
from tests.bench.report import machine
from tests.faults.faults import ALL
from tests.faults.house import POLICIES
from tests.faults.matrix import PHASES, Row, run


def main(names: list[str]) -> int:
    """Run, show, write."""
    if names == ["--list"]:
        for name, fault in ALL.items():
            print(f"{name:20} {fault.words}")
        return 0
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no such fault: {unknown[0]} (--list names them)", file=sys.stderr)
        return 2
    try:
        parts = provision(["asterisk", "sipp", "mosquitto", "faketime"])
    except LabUnavailable as problem:
        print(f"the fault matrix needs a real switch: {problem}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or list(ALL):
        row = asyncio.run(run(ALL[name], parts))
        if row.missed:          # a phase lasts a moment, and others have the machine too
            row = asyncio.run(run(ALL[name], parts))
        rows.append(row)
        print(f"  {name}: {'as it should be' if row.well else '; '.join(row.problems)}", file=sys.stderr, flush=True)
    show(rows)
    document = {"machine": machine(), "faults": [row.as_json() for row in rows]}
    Path("faults.json").write_text(json.dumps(document, indent=1) + "\n")
    return 0 if all(row.well for row in rows) else 1


def show(rows: list[Row]) -> None:
    """One line a fault, and below it one a phase: calls that went as their policy says, of those placed."""
    table = Table(title="calls that went as their policy says / calls placed")
    for column in ("fault", "phase", *POLICIES, "worst added delay", "counters = CDRs", "emergency"):
        table.add_column(column)
    for row in rows:
        table.add_section()
        stale = "" if row.worst_stale is None else f", stale {1000 * row.worst_stale:.0f} ms"
        table.add_row(
            row.fault, f"all {row.as_policy}/{row.placed}", *("" for _ in POLICIES),
            f"{1000 * row.worst_added:.0f} ms{stale}", "yes" if row.counters_agree else "NO",
            f"{row.emergency_passed}/{row.emergency_placed}",
        )
        for phase in PHASES:
            cells = row.cells[phase]
            table.add_row("", phase, *(f"{cells[p].as_policy}/{cells[p].placed}" for p in POLICIES))
    Console(width=130).print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
