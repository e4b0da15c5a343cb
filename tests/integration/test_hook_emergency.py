"""Emergency calls, and the calls back after them, through the dialplan hook on a real Asterisk: they pass
whatever was ordered, whatever is locked, and with nobody alive.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from random import Random

from lab.ami import Message
from lab.sipp import Call
from tests.support import hook as at_hook
from tests.support.hook import ODD_ACCOUNTS, REDIRECTOR, Hook, answered_by_ami
from tests.support.phone import Phone

asterisk, hook = at_hook.asterisk, at_hook.hook


async def test_emergency_call_passes_whatever_was_ordered(hook: Hook) -> None:
    """Word, brake and closed site at once, through a hook put where it should not be."""
    until = int(time.time()) + 600
    await hook.heartbeat(age=3600)
    await hook.settings(ENF_FAIL="closed")
    await hook.order("word/careless", f"{until}:block:21:0:0::")
    await hook.order("brake/careless", f"{until}:1:1")
    try:
        ordinary = [Call("careless", f"1{place}86") for place in range(3)]
        placed = await hook.call(*ordinary, *(Call("careless", number) for number in ("112", "999", "112")))
        assert placed.codes[200] == 3
        assert sum(placed.codes.values()) == 6
    finally:
        await hook.ami.action("DBDelTree", Family="enforcer", Key="word/careless")
        await hook.ami.action("DBDelTree", Family="enforcer", Key="brake/careless")


async def test_emergency_calls_pass_whatever_stands_on_the_switch(hook: Hook) -> None:
    """Ten states of it, drawn at random, by a hook that is where emergency calls pass. Nobody answers."""
    random = Random(911)
    until = int(time.time()) + 600
    orders = {
        "word/careless": [f"{until}:block:21:0:0::", f"{until}:throttle:0:29.000:1:x:", "x", f"{until}:", ""],
        "brake/careless": [f"{until}:1:1", f"{until}:0:1", "0:0:0", "x", ""],
        "lease/careless": [str(until), "1", "x", ""],
        "closed/careless": ["1", ""],
    }
    try:
        for _ in range(10):
            await hook.heartbeat(age=random.choice([-600.0, 0.0, 3600.0]))
            await hook.settings(
                ENF_ASK=random.choice(["ami", "agi", "local", "off", "", "nonsense"]),
                ENF_AGI="agi://127.0.0.1:1/ask", ENF_FAIL=random.choice(["open", "closed"]),
                ENF_MAXWAIT=random.choice(["0.3", "30"]), ENF_STALE=random.choice(["6", "0", ""]),
                ENF_EMERGENCY_WINDOW=random.choice(["", "0", "3600"]),
            )
            for key, values in orders.items():
                if value := random.choice(values):
                    await hook.order(key, value)
                else:
                    await hook.ami.action("DBDel", Family="enforcer", Key=key)
            seen = len(hook.carrier.invites())
            calls = [Call("careless", number) for number in ("112", "999", "+1911")]
            placed = await asyncio.wait_for(hook.call(*calls), 10)
            assert placed.codes == {200: 3}
            assert sorted(one.number for one in hook.carrier.invites()[seen:]) == ["+1911", "112", "999"]
    finally:
        await hook.settings(ENF_EMERGENCY_WINDOW="", ENF_STALE="", ENF_MAXWAIT="0.5")
        for key in orders:
            await hook.ami.action("DBDelTree", Family="enforcer", Key=key)


async def test_time_limit_of_an_ordinary_call_ends_where_it_becomes_an_emergency_call(hook: Hook) -> None:
    """By a redirect, and by a transfer from the far end."""
    async def limits(account: str) -> set[str]:
        """What the account's calls have left, without those that have no limit ("0")."""
        channels = await hook.ami.listing("Status")
        ours = [c for c in channels if c["Channel"].startswith(f"PJSIP/{account}-")]
        assert ours
        return {channel["TimeToHangup"] for channel in ours} - {"0"}

    async with answered_by_ami(hook, lambda _: "allow:0:0:3000::d1"):
        async with (
            Phone("redirector", hook.switch.sip_address, REDIRECTOR) as elsewhere,
            Phone("forwarded", hook.switch.sip_address) as phone,
        ):
            phone.invite("7095")
            await elsewhere.redirect("933")
            assert await phone.answered() == 200
            assert await limits("forwarded") == set()
        async with Phone("globex", hook.switch.sip_address) as phone:
            phone.invite("7096")
            assert await phone.answered() == 200
            await hook.bridged("7096")
            assert await limits("globex")
            channels = await hook.ami.listing("CoreShowChannels")
            [bridge] = [c["BridgeId"] for c in channels if c["Exten"] == "7096"]
            [far] = [c for c in channels if c["BridgeId"] == bridge and c["Exten"] != "7096"]
            sent = await hook.ami.action(
                "BlindTransfer", Channel=far["Channel"], Context="from-accounts", Exten="112"
            )
            assert sent["Response"] == "Success"
            await hook.bridged("112")
            assert await limits("globex") == set()


# --- after an emergency call


async def test_who_called_for_help_is_called_back_though_everything_else_is_refused(hook: Hook) -> None:
    """Nobody is alive, the account is blocked by a word, braked, and the site fails closed."""
    until = int(time.time()) + 600
    await hook.heartbeat(age=3600)
    await hook.settings(ENF_FAIL="closed", ENF_EMERGENCY_WINDOW="")
    await hook.order("word/helped", f"{until}:block:21:0:0:standing:")
    await hook.order("brake/helped", f"{until}:1:1")
    back = "13035550189"
    try:
        assert await hook.codes(Call("psap", "12025550186")) == [403]
        test, refused = await hook.codes(Call("helped", "933"), Call("psap", "12025550187"))
        assert (test, refused in (403, 503)) == (200, True)
        assert await hook.codes(Call("helped", "112")) == [200]
        # Whoever calls it; it calls back who called it last, however that is written; and nobody else.
        placed = await hook.call(*[Call("psap", "12025550188")] * 3)
        assert placed.codes == {200: 3}
        assert (await hook.cdr("12025550188"))[17] == "emergency;allow:0:0:0::"
        assert await hook.codes(Call("helped", back), Call("helped", f"+{back}"), Call("helped", "911")) == [
            200, 200, 200
        ]
        assert set(await hook.codes(Call("helped", "14045550188"))) <= {403, 503}
        await hook.settings(ENF_EMERGENCY_WINDOW="0")
        assert set(await hook.codes(Call("psap", "12025550185"), Call("helped", f"1{back}"))) <= {403, 503}
    finally:
        await hook.settings(ENF_EMERGENCY_WINDOW="")
        for kind in ("word", "brake"):
            await hook.ami.action("DBDelTree", Family="enforcer", Key=f"{kind}/helped")


async def test_who_calls_back_is_noted_though_the_account_has_a_lease(hook: Hook) -> None:
    """Nobody is asked, and the enforcer is told of the emergency call, which it may not have seen."""
    until = int(time.time()) + 600
    await hook.settings(ENF_EMERGENCY_WINDOW="")
    asked: list[Message] = []
    async with answered_by_ami(hook, lambda _: "block:21:0:0::", asked), hook.switch.ami("enforcer") as link:
        await hook.order("lease/helped", str(until))
        assert await hook.codes(Call("helped", "112"), Call("psap", "12025550184")) == [200, 200]
        told = await link.event("UserEvent", UserEvent="EnfBack")
        assert (told["Account"], told["Direction"], told["Number"]) == ("helped", "inbound", "12025550184")
        assert until - 700 < int(told["Since"]) <= until
        # With a lease the account still asks nobody about its other calls.
        assert await hook.codes(Call("helped", "14045550183")) == [200]
        assert asked == []
        await hook.ami.action("DBDelTree", Family="enforcer", Key="lease/helped")
        assert await hook.codes(Call("helped", "13035550189"), Call("helped", "14045550182")) == [200, 403]
        # A window that is long over costs a lease nothing.
        await hook.order("lease/helped", str(until))
        await hook.settings(ENF_EMERGENCY_WINDOW="0")
        assert await hook.codes(Call("helped", "14045550181")) == [200]
        assert [question["Number"] for question in asked] == ["14045550182"]
    await hook.settings(ENF_EMERGENCY_WINDOW="")
    await hook.ami.action("DBDelTree", Family="enforcer", Key="lease/helped")


async def test_an_odd_account_name_never_stands_in_the_way_of_an_emergency_call(hook: Hook) -> None:
    calls = [Call(name, "112") for name in ODD_ACCOUNTS]
    assert (await hook.call(*calls)).codes == {200: len(calls)}


async def test_an_emergency_call_waits_for_no_lock_of_astdb(hook: Hook) -> None:
    """The switch's database is locked by somebody else for as long as it takes."""
    paths = list(hook.switch.directory.rglob("astdb.sqlite3"))
    with sqlite3.connect(paths[0], isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        try:
            placed = await asyncio.wait_for(hook.call(Call("a19", "112")), 10)
        finally:
            other.execute("ROLLBACK")
    assert placed.codes == {200: 1}
