"""How much memory this process holds, and what holds it: pages of SQLite apart from everything else.

In: nothing. Out: megabytes. Refuses to know: what is measured, and when.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple


class Held(NamedTuple):
    """Megabytes: `resident` in all, once what was freed is given back to the system; `pages` of it are
    SQLite's. `live` is what is in use, by whomever, holes between it left out: what grows there is a leak,
    and what grows in `resident` alone is a heap with holes."""

    resident: float
    pages: float
    live: float


def resident() -> float:
    """Resident memory, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def held() -> Held:
    """What is held once nothing is kept back: garbage is collected, and holes in the heap are given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return Held(resident(), _pages(), _of_python() + _of_malloc())


class _Malloc(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _fields_ = tuple(
        (name, ctypes.c_size_t) for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
            "keepcost",
        )
    )


def _of_malloc() -> float:
    """What larger objects, tables, SQLite and every other library hold."""
    asked = ctypes.CDLL(None).mallinfo2
    asked.restype = _Malloc
    found = asked()
    return float(found.uordblks + found.hblkhd) / 1e6


def _of_python() -> float:
    """What small objects hold. Python tells it on the error output only, and to whoever reads that."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as told:
        os.dup2(told.fileno(), 2)
        try:
            sys._debugmallocstats()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        told.seek(0)
        said = told.read().decode("ascii", "replace")
    (held_by_blocks,) = re.findall(r"# bytes in allocated blocks += +([\d,]+)", said)
    return int(held_by_blocks.replace(",", "")) / 1e6


def _pages() -> float:
    maps = Path("/proc/self/maps").read_text().splitlines()
    library = next((line.split()[-1] for line in maps if "libsqlite3" in line), "")
    if not library:
        return 0.0              # linked into the interpreter: nobody can be asked
    used = ctypes.CDLL(library).sqlite3_memory_used
    used.restype = ctypes.c_int64
    return int(used()) / 1e6
