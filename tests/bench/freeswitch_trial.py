"""What holds on a real FreeSWITCH, call by call and under load:

    python -m tests.bench.freeswitch_trial [PART ...]

In: a FreeSWITCH of your own (`ENFORCER_FREESWITCH`, or `freeswitch` in PATH). Out: a line for everything
that was tried, with what was seen; exit code 1 where one is not as promised. Refuses to know how it is done.

    shapes      forks, transfers, conferences: one attempt a call; counters equal to the CDRs
    forged      what a caller writes into SIP headers names nobody, and tags nothing
    emergency   112 and 911 whatever state the rest is in
    load        the enforcer frozen, thawed, killed and started again under calls; load_http: asked over HTTP
    queue       an enforcer that cannot keep up lets go of the switch's events
"""

from __future__ import annotations

import asyncio
import csv
import socket
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path

from lab.enforcer import Enforcer, Switch
from lab.freeswitch import NAMED, installed
from lab.process import free_port
from lab.provision import provision
from lab.sipp import Call, Callee, Outcome, place
from tests.bench.own_freeswitch import OwnFreeswitch
from tests.bench.report import percentile
from tests.support.phone import Phone

GOOD = "12025550142"
ENTERED = """<extension name="enforcer-cdr" continue="true">
  <condition field="${enforcer_call}" expression="^$">
  <action application="export" data="enforcer_call=${uuid}" inline="true"/>
  <action application="export" data="enforcer_direction=outbound" inline="true"/>
  <action application="set" data="enforcer_number=${destination_number}" inline="true"/></condition>
</extension>
"""
# What the first two digits of a number ask for; the rest is dialled.
SHAPES = {
    "20": ("parallel fork", "{0}/$1,{0}/12025550180"),
    "21": ("failover", "{0}/12025550503|{0}/$1"),
    "22": ("failover after leg_timeout", "[leg_timeout=1]{0}/12025550180|{0}/$1"),
    "23": ("enterprise originate", "{0}/12025550180:_:{0}/$1"),
    "24": ("loopback", "loopback/$1/from-accounts"),
    "25": ("follow-me", "[leg_timeout=1]{0}/12025550180|{0}/12025550486|{0}/$1,{0}/12025550404"),
}
EXTENSIONS = ENTERED + "".join(
    f'<extension name="{what}"><condition field="destination_number" expression="^{digits}(\\d{{11}})$">@ASK@'
    f'<action application="bridge" data="{dial.format("sofia/gateway/carrier")}"/></condition></extension>\n'
    for digits, (what, dial) in SHAPES.items()
) + """<extension name="conference"><condition field="destination_number" expression="^(26\\d{11})$">@ASK@
  <action application="answer"/><action application="conference" data="room"/></condition></extension>
<extension name="spy"><condition field="destination_number" expression="^(27\\d{11})$">@ASK@
  <action application="answer"/><action application="eavesdrop" data="all"/></condition></extension>
"""
FAR_AWAY = """
[[rule]]
id = "attempts"
kind = "attempts"
clause = "trial"
critical = { at = 100000000, verdict = "block" }
"""
ASKED = FAR_AWAY + """
[[rule]]
id = "rate"
kind = "cps"
clause = "trial"
critical = { at = 100000, verdict = "tag" }
"""
FEW = """
[[rule]]
id = "few"
kind = "attempts"
clause = "trial"
critical = { at = 1, verdict = "block", sip_code = 403 }
"""
TAGGED = """
[[rule]]
id = "few"
kind = "attempts"
clause = "trial"
warning = { at = 1 }
critical = { at = 1000, verdict = "tag" }
"""
PACK = '[pack]\nname = "trial"\nrevision = "1"\n'


class Trial:
    """A switch, a far end and an enforcer beside each other; what was tried, and what was seen."""

    def __init__(
        self, rules: str, behind: Callable[[OwnFreeswitch], Switch] = lambda switch: switch, *,
        http: bool = False,
    ) -> None:
        self.sipp = provision(["sipp"])["sipp"]
        self.door = free_port(socket.SOCK_STREAM)
        ask = f"http://127.0.0.1:{self.door}" if http else "door"
        self.switch = OwnFreeswitch(door=self.door, ask=ask, extensions=EXTENSIONS)
        self.far_end = Callee(self.sipp, self.switch.carrier_port, messages=True)
        self.stack = AsyncExitStack()
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.enforcer = Enforcer(
            self.directory, behind(self.switch), PACK + rules,
            accounts="acme,acme,pbx,,,,\nglobex,globex,pbx,,,,\n",
            more=f'kind = "freeswitch"\noutbound_contexts = ["from-accounts"]\n[lease]\nseconds = 20\n'
                 f"[door.{'http' if http else 'esl'}]\nenabled = true\nport = {self.door}\n",
        )

    async def __aenter__(self) -> Trial:
        for one in (self.switch, self.far_end, self.enforcer):
            await self.stack.enter_async_context(one)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    async def calls(self, number: str, count: int = 1, rate: float = 10.0, account: str = "acme",
                    talk: float = 0.3) -> Outcome:
        """Calls of one account to one number."""
        batch = [Call(account, number, talk)] * count
        return await place(self.sipp, self.switch.sip_address, batch, rate=rate, within=120)

    async def reached(self, number: str, wanted: int) -> int:
        """How many INVITEs for this number reached the far end; waits up to 5 s for so many."""
        for _ in range(100):
            if len(self.far_end.invites(number)) >= wanted:
                break
            await asyncio.sleep(0.05)
        return len(self.far_end.invites(number))

    async def bridged(self, calls: int = 1) -> None:
        """Until so many calls are bridged; waits up to 5 s. FreeSWITCH answers the caller some milliseconds
        before it bridges, and undoes a transfer that comes in between, with or without a hook."""
        for _ in range(100):
            if f"\n{calls} total" in await self.switch.api("show calls count"):
                break
            await asyncio.sleep(0.05)

    def phone(self, account: str = "acme") -> Phone:
        """A phone for the dialogues that SIPp has no scenario for."""
        return Phone(account, self.switch.sip_address)

    async def quiet(self) -> None:
        """Until no channel is left, a minute at the most, and all is written down."""
        for _ in range(120):
            if "\n0 total" in await self.switch.api("show channels count"):
                break
            await asyncio.sleep(0.5)
        else:
            check("no channel is left", False, await self.switch.api("show channels count"))
        await asyncio.sleep(3)

    def counted(self) -> Counter[tuple[str, str]]:
        """Attempts in the ledger, by account and number class."""
        with closing(sqlite3.connect(self.directory / "enforcer.db")) as db:
            rows = db.execute("SELECT account, number_class, count(*) FROM call GROUP BY 1, 2").fetchall()
        return Counter({(account, kind): n for account, kind, n in rows})

    def cdrs(self) -> dict[str, tuple[int, int, str]]:
        """The switch's own record of each call, by the id of the channel that it began with: how long that
        lasted and how long the longest of its legs, in ms, and what was noted."""
        rows = list(csv.reader(self.switch.cdr_path.read_text().splitlines()))
        longest: dict[str, int] = {}
        for row in rows:
            call = row[2] or row[3] or row[1]
            longest[call] = max(longest.get(call, 0), int(row[11] or 0))
        return {
            row[1]: (int(row[11] or 0), longest.get(row[2] or row[1], 0), row[19])
            for row in rows if row[6] == "inbound" and not row[3] and not row[4]
        }

    async def agrees(self, what: str, *, deaf: bool = False) -> None:
        """The ledger against the CDRs, to the call (`deaf`: there was a time when nobody listened); and the
        import of the CDRs against the ledger."""
        await self.quiet()
        cdrs = self.cdrs()
        with closing(sqlite3.connect(self.directory / "enforcer.db")) as db:
            ours = dict(db.execute("SELECT call_id, outcome FROM call").fetchall())
        mine = {call_id.partition("/")[2] for call_id in ours}
        seen = f"{len(mine)} of {len(cdrs)}, {len(mine - set(cdrs))} too many"
        all_there = mine <= set(cdrs) and (deaf or len(mine) == len(cdrs))
        check(f"{what}: counted without the CDRs", all_there, seen)
        live = sum(outcome in ("ringing", "talking") for outcome in ours.values())
        check(f"{what}: none of them is in progress any more", live == 0, live)
        told = await self.enforcer.json("cdr", "import", str(self.switch.cdr_path), "--switch", "pbx1")
        await asyncio.sleep(1)
        with closing(sqlite3.connect(self.directory / "enforcer.db")) as db:
            after = {call_id.partition("/")[2]: billed for call_id, billed in db.execute(
                "SELECT call_id, billed_msec FROM call").fetchall()}
        wrong = [
            uuid for uuid, (own, most, _) in cdrs.items()
            if not own - 20 <= after.get(uuid, -1e9) <= most + 20
        ]
        seen = f"{len(after)} calls, {len(wrong)} with another duration, {told['new']} new, {live} were open"
        check(f"{what}: equal to the CDRs after import", set(after) == set(cdrs) and not wrong, seen)
        verified = await self.enforcer.command("verify")
        check(f"{what}: verify", "all counters agree" in verified, verified.splitlines()[0])


FAILED: list[str] = []


def check(what: str, holds: bool, seen: object = "") -> None:
    """One line for what was tried."""
    print(f"{'yes' if holds else 'NO '}  {what}" + (f": {seen}" if seen != "" else ""), flush=True)
    if not holds:
        FAILED.append(what)


async def main(names: list[str]) -> int:
    """Run the parts named, or all."""
    from tests.bench.freeswitch_parts import PARTS  # they are made of what is above

    if not installed():
        print(f"no FreeSWITCH: not in PATH, and {NAMED} names none")
        return 2
    parts: dict[str, Callable[[], Awaitable[None]]] = PARTS
    for name in names or list(parts):
        began = time.monotonic()
        await parts[name]()
        print(f"     ({name}: {time.monotonic() - began:.0f} s)", flush=True)
    print(f"{len(FAILED)} not as promised" + "".join(f"\n  {what}" for what in FAILED))
    return 1 if FAILED else 0


def longest(outcome: Outcome) -> str:
    """The set-up times of a batch, in words."""
    return (f"{outcome.placed} placed, {outcome.failed} failed, {dict(outcome.codes)}, set-up p50 "
            f"{percentile(outcome.setup_ms, 0.5):.0f} ms, longest {max(outcome.setup_ms):.0f} ms")


if __name__ == "__main__":
    from tests.bench import freeswitch_trial

    sys.exit(asyncio.run(freeswitch_trial.main(sys.argv[1:])))
