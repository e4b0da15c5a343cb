"""Questions about the past, put to the clerk: a process of its own, so that no call waits for a disk.

In: the arguments of a command. Out: what it says, or a `Problem`. Refuses to know: what is asked.

One clerk, one question at a time, each with a deadline: a clerk that does not answer by then, or dies, is
replaced, and a queue that grows too long sends people away instead of letting all of them wait.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from enforcer.control.clerk import HEAD
from enforcer.control.http.problems import Problem

SECONDS = 20.0          # for a question, the wait for its turn included
MOST_WAITING = 16


class Page(NamedTuple):
    """Which part of a list is wanted; `lists` are the keys of the lists where the answer is an object."""

    skip: int
    limit: int
    lists: tuple[str, ...] = ()


class Told(NamedTuple):
    """An answer. `well` is False where the command exits 1: its check found something."""

    told: Any
    well: bool
    warnings: list[str]


class Backoffice:
    """See the module. `config` is the configuration that commands are run with."""

    def __init__(
        self, config: Path, fault: Callable[..., None],
        command: Sequence[str] = (sys.executable, "-m", "enforcer", "clerk"),
    ) -> None:
        self._config = str(config)
        self._fault = fault
        self._command = command
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._clerk: asyncio.subprocess.Process | None = None
        self._stopped = False

    async def ask(
        self, *words: str, about: Sequence[str] = (), page: Page | None = None, seconds: float = SECONDS,
        text: bool = False,
    ) -> Told:
        """Run a command with these words, and `about` as its arguments: however one of these begins, it is no
        option. With `text` it has no JSON to say, but a line. Raises Problem: 404 where there is nothing of
        that name, 422, 503."""
        if self._waiting >= MOST_WAITING:
            raise Problem(503, "too many questions at once: ask again in a moment", retry=2)
        args = [*words, *([] if text else ["--json"]), f"--config={self._config}"]
        question: dict[str, Any] = {"args": [*args, *(["--", *about] if about else [])], "text": text}
        if page is not None:
            question |= page._asdict()
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds), self._turn:
                facts = await self._put(question)
        except TimeoutError:
            raise Problem(503, f"there was no answer in {seconds:g} s: ask for less", retry=5) from None
        finally:
            self._waiting -= 1
        if "problem" in facts:
            missing = bool(about) and facts["problem"].partition(": ")[0].startswith("no such")
            ours = facts["kind"] == "ledger" or facts["problem"].startswith(f"{self._config}:")
            status = 503 if ours else 404 if missing else 422
            raise Problem(status, facts["problem"])
        return Told(facts["told"], facts["code"] == 0, facts["warnings"])

    async def stop(self) -> None:
        """Send the clerk home."""
        self._stopped = True
        await self.dismiss()

    async def _put(self, question: dict[str, Any]) -> dict[str, Any]:
        if self._stopped:
            raise Problem(503, "the enforcer is stopping")
        if self._clerk is None or self._clerk.returncode is not None:
            self._clerk = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )
        clerk = self._clerk
        assert clerk.stdin is not None
        assert clerk.stdout is not None
        data = json.dumps(question).encode()
        done = False
        try:
            clerk.stdin.write(HEAD.pack(len(data)) + data)
            await clerk.stdin.drain()
            size = HEAD.unpack(await clerk.stdout.readexactly(HEAD.size))[0]
            facts: dict[str, Any] = json.loads(await clerk.stdout.readexactly(size))
            done = True
        except (asyncio.IncompleteReadError, OSError):
            self._fault("clerk died", command=question["args"][0])
            raise Problem(503, "the question could not be answered: look at the enforcer's log") from None
        finally:
            if not done:            # it may be at it still, and would answer the next question with this
                await self.dismiss()
        return facts

    async def dismiss(self) -> None:
        """Let the clerk go; the next question gets a new one."""
        clerk, self._clerk = self._clerk, None
        if clerk is None:
            return
        if clerk.returncode is None:
            clerk.kill()
        await asyncio.shield(asyncio.ensure_future(clerk.wait()))
