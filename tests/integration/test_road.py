"""The whole road on a real switch: SIPp calls, Asterisk asks, the enforcer answers, operators steer.

One Asterisk, one enforcer and one policy for the module; each test has an account of its own, so that
none depends on what another counted.
"""

from __future__ import annotations

import asyncio
import csv
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping

import pytest

from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.process import freeze
from lab.provision import Provisioned
from lab.sipp import Call, Callee, Outcome, place
from tests.support.standing import standing

NUMBER = "12025550142"
RINGS = "12025550180"

POLICY = """
[pack]
name = "road"
revision = "7"
effective = 2026-01-01

[[rule]]
id = "few"
kind = "attempts"
clause = "1 Fair Use"
accounts = ["blocked403", "capped", "lifted", "inbound"]
warning = { at = 1, verdict = "tag" }
critical = { at = 2, verdict = "block" }

[[rule]]
id = "declined"
kind = "attempts"
clause = "2 Abuse"
accounts = ["blocked603"]
critical = { at = 0, verdict = "block", sip_code = 603 }

[[rule]]
id = "pace"
kind = "cps"
clause = "8 Shared Systems"
accounts = ["paced"]
critical = { at = 2, verdict = "throttle" }
pace = { max_hold = 1.2 }

[[rule]]
id = "channels"
kind = "concurrent_calls"
clause = "8 Shared Systems"
accounts = ["narrow"]
critical = { at = 3, verdict = "throttle" }
on_failure = "last_known"

[[rule]]
id = "talk"
kind = "minutes"
clause = "1 Fair Use"
accounts = ["brief"]
critical = { at = 0.02, verdict = "block" }

[[rule]]
id = "overrun"
kind = "minutes"
clause = "1 Fair Use"
accounts = ["endless"]
hang_up = true
critical = { at = 0.01, verdict = "block" }

[[rule]]
id = "ratio"
kind = "asr"
clause = "Answer to Seizure Ratio (ASR)"
accounts = ["dialler"]
min_attempts = 4
critical = { at = 4, verdict = "block" }

[[rule]]
id = "roomy"
kind = "attempts"
clause = "1 Fair Use"
accounts = ["leased"]
critical = { at = 56, verdict = "block" }

[[rule]]
id = "strict"
kind = "attempts"
clause = "3 Strict"
accounts = ["closed"]
on_failure = "closed"
critical = { at = 1000, verdict = "block" }
"""

NAMES = (
    "blocked403", "blocked603", "capped", "lifted", "paced", "narrow", "brief", "endless", "dialler",
    "leased", "closed", "free", "suspended", "inbound",
)
ACCOUNTS = "".join(f"{name},{name}-co,pbx,,,,\n" for name in NAMES)


@pytest.fixture(scope="module")
def switch(lab_parts: Mapping[str, Provisioned]) -> Iterator[Asterisk]:
    yield from standing(Asterisk(lab_parts["asterisk"], accounts=NAMES))


@pytest.fixture(scope="module")
def far_end(switch: Asterisk, lab_parts: Mapping[str, Provisioned]) -> Iterator[Callee]:
    yield from standing(Callee(lab_parts["sipp"], switch.carrier_port, messages=True))


@pytest.fixture(scope="module")
def enforcer(
    switch: Asterisk, far_end: Callee, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Enforcer]:
    yield from standing(Enforcer(tmp_path_factory.mktemp("road"), switch, POLICY, accounts=ACCOUNTS))


@pytest.fixture
def calls(switch: Asterisk, lab_parts: Mapping[str, Provisioned]) -> Callable[..., Awaitable[Outcome]]:
    async def run(account: str, number: str = NUMBER, count: int = 1, **more: object) -> Outcome:
        talk = float(more.pop("talk", 0.1))     # type: ignore[arg-type]
        batch = [Call(account, number, talk)] * count
        return await place(lab_parts["sipp"], switch.sip_address, batch, **more)    # type: ignore[arg-type]

    return run


async def test_calls_within_every_limit_go(running, calls) -> None:
    outcome = await calls("free", count=3)
    assert outcome.codes == {200: 3}
    assert outcome.failed == 0


async def test_account_is_tagged_at_its_warning_and_blocked_at_its_limit(
    running, far_end, calls, switch
) -> None:
    outcome = await calls("blocked403", number="12025550143", count=4, rate=4)
    assert outcome.codes == {200: 2, 403: 2}
    tags = [invite.header("X-Enforcer-Tag") for invite in far_end.invites("12025550143")]
    assert tags == [None, "few.warning"]
    blocked = await running.line(lambda x: x.get("account") == "blocked403" and x.get("verdict") == "block")
    assert (blocked["rule"], blocked["clause"], blocked["policy"]) == ("few", "1 Fair Use", "road@7")
    cdrs = [row for row in switch.cdr_path.read_text().splitlines() if '"blocked403"' in row]
    assert any(f"live;block:21:0:0:few.critical:{blocked['decision']}" in row for row in cdrs)


async def test_blocked_call_is_declined_with_the_rules_own_code(running, calls) -> None:
    assert (await calls("blocked603")).codes == {603: 1}


async def test_blocked_calls_feed_no_counter(running, calls) -> None:
    await calls("lifted", count=5, rate=5)
    usage = await running.json("usage", "lifted")
    (outbound,) = [row for row in usage["totals"] if row["direction"] == "outbound"]
    assert (outbound["attempts"], outbound["blocked"]) == (2, 3)


async def test_mode_set_on_the_command_line_holds_for_the_next_call(running, calls) -> None:
    await calls("lifted", count=3, rate=5)
    await running.command("mode", "set", "tag", "--account", "lifted", "--reason", "customer called")
    await running.line(lambda x: x.get("event") == "took over changes")
    assert (await calls("lifted")).codes == {200: 1}
    assert running.decisions(account="lifted")[-1]["would_be"] == "block"


async def test_fast_calls_are_held_in_order_and_the_rest_shed(running, calls, far_end) -> None:
    before = len(far_end.invites())
    outcome = await calls("paced", count=6, rate=60)
    assert outcome.codes == {200: 4, 503: 2}
    arrived = [i.at for i in far_end.invites()[before:]]
    assert arrived[2] - arrived[0] >= 0.95      # two in any second, so the third a second after the first
    assert arrived[3] - arrived[1] >= 0.95


async def test_concurrent_calls_over_the_limit_are_shed(running, calls) -> None:
    assert (await calls("narrow", count=5, rate=50, talk=1.0)).codes == {200: 3, 503: 2}


async def test_minutes_left_end_the_call_even_if_the_enforcer_is_dead_by_then(running, calls) -> None:
    started = asyncio.create_task(calls("brief", talk=20.0, within=30.0))
    await running.line(lambda x: x.get("account") == "brief" and x.get("max_duration") == 1)
    running.kill()
    assert (await started).codes == {200: 1}        # and it is over after one second, not after twenty


async def test_live_call_is_hung_up_when_its_rule_says_so(running, calls) -> None:
    await running.command("mode", "set", "monitor", "--account", "endless", "--reason", "no cap")
    await running.line(lambda x: x.get("event") == "took over changes")
    talking = asyncio.create_task(calls("endless", talk=60.0, within=30.0))
    await running.line(lambda x: x.get("account") == "endless" and x.get("verdict") == "allow")
    await running.command("mode", "set", "block", "--account", "endless", "--reason", "enough")
    assert (await talking).codes == {200: 1}        # and it is over long before its sixty seconds
    assert running.decisions(account="endless", rule="overrun", verdict="block")


async def test_call_transferred_to_emergency_is_not_hung_up(running, calls, far_end, switch) -> None:
    await running.command("mode", "set", "monitor", "--account", "endless", "--reason", "no cap")
    await running.line(lambda x: x.get("event") == "took over changes")
    before = len(running.decisions(account="endless"))
    talking = asyncio.create_task(calls("endless", number="12025550177", talk=6.0, within=30.0))
    async with switch.ami() as ami:
        await running.line(lambda x: x.get("number") == "12025550177")
        legs = await _until_two_legs(ami)
        (trunk,) = [leg for leg in legs if "carrier" in leg]
        await ami.action("BlindTransfer", Channel=trunk, Context="from-accounts", Exten="911")
    await running.command("mode", "set", "block", "--account", "endless", "--reason", "enough")
    await running.line(lambda x: x.get("event") == "not hung up: the call dialled again")
    assert (await talking).failed == 0          # the caller hung up, after six seconds
    assert far_end.invites("911")
    assert len(running.decisions(account="endless")) > before


async def test_ratio_blocks_a_dialler_and_spares_nobody_else(running, calls) -> None:
    outcome = await calls("dialler", number="12025550486", count=6, rate=6)
    assert outcome.codes == {486: 4, 403: 2}


async def test_account_far_from_limits_is_leased_and_counted_all_the_same(running, calls, switch) -> None:
    await calls("leased")
    async with switch.ami() as ami:
        await _until(lambda: _database(ami, "lease/leased"), True)
        await calls("leased", count=4, rate=10)
        assert len(running.decisions(account="leased")) == 1        # the others did not ask
        await calls("leased", count=2)                              # the seventh leaves 49 of headroom
        await _until(lambda: _database(ami, "lease/leased"), False)
    usage = await running.json("usage", "leased")
    assert sum(row["attempts"] for row in usage["totals"]) == 7


async def test_packs_are_read_again_on_sighup_all_or_nothing(running, calls) -> None:
    pack = running.directory / "policy.toml"
    good = pack.read_text()
    try:
        pack.write_text(good.replace('revision = "7"', 'revision = "8"').replace("at = 56", "at = 56.5"))
        os.kill(running.pid, signal.SIGHUP)
        refused = await running.line(lambda x: x.get("event") == "policy not reloaded")
        assert "policy.toml:" in refused["problem"]
        pack.write_text(good.replace('revision = "7"', 'revision = "8"').replace("at = 0,", "at = 1,"))
        os.kill(running.pid, signal.SIGHUP)
        await running.line(lambda x: x.get("event") == "policy reloaded")
        assert (await calls("blocked603", count=2, rate=2)).codes == {200: 1, 603: 1}
        assert running.decisions(account="blocked603")[-1]["policy"] == "road@8"
    finally:
        pack.write_text(good)
        os.kill(running.pid, signal.SIGHUP)
    await running.line(lambda x: x.get("event") == "policy reloaded" and x.get("policy") == "road@7")


async def test_suspended_account_is_refused_until_resumed(running, calls) -> None:
    await running.command("account", "suspend", "suspended", "--reason", "unpaid")
    await running.line(lambda x: x.get("event") == "took over changes")
    assert (await calls("suspended")).codes == {403: 1}
    assert (await calls("suspended", number="911")).codes == {200: 1}


@pytest.mark.parametrize("fate", ["frozen", "killed"])
async def test_calls_go_on_without_the_enforcer(running, calls, fate) -> None:
    if fate == "frozen":
        freeze(running.pid)
    else:
        running.kill()
    outcome, emergency = await asyncio.gather(calls("free", count=2), calls("free", number="911", count=2))
    assert outcome.codes == {200: 2}
    assert emergency.codes == {200: 2}
    assert max(outcome.setup_ms) < 3000     # the deadline is 0.3 s; a call that hangs takes far longer


async def test_rule_that_fails_closed_refuses_while_nobody_can_be_asked(running, calls, switch) -> None:
    async with switch.ami() as ami:
        await _until(lambda: _database(ami, "word/closed"), True)
    running.kill()
    assert (await calls("closed")).codes == {503: 1}
    assert (await calls("closed", number="911")).codes == {200: 1}


async def test_brake_holds_exactly_while_the_enforcer_is_dead(running, calls, switch) -> None:
    async with switch.ami() as ami:
        await _until(lambda: _database(ami, "brake/narrow"), True)
        running.kill()
        await ami.action("DBDel", Family="enforcer", Key="hb")
        assert (await calls("narrow", count=6, rate=60, talk=1.0)).codes == {200: 3, 503: 3}


async def test_suspended_account_stays_stopped_while_the_enforcer_is_dead(running, calls, switch) -> None:
    await running.command("account", "suspend", "leased", "--reason", "unpaid")
    async with switch.ami() as ami:
        await _until(lambda: _database(ami, "word/leased"), True)
        running.kill()
        await ami.action("DBDel", Family="enforcer", Key="hb")
    assert (await calls("leased")).codes == {403: 1}
    assert (await calls("leased", number="911")).codes == {200: 1}
    await running.command("account", "resume", "leased")


async def test_brake_that_an_enforcer_before_us_left_is_taken_away(running, calls, switch) -> None:
    running.kill()
    async with switch.ami() as ami:
        await ami.action("DBPut", Family="enforcer", Key="brake/free", Val="9999999999:1:1")
        await running.start()
        await _until(lambda: _database(ami, "brake/free"), False)
        await _until(lambda: _database(ami, "brake/narrow"), True)


async def test_counters_equal_the_cdrs_after_a_kill_under_load(running, calls, switch, far_end) -> None:
    before = len(far_end.invites())
    load = asyncio.create_task(calls("free", count=60, rate=30, talk=0.3))
    async with asyncio.timeout(10):
        while len(far_end.invites()) < before + 20:  # noqa: ASYNC110 - the middle of it
            await asyncio.sleep(0.02)
    running.kill()
    await load
    await running.start()
    await running.command("cdr", "import", str(switch.cdr_path), "--switch", "pbx1")
    usage = await running.json("usage", "free")
    with switch.cdr_path.open(newline="") as file:
        rows = [row for row in csv.reader(file) if row[0] == "free"]
    ordinary = {row[16] for row in rows if row[2] != "911"}
    assert sum(row["attempts"] for row in usage["totals"]) == len(ordinary)
    await running.command("verify")


async def _database(ami, key: str) -> bool:
    found = await ami.command(f"database get enforcer {key}")
    return "Value" in found


async def _until_two_legs(ami) -> list[str]:
    """The channels of the one call that is up, once both of its legs are."""
    async with asyncio.timeout(10):
        while True:
            listing = await ami.listing("Status")
            up = [m["Channel"] for m in listing if m.get("ChannelStateDesc") == "Up"]
            legs = [channel for channel in up if channel.startswith("PJSIP/")]
            if len(legs) == 2:
                return legs
            await asyncio.sleep(0.05)


async def _until(ask, wanted: bool, within: float = 10.0) -> None:
    """Wait until the switch says so: what is written there is written by rounds, every two seconds."""
    async with asyncio.timeout(within):
        while await ask() is not wanted:    # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(0.05)
