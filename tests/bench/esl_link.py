"""A link on our own codec against greenswitch in a thread: events a second, event to fact, the loop by then.

In: a replaying event socket in a process of its own (`esl_replay`), read by both in turns. Out: figures for
both, and how many lines of code each takes for the same.
"""

from __future__ import annotations

import ast
import asyncio
import logging
import subprocess
import sys
import time
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from enforcer.domain.actions import Action
from enforcer.domain.call import CallEvent
from enforcer.switch import esl, esl_session
from enforcer.wire import esl_commands as say
from enforcer.wire.channel import Identity
from tests.bench import esl_bridge
from tests.bench.report import Figure, at_most, median, percentile

IDENTITY = Identity("fs1", outbound_contexts=("lab", "default"))
ROUNDS = 7
FLOOD = 12_000          # events in a turn
PACED, RATE = 1_500, 500        # events, a second: what 80 calls/s make
TICK = 0.001            # s between looks at the loop
LAST = "fs1/last"


class Heard:
    """What came out: facts, with the moment they were there."""

    def __init__(self) -> None:
        self.facts = 0
        self.delays: list[float] = []
        self.last = asyncio.Event()

    def fact(self, fact: CallEvent) -> None:
        self.facts += 1
        if "/paced-" in fact.attempt.call_id:
            self.delays.append(time.time() - fact.at)
        elif fact.attempt.call_id == LAST:
            self.last.set()


class Judge:
    """Counts, and wants nothing."""

    def __init__(self, heard: Heard) -> None:
        self.heard = heard

    def observe(self, event: CallEvent) -> list[Action]:
        self.heard.fact(event)
        return []

    def named(self, event: CallEvent) -> list[Action]:
        return []

    def round(self, switch: str, at: float) -> list[Action]:
        return []

    everything = round

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


@contextmanager
def replaying() -> Iterator[tuple[int, int]]:
    """The port of a server, and how many events one pass of it has."""
    command = [sys.executable, "-m", "tests.bench.esl_replay"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port, size = map(int, server.stdout.readline().split())
            yield port, size
        finally:
            server.kill()


class Turn:
    """One turn of one of the two: what it took."""

    def __init__(self, seconds: float, cpu: float, heard: Heard, held: list[float]) -> None:
        self.seconds, self.cpu, self.heard, self.held = seconds, cpu, heard, held


async def _measured(ask: Any, command: bytes, heard: Heard) -> Turn:
    held: list[float] = []

    async def look() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            held.append(time.perf_counter() - before - TICK)

    looking = asyncio.create_task(look())
    cpu, begin = time.process_time(), time.perf_counter()
    await ask(command)
    await heard.last.wait()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    looking.cancel()
    return Turn(seconds, cpu, heard, held)


async def ours(port: int, command: bytes) -> Turn:
    """Our link, whole, as the enforcer runs it."""
    heard = Heard()
    level = asyncio.Event()

    async def sleep(seconds: float) -> None:
        level.set()
        await asyncio.sleep(seconds)

    peer = esl_session.Peer("127.0.0.1", port, "bench")
    link = esl.EslLink(peer, IDENTITY, Judge(heard), sleep=sleep)     # type: ignore[arg-type]
    running = asyncio.create_task(link.run())
    await level.wait()
    session = link._session
    assert session is not None, link.state().problem
    turn = await _measured(lambda data: session.ask(data, within=60), command, heard)
    running.cancel()
    await asyncio.wait((running,))
    return turn


async def bridged(port: int, command: bytes) -> Turn:
    """greenswitch in its thread."""
    heard = Heard()

    def facts(batch: list[Any]) -> None:
        for fact in batch:
            if isinstance(fact, CallEvent):
                heard.fact(fact)

    bridge = esl_bridge.Bridge("127.0.0.1", port, "bench", IDENTITY, facts, 60)
    await bridge.start()
    turn = await _measured(lambda data: bridge.ask(data, 60), command, heard)
    await bridge.stop()
    return turn


def typical(turns: list[list[float]], share: float) -> float:
    """The percentile, in milliseconds, of the turn in the middle: others take the machine in some."""
    return 1000 * median([percentile(turn, share) for turn in turns])


def lines_of_code(path: Path) -> int:
    """Lines with code on them: no comments, no docstrings, no empty lines."""
    text = path.read_text()
    nothing = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
               tokenize.ENCODING, tokenize.ENDMARKER)
    with path.open("rb") as source:
        tokens = [token for token in tokenize.tokenize(source.readline) if token.type not in nothing]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
            continue
        lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def run() -> list[Figure]:
    """All figures of this page."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    ways = {"own codec": ours, "greenswitch in a thread": bridged}
    floods: dict[str, list[Turn]] = {name: [] for name in ways}
    paced: dict[str, list[Turn]] = {name: [] for name in ways}
    with replaying() as (port, size):
        for _ in range(ROUNDS):
            for name, way in ways.items():
                floods[name].append(asyncio.run(way(port, say.api("flood", str(FLOOD)))))
                paced[name].append(asyncio.run(way(port, say.api("pace", str(PACED), str(RATE)))))
    assert len({turn.heard.facts for turns in floods.values() for turn in turns}) == 1, "the same facts"
    sent = FLOOD // size * size + 1
    figures = []
    for name in ways:
        rates = [sent / turn.seconds for turn in floods[name]]
        cpu = [1e6 * turn.cpu / sent for turn in floods[name]]
        delays = [turn.heard.delays for turn in paced[name]]
        held = [turn.held for turn in floods[name]]
        note = f"runs {min(rates):,.0f} to {max(rates):,.0f}"
        figures += [
            Figure(f"{name}, events to facts", median(rates), "/s", note=note),
            Figure(f"{name}, CPU an event", median(cpu), "us"),
            Figure(f"{name}, event to fact at {RATE}/s, p50", typical(delays, 0.5), "ms"),
            Figure(f"{name}, event to fact at {RATE}/s, p99", typical(delays, 0.99), "ms"),
            Figure(f"{name}, other work of the loop waits meanwhile, p99", typical(held, 0.99), "ms"),
        ]
    ratios = [mine.cpu / other.cpu for mine, other in zip(*floods.values(), strict=True)]
    note = f"runs {min(ratios):.2f} to {max(ratios):.2f}"
    figures.append(at_most("CPU of own codec against greenswitch in a thread", median(ratios), "", 1.0, note))
    for name, module in zip(ways, (esl_session, esl_bridge), strict=True):
        note = "besides greenswitch and gevent" if module is esl_bridge else ""
        figures.append(Figure(f"{name}, lines of code", lines_of_code(Path(module.__file__)), "", note=note))
    return figures
