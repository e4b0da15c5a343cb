"""The faults: how each strikes, how it is put right, and whether callers may notice.

In: a house. Out: the fault, in force until it is healed. Refuses to know: calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

from lab.process import freeze, thaw
from tests.faults.house import House

LIVE = frozenset({"live"})
NOBODY = frozenset({"word", "default"})
EITHER = LIVE | NOBODY


@dataclass(frozen=True)
class Fault:
    """`early` and `late`: who may decide on calls in the first 3.5 s of the fault, and from 7 s on, when the
    heartbeat is stale; between them either. `loses_calls`: the switch itself goes down."""

    name: ClassVar[str]
    words: ClassVar[str]
    asks: ClassVar[str] = "ami"
    wants: ClassVar[frozenset[str]] = frozenset()
    seconds: ClassVar[float] = 4.0
    early: ClassVar[frozenset[str]] = LIVE
    late: ClassVar[frozenset[str]] = LIVE
    loses_calls: ClassVar[bool] = False
    relevels: ClassVar[bool] = False        # the link is new afterwards
    forgets: ClassVar[bool] = False         # so does the switch what was left there: ENF_FAIL holds
    slowed: ClassVar[bool] = False          # by the tool that makes it: answers may be late at any time
    thaws: ClassVar[bool] = True            # the enforcer runs on once it has struck

    async def prepare(self, house: House) -> None:
        """What takes time, and is not felt yet."""

    async def strike(self, house: House) -> None:
        """Returns when it is in force."""

    async def heal(self, house: House) -> None:
        """Returns when the cause is gone."""


class None_(Fault):
    """For comparison."""

    name, words = "none", "all is well"


class Killed(Fault):
    """SIGKILL."""

    name, words = "killed", "enforcer killed (SIGKILL), started again later"
    seconds, early, late, relevels, thaws = 9.0, NOBODY, NOBODY, True, False

    async def strike(self, house: House) -> None:
        house.enforcer.kill()

    async def heal(self, house: House) -> None:
        await house.enforcer.start()


class Frozen(Fault):
    """SIGSTOP."""

    name, words = "frozen", "enforcer frozen (SIGSTOP), thawed later"
    seconds, early, late, thaws = 9.0, NOBODY, NOBODY, False

    async def strike(self, house: House) -> None:
        freeze(house.enforcer.pid)

    async def heal(self, house: House) -> None:
        thaw(house.enforcer.pid)


class Slow(Fault):
    """Most of the time it does not run."""

    name, words = "slow", "enforcer slow: stopped for 0.4 s, then runs for 0.1 s"
    seconds, early, late, thaws = 8.0, EITHER, EITHER, False

    _task: asyncio.Task[None] | None = None

    async def strike(self, house: House) -> None:
        object.__setattr__(self, "_task", asyncio.create_task(self._stutter(house.enforcer.pid)))

    async def _stutter(self, pid: int) -> None:
        while True:
            freeze(pid)
            await asyncio.sleep(0.4)
            thaw(pid)
            await asyncio.sleep(0.1)

    async def heal(self, house: House) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        thaw(house.enforcer.pid)


class Restarted(Fault):
    """An upgrade."""

    name, words = "restarted", "enforcer stopped in order and started at once"
    seconds, early, late, relevels, thaws = 3.0, EITHER, EITHER, True, False

    async def strike(self, house: House) -> None:
        thaw(house.enforcer.pid)
        await house.enforcer.stop()
        await house.enforcer.start(level=False)


class Reset(Fault):
    """A link lost with a word."""

    name, words = "link reset", "link to the switch torn (RST), and refused until it is back"
    seconds, early, late, relevels = 9.0, NOBODY, NOBODY, True

    async def strike(self, house: House) -> None:
        house.relay.reset()

    async def heal(self, house: House) -> None:
        await house.relay.restore()


class Silent(Fault):
    """A link lost without a word."""

    name, words = "link silent", "cable pulled: nothing arrives, nobody is told"
    wants = frozenset({"cable"})
    seconds, early, late, relevels = 9.0, NOBODY, NOBODY, True

    async def strike(self, house: House) -> None:
        if house.cable is not None:
            house.cable.pull()
        else:
            house.relay.silence()

    async def heal(self, house: House) -> None:
        if house.cable is not None:
            house.cable.plug()
        else:
            await house.relay.restore()


class SilentAtDoor(Silent):
    """The link is lost, the door is not."""

    name, words = "link silent, door", "the same, where calls ask at the FastAGI door"
    asks, wants = "agi", frozenset()
    early = LIVE


class KilledAtDoor(Killed):
    """Nobody at the door."""

    name, words = "killed, door", "killed, where calls ask at the FastAGI door"
    asks = "agi"


class FrozenAtDoor(Frozen):
    """The kernel opens the door, and nobody speaks."""

    name, words = "frozen, door", "frozen, where calls ask at the FastAGI door"
    asks = "agi"


class Full(Fault):
    """No room for the ledger."""

    name, words = "disk full", "no byte left on the ledger's file system"
    wants = frozenset({"small"})
    seconds = 6.0

    async def strike(self, house: House) -> None:
        if house.small is None:     # not root: no file of this process may grow
            size = house.ledger.stat().st_size
            resource.prlimit(house.enforcer.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            return
        with (house.small / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"x" * 4096):
                pass

    async def heal(self, house: House) -> None:
        if house.small is None:
            limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(house.enforcer.pid, resource.RLIMIT_FSIZE, limit)
        else:
            (house.small / "filler").unlink()


class NoGrowth(Full):
    """Neither ledger nor log may grow."""

    name, words = "log full too", "ledger and log may not grow by a byte (RLIMIT_FSIZE)"
    wants = frozenset()

    async def strike(self, house: House) -> None:
        sizes = [path.stat().st_size for path in (house.ledger, house.directory / "enforcer.log")]
        least = (min(sizes), resource.RLIM_INFINITY)
        resource.prlimit(house.enforcer.pid, resource.RLIMIT_FSIZE, least)


class Locked(Fault):
    """Somebody else writes into the ledger, and does not finish."""

    name, words = "ledger locked", "another process holds BEGIN EXCLUSIVE on the ledger"
    seconds = 6.0
    _holder: subprocess.Popen[bytes] | None = None

    async def prepare(self, house: House) -> None:
        code = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None); "
            "sys.stdin.readline(); c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"
        )
        holder = subprocess.Popen(      # noqa: ASYNC220 - its pipes are written and read from a thread
            [sys.executable, "-c", code, str(house.ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        object.__setattr__(self, "_holder", holder)

    async def strike(self, house: House) -> None:
        holder = self._holder
        assert holder is not None
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(b"now\n")
        holder.stdin.flush()
        await asyncio.to_thread(holder.stdout.readline)

    async def heal(self, house: House) -> None:
        assert self._holder is not None
        self._holder.kill()
        self._holder.communicate()


class ClockAhead(Fault):
    """The enforcer's clock jumps."""

    name, words = "clock +1 h", "the enforcer's clock jumps an hour ahead, later back"
    wants = frozenset({"clock"})
    seconds, early, late, slowed = 8.0, EITHER, EITHER, True
    by: ClassVar[str] = "+3600"

    async def strike(self, house: House) -> None:
        await self._set(house, self.by)

    async def heal(self, house: House) -> None:
        await self._set(house, "+0")
        await asyncio.sleep(2.0)            # a beat: until then the dialplan may take it for dead

    async def _set(self, house: House, by: str) -> None:
        house.clock.write_text(f"{by}\n")
        await asyncio.sleep(1.1)            # libfaketime looks once a second


class ClockBehind(ClockAhead):
    """And the other way."""

    name, words = "clock -1 h", "the enforcer's clock jumps an hour back, later ahead"
    by = "-3600"


class SwitchClockAhead(ClockAhead):
    """The switch's clock jumps: what was left there has ended, and until the next beat it takes us for dead.
    (Its own waits end as well: calls that ring are given up, as Asterisk does whoever stands beside it.)"""

    name, words = "switch clock +1 h", "the switch's clock jumps an hour ahead, later back"
    wants, loses_calls, forgets = frozenset({"switch clock"}), True, True


class SwitchRestarted(Fault):
    """The switch goes down with its calls, and comes back."""

    name, words = "switch restarted", "Asterisk killed and started again"
    seconds, early, late, loses_calls, relevels = 4.0, EITHER, EITHER, True, True
    thaws = False

    async def strike(self, house: House) -> None:
        house.switch.kill()
        thaw(house.enforcer.pid)
        await house.switch.start()


class BrokerGone(Fault):
    """Nobody to tell."""

    name, words = "broker gone", "the MQTT broker killed, started again later"
    wants = frozenset({"broker"})

    async def strike(self, house: House) -> None:
        assert house.broker is not None
        house.broker.kill()

    async def heal(self, house: House) -> None:
        assert house.broker is not None
        await house.broker.start()


class Garbage(Fault):
    """Strangers at the door."""

    name, words = "garbage at the door", "floods of garbage, half questions and idle connections at the door"
    asks = "agi"
    seconds = 6.0
    _task: asyncio.Task[None] | None = None

    async def strike(self, house: House) -> None:
        object.__setattr__(self, "_task", asyncio.create_task(self._flood(house.agi_port)))

    async def _flood(self, port: int) -> None:
        dice = random.Random(7)
        held: list[asyncio.StreamWriter] = []
        try:
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(dice.choice([
                        dice.randbytes(2000), b"agi_network: yes\nagi_requ", b"", b"GET / HTTP/1.1\r\n\r\n",
                        b"a" * 60_000,
                    ]))
                    held.append(writer)
                while len(held) > 40:
                    held.pop(0).close()
                await asyncio.sleep(0.005)
        finally:
            for writer in held:
                writer.close()

    async def heal(self, house: House) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


ALL: dict[str, type[Fault]] = {
    fault.name: fault for fault in (
        None_, Killed, Frozen, Slow, Restarted, Reset, Silent, KilledAtDoor, FrozenAtDoor, SilentAtDoor, Full,
        NoGrowth, Locked, ClockAhead, ClockBehind, SwitchClockAhead, SwitchRestarted, BrokerGone, Garbage,
    )
}
