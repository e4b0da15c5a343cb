"""The FreeSWITCH link against real sockets: one test for each way in which an event socket goes wrong.

Time is the tests' own: `Ticks` stands for sleeping, and deadlines that must pass are milliseconds.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from enforcer.domain.actions import (
    Action,
    CloseMessages,
    GrantLease,
    HangUp,
    LimitDuration,
    SetBrake,
    WithdrawLease,
)
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase, Source
from enforcer.errors import LinkError
from enforcer.switch.esl import EslLink
from enforcer.switch.esl_session import MOST_UNANSWERED, Peer, Session, open_session
from enforcer.switch.link import Deadlines, Lapse
from enforcer.wire import esl_commands as say
from enforcer.wire.channel import Identity
from tests.support import link_judge
from tests.support.esl import DIALOGUES, IDENTITY, event_bytes, facts, frame, recorded
from tests.support.esl_server import PASSWORD, EslServer, esl_server, reply
from tests.support.link_judge import Ticks

UUID = "c03e2ee0-8baa-4a9d-85b4-b30a36945051"
OTHER = "55b92bda-f106-4a17-a41b-489105af47ac"


class Judge(link_judge.Judge):
    """It is never asked, and told late whose call it is."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()
        self.late: list[CallEvent] = []

    def observe(self, event: CallEvent) -> list[Action]:
        actions = super().observe(event)
        self.told.set()
        return actions

    def named(self, event: CallEvent) -> list[Action]:
        self.late.append(event)
        return self.reaction

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody asks for {name} here")


@pytest.fixture
async def server() -> AsyncIterator[EslServer]:
    async with esl_server() as running:
        yield running


def peer(server: EslServer, password: str = PASSWORD) -> Peer:
    return Peer("127.0.0.1", server.port, password)


@asynccontextmanager
async def linked(
    server: EslServer,
    judge: Judge,
    ticks: Ticks | None = None,
    *,
    password: str = PASSWORD,
    identity: Identity = IDENTITY,
    clock: Callable[[], float] = lambda: 1000.0,
    **deadlines: float,
) -> AsyncIterator[EslLink]:
    """A running link."""
    ticks = ticks or Ticks()
    link = EslLink(
        peer(server, password), identity, judge, deadlines=Deadlines(**deadlines), clock=clock,
        sleep=ticks.sleep, jitter=lambda: 1.0,
    )  # fmt: skip
    task = asyncio.create_task(link.run(), name="link under test")
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled(), task.exception()


@asynccontextmanager
async def session_to(server: EslServer) -> AsyncIterator[Session]:
    session = await open_session(peer(server), lambda _session, _message: None, lambda: 0.0, within=5)
    try:
        yield session
    finally:
        session.close()


def event(server: EslServer, name: str, uuid: str = UUID, **headers: str) -> bytes:
    """An event of a call of acme's."""
    own = {
        "Event-Name": name, **dict(server.stamp()), "Channel-Name": "sofia/lab/acme", "Unique-ID": uuid,
        "Call-Direction": "inbound", "Caller-Context": "lab", "Caller-Destination-Number": "12025550142",
        "Caller-Channel-Created-Time": "999500000", "variable_accountcode": "acme",
    }  # fmt: skip
    told = {key if key.startswith("variable_") else key.replace("_", "-"): v for key, v in headers.items()}
    return frame(event_bytes(own | told))


def created(server: EslServer, uuid: str = UUID) -> bytes:
    return event(server, "CHANNEL_CREATE", uuid)


def row(uuid: str, callstate: str = "RINGING") -> dict[str, str]:
    return {
        "uuid": uuid, "direction": "inbound", "created_epoch": "990", "name": "sofia/lab/acme",
        "dest": "1202", "context": "lab", "initial_context": "lab", "callstate": callstate,
        "accountcode": "acme",
    }


def listing(*rows: dict[str, str]) -> str:
    return json.dumps({"row_count": len(rows), "rows": list(rows)})


# --- login


async def test_a_wrong_password_is_one_clear_error_that_does_not_hold_it(server: EslServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks, password="wrong-one") as link:
        await ticks.asleep()
        problem = link.state().problem
    assert problem == f"127.0.0.1:{server.port}: auth was refused: invalid"
    assert "wrong-one" not in repr(peer(server, "wrong-one"))


async def test_an_address_that_the_switch_does_not_let_in_is_named(server: EslServer) -> None:
    server.greeting = frame(b"Access Denied, go away.\n", "text/rude-rejection")
    with pytest.raises(LinkError, match=r"refuses our address: Access Denied, go away\."):
        await open_session(peer(server), lambda _s, _m: None, lambda: 0.0, within=5)


async def test_a_server_that_accepts_and_says_nothing_is_given_up(server: EslServer) -> None:
    server.greeting = b""
    with pytest.raises(LinkError, match=r"no login within 0\.05 s"):
        await open_session(peer(server), lambda _s, _m: None, lambda: 0.0, within=0.05)


@pytest.mark.parametrize("silent", ["auth", "event plain"])
async def test_a_server_that_falls_silent_during_the_login_is_given_up(
    server: EslServer, silent: str
) -> None:
    server.overrides[silent] = lambda _command: None
    with pytest.raises(LinkError, match=r"no login within 0\.05 s"):
        await open_session(peer(server), lambda _s, _m: None, lambda: 0.0, within=0.05)


async def test_something_that_is_no_event_socket_is_named(server: EslServer) -> None:
    server.greeting = b"SSH-2.0-OpenSSH_9.2\r\n\n\n"
    with pytest.raises(LinkError, match="not an event socket"):
        await open_session(peer(server), lambda _s, _m: None, lambda: 0.0, within=5)


async def test_nobody_listening_is_said_with_the_peer() -> None:
    async with esl_server() as gone:
        nowhere = peer(gone)
    with pytest.raises(LinkError, match=f"127.0.0.1:{nowhere.port}"):
        await open_session(nowhere, lambda _s, _m: None, lambda: 0.0, within=5)


async def test_only_the_events_that_are_read_are_asked_for(server: EslServer) -> None:
    async with session_to(server):
        asked = await server.received("event plain")
    assert asked == (
        "event plain CHANNEL_ANSWER CHANNEL_CREATE CHANNEL_HANGUP_COMPLETE CHANNEL_UUID SHUTDOWN "
        "CUSTOM enforcer::beat"
    )


# --- commands


async def test_a_refused_command_says_what_the_switch_said(server: EslServer) -> None:
    server.overrides["api"] = lambda _c: frame(b"-ERR hash Command not found!\n", "api/response")
    async with session_to(server) as session:
        with pytest.raises(LinkError, match="api hash was refused: hash Command not found!"):
            await session.ask(say.api("hash", "select/enf/hb"), within=5)


async def test_a_command_without_an_answer_ends_at_its_deadline(server: EslServer) -> None:
    server.overrides["api"] = lambda _command: None
    async with session_to(server) as session:
        with pytest.raises(LinkError, match=r"no answer to api status within 0\.02 s"):
            await session.ask(say.api("status"), within=0.02)


async def test_a_late_answer_is_never_taken_for_that_of_the_next_command(server: EslServer) -> None:
    server.overrides["api status"] = lambda _command: None
    async with session_to(server) as session:
        with pytest.raises(LinkError, match="no answer to api status"):
            await session.ask(say.api("status"), within=0.02)
        server.overrides["api version"] = lambda _command: (
            frame(b"late", "api/response") + frame(b"in time", "api/response")
        )
        assert (await session.ask(say.api("version"), within=5)).text == "in time"


async def test_a_switch_that_still_talks_is_given_more_time(server: EslServer) -> None:
    """It answers only when all its events are written, however many those are."""
    server.overrides["api status"] = lambda _command: None
    async with session_to(server) as session:
        asked = asyncio.create_task(session.ask(say.api("status"), within=0.2))
        await server.received("api status")
        server.say(created(server))
        await asyncio.wait((asked,), timeout=0.3)       # the first deadline has passed
        assert not asked.done()
        server.say(frame(b"UP", "api/response"))
        assert (await asked).text == "UP"


async def test_a_switch_that_talks_and_never_answers_is_given_up_in_the_end(server: EslServer) -> None:
    server.overrides["api status"] = lambda _command: None
    async with session_to(server) as session:
        async def talk() -> None:
            while True:
                server.say(created(server))
                await server.drained()

        talking = asyncio.create_task(talk())
        with pytest.raises(LinkError, match="no answer to api status"):
            await session.ask(say.api("status"), within=0.02)
        talking.cancel()


@pytest.mark.parametrize("stray", [reply("+OK"), frame(b"+OK", "api/response")])
async def test_an_answer_to_nothing_ends_the_connection(server: EslServer, stray: bytes) -> None:
    async with session_to(server) as session:
        server.say(stray)
        await asyncio.wait((session.lost,), timeout=10)
        assert "an answer to nothing that we asked" in str(session.lost.result())


async def test_what_waits_fails_when_the_connection_is_lost(server: EslServer) -> None:
    server.overrides["api"] = lambda _command: server.hang_up()
    async with session_to(server) as session:
        with pytest.raises(LinkError, match="closed the connection"):
            await session.ask(say.api("status"), within=5)


async def test_the_word_with_which_the_switch_ends_a_connection_is_told(server: EslServer) -> None:
    async with session_to(server) as session:
        server.say(frame(b"killed listener because of lost events\n", "text/disconnect-notice"))
        await asyncio.wait((session.lost,), timeout=10)
        assert "killed listener because of lost events" in str(session.lost.result())


async def test_a_switch_that_answers_nothing_is_left(server: EslServer) -> None:
    async with session_to(server) as session:
        for _ in range(MOST_UNANSWERED):
            session.post(say.api("status"))     # nothing here lets the loop read
        with pytest.raises(LinkError, match="does not read"):
            session.post(say.api("status"))
        assert session.lost.done()


async def test_many_commands_are_waited_for_and_a_switch_that_leaves_some_is_left(server: EslServer) -> None:
    async with session_to(server) as session:
        for _ in range(300):
            session.post(say.api("status"))
        await session.settled(within=5)
        assert len(session._row) == 0
        server.overrides["api"] = lambda _command: None
        session.post(say.api("status"))
        with pytest.raises(LinkError, match="does not answer what we send"):
            await session.settled(within=0.02)
        assert session.lost.done()


async def test_an_action_while_down_fails_at_once_and_is_never_replayed(server: EslServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks) as link:
        assert await ticks.asleep() == 2.0          # level, between two beats
        server.hang_up()
        await ticks.asleep()                        # waiting to reconnect
        with pytest.raises(LinkError):
            link.act([HangUp(f"fs1/{UUID}", UUID, 21)])
        ticks.wake()
        ticks.wake()
        await server.received("api show", 2)
    assert not [command for command in server.commands if "uuid_kill" in command]


# --- events


@pytest.mark.parametrize("name", DIALOGUES)
async def test_a_recorded_dialogue_tells_its_facts_over_a_socket(server: EslServer, name: str) -> None:
    """Byte for byte as the switch said it, behind what it said to the log-in."""
    judge, ticks = Judge(), Ticks()
    data = recorded(name)
    wanted = [fact for fact in facts(data)[0] if isinstance(fact, CallEvent)]
    # The recording begins with its own greeting and two answers; this connection has had both.
    events = data[data.index(b"Content-Length: ") :]
    identity = Identity("fs1", outbound_contexts=("lab", "default"))
    # The clock of the recording, so that nothing is late.
    server.now = 1795312000.0
    async with linked(server, judge, ticks, identity=identity, clock=lambda: 1795312000.0) as link:
        await ticks.asleep()
        for start in range(0, len(events), 1000):
            server.say(events[start : start + 1000])
        ticks.wake()
        await ticks.asleep()                        # the beat came back behind it all
        assert link.state().malformed == 0
    assert judge.events == wanted


async def test_an_event_leads_to_its_actions(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    judge.reaction = [LimitDuration(f"fs1/{UUID}", UUID, 60), CloseMessages("acme"), WithdrawLease("acme")]
    async with linked(server, judge, ticks):
        await ticks.asleep()
        server.say(created(server))
        await server.received("api hash delete/enf/lease.acme")
    assert f"api sched_hangup +60 {UUID}" in server.commands
    assert (judge.events[0].phase, judge.events[0].attempt.account) == (Phase.STARTED, "acme")


async def test_a_call_is_hung_up_as_far_as_it_has_come(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        server.say(created(server))
        await judge.told.wait()
        link.act([HangUp(f"fs1/{UUID}", UUID, 21)])
        await server.received(f"api uuid_kill {UUID} OUTGOING_CALL_BARRED")
        judge.told.clear()
        server.say(event(server, "CHANNEL_ANSWER", Caller_Channel_Answered_Time="1000000000"))
        await judge.told.wait()
        link.act([HangUp(f"fs1/{UUID}", UUID, 21)])
        await server.received(f"api uuid_kill {UUID} CALL_REJECTED")


async def test_a_call_that_dialled_again_is_left_alone(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    server.listing = listing(row(UUID, "ACTIVE"))       # whom it talks to, nobody knows
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        link.act([HangUp(f"fs1/{UUID}", UUID, 21), GrantLease("acme", 2000)])
        await server.received("api hash insert/enf/lease.acme/2000")
    assert not [command for command in server.commands if "uuid_kill" in command]


async def test_a_renamed_call_that_dialled_again_is_left_alone_too(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    server.listing = listing(row(UUID, "ACTIVE"))
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        server.say(event(server, "CHANNEL_UUID", OTHER, Old_Unique_ID=UUID))
        ticks.wake()
        await ticks.asleep()
        link.act([HangUp(f"fs1/{UUID}", OTHER, 21), GrantLease("acme", 2000)])
        await server.received("api hash insert/enf/lease.acme/2000")
    assert not [command for command in server.commands if "uuid_kill" in command]


async def test_an_exception_of_ours_costs_one_event_not_the_connection(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        judge.fails = RuntimeError("a bug")
        server.say(created(server))
        ticks.wake()                                # the beat's answer comes after the event
        await ticks.asleep()
        judge.fails = None
        server.say(created(server, OTHER))
        await judge.told.wait()
        assert link.state().connected
        assert link.state().faults == 2, "an event, a round"
    assert server.connections == 1


async def test_an_event_without_its_ids_is_counted_and_passed_over(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        server.say(frame(event_bytes({"Event-Name": "CHANNEL_CREATE", "Channel-Name": "x"})))
        server.say(created(server))
        await judge.told.wait()
        assert link.state().malformed == 1


@pytest.mark.parametrize(
    "told",
    [("CHANNEL_ANSWER", {"Caller_Channel_Answered_Time": "1000000000"}),
     ("CHANNEL_HANGUP_COMPLETE", {"Hangup_Cause": "USER_BUSY"})],
)  # fmt: skip
async def test_an_account_that_the_dialplan_names_is_looked_at_once_it_is_known(
    server: EslServer, told: tuple[str, dict[str, str]]
) -> None:
    judge, ticks = Judge(), Ticks()
    async with linked(server, judge, ticks):
        await ticks.asleep()
        server.say(event(server, "CHANNEL_CREATE", variable_accountcode=""))
        await judge.told.wait()
        assert judge.late == []
        judge.reaction = [WithdrawLease("acme")]
        server.say(event(server, told[0], **told[1]) + event(server, "CHANNEL_HANGUP_COMPLETE"))
        await server.received("api hash delete/enf/lease.acme", 2)
    assert [late.attempt.account for late in judge.late] == ["acme"]


async def test_a_door_that_was_asked_names_the_account(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    server.listing = listing(row(UUID) | {"accountcode": ""})
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        call = f"fs1/{UUID}"
        link.asked(CallAttempt(call, "pbx1", "globex", Direction.OUTBOUND, "1202", "", 999.0, channel=UUID))
        link.asked(CallAttempt(call, "fs1", "acme", Direction.OUTBOUND, "1202", "", 999.0, channel=UUID))
        server.say(event(server, "CHANNEL_ANSWER", variable_accountcode=""))
        judge.told.clear()
        await judge.told.wait()
    assert judge.events[-1].attempt.account == "acme"
    assert judge.late == [], "its question was the look at it"


# --- silence, lag, and reconnecting


async def test_a_silent_switch_is_noticed(server: EslServer) -> None:
    """Half open, or stopped: it takes what we write, and says nothing."""
    ticks = Ticks()
    async with linked(server, Judge(), ticks, pong=0.02) as link:
        await ticks.asleep()
        server.overrides["sendevent"] = lambda _command: None
        ticks.wake()
        assert await ticks.asleep() == 0.25
        assert "no answer to sendevent within 0.02 s" in link.state().problem
        assert not link.state().connected


async def test_a_switch_that_answers_and_sends_no_events_is_noticed(server: EslServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks, pong=0.02) as link:
        await ticks.asleep()
        server.echoes = False
        ticks.wake()
        await ticks.asleep()
        assert "events do not come" in link.state().problem


async def test_anothers_beat_is_not_ours(server: EslServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks, pong=0.02) as link:
        await ticks.asleep()
        server.overrides["sendevent"] = lambda command: reply("+OK") + server.event_of(command + "0")
        ticks.wake()
        await ticks.asleep()
        assert "events do not come" in link.state().problem


async def test_reconnecting_waits_longer_each_time_and_is_jittered(server: EslServer) -> None:
    server.greeting = b"go away\n\n"
    ticks = Ticks()
    async with linked(server, Judge(), ticks):
        for _attempt in range(8):
            await ticks.asleep()
            ticks.wake()
        await ticks.asleep()
        assert ticks.pauses[:9] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0]


async def test_the_switchs_clock_is_learned_and_its_lag_measured(server: EslServer) -> None:
    ticks, judge = Ticks(), Judge()
    server.now = 1003.5
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        assert link.state().clock_offset == 3.5
        assert link.now() == 1003.5
        assert server.hash["hb"] == "1009"
        server.now = 1001.0                         # an event from 2.5 s ago
        server.say(created(server))
        await judge.told.wait()
        assert link.state().lag == pytest.approx(2.5)


async def test_a_slow_beat_does_not_move_the_clock(server: EslServer) -> None:
    """Of an answer that took long nobody knows when the switch looked at its clock."""
    clock, ticks = [1000.0], Ticks()
    async with linked(server, Judge(), ticks, clock=lambda: clock[0]) as link:
        await ticks.asleep()

        def slowly(command: str) -> bytes:
            clock[0] += 3.0
            server.now += 3.0
            return reply("+OK") + server.event_of(command)

        server.overrides["sendevent"] = slowly
        ticks.wake()
        await ticks.asleep()
        assert link.state().clock_offset == 0.0


async def test_events_that_stay_late_are_let_go_of_and_the_calls_read_anew(server: EslServer) -> None:
    clock, ticks, judge = [1000.0], Ticks(), Judge()
    async with linked(server, judge, ticks, clock=lambda: clock[0]) as link:
        await ticks.asleep()
        clock[0] = 1010.0                           # we fell behind by ten seconds
        server.say(created(server))
        await judge.told.wait()
        assert link.state().connected, "perhaps it can be caught up"
        clock[0] = 1013.0
        server.say(created(server, OTHER))
        # The pause of somebody who is too slow grows, although this connection had been level.
        assert await ticks.asleep() == 0.5
        assert "late: let go" in link.state().problem
        server.now = 1013.0
        server.listing = listing(row(UUID), row(OTHER))
        ticks.wake()
        ticks.wake()
        await server.received("api show", 2)
        await ticks.asleep()
        assert link.state().level
        assert link.state().live_calls == 2
        assert link.state().lag < 1.0


async def test_who_catches_up_in_time_keeps_its_events(server: EslServer) -> None:
    clock, ticks, judge = [1000.0], Ticks(), Judge()
    async with linked(server, judge, ticks, clock=lambda: clock[0]) as link:
        await ticks.asleep()
        clock[0] = 1030.0
        for number in range(20):
            server.say(created(server, f"{UUID[:-2]}{number:02}"))
        server.now = 1029.0
        server.say(created(server, OTHER))
        ticks.wake()
        server.now = 1030.0
        await ticks.asleep()
        assert link.state().connected
        assert link.state().live_calls == 21
    assert server.connections == 1


# --- level after a gap


async def test_standing_orders_are_written_at_every_connect(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    judge.standing = [GrantLease("acme", 1060), SetBrake("acme", 3, 0, 9000)]
    server.hash = {"brake.gone": "9000:1:0", "lease.gone": "9000"}
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        assert server.hash == {
            "lease.gone": "9000", "lease.acme": "1060", "brake.acme": "9000:3:0", "hb": "1006",
        }
        server.hash.clear()
        server.hang_up()
        await ticks.asleep()
        ticks.wake()
        ticks.wake()
        await server.received("api hash insert/enf/brake.acme", 2)
        assert link.state().connects == 2
    assert not [command for command in server.commands[20:] if "hash_dump" in command], "once is enough"


async def test_calls_that_ended_during_a_gap_end_when_the_switch_was_last_heard(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    server.listing = listing(row(UUID))
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        assert link.state().live_calls == 1
        server.listing = listing(row(OTHER))
        server.hang_up()
        await ticks.asleep()
        ticks.wake()
        ticks.wake()
        await server.received("api show", 2)
        await ticks.asleep()
        assert link.state().live_calls == 1
    ended = judge.events[-1]
    assert (ended.phase, ended.attempt.channel, ended.source) == (Phase.ENDED, UUID, Source.INFERRED)
    assert ended.at == 1000.0


async def test_a_call_that_was_listed_after_its_end_does_not_live_for_ever(server: EslServer) -> None:
    """The switch lists from a database that it writes in batches."""
    judge, ticks = Judge(), Ticks()
    server.listing = listing(row(UUID), row(OTHER))
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        assert link.state().live_calls == 2
        server.listing = listing(row(OTHER))
        ticks.wake()
        await ticks.asleep()
        assert link.state().live_calls == 1
        ticks.wake()
        await ticks.asleep()
    assert (judge.events[-1].phase, judge.events[-1].source) == (Phase.ENDED, Source.INFERRED)
    assert judge.events[-1].attempt.channel == UUID
    assert sum(command.startswith("api show") for command in server.commands) == 2, "a second look, no third"


async def test_a_call_that_began_as_we_connected_need_not_be_listed_yet(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    server.overrides["event plain"] = lambda _command: reply("+OK") + created(server)
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        assert link.state().live_calls == 1
    assert [told.phase for told in judge.events] == [Phase.STARTED]


async def test_what_nobody_heard_of_in_a_gap_is_told(
    server: EslServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the switch's own count of channels; a restarted one begins to count anew."""
    ticks, judge, lapses = Ticks(), Judge(), list[Lapse]()
    async with linked(server, judge, ticks) as link:
        link.on_lapse = lapses.append
        for core, begun, heard, unheard in (("a", 7, 2, 0), ("a", 9, 0, 0), ("a", 14, 1, 5), ("b", 3, 0, 0)):
            server.core, server.sessions = core, begun
            await ticks.asleep()                    # level
            told = capsys.readouterr().out
            assert (f"channels={unheard}" in told) is bool(unheard), told
            assert ("channels began unheard" in told) is bool(unheard)
            for number in range(heard):
                judge.told.clear()
                server.say(created(server, f"{begun}-{number}"))
                await judge.told.wait()
            server.hang_up()
            await ticks.asleep()                    # waiting to reconnect
            ticks.wake()
    assert [lapse.unseen for lapse in lapses] == [0, 5, None], "of a restarted one nobody knows"


async def test_channels_that_are_news_are_asked_for_one_by_one(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    rows = [row(f"{UUID[:-3]}{number:03}", "ACTIVE") for number in range(120)]
    rows.append(row("no word at all", "ACTIVE"))            # an id that cannot stand in a command
    server.listing = listing(*rows)
    server.dumps[rows[7]["uuid"]] = event_bytes(
        {"Event-Name": "CHANNEL_DATA", "Channel-Name": "sofia/lab/acme", "Call-Direction": "inbound",
         "Caller-Context": "lab", "Caller-Channel-Created-Time": "990250000", "variable_accountcode": "acme",
         "Caller-Channel-Answered-Time": "991500000", "Caller-Destination-Number": "12025550142"}
    )  # fmt: skip
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        assert link.state().live_calls == 121
    answered = {e.attempt.channel: e.answered_at for e in judge.events if e.phase is Phase.ANSWERED}
    assert answered[rows[7]["uuid"]] == 991.5
    assert answered[rows[8]["uuid"]] == 1000.0, "of a channel that is gone meanwhile the listing is believed"
    assert sum("uuid_dump" in command for command in server.commands) == 120


async def test_a_restarted_switch_is_told_by_its_core(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    server.listing = listing(row(UUID))
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        server.core, server.listing = "another-run", listing()
        server.hang_up()
        await ticks.asleep()
        ticks.wake()
        ticks.wake()
        await server.received("api show", 2)
        await ticks.asleep()
        assert link.state().restarts == 1
        assert link.state().live_calls == 0
    assert judge.events[-1].phase is Phase.ENDED


async def test_a_switch_without_mod_hash_is_counted_on_and_says_so(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    server.overrides["api hash"] = lambda _c: frame(b"-ERR hash Command not found!\n", "api/response")
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        assert link.state().problem.endswith("api hash was refused: hash Command not found!")
        server.say(created(server))
        await judge.told.wait()
        assert link.state().level


async def test_what_a_reload_of_mod_hash_took_away_is_written_again(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    judge.standing = [SetBrake("acme", 3, 0, 9000)]
    async with linked(server, judge, ticks):
        await ticks.asleep()
        ticks.wake()
        await ticks.asleep()
        assert sum("brake.acme" in command for command in server.commands) == 1
        server.hash.clear()
        ticks.wake()
        await ticks.asleep()
        assert server.hash == {"brake.acme": "9000:3:0", "hb": "1006"}
    assert server.connections == 1


async def test_mod_hash_that_is_loaded_later_is_used_from_then_on(server: EslServer) -> None:
    judge, ticks = Judge(), Ticks()
    server.overrides["api hash"] = lambda _c: frame(b"-ERR hash Command not found!\n", "api/response")
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        ticks.wake()
        await ticks.asleep()
        judge.standing = [SetBrake("acme", 3, 0, 9000)]
        del server.overrides["api hash"]
        ticks.wake()
        await ticks.asleep()
        assert link.state().problem == ""
        assert server.hash == {"brake.acme": "9000:3:0", "hb": "1006"}


async def test_a_stopped_enforcer_takes_its_heartbeat_away(server: EslServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks):
        await ticks.asleep()
    await server.received("exit")
    assert server.commands[-2:] == ["api hash delete/enf/hb", "exit"]
    assert server.hash == {}
