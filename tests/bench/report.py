"""What a measurement is, and how it is shown."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `target` is the design's, in words; `met` None where there is none."""

    what: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None
    note: str = ""


def at_most(what: str, value: float, unit: str, limit: float, note: str = "") -> Figure:
    """A figure that should not exceed `limit`."""
    return Figure(what, value, unit, f"<= {limit:g}", value <= limit, note)


def at_least(what: str, value: float, unit: str, limit: float, note: str = "") -> Figure:
    """A figure that should reach `limit`."""
    return Figure(what, value, unit, f">= {limit:g}", value >= limit, note)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0-1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """The middle of several runs."""
    return statistics.median(values)


def machine() -> dict[str, object]:
    """What these figures were measured on."""
    model = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    return {
        "cpu": model or platform.processor(), "cores": os.cpu_count(), "kernel": platform.release(),
        "python": platform.python_version(),
    }


def show(groups: dict[str, list[Figure]], path: Path) -> None:
    """Print the table and write it as JSON."""
    about = machine()
    table = Table(title=f"{about['cpu']}, {about['cores']} cores, Python {about['python']}")
    for column in ("", "measured", "", "target", "met", ""):
        table.add_column(column)
    for group, figures in groups.items():
        table.add_section()
        for figure in figures:
            met = {None: "", True: "yes", False: "NO"}[figure.met]
            value = f"{figure.value:,.3g}" if figure.value < 1000 else f"{figure.value:,.0f}"
            table.add_row(
                f"{group}: {figure.what}", value, figure.unit, figure.target, met, figure.note
            )
    Console(width=150).print(table)
    document = {"machine": about, "figures": {g: [asdict(f) for f in fs] for g, fs in groups.items()}}
    path.write_text(json.dumps(document, indent=1) + "\n")
