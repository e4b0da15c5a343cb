"""What a person can do about a ledger, or a file beside it, that cannot be read or written.

In: what SQLite or the system complains of. Out: the end of a line that begins with that complaint. Refuses to
know: whose command it was, and what was to be written.

A file that is locked for seconds is most often held by a process that was stopped (^Z, SIGSTOP) while it
wrote: whoever writes goes on writing until it is let go on or ended. Linux tells who that is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path

# Of the file `-shm` beside a ledger, the byte that whoever writes has locked: WAL_WRITE_LOCK of
# https://sqlite.org/walformat.html, section 2.3.2.
_WRITING = 120
_LET_GO = "let it go on, or end it"
_OWNER = "run this as the user who runs the enforcer"
_ROOM = "make room on its disk"
_BY_ERRNO = {
    errno.EACCES: _OWNER,
    errno.EPERM: _OWNER,
    errno.ENOSPC: _ROOM,
    errno.EROFS: "its disk can only be read: name another place",
    errno.EISDIR: "name a file, not a directory",
    errno.ENOTDIR: "name a file in a directory",
}
_BY_CODE = {
    sqlite3.SQLITE_FULL: _ROOM,
    sqlite3.SQLITE_IOERR: "look at its disk, and at the system's log",
    sqlite3.SQLITE_READONLY: _OWNER,
    sqlite3.SQLITE_CANTOPEN: _OWNER,
    sqlite3.SQLITE_NOTADB: "name another file in [ledger] url, or put back a copy of the ledger",
    sqlite3.SQLITE_CORRUPT: "put back a copy of the ledger, and `enforcer cdr import` what came since",
}


def remedy(path: Path, problem: BaseException) -> str:
    """What to do about it, with "; " before it, "" where nobody knows."""
    cause = getattr(problem, "orig", None) or problem
    if isinstance(cause, OSError):
        return f"; {_BY_ERRNO[cause.errno]}" if cause.errno in _BY_ERRNO else ""
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF     # the rest says which kind of it
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        writer = who_writes(path)
        if writer:
            return f"; {writer} writes and does not end: {_LET_GO}"
        return f"; another process writes and does not end: look for one that is stopped, {_LET_GO}"
    return f"; {_BY_CODE[code]}" if code in _BY_CODE else ""


def who_writes(path: Path) -> str:
    """The process that has the ledger to itself at this moment, with its name and whether it is stopped; ""
    where there is none, or it cannot be told from here (as from within another container)."""
    with contextlib.suppress(OSError, ValueError):
        inode = os.stat(f"{path}-shm").st_ino
        for line in Path("/proc/locks").read_text().splitlines():
            # 3: POSIX ADVISORY WRITE 4711 fe:00:5349986 120 120
            words = line.split()
            if words[1:4] != ["POSIX", "ADVISORY", "WRITE"] or words[5].rpartition(":")[2] != str(inode):
                continue
            if int(words[6]) <= _WRITING and (words[7] == "EOF" or int(words[7]) >= _WRITING):
                return _named(words[4])
    return ""


def _named(pid: str) -> str:
    name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    stopped = ", stopped" if rest.split()[0] in ("T", "t") else ""
    return f"process {pid} ({name}{stopped})"
