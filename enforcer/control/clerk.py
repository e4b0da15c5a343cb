"""The clerk of a running enforcer: a process beside it that looks things up, as the command line does.

In: questions on standard input: the arguments of a command. Out: what the command printed, as JSON, or what
was wrong. Refuses to know: who asks, and HTTP.

The event loop that decides calls reads no disk, and shares no interpreter with whoever does. The clerk runs
the very commands of the command line, so that both always say the same.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import struct
import sys
from dataclasses import replace
from typing import IO, Any

import typer
from typer.core import TyperGroup

from enforcer.control.misuse import misused
from enforcer.errors import BadInput, EnforcerError

HEAD = struct.Struct(">I")      # in front of each question and answer: how many bytes it has
LONGEST_ANSWER = 8_000_000      # bytes
NICE = 10                       # calls go first

_UsageError: Any = typer.BadParameter.__bases__[0]


def work(app: typer.Typer, outside: Any) -> None:
    """Answer questions until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # a terminal's ^C is for the enforcer, which ends us
    os.nice(NICE)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)                                   # what a library prints is no answer
    outside = replace(outside, door="http")
    commands = typer.main.get_command(app)
    assert isinstance(commands, TyperGroup)
    while (question := _read(sys.stdin.buffer)) is not None:
        _write(answers, answer(commands, outside, question))


def answer(commands: TyperGroup, outside: object, question: dict[str, Any]) -> bytes:
    """The answer to one question, as JSON: {"told": ..., "code": 0 or 1, "warnings": [...]}, or
    {"problem": ..., "kind": "input" or "ledger"}."""
    out, err = io.StringIO(), io.StringIO()
    code, problem, kind = 0, "", ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = TyperGroup.main(
                commands, question["args"], prog_name="enforcer", standalone_mode=False, obj=outside
            ) or 0
        except BadInput as error:
            problem, kind = str(error), "input"
        except EnforcerError as error:
            problem, kind = str(error), "ledger"
        except _UsageError as error:
            problem, kind = misused(error, hint=False), "input"
    if problem:
        return json.dumps({"problem": problem, "kind": kind}).encode()
    text = out.getvalue().strip()
    told: Any = {"said": text} if question.get("text") else json.loads(text) if text else None
    facts = {
        "told": _page(told, question), "code": code,
        "warnings": [line.removeprefix("enforcer: ") for line in err.getvalue().splitlines()][:20],
    }
    data = json.dumps(facts).encode()
    if len(data) > LONGEST_ANSWER:
        wide = f"the answer has {len(data)} bytes: ask for less, by limit, account or customer"
        return json.dumps({"problem": wide, "kind": "input"}).encode()
    return data


def _page(told: Any, question: dict[str, Any]) -> Any:
    """A list, cut to the page that was asked for. `lists` are the keys of lists in an object."""
    if "limit" not in question:
        return told
    skip, limit = question["skip"], question["limit"]
    if isinstance(told, list):
        return {"items": told[skip : skip + limit], "total": len(told), "skip": skip, "limit": limit}
    longest = max((len(told[key]) for key in question["lists"]), default=0)
    cut = {key: told[key][skip : skip + limit] for key in question["lists"]}
    return told | cut | {"total": longest, "skip": skip, "limit": limit}


def _read(stream: IO[bytes]) -> dict[str, Any] | None:
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    found: dict[str, Any] = json.loads(stream.read(HEAD.unpack(head)[0]))
    return found


def _write(stream: IO[bytes], data: bytes) -> None:
    stream.write(HEAD.pack(len(data)) + data)
    stream.flush()
