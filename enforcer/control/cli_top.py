"""`enforcer top`: the overview of a running enforcer, live in a terminal.

In: the window of the enforcer that runs on the configuration's ledger; keys. Out: frames, or one of them.
Refuses to know: what a frame shows (`top_frame`).
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live

from enforcer.control.cli_terminal import CONFIG, Config, Json, emit, stdout
from enforcer.control.look import Look as Window
from enforcer.control.site import Site
from enforcer.control.top_frame import ORDERS, Look, frame
from enforcer.errors import LinkError

KEYS = "q quit   p pause   s sort"
RETRY_SECONDS = 1.0
LATELY = 200            # happenings kept for the screen

Once = Annotated[bool, typer.Option("--once", help="Print one frame, and end.")]


def top(once: Once = False, config: Config = CONFIG, as_json: Json = False) -> None:
    """Watch a running enforcer: switches, calls, accounts nearest their limits, what happens. Keys: q quit,
    p pause, s sort. Needs the rights to read the ledger."""
    ledger = Site(config).settings.ledger_path
    window = Window(ledger)
    with contextlib.closing(window):
        view = window.first()
        if as_json:
            emit(view)
            return
        console = stdout()
        if once or not console.is_terminal or not sys.stdin.isatty():
            height = console.height if console.is_terminal else 10_000
            look = _look(console, Look(height=height))
            for line in frame(view, _lately(window), look):
                console.print(line, no_wrap=True)
            return
    _Screen(console, ledger).run()


def _lately(window: Window) -> list[dict[str, Any]]:
    """What is told with the first view."""
    found: list[dict[str, Any]] = []
    while window.waiting():
        found += [line["happened"] for line in window.read() if "happened" in line]
    return found


def _look(console: Console, look: Look) -> Look:
    plain = not (console.encoding or "").lower().startswith("utf")
    return replace(look, width=console.width, ascii=plain)


class _Screen:
    """The live screen, until somebody quits."""

    def __init__(self, console: Console, ledger: Any) -> None:
        self._console = console
        self._ledger = ledger
        self._window: Window | None = None
        self._view: dict[str, Any] | None = None
        self._happened: deque[dict[str, Any]] = deque(maxlen=LATELY)
        self._trouble = ""
        self._paused = False
        self._order = "nearest"
        self._retry_at = 0.0
        self._live: Live | None = None

    def run(self) -> None:
        """Show, and hear keys. Leaves the terminal as it was, however it ends."""
        with _keys() as keys, Live(console=self._console, screen=True, auto_refresh=False) as self._live:
            try:
                while True:
                    self._connect()
                    self._show()
                    heard: list[int | Window] = [keys] if self._window is None else [keys, self._window]
                    ready, _, _ = select.select(heard, [], [], RETRY_SECONDS)
                    if keys in ready and not self._key(os.read(keys, 64)):
                        return
                    if self._window in ready:
                        self._read()
            except KeyboardInterrupt:
                return
            finally:
                self._leave()

    def _connect(self) -> None:
        """Where the enforcer is gone, look for it again each second."""
        if self._window is not None or time.monotonic() < self._retry_at:
            return
        self._retry_at = time.monotonic() + RETRY_SECONDS
        try:
            self._window = Window(self._ledger)
        except LinkError as problem:
            self._trouble = f"{problem}; waiting for it"
        else:
            self._happened.clear()

    def _read(self) -> None:
        assert self._window is not None
        try:
            lines = self._window.read()
        except LinkError as problem:
            self._trouble = f"{problem}; waiting for it"
            self._leave()
            return
        self._trouble = ""
        if self._paused:
            return              # read and let go: what is shown stays
        for line in lines:
            if "overview" in line:
                self._view = line["overview"]
            elif "happened" in line:
                self._happened.append(line["happened"])

    def _leave(self) -> None:
        if self._window is not None:
            self._window.close()
            self._window = None

    def _key(self, typed: bytes) -> bool:
        """False where that was to quit; so is the end of the terminal."""
        for key in typed.decode("ascii", "replace").lower() or "q":
            if key in "q\x03\x04":
                return False
            if key == "p":
                self._paused = not self._paused
            elif key == "s":
                orders = list(ORDERS)
                self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        return True

    def _show(self) -> None:
        if self._view is None or self._live is None:
            return
        keys = f"{KEYS} ({self._order})" + ("   PAUSED" if self._paused else "")
        look = _look(self._console, Look(
            height=self._console.height, order=self._order, keys=keys, trouble=self._trouble,
        ))
        self._live.update(Group(*frame(self._view, tuple(self._happened), look)), refresh=True)


@contextlib.contextmanager
def _keys() -> Iterator[int]:
    """Standard input, key by key and unechoed, as it was afterwards."""
    keys = sys.stdin.fileno()
    before = termios.tcgetattr(keys)
    try:
        tty.setcbreak(keys)
        yield keys
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)
