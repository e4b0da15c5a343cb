"""A pack with a typo of one digit on a real Asterisk: the breaker trips, calls go, a person arms it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place

PACK = """
[pack]
name = "247voip"
revision = "{revision}"
effective = 2026-01-01
[[rule]]
id = "calls"
kind = "attempts"
clause = "1 Fair Use"
critical = {{ at = {at}, verdict = "block" }}
"""
NAMES = [f"a{nth}" for nth in range(1, 11)]
NUMBER = "12025550142"
QUICK = "[breaker]\nleast_calls = 20\n"


async def test_a_limit_of_4_that_was_to_be_40(lab_parts: Mapping[str, Provisioned], tmp_path: Path) -> None:
    switch = Asterisk(lab_parts["asterisk"], accounts=NAMES)
    try:
        await switch.start()
        async with Callee(lab_parts["sipp"], switch.carrier_port):
            house = Enforcer(tmp_path, switch, PACK.format(at="40", revision="1"), more=QUICK)
            async with house:
                await _proven(house, lab_parts, switch)
    finally:
        switch.close()


async def _proven(house: Enforcer, parts: Mapping[str, Provisioned], switch: Asterisk) -> None:
    async def calls(number: str = NUMBER, each: int = 1) -> dict[int, int]:
        some = [Call(name, number, 0.01) for name in NAMES for _ in range(each)]
        return dict((await place(parts["sipp"], switch.sip_address, some, rate=40)).codes)

    def loaded(line: Mapping[str, object]) -> bool:
        return line.get("event") == "policy reloaded"

    assert await calls(each=5) == {200: 50}
    # The typo. It is found out before it refuses anybody.
    (house.directory / "policy.toml").write_text(PACK.format(at="4", revision="2"))
    await house.command("reload")
    await house.line(loaded)
    line = await house.line(lambda one: one.get("event") == "breaker tripped")
    assert line["level"] == "error"
    assert line["why"].startswith(
        "rule calls of pack 247voip@2 would block 100 % of accounts (10 of 10 by their next call)"
    )
    assert await calls("112") == {200: 10}
    told = await house.line(lambda one: one.get("event") == "notice to ops")
    assert "every call goes" in told["subject"]
    # It holds over a restart.
    await house.stop()
    await house.start()
    assert await calls() == {200: 10}
    # Re-armed while the fault goes on: it trips again. Put right, and re-armed: it does not.
    await house.command("breaker", "rearm", "--reason", "let me see")
    codes = await calls(each=10)
    assert codes[403] > 0
    assert codes[200] >= 20
    await house.line(lambda one: one.get("event") == "breaker tripped")
    assert await calls() == {200: 10}
    (house.directory / "policy.toml").write_text(PACK.format(at="400", revision="3"))
    await house.command("reload")
    await house.command("breaker", "rearm", "--reason", "4 was to be 40")
    assert await calls(each=3) == {200: 30}
    assert len((await house.json("breaker"))["history"]) == 2
