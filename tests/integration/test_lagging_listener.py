"""A listener that cannot follow a real Asterisk: it finds out by itself, lets go, comes back and reads the
live calls anew, and no caller notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from enforcer.domain.actions import Action
from enforcer.domain.call import CallAttempt, CallEvent
from enforcer.domain.decision import Decision
from enforcer.switch import lateness
from enforcer.switch.ami import AmiLink
from enforcer.switch.ami_session import Peer
from enforcer.wire.channel import Identity
from lab.asterisk import Asterisk
from lab.provision import Provisioned
from lab.sipp import Call, Callee, place


class TooSlow:
    """Takes 40 ms of CPU for every event: with three events a call it can follow 8 calls a second."""

    def __init__(self) -> None:
        self.slow = True
        self.events: list[CallEvent] = []

    def observe(self, event: CallEvent) -> list[Action]:
        self.events.append(event)
        until = time.monotonic() + 0.04 * self.slow
        while time.monotonic() < until:
            pass
        return []

    def admit(self, attempt: CallAttempt) -> Decision:
        raise AssertionError("the hook is out of the way here")

    wrote = named = observe

    def nothing(self, *_: object) -> list[Action]:
        return []

    round = everything = urgent = nothing

    def heard(self, attempt: CallAttempt, words: str, at: float) -> None:
        raise AssertionError("nobody writes here")


async def test_a_listener_that_lags_lets_go_comes_back_and_no_caller_notices(
    lab_parts: Mapping[str, Provisioned], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lateness, "LATE", 0.8)
    monkeypatch.setattr(lateness, "CATCHING_UP", 0.4)
    judge, sipp = TooSlow(), lab_parts["sipp"]
    with capture_logs() as lines:
        async with Asterisk(lab_parts["asterisk"], hook=False) as switch, Callee(sipp, switch.carrier_port):
            peer = Peer("127.0.0.1", switch.ami_port, "enforcer", switch.secret)
            link = AmiLink(peer, Identity("pbx1"), judge, jitter=lambda: 0.0)
            running = asyncio.create_task(link.run(), name="link under test")
            calls, help_ = [Call("acme", "12025550142")] * 120, [Call("globex", "911")] * 6
            try:
                async with asyncio.TaskGroup() as tasks:
                    load = tasks.create_task(place(sipp, switch.sip_address, calls, rate=20))
                    emergency = tasks.create_task(place(sipp, switch.sip_address, help_, rate=1))
                assert link.state().connects > 1, "it went on reading what was long over"
                judge.slow = False
                async with asyncio.timeout(20):
                    while not (link.state().level and link.state().live_calls == 0):    # noqa: ASYNC110
                        await asyncio.sleep(0.05)
            finally:
                running.cancel()
                await asyncio.wait((running,))
            assert load.result().codes == {200: 120}
            assert emergency.result().codes == {200: 6}
            assert not emergency.result().retransmissions
            assert "queue reached" not in switch.log_text()
    assert any("late: let go" in line.get("problem", "") for line in lines)
