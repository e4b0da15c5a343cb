"""`enforcer top` in a terminal: frames, keys, and a terminal that is left as it was."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from enforcer.control.knock import beside
from tests.support.house import House, one_rule
from tests.unit.test_top_frame import BLOCKED, view

PACK = one_rule()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house through whose window one and the same view is seen, by two who look one after the other."""
    house = House(tmp_path, PACK)
    shown = ({"overview": view()}, {"happened": BLOCKED})
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in shown)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(beside(house.database)))
        server.listen()

        def show() -> None:
            for _ in range(2):
                with server.accept()[0] as one:
                    one.sendall(lines)
                    one.recv(1)         # until it is closed

        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        yield house


def command(house: House, *words: str) -> list[str]:
    return [sys.executable, "-m", "enforcer", "top", *words, "--config", str(house.config)]


def test_in_a_pipe_one_frame_is_printed_plain(house: House) -> None:
    for words in ((), ("--once",)):
        done = subprocess.run(command(house, *words), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "enforcer lab  mode monitor" in done.stdout
        assert "zeta" in done.stdout
        assert "d1-2f" in done.stdout
        assert "\x1b" not in done.stdout


def test_for_programs_it_is_the_overview(house: House) -> None:
    done = subprocess.run(command(house, "--json"), capture_output=True, text=True)
    assert json.loads(done.stdout) == view()


class Terminal:
    """A terminal of 80 by 24 with `enforcer top` in it."""

    def __init__(self, house: House, **environment: str) -> None:
        self.ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        self.before = termios.tcgetattr(theirs)
        self.child = subprocess.Popen(
            command(house), stdin=theirs, stdout=theirs, stderr=theirs,
            env=os.environ | {"TERM": "xterm-256color"} | environment,
        )
        self.theirs = theirs
        self.seen = ""

    def until(self, words: str) -> None:
        """Read until this is seen, after all that was seen before."""
        ends = time.monotonic() + 30
        while words not in self.seen:
            assert select.select([self.ours], [], [], ends - time.monotonic())[0], self.seen[-2000:]
            self.seen += os.read(self.ours, 65_536).decode()
        self.seen = self.seen.partition(words)[2]

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.mark.parametrize("key", ["q", ""])
def test_keys_sort_pause_and_quit_and_the_terminal_is_left_as_it_was(house: House, key: str) -> None:
    terminal = Terminal(house)
    try:
        terminal.until("(nearest)")
        os.write(terminal.ours, b"s")
        terminal.until("(account)")
        os.write(terminal.ours, b"p")
        terminal.until("PAUSED")
        if key:
            os.write(terminal.ours, key.encode())
        else:
            terminal.child.send_signal(signal.SIGINT)       # Ctrl-C
        assert terminal.child.wait(30) == 0
        assert termios.tcgetattr(terminal.theirs) == terminal.before
    finally:
        terminal.close()


def test_who_wants_no_colour_gets_none(house: House) -> None:
    terminal = Terminal(house, NO_COLOR="1")
    try:
        terminal.until("switch ")
        terminal.until("q quit")
        assert "\x1b[31m" not in terminal.seen
        assert "\x1b[32m" not in terminal.seen
    finally:
        terminal.close()
