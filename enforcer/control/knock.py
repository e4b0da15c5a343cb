"""A knock at the window of the enforcer that runs on a ledger: look at the ledger now, something was written.

In: where the ledger is. Out: whether somebody was there to hear it. Refuses to know: what was written.

A knock is a connection that is closed at once: it says nothing, so nobody can be fooled by one. Nothing hangs
on it. Where nobody runs, or the enforcer is frozen, or the socket is somebody else's, it is not heard, and
the ledger is found changed at the next look. It never waits.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def beside(ledger: Path) -> Path:
    """Where the window of the enforcer that runs on this ledger is."""
    return ledger.with_name(ledger.name + ".sock")


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name of the socket that is short enough: the kernel takes 107 bytes, and ledgers may lie deep. Raises
    OSError where its directory cannot be opened."""
    if len(os.fsencode(path)) <= 100:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def knock(ledger: Path) -> bool:
    """Have the enforcer that runs on this ledger look at it now; whether one was there."""
    try:
        with reachable(beside(ledger)) as name, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.setblocking(False)     # of one that is frozen the queue may be full
            door.connect(name)
    except OSError:
        return False
    return True
