"""How much memory this process holds, and what holds it: pages of SQLite apart from everything else.

In: nothing. Out: megabytes. Refuses to know: what is measured, and when.
"""

from __future__ import annotations

import ctypes
import gc
import os
from pathlib import Path
from typing import NamedTuple


class Held(NamedTuple):
    """Megabytes: `resident` in all, once what was freed is given back to the system; `pages` of it are
    SQLite's."""

    resident: float
    pages: float


def resident() -> float:
    """Resident memory, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def held() -> Held:
    """What is held once nothing is kept back: garbage is collected, and holes in the heap are given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return Held(resident(), _pages())


def _pages() -> float:
    maps = Path("/proc/self/maps").read_text().splitlines()
    library = next((line.split()[-1] for line in maps if "libsqlite3" in line), "")
    if not library:
        return 0.0              # linked into the interpreter: nobody can be asked
    used = ctypes.CDLL(library).sqlite3_memory_used
    used.restype = ctypes.c_int64
    return int(used()) / 1e6
