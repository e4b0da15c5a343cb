"""What the enforcer wrote on a switch ends by itself: a real Asterisk whose enforcer was killed and never
comes back, and whose own clock goes on, in a moment, by minutes and by a day."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from enforcer.orders import LeaseTerms
from lab.ami import Ami
from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place
from lab.texter import Texter
from tests.faults.house import faked
from tests.support.parts import provided

POLICY = """
[pack]
name = "expiry"
revision = "1"
[[rule]]
id = "closed"
kind = "cps"
clause = "1"
critical = { at = 100000, verdict = "block" }
accounts = ["closed"]
on_failure = "closed"
[[rule]]
id = "known"
kind = "attempts"
clause = "2"
critical = { at = 0, verdict = "block", sip_code = 603 }
accounts = ["known"]
on_failure = "last_known"
[[rule]]
id = "lines"
kind = "concurrent_calls"
clause = "3"
critical = { at = 1, verdict = "block" }
accounts = ["braked"]
[[rule]]
id = "far"
kind = "attempts"
clause = "4"
critical = { at = 100000000, verdict = "block" }
accounts = ["leased"]
[[rule]]
id = "few"
kind = "messages"
clause = "5"
critical = { at = 0, verdict = "block" }
accounts = ["wrote"]
"""
ACCOUNTS = ("closed", "known", "braked", "leased", "stopped", "wrote")
KEYS = ("word/closed", "word/known", "brake/braked", "lease/leased", "word/stopped", "hb")
# Accounts that may write no more: no value with an end, but an extension taken away.
SHUT = ("closed/wrote", "closed/stopped")
STRETCH = 100_000       # s; who was stopped by people may not write to the end of the next one
TERMS = LeaseTerms()


@pytest.fixture(scope="module")
def clocks() -> Mapping[str, Provisioned]:
    return provided("asterisk", "sipp", "faketime")


async def written(session: Ami) -> dict[str, str]:
    """All that stands in our family of AstDB, by key."""
    found: dict[str, str] = {}
    for line in (await session.command("database show enforcer")).splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip().startswith("/enforcer/"):
            found[key.strip().removeprefix("/enforcer/")] = value.strip()
    return found


async def turned_away(writer: Texter) -> list[int]:
    """What two accounts are told that are closed for messages."""
    return [await writer.send(name, "12025550142") for name in ("wrote", "stopped")]


async def test_nothing_that_was_written_outlives_its_time_where_nobody_comes_back(
    clocks: Mapping[str, Provisioned], tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    env = {**os.environ, **faked(clocks, clock), "FAKETIME_CACHE_DURATION": "0", "FAKETIME_NO_CACHE": "1"}
    async with (
        Asterisk(clocks["asterisk"], accounts=ACCOUNTS, env=env) as switch,
        Callee(clocks["sipp"], switch.carrier_port),
        Texter(switch.sip_address) as writer,
    ):
        rows = "".join(f"{name},{name},pbx,,,1,UTC\n" for name in ACCOUNTS)
        enforcer = Enforcer(tmp_path, switch, POLICY, accounts=rows, more="messages = true\n")
        await enforcer.start()

        async def codes(*accounts: str, talk: float = 0.1) -> list[int]:
            """What each gets, all at the same time."""
            calls = [Call(account, "12025550142", talk) for account in accounts]
            found = await asyncio.gather(
                *(place(clocks["sipp"], switch.sip_address, [call]) for call in calls)
            )
            return sorted(next(iter(one.codes)) for one in found)

        try:
            await enforcer.command("account", "suspend", "stopped", "--reason", "unpaid")
            await codes("known", "leased")
            await writer.send("wrote", "12025550142")
            async with switch.ami() as session:
                for _ in range(200):
                    state = await written(session)
                    if {*KEYS, *SHUT} <= set(state):
                        break
                    await asyncio.sleep(0.1)
                else:
                    raise AssertionError(f"not all is on the switch: {state}")
                for _ in range(20):         # what it took before an account's closing is asked about first
                    if await turned_away(writer) == [404, 404]:
                        break
                    await asyncio.sleep(0.6)
                enforcer.kill()
                now = time.time()
                ends = {key: float(state[key].partition(":")[0]) - now for key in state if key not in SHUT}
        finally:
            enforcer.kill()
        assert await turned_away(writer) == [404, 404]
        longest = {
            "hb": 1, "lease": TERMS.seconds, "brake": TERMS.brake_seconds, "word": TERMS.word_seconds,
        }
        for key, left in ends.items():
            kind = key.partition("/")[0]
            most = TERMS.brake_seconds if key == "word/stopped" else longest[kind]
            assert left <= most, (key, left)

        clock.write_text("+30\n")           # the heartbeat is stale, nothing else is over
        assert await codes("closed") == [503]
        assert await codes("known") == [603]
        assert await codes("leased") == [200]
        assert await codes("stopped") == [403]
        assert await codes("braked", "braked", talk=0.5) == [200, 503]
        assert await writer.send("wrote", "12025550142") == 202
        assert await writer.send("stopped", "12025550142") == 404
        clock.write_text(f"+{TERMS.word_seconds + 60}\n")
        assert await codes("closed", "known", "leased") == [200] * 3
        assert await codes("stopped") == [403], "people said so, and that stands for a day"
        clock.write_text(f"+{TERMS.brake_seconds + 60}\n")
        assert await codes("stopped") == [200]
        assert await codes("braked", "braked", talk=0.5) == [200, 200]
        clock.write_text(f"+{2 * STRETCH + 60}\n")
        assert await writer.send("stopped", "12025550142") == 202
