"""After an emergency call, an enforcer that is killed beside a real Asterisk or the small FreeSWITCH.

A rule refuses every call of the account, and ends where it goes on.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.fake_freeswitch import OUT, FakeFreeswitch
from lab.process import free_port, run_apart
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place
from tests.integration.test_freeswitch_hook import IN

POLICY = """
[pack]
name = "strict"
revision = "1"
effective = 2026-01-01

[[rule]]
id = "none"
kind = "attempts"
clause = "1"
directions = ["outbound", "inbound"]
critical = { at = 0, verdict = "block" }

[[rule]]
id = "brief"
kind = "minutes"
clause = "2"
directions = ["outbound", "inbound"]
hang_up = true
critical = { at = 0.01, verdict = "block" }
"""
# Numbers of seven digits that begin so are of these accounts; who calls them is who the phone says it is.
NAMES = {"71": "alone"}
FIRST, SECOND, ANYBODY = "13035550911", "13035550912", "14045550142"
DIALPLAN = "[from-trunk]\n" + "".join(
    f"exten => _{begins}XXXXX,1,Set(CHANNEL(accountcode)={name})\n"
    f" same => n,Gosub(enforcer,s,1({name},inbound,${{EXTEN}}))\n"
    " same => n,Dial(PJSIP/${EXTEN}@carrier,60)\n same => n,Hangup(${HANGUPCAUSE})\n"
    for begins, name in NAMES.items()
)
CALLERS = "".join(
    f"[{number}](account)\ncontext = from-trunk\naccountcode = carrier\n" for number in (FIRST, SECOND)
)
Codes = Callable[..., Awaitable[list[int | None]]]


@pytest.fixture(scope="module")
def switch(lab_parts: Mapping[str, Provisioned]) -> Iterator[Asterisk]:
    files = {"extensions_local.conf": DIALPLAN, "pjsip_local.conf": CALLERS}
    found = Asterisk(lab_parts["asterisk"], accounts=list(NAMES.values()), files=files)
    try:
        run_apart(found.start())
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def far_end(switch: Asterisk, lab_parts: Mapping[str, Provisioned]) -> Iterator[Callee]:
    callee = Callee(lab_parts["sipp"], switch.carrier_port, messages=True)
    try:
        run_apart(callee.start())
        yield callee
    finally:
        callee.close()


@pytest.fixture(scope="module")
def enforcer(
    switch: Asterisk, far_end: Callee, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Enforcer]:
    accounts = "".join(f"{name},{name}-co,pbx,,,,\n" for name in NAMES.values())
    found = Enforcer(tmp_path_factory.mktemp("back"), switch, POLICY, accounts=accounts)
    try:
        yield found
    finally:
        run_apart(found.stop())


@pytest.fixture
def codes(switch: Asterisk, lab_parts: Mapping[str, Provisioned]) -> Codes:
    """The final status of each call, placed one after the other: (who, number)."""
    async def run(*calls: tuple[str, str], talk: float = 0.1) -> list[int | None]:
        found = []
        for account, number in calls:
            placed = await place(
                lab_parts["sipp"], switch.sip_address, [Call(account, number, talk)], messages=True
            )
            found.append(placed.final(number)[0].code)
        return found

    return run


async def begun(enforcer: Enforcer) -> None:
    """Started, and level with the switch: on a busy machine that takes its time."""
    await enforcer.start(level=False)
    await enforcer.line(lambda line: line.get("event") == "level with the switch", within=60)


async def written(enforcer: Enforcer, account: str, calls: int) -> None:
    """Until that many calls back are on the disk: what is on its way there a SIGKILL takes along."""
    question = "SELECT count(*) FROM call WHERE account = ? AND number_class = 'callback'"
    async with asyncio.timeout(15):
        while True:
            with sqlite3.connect(enforcer.directory / "enforcer.db") as ledger:
                if ledger.execute(question, (account,)).fetchone()[0] >= calls:
                    return
            await asyncio.sleep(0.05)


async def counted(enforcer: Enforcer, account: str) -> tuple[int, int]:
    """How many calls the rule has counted, and how many were refused, once one was: it is the last, and is
    written a moment after it was told."""
    async with asyncio.timeout(15):
        while True:
            usage = await enforcer.json("usage", account)
            line = next(one for one in usage["rules"] if one["rule"] == "none")
            if line["blocked"]:
                return line["attempts"], line["blocked"]


async def test_an_enforcer_that_was_dead_meanwhile_and_is_killed_again_exempts_the_same_calls(
    enforcer: Enforcer, codes: Codes
) -> None:
    """The switch tells of the emergency call as somebody calls back, and knows the last caller only."""
    assert await codes(("alone", "911")) == [200]
    await begun(enforcer)
    # The rule ends calls in progress, looked at every two seconds: not this one.
    assert await codes((FIRST, "7100001"), talk=4) == [200]
    assert await codes((SECOND, "7100002"), ("alone", FIRST)) == [200, 200]
    await written(enforcer, "alone", 3)
    enforcer.kill()
    await begun(enforcer)
    assert await codes(("alone", f"+{FIRST}"), ("alone", ANYBODY)) == [200, 403]
    assert await counted(enforcer, "alone") == (0, 1)
    assert lasted(enforcer, "7100001") >= 3.5


def lasted(enforcer: Enforcer, number: str) -> float:
    """How long the call was talked, as the ledger has it."""
    with sqlite3.connect(enforcer.directory / "enforcer.db") as ledger:
        found: float = ledger.execute(
            "SELECT ended_at - answered_at FROM call WHERE number = ?", (number,)
        ).fetchone()[0]
    return found


class Socket(NamedTuple):
    """A switch as an enforcer has to know it."""

    ami_port: int
    secret: str


async def test_on_freeswitch_an_enforcer_that_was_dead_meanwhile_exempts_the_same_calls(
    tmp_path: Path,
) -> None:
    door = free_port(socket.SOCK_STREAM)
    async with FakeFreeswitch([OUT, IN], door=f"127.0.0.1:{door}", second=1.0) as switch:
        enforcer = Enforcer(
            tmp_path, Socket(switch.socket.port, switch.socket.password), POLICY, accounts="acme,a,pbx,,,,\n",
            more=f'kind = "freeswitch"\n[lease]\nseconds = 0\n[door.esl]\nenabled = true\nport = {door}\n',
        )

        async def code(who: str, number: str, **more: float) -> int:
            context = "default" if who == "acme" else "public"
            return (await switch.call(who, number, context=context, **more)).code   # type: ignore[arg-type]

        assert await code("acme", "911") == 200
        await begun(enforcer)
        try:
            back = await switch.call(FIRST, "12025550101", context="public", talk=4.0)
            assert (back.code, back.talked > 3.5) == (200, True)
            assert await code(SECOND, "12025550101") == 200
            assert await code("acme", FIRST) == 200
            await written(enforcer, "acme", 3)
            enforcer.kill()
            await begun(enforcer)
            assert [await code("acme", number) for number in (FIRST, SECOND, ANYBODY)] == [200, 200, 403]
            assert await counted(enforcer, "acme") == (0, 1)
        finally:
            await enforcer.stop()
