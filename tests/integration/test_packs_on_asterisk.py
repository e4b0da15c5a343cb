"""Both shipped packs on a real Asterisk: an account's past from CDRs, then real calls that tip it over, until
they are tagged, slowed, noticed, refused, and settled.

The packs are in force as they are shipped, but for the time of grace, which is a second instead of a week.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enforcer.domain.cycle import BillingCycle
from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.provision import Provisioned
from lab.sipp import Call, Callee, Outcome, place
from tests.support.cdr_rows import row, rows
from tests.support.receivers import HttpReceiver
from tests.support.standing import standing

POLICIES = Path(__file__).parents[2] / "policies"
# Their cycles begin about two weeks from now, whatever the day: no test straddles two.
ANCHOR = (datetime.now(UTC).day + 14) % 28 + 1
CYCLES = BillingCycle(ANCHOR, "UTC")
NAMES = ("dialler", "scanner", "stalker", "spender", "talker", "caller")
ACCOUNTS = "".join(f"{name},{name}-co,pbx,,flat,{ANCHOR},UTC\n" for name in NAMES)


@pytest.fixture(scope="module")
def switch(lab_parts: Mapping[str, Provisioned]) -> Iterator[Asterisk]:
    yield from standing(Asterisk(lab_parts["asterisk"], accounts=NAMES))


@pytest.fixture(scope="module")
def far_end(switch: Asterisk, lab_parts: Mapping[str, Provisioned]) -> Iterator[Callee]:
    yield from standing(Callee(lab_parts["sipp"], switch.carrier_port, messages=True))


@pytest.fixture(scope="module")
def running(
    switch: Asterisk, far_end: Callee, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Enforcer]:
    texts = [(POLICIES / name).read_text("utf-8") for name in ("ip2call.toml", "247voip.toml")]
    texts[1] = texts[1].replace('grace = "7d"', "grace = 1")
    yield from standing(Enforcer(tmp_path_factory.mktemp("packs"), switch, texts, accounts=ACCOUNTS))


@pytest.fixture
def calls(switch: Asterisk, lab_parts: Mapping[str, Provisioned]) -> Callable[..., Awaitable[Outcome]]:
    async def run(account: str, *numbers: str, rate: float = 10.0) -> Outcome:
        batch = [Call(account, number) for number in numbers]
        return await place(lab_parts["sipp"], switch.sip_address, batch, rate=rate)

    return run


async def past(enforcer: Enforcer, text: str) -> None:
    """Import rows of a Master.csv, and wait until the running enforcer counts them."""
    file = enforcer.directory / "Master.csv"
    file.write_text(text)
    taken = _taken(enforcer)
    await enforcer.command("cdr", "import", str(file), "--switch", "pbx1")
    await until(lambda: _taken(enforcer) > taken)


async def until(there: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    async with asyncio.timeout(20):
        while not there():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _taken(enforcer: Enforcer) -> int:
    return sum(line.get("event") == "took over changes" for line in enforcer.lines())


async def test_ratio_tags_then_slows_a_dialler(running, calls, far_end) -> None:
    """95 attempts of which 30 completed: with a hundred the sample is large enough, with 120 it is 4 x 30.
    A call that still rings is in neither, so it is the next one that is tagged."""
    await past(running, rows("dialler", time.time() - 3600, [60] * 30 + [0] * 65))
    busy = "12025550486"
    assert (await calls("dialler", *[busy] * 6, rate=2)).codes == {486: 6}
    tags = [invite.header("X-Enforcer-Tag") for invite in far_end.invites(busy)]
    assert tags == [None] * 5 + ["asr.warning"]
    await calls("dialler", *[busy] * 19, rate=4)
    outcome = await calls("dialler", *[busy] * 10, rate=40)
    assert outcome.codes[503] >= 6                      # one a second goes, two wait for their turn
    assert sum(outcome.codes.values()) == 10
    throttled = running.decisions(account="dialler", rule="asr", verdict="throttle")
    assert throttled[0]["clause"] == "Answer to Seizure Ratio (ASR)"
    assert throttled[0]["policy"].startswith("ip2call@")
    usage = await running.json("usage", "dialler")
    (outbound,) = [row for row in usage["totals"] if row["direction"] == "outbound"]
    assert outbound["shed"] == outcome.codes[503]       # what was shed is in no ratio


async def test_numbers_dialled_in_a_row_are_tagged_with_their_evidence(running, calls, far_end) -> None:
    numbers = [f"1202555{n:04}" for n in range(3100, 3140)]
    outcome = await calls("scanner", *numbers, rate=4)      # no faster: `shared.cps` would hold them
    assert outcome.codes == {200: 40}
    tags = [invite.header("X-Enforcer-Tag") or "" for n in numbers for invite in far_end.invites(n)]
    tagged = ["harvesting.sequence.warning" in tag for tag in tags]
    # Forty numbers have 39 neighbours, and 30 are fine; a busy machine lets a call overtake another.
    assert tagged[-1]
    assert sum(tagged) in (8, 9, 10)
    assert not any(tagged[:25])


async def test_one_number_again_and_again_is_tagged(running, calls, far_end) -> None:
    victim = "12025550166"
    await past(running, rows("stalker", time.time() - 7200, [20] * 30, victim))
    assert (await calls("stalker", victim)).codes == {200: 1}
    (invite,) = far_end.invites(victim)
    assert "harassment.same-number.warning" in (invite.header("X-Enforcer-Tag") or "")


async def test_closed_cycle_is_settled_with_its_charge(running) -> None:
    """Eight attempts, two completed: 8 >= 4 x 2, and 5.999 s would not have helped."""
    before = CYCLES.at(CYCLES.at(time.time()).start - 1)
    await past(running, rows("spender", before.start + 86_400, [6, 5, 60, 0, 0, 0, 0, 0]))
    settled = await running.json("settle", "--cycle", before.label, "--customer", "spender-co")
    (ratio,) = [row for row in settled if row["rule"] == "asr"]
    assert (ratio["attempts"], ratio["completed"], ratio["breached"]) == (8, 2, True)
    assert (ratio["value"], ratio["charge"], ratio["currency"]) == ("4", "0.04", "USD")
    assert await running.json("settle", "--cycle", before.label, "--customer", "spender-co") == settled


async def test_nobody_is_refused_for_unfair_use_before_the_notice_has_arrived(running, calls) -> None:
    """7,250 minutes, more than twice what is fair: the call goes, the notice goes out, then no more calls."""
    now = CYCLES.at(time.time())
    async with HttpReceiver() as post:
        taken = _taken(running)
        await running.command("customer", "set", "talker-co", "--contact", post.url)
        await until(lambda: _taken(running) > taken)
        await past(running, "".join(
            row("talker", now.start + 43_200.0 * n, 43_500, f"1312555{n * 7:04}") for n in range(10)
        ))
        assert (await calls("talker", "12025550171")).codes == {200: 1}
        (first,) = running.decisions(account="talker")
        assert first["verdict"] == "tag"
        assert "would_be" not in first      # not even in mode `block`: nobody was told yet
        await until(lambda: any("7200" in json.dumps(one) for one in post.posts))
    told = [n for n in await running.json("notice", "list", "--customer", "talker-co")
            if n["rule"] == "fair-use.minutes-twice" and n["audience"] == "customer"]
    assert len(told) == 1
    async with asyncio.timeout(20):         # a second of grace after the delivery was put on record
        while (await calls("talker", "12025550172")).codes != {403: 1}:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    refused = running.decisions(account="talker", verdict="block")[0]
    assert (refused["rule"], refused["clause"]) == ("fair-use.minutes-twice", "1. Fair Use")
    assert (await calls("talker", "911")).codes == {200: 1}
    listed = await running.json("interruptions", "--cycle", now.label, "--account", "talker")
    (lost,) = listed["interruptions"]
    assert (lost["rule"], lost["blocked"]) == ("fair-use.minutes-twice", 1)


async def test_nobody_is_called_who_opted_out(running, calls) -> None:
    taken = _taken(running)
    await running.command("optout", "add", "+1 202 555 0173", "--account", "caller", "--reason", "by letter")
    await until(lambda: _taken(running) > taken)
    outcome = await calls("caller", "12025550173", "2025550173", "12025550174", rate=2)
    assert outcome.codes == {403: 2, 200: 1}
    assert {one["rule"] for one in running.decisions(account="caller", verdict="block")} == {"unsolicited"}
    await running.command("optout", "remove", "+12025550173", "--account", "caller")
    await until(lambda: _taken(running) > taken + 1)
    assert (await calls("caller", "12025550173")).codes == {200: 1}


async def test_all_of_it_is_on_record_and_proved(running) -> None:
    cycle = CYCLES.at(time.time()).label
    bundle = running.directory / "talker.zip"
    await running.command("evidence", "talker", "--cycle", cycle, "--out", str(bundle))
    await running.command("evidence", "--check", str(bundle))
    await running.command("verify")
