"""A site with something to look at: a switch, and an hour of calls of a few accounts, some past their limits.

In: a directory. Out: a running enforcer beside a fake switch, after that hour. Refuses to know: pages.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from enforcer import app, settings
from enforcer.control.http.tokens import Role
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.telemetry import Telemetry
from lab.fake_asterisk import FakeAsterisk
from lab.process import free_port
from tests.support.house import House
from tests.support.http_house import Door

SITE = """
site = "nyc1"
[ledger]
url = "sqlite:///var/enforcer.db"
[policy]
packs = ["pack.toml"]
mode = "monitor"
[http]
listen = "127.0.0.1:{http}"
[lease]
seconds = 0
[[switch]]
name = "pbx1"
host = "127.0.0.1"
port = {ami}
secret_env = "TEST_AMI_SECRET"
outbound_contexts = ["from-accounts"]
"""
PACK = """
[pack]
name = "acme-aup"
revision = "2026-11"
[[rule]]
id = "calls"
kind = "attempts"
clause = "2 Fair Use"
plans = ["small"]
warning = { at = 60, verdict = "tag" }
critical = { at = 100, verdict = "block", sip_code = 403 }
[[rule]]
id = "ratio"
kind = "asr"
clause = "Answer to Seizure Ratio (ASR)"
min_attempts = 40
warning = { at = 3, verdict = "tag" }
critical = { at = 4, verdict = "block", sip_code = 603 }
[[rule]]
id = "minutes"
kind = "minutes"
clause = "1 Fair Use"
plans = ["small", "large"]
warning = { at = 400, verdict = "tag" }
critical = { at = 600, verdict = "block" }
[[rule]]
id = "pace"
kind = "cps"
clause = "8 Shared Systems"
accounts = ["umbrella-dialler"]
critical = { at = 1, verdict = "throttle" }
pace = { max_hold = 0.8 }
[[rule]]
id = "repeat"
kind = "strikes"
clause = "11 Repeat infringers"
window = "180d"
critical = { at = 3, verdict = "block" }
[[rule]]
id = "unwanted"
kind = "opt_out"
clause = "6 Who wrote STOP"
critical = { at = 0, verdict = "block" }
"""
ACCOUNTS = (
    "account,customer,type,channels,plan,anchor_day,timezone\n"
    "acme-office,acme,pbx,,small,1,America/New_York\nglobex-sales,globex,pbx,,small,1,America/Chicago\n"
    "initech-hq,initech,trunk,30,large,1,UTC\numbrella-dialler,umbrella,trunk,10,large,1,UTC\n"
    "wayne-home,wayne,residential,,small,1,America/New_York\n"
)
# account, share of calls, share of these that are answered, seconds talked
CALLERS = (
    ("acme-office", 30, 0.8, 90), ("globex-sales", 34, 0.75, 45), ("initech-hq", 26, 0.85, 160),
    ("umbrella-dialler", 34, 0.18, 20), ("wayne-home", 4, 0.9, 240),
)


def an_hour(house: app.House, seed: int = 7, calls: int = 420) -> None:
    """Calls of the last hour, in their order."""
    chance = random.Random(seed)
    now = time.time()
    house.ledger.put_mode(
        ModeSetting(Mode.BLOCK, "globex-sales", who="ann", at=now - 3000, why="complaint 4711")
    )
    house.ledger.put_mode(ModeSetting(Mode.THROTTLE, "umbrella-dialler", who="bob", at=now - 2400,
                                      why="dialler campaign", until=now + 7200))
    app.changed(house)
    whose = chance.choices([one[0] for one in CALLERS], [one[1] for one in CALLERS], k=calls)
    more = {one[0]: one[1:] for one in CALLERS}
    for place, account in enumerate(whose):
        at = now - 3500 + 3480 * (place / calls) ** 0.9
        attempt = CallAttempt(
            f"pbx1/{1795500000 + place}.{place}", "pbx1", account, Direction.OUTBOUND,
            f"1202555{chance.randrange(100, 200):04d}", "12025550100", at, f"PJSIP/{account}-{place:08x}",
        )
        decision = house.admission.admit(attempt)
        if decision.refused:
            continue
        _, answered, talk = more[account]
        answer = at + 4 if chance.random() < answered else None
        over = at + 4 + talk * chance.uniform(0.3, 2) if answer else at + 20
        if over < now:
            house.ledger.apply(CallEvent(Phase.ENDED, attempt, over, answer, hangup_cause=16))
        elif answer:
            house.ledger.apply(CallEvent(Phase.ANSWERED, attempt, answer, answer))
    house.ledger.flush()


@asynccontextmanager
async def busy_site(directory: Path, told: Callable[[str, str], object]) -> AsyncIterator[Door]:
    """A door to it. `told` sets a variable of the environment: the switch makes its own secret."""
    async with FakeAsterisk() as switch:
        told("TEST_AMI_SECRET", switch.secret)
        site = House(directory, PACK)
        port = free_port(socket.SOCK_STREAM)
        site.config.write_text(SITE.format(http=port, ami=switch.ami_port))
        site.ok("account", "import", site.file("busy.csv", ACCOUNTS))
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        built = app.build(settings.load(site.config), Telemetry(CollectorRegistry()), loop.call_soon)
        door = Door(site, built, port, {})
        for role in Role:
            door.tokens[role.value] = door.front.tokens.make(f"the-{role.value}", role, None, "a test")
        running = asyncio.create_task(app.serve(built, stop))
        talking: list[asyncio.Task[object]] = []
        try:
            async with asyncio.timeout(15):
                while not all(link.state().level for link in built.links):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            an_hour(built)
            for account, _, _, _ in CALLERS:
                talking.append(asyncio.create_task(switch.call(account, "12025550142", talk=120.0)))
            async with asyncio.timeout(15):
                while sum(link.state().live_calls for link in built.links) < len(CALLERS) - 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            yield door
        finally:
            for call in talking:
                call.cancel()
            await asyncio.gather(*talking, return_exceptions=True)
            stop.set()
            await asyncio.gather(running, return_exceptions=True)
            await door.client.aclose()
