"""A site whose commands, and whose enforcer, are processes of their own.

In: a configuration that logs JSON to stderr, a pack. Out: what commands print; an enforcer that runs, and its
log line by line. Refuses to know: any switch (see `lab.enforcer` for an enforcer beside one).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from tests.support.house import ROOT, Commands, Said, process


class Apart(Commands):
    """A directory with a configuration, its commands, and an enforcer that runs on it."""

    started: subprocess.Popen[str] | None = None

    def run(self, *args: str) -> Said:
        return process(self.directory, *args)

    def start(self) -> dict[str, Any]:
        """Run the enforcer; the line by which it says so."""
        self.started = subprocess.Popen(
            [sys.executable, "-m", "enforcer", "run"], cwd=self.directory, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        return self.line("running")

    def line(self, event: str) -> dict[str, Any]:
        """The next line of the log about this."""
        assert self.started is not None
        assert self.started.stderr is not None
        for text in self.started.stderr:
            found: dict[str, Any] = json.loads(text)
            if found["event"] == event:
                return found
        raise AssertionError(f"the enforcer ended, and never told: {event}")

    def signal(self, number: signal.Signals) -> None:
        """To the enforcer that runs."""
        assert self.started is not None
        self.started.send_signal(number)

    def stop(self) -> None:
        if self.started is not None:
            self.started.send_signal(signal.SIGTERM)
            self.started.communicate(timeout=30)
            self.started = None
