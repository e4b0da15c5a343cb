"""What people type and are shown: tokens, the window and `enforcer top`, values and whole command lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from functools import cache
from typing import Any

import typer
from typer.core import TyperGroup

from enforcer.control.clerk import answer
from enforcer.control.cli import app
from enforcer.control.feed import Feed
from enforcer.control.http.tokens import Tokens
from enforcer.control.look import Look
from enforcer.control.subjects import instant
from enforcer.control.top_frame import Look as Size
from enforcer.control.top_frame import frame
from enforcer.control.window import MOST, Window
from enforcer.domain.mode import Mode
from enforcer.errors import BadInput, LedgerError, LinkError
from tests.fuzz.doors import Wire
from tests.fuzz.files import _file, _place
from tests.fuzz.room import NOW, PACK, WORDS
from tests.fuzz.target import Target, seldom


def _tokens(data: bytes) -> None:
    """The file of tokens, and a token that is shown."""
    shown, _, text = data.partition(b"\n")
    tokens = Tokens(_file(text, "fuzz.tokens"), lambda: NOW)
    try:
        caller = tokens.whose(shown.decode("latin-1"))
    except LedgerError as problem:
        assert str(problem).isprintable()
        return
    assert caller is None or caller.name


VIEW = {
    "site": "lab", "at": "2026-11-22T01:05:10Z", "policy": "small 1", "mode": "block",
    "ceiling": {"mode": "tag", "until": "2026-11-22T02:05:10Z", "who": "ann", "why": "drill"},
    "modes": [{"subject": "default", "mode": "block"}], "decisions_per_second": 1.5,
    "switches": [{"switch": "pbx1", "kind": "asterisk", "connected": True, "level": True, "problem": "",
                  "lag": 0.01, "clock_offset": 0.0, "live_calls": 3, "restarts": 0}],
    "decisions": [{"allow": 3, "tag": 0, "throttle": 1, "block": 2, "exempt": 0}],
    "degraded": "", "gaps": [],
    "nearest": [{"account": "acme", "customer": "big", "rule": "calls", "used": "0.75", "level": "fine",
                 "value": "3 = 3", "limit": "4", "passed": None}],
}
DECISION = {"verdict": "block", "would_be": "block", "account": "acme", "number": "1", "rule": "calls",
            "decision": "d1"}
SHOWN = (
    json.dumps({"overview": VIEW}) + "\n"
    + json.dumps({"happened": {"number": 1, "kind": "decision", "at": NOW, "facts": DECISION}}) + "\n"
)


def _look(data: bytes) -> None:
    """What `enforcer top` is shown, by whoever listens there: a frame without a control character, or a line
    that says that this is no enforcer."""
    looking = Look.__new__(Look)
    looking._rest, looking._kept = b"", []
    ours, theirs = socket.socketpair()
    looking._socket = ours
    try:
        theirs.sendall(data[:60_000])
        theirs.close()
        view = looking.first()
        happened: list[Any] = []
        with contextlib.suppress(LinkError):
            while True:
                happened += [one["happened"] for one in looking.read() if "happened" in one]
        for line in frame(view, happened, Size()):
            assert line.plain.isprintable()
    except LinkError as problem:
        assert str(problem).isprintable()
    finally:
        ours.close()
        theirs.close()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _window(data: bytes) -> None:
    """Who writes at the window is let go, looking or just come, and nobody is left."""
    _loop().run_until_complete(_visited(data))


async def _visited(data: bytes) -> None:
    window = Window(_place("window.sock"), lambda: {"at": NOW}, Feed(), lambda: None)
    wires = []
    for number in range(MOST + 2 if seldom(data) else 2):
        wire = Wire()
        one: Any = window._look()
        one.connection_made(wire)
        if number % 2:
            window.stayed(one)
            assert b'{"overview"' in wire.said
        wires.append((wire, one))
        assert len(window._looking) + len(window._coming) <= 2 * MOST
    for wire, one in wires:
        if data and not wire.closing:
            one.data_received(data)
            assert wire.closing
        one.connection_lost(None)
    assert not window._looking
    assert not window._coming


@cache
def _commands() -> TyperGroup:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


@cache
def _site() -> str:
    place = _place("cli.toml")
    place.with_name("house.toml").write_text(PACK)
    place.write_text('site = "lab"\n[ledger]\nurl = "sqlite:///cli.db"\n[policy]\npacks = ["house.toml"]\n')
    return str(place)


NEVER = frozenset({b"run", b"top", b"drill", b"clerk", b"doctor", b"evidence", b"completion"})


def _command_line(data: bytes) -> None:
    """Words of a command, one a line: it is done, or one line says what is wrong. (Commands that run for
    ever, call others or write files of a name that is typed are not among them.)"""
    words = [word.replace(b"/", b"_") for word in data.split(b"\n")[:12]]
    if not words or any(word in NEVER for word in words) or b"--config" in data or b"--help" in data:
        return
    args = [word.decode("utf-8", "surrogateescape").replace("\0", "") for word in words]
    question = {"args": [*args, f"--config={_site()}"], "text": True}
    with contextlib.suppress(SystemExit):
        facts = json.loads(answer(_commands(), None, question))
        assert facts.get("problem", "x").strip()


def _values(data: bytes) -> None:
    """A date, a mode."""
    text = data.decode("utf-8", "surrogateescape")
    zone = ("UTC", "America/New_York", "Europe/Berlin")[len(text) % 3]
    with contextlib.suppress(BadInput):
        at = instant(text, zone, "--at", NOW)
        assert at <= NOW + 86400 * 400
    with contextlib.suppress(ValueError, KeyError):
        Mode.of(text)


def _facts(**facts: object) -> bytes:
    return json.dumps(facts).encode()


_LINES = (
    b"account\nlist", b"account\nshow\nacme", b"account\nadd\nnew\n--customer\nbig\n--type\npbx",
    b"mode\nshow", b"mode\nset\nblock\n--account\nacme\n--reason\nx\n--for\n1h", b"why\nacme", b"why\nd1-1",
    b"optout\nadd\n12025550142\n--account\nacme", b"strike\nlist", b"strike\nadd\ncomplaint\n--account\nacme",
    b"explain\n--account\nacme\n--number\n911", b"calls\n--account\nacme\n--limit\n5", b"check", b"verify",
    b"settle\n--cycle\n2026-10", b"notice\nlist", b"interruptions\n--cycle\n2026-10", b"token\nlist",
)  # fmt: skip
TARGETS = (
    Target("tokens", _tokens, lambda: [
        b"enf_abc\n" + _facts(tokens=[{"name": "a", "role": "viewer", "hash": "00", "made": 1.0, "by": "x",
                                       "until": None, "revoked": None}]),
        b"enf_abc\n{}",
    ], (*WORDS, b'"tokens"', b'"role"', b'"operator"', b'"hash"', b'"until"', b"{}", b"[]")),
    Target("look", _look, lambda: [SHOWN.encode(), SHOWN.encode().partition(b"\n")[0] + b"\n"],
           (b"\n", b"{", b"}", b"[", b"]", b'"', b"null", b"[" * 2000, b"NaN", b"1e999", b'"overview"',
            b'"happened"',
            b'"kind"', b"\\u001b", b"\x1b[2J", b"\\ud800", b"-1", b'"used"')),
    Target("window", _window, lambda: [b"GET / HTTP/1.1\r\n\r\n", b'{"do": "mode.ceiling"}\n', b""], WORDS),
    Target("values", _values, lambda: [b"2026-10-05", b"2026-10-05 14:30+02:00", b"2026-11-20T01:02:03Z",
                                       b"block"],
           (b"-", b":", b"T", b"Z", b"+", b"24", b"60", b"0000", b"9999", b"\xd9\xa1", b" ")),
    Target("command_line", _command_line, lambda: list(_LINES),
           (b"\n", b"--json", b"--account", b"--limit", b"-1", b"9" * 20, b"--cycle", b"\xff", b"\x1b[2J",
            b"=", b"--for", b"1h", b"--reason", b"--", b"-", b"911", b"2026-13", b"[red]", b"*",
            b"\xe2\x80\xae")),
)  # fmt: skip
