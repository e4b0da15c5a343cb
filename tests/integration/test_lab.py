"""The lab itself: before it proves anything about the enforcer, it has to be right about plain calls."""

from __future__ import annotations

import asyncio
import csv
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from lab.asterisk import Asterisk
from lab.process import LabFailed, freeze, thaw
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place
from tests.support.standing import standing


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


REFUSE_ALL = "[enforcer]\nexten => s,1,Hangup(21)\n"
"""A hook that lets nothing pass: whatever still gets through did not ask it."""


@pytest.fixture(scope="module")
def plain(lab_parts: Mapping[str, Provisioned]) -> Iterator[Asterisk]:
    """A switch whose hook does nothing."""
    yield from standing(Asterisk(lab_parts["asterisk"], hook=False, accounts=["hooli"]))


@pytest.fixture
async def far_end(plain: Asterisk, lab_parts: Mapping[str, Provisioned]) -> AsyncIterator[Callee]:
    async with Callee(lab_parts["sipp"], plain.carrier_port, messages=True) as callee:
        yield callee


def cdrs(switch: Asterisk) -> list[list[str]]:
    with switch.cdr_path.open(newline="") as handle:
        return list(csv.reader(handle))


async def test_answered_call_leaves_a_cdr(
    plain: Asterisk, far_end: Callee, lab_parts: Mapping[str, Provisioned]
) -> None:
    async with plain.ami() as ami:
        outcome = await place(lab_parts["sipp"], plain.sip_address, [Call("acme", "12025550142")])
        ended = await ami.event("Hangup", AccountCode="acme", where=lambda m: m["Uniqueid"] == m["Linkedid"])
    assert outcome.codes == {200: 1}
    assert outcome.failed == 0
    row = next(row for row in cdrs(plain) if row[16] == ended["Uniqueid"])
    assert (row[0], row[2], row[14]) == ("acme", "12025550142", "ANSWERED")


@pytest.mark.parametrize(
    ("number", "code"),
    [("1202555404", 404), ("1202555486", 486), ("1202555503", 503), ("1202555603", 403), ("1202555200", 200)],
)
async def test_far_end_does_as_the_number_says(
    plain: Asterisk, far_end: Callee, lab_parts: Mapping[str, Provisioned], number: str, code: int
) -> None:
    calls = [Call("globex", number, talk=5)]
    outcome = await place(lab_parts["sipp"], plain.sip_address, calls, messages=True)
    assert outcome.codes == {code: 1}
    assert [message.code for message in outcome.final(number)] == [code]
    assert [invite.number for invite in far_end.invites(number)] == [number]


async def test_caller_who_gives_up_is_let_go(
    plain: Asterisk, far_end: Callee, lab_parts: Mapping[str, Provisioned]
) -> None:
    calls = [Call("initech", "1202555180", talk=0.1)]
    outcome = await place(lab_parts["sipp"], plain.sip_address, calls, scenario="caller_gives_up")
    assert outcome.codes == {487: 1}


async def test_number_nobody_has_is_answered_by_the_switch_with_404(
    plain: Asterisk, lab_parts: Mapping[str, Provisioned]
) -> None:
    outcome = await place(lab_parts["sipp"], plain.sip_address, [Call("acme", "nonsense")])
    assert outcome.codes == {404: 1}


async def test_account_nobody_knows_is_refused(
    plain: Asterisk, lab_parts: Mapping[str, Provisioned]
) -> None:
    outcome = await place(lab_parts["sipp"], plain.sip_address, [Call("stranger", "12025550142")])
    assert outcome.codes == {401: 1}


async def test_named_extra_account_can_call(
    plain: Asterisk, far_end: Callee, lab_parts: Mapping[str, Provisioned]
) -> None:
    outcome = await place(lab_parts["sipp"], plain.sip_address, [Call("hooli", "12025550142")])
    assert outcome.codes == {200: 1}


async def test_many_calls_are_counted_without_loss(
    plain: Asterisk, far_end: Callee, lab_parts: Mapping[str, Provisioned]
) -> None:
    calls = [Call("umbrella", f"1202555{1000 + serial}") for serial in range(40)]
    outcome = await place(lab_parts["sipp"], plain.sip_address, calls, rate=40)
    assert outcome.placed == 40
    assert outcome.codes == {200: 40}
    assert len(outcome.setup_ms) == 40
    assert outcome.retransmissions == 0


async def test_inbound_call_reaches_the_account_and_belongs_to_it(
    plain: Asterisk, lab_parts: Mapping[str, Provisioned]
) -> None:
    async with Callee(lab_parts["sipp"], plain.phones_port, messages=True) as phones, plain.ami() as ami:
        outcome = await place(lab_parts["sipp"], plain.sip_address, [Call("carrier", "12025550102")])
        ended = await ami.event("Hangup", Context="from-trunk", Exten="12025550102")
        assert [invite.number for invite in phones.invites()] == ["globex"]
    assert outcome.codes == {200: 1}
    assert ended["AccountCode"] == "globex"
    row = next(row for row in cdrs(plain) if row[16] == ended["Uniqueid"])
    assert row[:4] == ["globex", "carrier", "12025550102", "from-trunk"]


@pytest.mark.parametrize("number", ["112", "911", "933"])
async def test_emergency_number_reaches_the_trunk_without_the_hook(
    lab_parts: Mapping[str, Provisioned], number: str
) -> None:
    async with (
        Asterisk(lab_parts["asterisk"], hook=False, files={"enforcer.conf": REFUSE_ALL}) as switch,
        Callee(lab_parts["sipp"], switch.carrier_port, messages=True) as trunk,
    ):
        calls = [Call("acme", "12025550142"), Call("acme", number)]
        outcome = await place(lab_parts["sipp"], switch.sip_address, calls)
        assert outcome.codes == {403: 1, 200: 1}
        assert [invite.number for invite in trunk.invites()] == [number]


async def test_manager_tells_the_enforcer_only_what_it_needs(
    plain: Asterisk, far_end: Callee, lab_parts: Mapping[str, Provisioned]
) -> None:
    async with plain.ami("enforcer") as ami:
        await place(lab_parts["sipp"], plain.sip_address, [Call("acme", "12025550142")])
        await ami.event("Hangup", where=lambda m: m["Uniqueid"] == m["Linkedid"])
        seen = {message["Event"] for message in ami.events}
        refused = await ami.action("Command", Command="core show channels")
        status = await ami.listing("Status")
    assert seen == {"FullyBooted", "Newchannel", "Newstate", "Hangup"}
    assert refused["Response"] == "Error"
    assert status == []


async def test_switch_restarts_on_the_same_ports_and_keeps_its_cdrs(
    lab_parts: Mapping[str, Provisioned],
) -> None:
    async with Asterisk(lab_parts["asterisk"], hook=False) as switch:
        async with Callee(lab_parts["sipp"], switch.carrier_port), switch.ami() as ami:
            await place(lab_parts["sipp"], switch.sip_address, [Call("acme", "12025550142")])
            await ami.event("Hangup", AccountCode="acme")
        first = switch.pid
        await switch.stop()
        await switch.start()
        assert switch.pid != first
        assert [row[2] for row in cdrs(switch)] == ["12025550142"]


async def test_frozen_switch_is_silent_and_thaws(lab_parts: Mapping[str, Provisioned]) -> None:
    async with Asterisk(lab_parts["asterisk"], hook=False) as switch, switch.ami() as ami:
        freeze(switch.pid)
        with pytest.raises(TimeoutError):
            await ami.action("Ping", within=0.2)
        thaw(switch.pid)
        assert (await ami.action("Ping"))["Response"] == "Success"


async def test_wrong_password_is_a_clear_refusal(plain: Asterisk) -> None:
    session = plain.ami("enforcer")
    session._login = ("enforcer", "wrong")
    with pytest.raises(LabFailed, match="login of enforcer was refused"):
        await session.connect()


async def test_nothing_is_left_running_nor_lying_about(lab_parts: Mapping[str, Provisioned]) -> None:
    async with (
        Asterisk(lab_parts["asterisk"], hook=False) as switch,
        Callee(lab_parts["sipp"], switch.carrier_port) as callee,
    ):
        pids = [switch.pid, callee.pid]
        directory = switch.directory
        assert all(exists(pid) for pid in pids)
    assert not any(exists(pid) for pid in pids)
    assert not directory.exists()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", switch.sip_port))


async def test_cancelled_in_the_middle_it_leaves_nothing_running(
    lab_parts: Mapping[str, Provisioned],
) -> None:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def hold() -> None:
        async with Asterisk(lab_parts["asterisk"], hook=False) as switch:
            started.set_result(switch.pid)
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    pid = await started
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not exists(pid)


async def test_hooked_switch_boots_without_complaint_and_lets_calls_pass_with_nobody_there(
    asterisk: Asterisk, carrier: Callee, lab_parts: Mapping[str, Provisioned]
) -> None:
    calls = [Call("acme", "12025550142"), Call("acme", "112")]
    outcome = await place(lab_parts["sipp"], asterisk.sip_address, calls)
    assert outcome.codes == {200: 2}
    lines = asterisk.log_text().splitlines()
    assert [line for line in lines if " ERROR[" in line or " WARNING[" in line] == []
