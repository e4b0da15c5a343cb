"""`make run`: real calls through a real Asterisk or FreeSWITCH, judged by a real enforcer, as you watch.

In: beside which switch, how long, and how to show it. Out: the terminal. Everything lives on the loopback and
in `.lab/run`; whichever way this ends, nothing is left running. Where the real switch and SIPp can't be had,
a built-in fake one stands in, and the first line says so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.freeswitch_stage import fake_freeswitch, real_freeswitch
from lab.process import LabFailed, guarded
from lab.provision import ROOT, LabUnavailable, lab_dir
from lab.stage import DEMO, Stage, fake_asterisk, first_of, real_asterisk
from lab.view import VERDICTS, LiveView, PlainView, View, parse

CONFIGURATION = """\
# Written by `make run`. Every key: enforcer.example.toml.
site = "make-run"

[ledger]
url = "sqlite:///enforcer.db"

[policy]
packs = ["policy.toml"]
mode = "block"                       # so that you see it act; the default is "monitor"

[numbers]
country = "US"

{tables}
[log]
format = "json"
"""


class Screen(Console):
    """The terminal. Where its reader has gone (`| head`), the run ends in order."""

    def on_broken_pipe(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise LabFailed("nobody reads any more")


STAGES = {
    "asterisk": (real_asterisk, fake_asterisk), "freeswitch": (real_freeswitch, fake_freeswitch),
}  # fmt: skip
"""Kind of switch -> the real one, and what stands in for it."""


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """`.lab/run` belongs to one run at a time. Raises LabFailed where another has it."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LabFailed("another `make run` or `make lab` is running in this checkout") from None
        try:
            yield
        finally:
            (home / "sip.address").unlink(missing_ok=True)


def write_configuration(home: Path, stage: Stage) -> None:
    """A fresh `.lab/run`: configuration, policy, secret; no calls from before."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / "enforcer.toml").write_text(CONFIGURATION.format(tables=stage.tables))
    shutil.copy(DEMO / "policy.toml", home)
    shutil.copy(DEMO / "accounts.csv", home)
    if stage.sip:
        (home / "sip.address").write_text(stage.sip + "\n")
        (home / "phones.port").write_text(f"{stage.phones}\n")
    secret = home / stage.secret_file
    secret.touch(mode=0o600)
    secret.write_text(stage.secret + "\n")


def enforcer(home: Path, *arguments: str) -> list[str]:
    """The command line of the enforcer that runs here."""
    return [sys.executable, "-m", "enforcer", *arguments, "--config", str(home / "enforcer.toml")]


async def watch(
    process: asyncio.subprocess.Process, show: Callable[[str], None], ready: asyncio.Event
) -> None:
    """Show every line; `ready` is set once the enforcer is level with the switch. Raises LabFailed when
    the enforcer ends."""
    assert process.stderr is not None
    async for raw in process.stderr:
        text = raw.decode("utf-8", "replace").rstrip("\n")
        line = parse(text)
        if line is not None and line.get("event") == "level with the switch":
            ready.set()
        show(text)
    raise LabFailed(f"the enforcer ended with {await process.wait()}")


async def demonstrate(
    console: Console, kind: str, *, plain: bool, fake: bool, seconds: float | None
) -> None:
    """Everything, until `seconds` are over or we are cancelled. Raises LabFailed."""
    home = lab_dir() / "run"
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(only_one(home))
        stage = await stack.enter_async_context(first_of(*STAGES[kind], fake=fake))
        write_configuration(home, stage)
        console.print(f"enforcer beside {stage.title}", markup=False, highlight=False, soft_wrap=True)
        registered = await asyncio.create_subprocess_exec(
            *enforcer(home, "account", "import", str(home / "accounts.csv")), cwd=ROOT
        )
        if await registered.wait():
            raise LabFailed("the accounts could not be registered")
        hints = explain(home, stage)
        if plain:
            console.print(hints, markup=False, highlight=False, soft_wrap=True)
        view: View
        if plain:
            view = stack.enter_context(PlainView(console))
        else:
            view = stack.enter_context(LiveView(console, stage.title, hints))
        process = await asyncio.create_subprocess_exec(
            *guarded(enforcer(home, "run")), cwd=ROOT, stderr=asyncio.subprocess.PIPE, limit=1 << 20
        )
        stack.push_async_callback(end, process)
        ready = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
                tasks.create_task(watch(process, view.show, ready), name="watch the enforcer")
                try:
                    async with asyncio.timeout(20):
                        await ready.wait()
                except TimeoutError:
                    raise LabFailed("the enforcer did not get level with the switch within 20 s") from None
                tasks.create_task(stage.callers(), name="callers")
    shown = ", ".join(f"{view.counts[verdict]} {verdict}" for verdict in VERDICTS)
    console.print(f"decisions: {shown}; nothing is left running", highlight=False)


async def end(process: asyncio.subprocess.Process) -> None:
    """An orderly stop, then the other kind."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()


async def stand(console: Console, kind: str, seconds: float | None) -> None:
    """Only the switch and its far end, for calls and enforcers of one's own. Raises LabUnavailable."""
    home = lab_dir() / "run"
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(only_one(home))
        stage = await stack.enter_async_context(STAGES[kind][0]())
        write_configuration(home, stage)
        config = f"--config {shown_path(home)}/enforcer.toml"
        for line in (
            stage.title,
            f"Your own calls:  {stage.own_calls}",
            f"Its accounts:    .venv/bin/enforcer account import {shown_path(home)}/accounts.csv {config}",
            f"An enforcer:     .venv/bin/enforcer run {config}",
        ):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.Event().wait()


def explain(home: Path, stage: Stage) -> str:
    """What one can do meanwhile, in another terminal."""
    config = f"--config {shown_path(home)}/enforcer.toml"
    return "\n".join(
        [
            f"Your own calls:  {stage.own_calls}",
            f"Flip a mode:     .venv/bin/enforcer mode set monitor --account globex --reason test {config}",
            f"Ask why:         .venv/bin/enforcer why globex {config}",
            "Your own PBX:    copy enforcer.example.toml to enforcer.toml, see dialplan/README.md",
            "The end:         Ctrl-C",
        ]
    )


def shown_path(path: Path) -> str:
    """Relative to where one stands, if that is shorter."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


async def until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Run it; SIGINT, SIGTERM and SIGHUP end it in order."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m lab.run`: 0 it ended as it should, 1 something of ours failed, 3 can't be had here."""
    parser = argparse.ArgumentParser("python -m lab.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--plain", action="store_true", help="lines of text (also where this is no terminal)")
    parser.add_argument("--seconds", type=float, help="end by itself after so many seconds")
    parser.add_argument("--switch", choices=sorted(STAGES), default="asterisk", help="beside which switch")
    parser.add_argument("--fake", action="store_true", help="the built-in fake switch, whatever is there")
    parser.add_argument("--switch-only", action="store_true", help="no enforcer, no callers")
    options = parser.parse_args(arguments)
    console = Screen()
    plain = options.plain or not console.is_terminal or bool(os.environ.get("NO_COLOR"))
    work = (
        stand(console, options.switch, options.seconds)
        if options.switch_only
        else demonstrate(
            console, options.switch, plain=plain, fake=options.fake, seconds=options.seconds
        )
    )
    status = 0
    try:
        asyncio.run(until_signalled(work))
    except* LabFailed as failed:
        print(f"lab: {failed.exceptions[0]}", file=sys.stderr)
        status = 1
    except* LabUnavailable as missing:
        print(f"lab: {missing.exceptions[0]}", file=sys.stderr)
        status = 3
    return status


if __name__ == "__main__":
    sys.exit(main())
