"""A look through the window of a running enforcer, for `enforcer top`.

In: where its ledger is. Out: lines as they come: the overview of a moment, or something that happened.
Refuses to know: how it is shown.
"""

from __future__ import annotations

import json
import select
import socket
from pathlib import Path
from typing import Any

from enforcer.control.knock import beside, reachable
from enforcer.errors import LinkError

LONGEST = 4 * 1024 * 1024       # bytes of a line; a view of many switches has 100 KB
MOMENT = 0.05                   # s: what is on its way, where the enforcer is busy with calls
STRANGE = "what shows itself there is no enforcer, or one of another version: restart it"
PATIENCE = 5.0                  # s for the first view: the enforcer may be busy with calls


class Look:
    """See the module. `fileno` is for select. Raises LinkError where nobody is there."""

    def __init__(self, ledger: Path) -> None:
        self._rest = b""
        self._kept: list[dict[str, Any]] = []       # what came with the first overview
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE)
        try:
            with reachable(beside(ledger)) as name:
                self._socket.connect(name)
        except (FileNotFoundError, ConnectionRefusedError):
            self.close()
            raise LinkError(
                f"no enforcer runs on {ledger}: start one with `enforcer run`, or name another configuration "
                "with --config"
            ) from None
        except PermissionError:
            self.close()
            raise LinkError(
                f"{beside(ledger)} is for the user who runs the enforcer: try `sudo -u enforcer enforcer top`"
            ) from None
        except OSError as problem:
            self.close()
            raise LinkError(f"{beside(ledger)}: {problem.strerror or problem}") from None

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def close(self) -> None:
        """Look no more."""
        self._socket.close()

    def read(self) -> list[dict[str, Any]]:
        """What has come, waiting for something. Raises LinkError where the enforcer is gone."""
        if self._kept:
            kept, self._kept = self._kept, []
            return kept
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            raise LinkError(f"the enforcer shows nothing for {PATIENCE:g} s: is it stopped?") from None
        except OSError as problem:
            raise LinkError(f"the enforcer is gone: {problem.strerror or problem}") from None
        if not data:
            raise LinkError("the enforcer has stopped")
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST:
            raise LinkError(STRANGE)
        try:
            return [found for line in lines if isinstance(found := json.loads(line), dict)]
        except (ValueError, RecursionError):
            raise LinkError(STRANGE) from None

    def first(self) -> dict[str, Any]:
        """The first overview. Raises LinkError."""
        while True:
            lines = self.read()
            for place, found in enumerate(lines):
                if isinstance(found.get("overview"), dict):
                    self._kept = lines[place + 1:]
                    return dict(found["overview"])

    def waiting(self) -> bool:
        """Whether something more has come already, or does in a moment."""
        return bool(self._kept) or bool(select.select([self._socket], [], [], MOMENT)[0])
