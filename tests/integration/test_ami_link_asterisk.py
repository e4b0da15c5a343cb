"""The AMI link on a real Asterisk: what it sees, what it answers, and how it comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC

import pytest

from enforcer.domain.actions import Action, GrantLease, HangUp, LimitDuration, SetBrake
from enforcer.domain.call import (
    CallAttempt,
    CallEvent,
    CallRecord,
    Direction,
    NumberClass,
    Phase,
    Refusal,
    Source,
)
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.joining import merged
from enforcer.errors import LinkError
from enforcer.switch.ami import AmiLink, Deadlines
from enforcer.switch.ami_session import Peer, open_session
from enforcer.wire.cdr_csv import read_rows
from enforcer.wire.channel import Identity
from lab.asterisk import Asterisk
from lab.process import freeze, thaw
from lab.provision import Provisioned
from lab.sipp import Call, Callee, Outcome, place

IDENTITY = Identity("pbx1")
SOON = 15.0


class Judge:
    """Stands where Admission will; what it says is `verdict` for everybody."""

    def __init__(self, verdict: Verdict = Verdict.ALLOW) -> None:
        self.verdict = verdict
        self.asked: list[CallAttempt] = []
        self.events: list[CallEvent] = []
        self.standing: list[Action] = []
        self.rounds = 0
        self._news = asyncio.Event()

    def admit(self, attempt: CallAttempt) -> Decision:
        self.asked.append(attempt)
        self._news.set()
        return Decision(
            f"d1-{len(self.asked)}", attempt.at, attempt.call_id, attempt.switch, attempt.account,
            attempt.number, attempt.direction, self.verdict, self.verdict,
            sip_code=403 if self.verdict is Verdict.BLOCK else 0, shed=self.verdict is Verdict.THROTTLE,
        )  # fmt: skip

    def observe(self, event: CallEvent) -> list[Action]:
        self.events.append(event)
        self._news.set()
        return []

    def round(self, switch: str, at: float) -> list[Action]:
        self.rounds += 1
        self._news.set()
        return []

    def everything(self, switch: str, at: float) -> list[Action]:
        self._news.set()
        return self.standing

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(SOON):
            while not seen():
                self._news.clear()
                await self._news.wait()

    def phases(self, phase: Phase) -> list[CallEvent]:
        return [event for event in self.events if event.phase is phase]


@asynccontextmanager
async def linked(asterisk: Asterisk, judge: Judge, user: str = "enforcer") -> AsyncIterator[AmiLink]:
    link = AmiLink(
        Peer("127.0.0.1", asterisk.ami_port, user, asterisk.secret), IDENTITY, judge,
        deadlines=Deadlines(pong=0.5, first_retry=0.05, longest_retry=0.2),
    )  # fmt: skip
    task = asyncio.create_task(link.run(), name="link under test")
    try:
        await judge.until(lambda: link.state().level)
        yield link
    finally:
        task.cancel()
        await asyncio.wait((task,))


@pytest.fixture
def dial(
    asterisk: Asterisk, carrier: Callee, lab_parts: Mapping[str, Provisioned]
) -> Callable[..., asyncio.Task[Outcome]]:
    def place_one(number: str, talk: float = 0.1, scenario: str = "caller") -> asyncio.Task[Outcome]:
        calls = [Call("acme", number, talk)]
        placing = place(
            lab_parts["sipp"], asterisk.sip_address, calls, messages=True, scenario=scenario
        )
        return asyncio.create_task(placing, name="SIPp")

    return place_one


Dial = Callable[..., asyncio.Task[Outcome]]


async def test_an_allowed_call_is_asked_about_counted_and_timed(asterisk: Asterisk, dial: Dial) -> None:
    judge = Judge()
    async with linked(asterisk, judge):
        outcome = await dial("12025550142", talk=0.5)
        await judge.until(lambda: bool(judge.phases(Phase.ENDED)))
    assert outcome.codes == {200: 1}
    (attempt,) = judge.asked
    assert (attempt.account, attempt.number) == ("acme", "12025550142")
    assert attempt.direction is Direction.OUTBOUND
    assert [event.phase for event in judge.events] == [Phase.STARTED, Phase.ANSWERED, Phase.ENDED]
    ending = judge.events[-1]
    assert ending.attempt.call_id == attempt.call_id
    assert (ending.hangup_cause, ending.refusal, ending.attempt.route) == (16, Refusal.NONE, "carrier")
    assert ending.answered_at is not None
    assert ending.at - ending.answered_at == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize(
    ("verdict", "code", "refusal"),
    [(Verdict.BLOCK, 403, Refusal.BLOCKED), (Verdict.THROTTLE, 503, Refusal.SHED)],
)
async def test_a_refused_call_ends_with_our_code_and_is_known_as_ours(
    asterisk: Asterisk, dial: Dial, verdict: Verdict, code: int, refusal: Refusal
) -> None:
    judge = Judge(verdict)
    async with linked(asterisk, judge):
        outcome = await dial("12025550143")
        await judge.until(lambda: bool(judge.phases(Phase.ENDED)))
    assert outcome.codes == {code: 1}
    (ending,) = judge.phases(Phase.ENDED)
    assert (ending.refusal, ending.sip_code, ending.answered_at) == (refusal, code, None)


async def test_a_busy_callee_is_no_refusal_of_ours(asterisk: Asterisk, dial: Dial) -> None:
    judge = Judge()
    async with linked(asterisk, judge):
        await dial("1202555486")
        await judge.until(lambda: bool(judge.phases(Phase.ENDED)))
    (ending,) = judge.phases(Phase.ENDED)
    assert (ending.hangup_cause, ending.sip_code, ending.refusal) == (17, 486, Refusal.WENT)


async def test_an_inbound_call_belongs_to_the_account_called(
    asterisk: Asterisk, phones: Callee, lab_parts: Mapping[str, Provisioned]
) -> None:
    judge = Judge()
    async with linked(asterisk, judge):
        calls = [Call("carrier", "12025550102", 0.2)]
        outcome = await place(lab_parts["sipp"], asterisk.sip_address, calls)
        await judge.until(lambda: bool(judge.phases(Phase.ENDED)))
    assert outcome.codes == {200: 1}
    (attempt,) = judge.asked
    assert (attempt.account, attempt.direction) == ("globex", Direction.INBOUND)
    assert (attempt.number, attempt.route) == ("12025550102", "carrier")
    started, *later = judge.events
    assert started.attempt.account == "", "the switch does not know yet"
    assert {event.attempt.account for event in later} == {"globex"}


async def test_a_real_switch_refuses_a_wrong_password(asterisk: Asterisk) -> None:
    peer = Peer("127.0.0.1", asterisk.ami_port, "enforcer", "wrong-one")
    with pytest.raises(LinkError, match=r"enforcer@127\.0\.0\.1:.*Login was refused") as caught:
        await open_session(peer, lambda _session, _message: None, time.time, within=5)
    assert "wrong-one" not in str(caught.value)


async def test_an_emergency_call_is_counted_and_never_asked_about(asterisk: Asterisk, dial: Dial) -> None:
    judge = Judge(Verdict.BLOCK)
    async with linked(asterisk, judge):
        outcome = await dial("911")
        await judge.until(lambda: bool(judge.phases(Phase.ENDED)))
    assert outcome.codes == {200: 1}
    assert judge.asked == []
    assert judge.events[0].attempt.number == "911"


async def originate(asterisk: Asterisk, **headers: str) -> None:
    """The switch places a call by itself, as click-to-call and dialler programs make it."""
    async with asterisk.ami() as operator:
        await operator.action("Originate", Async="true", Account="acme", **headers)


@pytest.mark.parametrize("verdict", [Verdict.ALLOW, Verdict.BLOCK])
async def test_a_call_through_a_local_channel_is_asked_about_and_timed(
    asterisk: Asterisk, carrier: Callee, verdict: Verdict
) -> None:
    judge, number = Judge(verdict), f"1202555{verdict.value}200"
    async with linked(asterisk, judge):
        await originate(asterisk, Channel=f"Local/{number}@from-accounts", Application="Wait", Data="2")
        await judge.until(lambda: bool(judge.phases(Phase.ENDED)))
    (attempt,) = judge.asked
    assert (attempt.account, attempt.number) == ("acme", number)
    (ending,) = judge.phases(Phase.ENDED)
    assert ending.attempt.call_id == attempt.call_id
    allowed = verdict is Verdict.ALLOW
    assert (ending.answered_at is not None) == allowed
    assert ending.refusal is (Refusal.NONE if allowed else Refusal.BLOCKED)
    assert len(carrier.invites(number)) == allowed


async def test_a_call_of_the_switch_itself_is_counted_when_it_asks(
    asterisk: Asterisk, carrier: Callee
) -> None:
    judge = Judge()
    async with linked(asterisk, judge):
        there = {"Context": "from-accounts", "Exten": "1202555200", "Priority": "1"}
        await originate(asterisk, Channel="PJSIP/12025550145@carrier", **there)
        await judge.until(lambda: bool(judge.phases(Phase.ENDED)))
    (attempt,) = judge.asked
    assert (attempt.account, attempt.number) == ("acme", "1202555200")
    assert [event.phase for event in judge.events] == [Phase.ANSWERED, Phase.ENDED]


async def test_a_live_call_is_hung_up_or_capped(asterisk: Asterisk, dial: Dial) -> None:
    for make in (
        lambda attempt: HangUp(attempt.call_id, attempt.channel, 21),
        lambda attempt: LimitDuration(attempt.call_id, attempt.channel, 1),
    ):
        judge = Judge()
        async with linked(asterisk, judge) as link:
            call = dial("12025550146", talk=20)
            await judge.until(lambda judge=judge: bool(judge.phases(Phase.ANSWERED)))  # type: ignore[misc]
            link.act([make(judge.asked[0])])
            await judge.until(lambda judge=judge: bool(judge.phases(Phase.ENDED)))  # type: ignore[misc]
            await call
        (ending,) = judge.phases(Phase.ENDED)
        assert ending.answered_at is not None
        assert ending.at - ending.answered_at < 5


async def test_a_call_in_progress_at_connect_has_its_own_times(asterisk: Asterisk, dial: Dial) -> None:
    first, second = Judge(), Judge()
    async with linked(asterisk, first):
        call = dial("12025550147", talk=3)
        await first.until(lambda: bool(first.phases(Phase.ANSWERED)))
    async with linked(asterisk, second):
        await second.until(lambda: bool(second.phases(Phase.ENDED)))
    await call
    told, reread = first.events, second.events
    assert [event.phase for event in reread] == [Phase.STARTED, Phase.ANSWERED, Phase.ENDED]
    assert reread[0].attempt.call_id == told[0].attempt.call_id
    assert (reread[0].attempt.account, reread[0].attempt.number) == ("acme", "12025550147")
    assert reread[0].at == pytest.approx(told[0].at, abs=0.05)
    assert reread[1].at == pytest.approx(told[1].at, abs=0.05)


async def test_a_user_whose_manager_conf_filters_nothing_is_spared_the_rest(
    asterisk: Asterisk, dial: Dial
) -> None:
    judge = Judge()
    async with linked(asterisk, judge, user="lab") as link:
        await dial("12025550148")
        rounds = judge.rounds
        await judge.until(lambda: judge.rounds >= rounds + 2)      # the filters go out with a beat
        before = link.state()
        await dial("12025550149")
        await judge.until(lambda: len(judge.phases(Phase.ENDED)) == 2)
        after = link.state()
    assert before.unwanted_events > 0
    assert after.unwanted_events == before.unwanted_events
    assert after.refused_actions == 0


async def test_a_frozen_switch_is_noticed_and_found_again(asterisk: Asterisk, dial: Dial) -> None:
    judge = Judge()
    async with linked(asterisk, judge) as link:
        freeze(asterisk.pid)
        try:
            await _when(lambda: not link.state().connected)
            assert "no answer to Ping" in link.state().problem or "no login" in link.state().problem
        finally:
            thaw(asterisk.pid)
        await _when(lambda: link.state().level)
        await dial("12025550150")
        await judge.until(lambda: bool(judge.asked))


async def test_orders_survive_a_power_cut_because_they_are_written_again(
    asterisk: Asterisk, dial: Dial
) -> None:
    """AstDB is on disk a second after Asterisk confirmed it: a lease and a brake just written are lost."""
    judge = Judge()
    judge.standing = [GrantLease("acme", 4_000_000_000), SetBrake("globex", 3, 1, 4_000_000_000)]
    async with linked(asterisk, judge) as link:
        call = dial("12025550151", talk=20)
        await judge.until(lambda: bool(judge.phases(Phase.ANSWERED)))
        asterisk.kill()
        await _when(lambda: not link.state().connected)
        await asterisk.start()
        await _when(lambda: link.state().level)
        assert link.state().restarts == 1
        (ending,) = judge.phases(Phase.ENDED)
        assert (ending.source, ending.hangup_cause) == (Source.INFERRED, None)
        assert "4000000000" in await asterisk.cli("database get enforcer lease/acme")
        assert "4000000000:3:1" in await asterisk.cli("database get enforcer brake/globex")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await asterisk.cli("database deltree enforcer")


async def _when(true: Callable[[], bool]) -> None:
    """Waits for something that nobody announces: a connection seen from outside."""
    async with asyncio.timeout(SOON):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_the_switchs_own_cdrs_tell_of_the_same_calls(asterisk: Asterisk, dial: Dial) -> None:
    """What `cdr import` reads after a crash must join what the events had told: same calls, same words."""
    judge = Judge()
    async with linked(asterisk, judge):
        await dial("12025550152", talk=1.2)
        await dial("1202555486")
        await dial("1202555180", talk=0.2, scenario="caller_gives_up")
        judge.verdict = Verdict.BLOCK
        await dial("12025550153")
        await judge.until(lambda: len(judge.phases(Phase.ENDED)) == 4)
    endings = {event.attempt.call_id: event for event in judge.phases(Phase.ENDED)}
    joined: dict[str, CallRecord] = {}
    with asterisk.cdr_path.open(newline="") as file:
        for row in read_rows(file, IDENTITY, UTC):
            assert isinstance(row, CallEvent), row
            attempt = row.attempt
            record = joined.get(attempt.call_id) or CallRecord(
                attempt.call_id, attempt.switch, attempt.account, "", attempt.direction, attempt.number,
                attempt.caller, NumberClass.ORDINARY, attempt.route, attempt.channel, attempt.at, Source.CDR,
            )  # fmt: skip
            joined[attempt.call_id] = merged(record, row)
    assert set(endings) <= set(joined)
    for call_id, event in endings.items():
        record, attempt = joined[call_id], event.attempt
        assert (record.account, record.number) == ("acme", attempt.number)
        assert record.direction is attempt.direction
        assert record.refusal is event.refusal
        assert (record.answered_at is None) == (event.answered_at is None)
        assert record.started_at == pytest.approx(attempt.at, abs=1.01)
        told = 0.0 if event.answered_at is None else event.at - event.answered_at
        assert record.billmsec / 1000 == pytest.approx(told, abs=1.01)


async def test_under_load_no_call_is_lost_or_counted_twice(
    asterisk: Asterisk, carrier: Callee, lab_parts: Mapping[str, Provisioned]
) -> None:
    judge = Judge()
    async with linked(asterisk, judge) as link:
        # numbers that end in 201 to 400 are plain ones to the far end
        calls = [Call(("acme", "globex")[n % 2], f"12025556{n}", 0.2) for n in range(201, 401)]
        outcome = await place(lab_parts["sipp"], asterisk.sip_address, calls, rate=40)
        await judge.until(lambda: len(judge.phases(Phase.ENDED)) == len(calls))
        state = link.state()
    assert outcome.codes == {200: 200}
    dialled = sorted(call.number for call in calls)
    for phase in Phase:
        assert sorted(event.attempt.number for event in judge.phases(phase)) == dialled
    assert sorted(attempt.number for attempt in judge.asked) == dialled
    assert (state.live_calls, state.faults, state.malformed, state.unwanted_events) == (0, 0, 0, 0)
