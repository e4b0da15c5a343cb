"""A whole enforcer in this process, beside whatever switches a test has, and all that it is told and decides.

In: a policy, accounts, how its switches are reached. Out: its decisions and facts as they come, its command
line. Refuses to know: which kind of switch it is that tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry

from enforcer.app import House, build, serve
from enforcer.domain.actions import Action
from enforcer.domain.call import CallEvent, Phase
from enforcer.domain.decision import Decision
from enforcer.settings import load
from enforcer.telemetry import Telemetry
from tests.support.house import HEADER, Commands

T = TypeVar("T")
PATIENCE = 30.0     # seconds; nothing takes so long, a machine with other things to do might
CONFIG = """
site = "lab"
[breaker]
enabled = false
[ledger]
url = "sqlite:///enforcer.db"
[policy]
packs = ["pack.toml"]
mode = "block"
"""


class Stage:
    """See the module; made by `raised`. `facts` and `decisions` are in the order in which they came."""

    def __init__(self, house: House, site: Commands) -> None:
        self.house = house
        self.site = site
        self.facts: list[CallEvent] = []
        self.decisions: list[Decision] = []
        self._looks = 0
        self._commands = asyncio.Lock()     # one at a time: each borrows the process's output
        self._stirred = asyncio.Event()
        self._tap()

    def _tap(self) -> None:
        """Hear whatever the house is told."""
        house, admission, ledger = self.house, self.house.admission, self.house.ledger
        observe, changed, told = admission.observe, ledger.changed_elsewhere, house.telemetry.decision

        def observed(event: CallEvent) -> list[Action]:
            actions = observe(event)
            self.facts.append(event)
            self._stirred.set()
            return actions

        def looked() -> bool:
            self._looks += 1
            self._stirred.set()
            return changed()

        def decided(decision: Decision) -> None:
            told(decision)
            self.decisions.append(decision)
            self._stirred.set()

        admission.observe = observed                            # type: ignore[method-assign]
        ledger.changed_elsewhere = looked                       # type: ignore[method-assign]
        admission._observers = (decided, *admission._observers[1:])

    async def until(self, look: Callable[[], T | bool | None], what: str) -> T:
        """What is found, as soon as there is something. Looked for again whenever the house hears something,
        and every 20 ms for what nobody tells it. Raises AssertionError, saying `what` did not come."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while not (found := look()):
            assert asyncio.get_running_loop().time() < end, f"within {PATIENCE:g} s: no {what}"
            self._stirred.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), 0.02)
        return found    # type: ignore[return-value]

    async def run(self, *words: str) -> str:
        """A command, and the running enforcer has taken over what it changed."""
        async with self._commands:
            said = await asyncio.to_thread(self.site.ok, *words)
            looks = self._looks
            await self.until(lambda: self._looks > looks, "look at the ledger")
        return said

    def ended(self, call_id: str) -> CallEvent | None:
        """The end of a call, once it was told."""
        return self._fact(call_id, Phase.ENDED)

    def answered(self, call_id: str) -> CallEvent | None:
        """Its answer, once it was told."""
        return self._fact(call_id, Phase.ANSWERED)

    def _fact(self, call_id: str, phase: Phase) -> CallEvent | None:
        return next((f for f in self.facts if f.phase is phase and f.attempt.call_id == call_id), None)

    def calls(self) -> dict[str, tuple[str, str]]:
        """Who called which number first, of all calls that were told of, by id, in that order."""
        found: dict[str, tuple[str, str]] = {}
        for fact in self.facts:
            found.setdefault(fact.attempt.call_id, (fact.attempt.caller, fact.attempt.number))
        return found


@asynccontextmanager
async def raised(
    directory: Path, policy: str, accounts: str, switches: str, more: str = ""
) -> AsyncIterator[Stage]:
    """A house in `directory`, running, and level with its switches. `accounts` are CSV rows, `switches`
    [[switch]] tables of the configuration, `more` what stands before them."""
    site = Commands(directory, CONFIG + more + switches, **{"pack.toml": policy})
    site.ok("account", "import", site.file("accounts.csv", HEADER + accounts))
    later = asyncio.get_running_loop().call_soon
    house = build(load(site.config), Telemetry(CollectorRegistry()), later, time.time)
    stage, stop = Stage(house, site), asyncio.Event()
    running = asyncio.create_task(serve(house, stop), name="enforcer")
    try:
        await stage.until(
            lambda: running.done() or all(link.state().level for link in house.links), "link to the switches"
        )
        yield stage
    finally:
        stop.set()
        await running
