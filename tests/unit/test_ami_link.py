"""The AMI link against real sockets: one test for each way in which a manager connection goes wrong.

Time is the tests' own: `Ticks` stands for sleeping, and deadlines that must pass are milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from enforcer.domain.actions import (
    Action,
    GrantLease,
    HangUp,
    LimitDuration,
    RememberWord,
    SetBrake,
    WithdrawLease,
)
from enforcer.domain.call import CallAttempt, Direction, Phase, Source
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.gap import Sight
from enforcer.errors import LinkError, WireError
from enforcer.switch.ami import AmiLink, Deadlines
from enforcer.switch.ami_session import Peer, Session, open_session
from enforcer.switch.link import Lapse
from enforcer.switch.session import MOST_UNSENT
from enforcer.wire.channel import Identity
from tests.support import link_judge
from tests.support.ami_server import SECRET, AmiServer, ami_server, response
from tests.support.link_judge import Ticks

IDENTITY = Identity("pbx1")

NEWCHANNEL = """
Event: Newchannel
Timestamp: 1000.5
Channel: PJSIP/acme-00000001
ChannelState: 4
ChannelStateDesc: Ring
CallerIDNum: acme
AccountCode: acme
Context: from-accounts
Exten: 1000
Priority: 1
Uniqueid: pbx-1000.1
Linkedid: pbx-1000.1
"""
ASKED = """
Event: UserEvent
Timestamp: 1000.6
Channel: PJSIP/acme-00000001
ChannelState: 4
AccountCode: acme
Context: enforcer
Exten: s
Priority: 3
Uniqueid: pbx-1000.1
Linkedid: pbx-1000.1
UserEvent: EnfAsk
Account: acme
Direction: outbound
Number: 1000
"""
HANGUP = NEWCHANNEL.replace("Newchannel", "Hangup").replace("1000.5", "1001.5")
HANGUP += "Cause: 17\nCause-txt: User busy\nTechCause: 486\n"
STATUS = NEWCHANNEL.replace("Newchannel", "Status")
OTHER_ASKED = ASKED.replace("1000.1", "1000.2")
QUESTION = CallAttempt(
    "pbx1/pbx-1000.1", "pbx1", "acme", Direction.OUTBOUND, "1000", "acme", 1000.6, "PJSIP/acme-00000001"
)


class Judge(link_judge.Judge):
    """It also answers what the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[CallAttempt] = []

    def admit(self, attempt: CallAttempt) -> Decision:
        if self.fails is not None:
            raise self.fails
        self.attempts.append(attempt)
        return Decision(
            "d1-1", attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
            attempt.direction, Verdict.BLOCK, Verdict.BLOCK, sip_code=403,
        )  # fmt: skip


@pytest.fixture
async def server() -> AsyncIterator[AmiServer]:
    async with ami_server() as running:
        yield running


def peer(server: AmiServer, secret: str = SECRET) -> Peer:
    return Peer("127.0.0.1", server.port, "enforcer", secret)


@asynccontextmanager
async def linked(
    server: AmiServer, judge: Judge, ticks: Ticks | None = None, **options: Any
) -> AsyncIterator[AmiLink]:
    """A running link; `secret` and the Deadlines can be given."""
    ticks = ticks or Ticks()
    clock = options.pop("clock", lambda: 1000.0)
    link = AmiLink(
        peer(server, options.pop("secret", SECRET)), IDENTITY, judge,
        deadlines=Deadlines(**options), clock=clock, sleep=ticks.sleep, jitter=lambda: 1.0,
    )  # fmt: skip
    task = asyncio.create_task(link.run(), name="link under test")
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled(), task.exception()


@asynccontextmanager
async def session_to(server: AmiServer) -> AsyncIterator[Session]:
    session = await open_session(peer(server), lambda _session, _message: None, lambda: 0.0, within=5)
    try:
        yield session
    finally:
        session.close()


# --- login


async def test_the_secret_is_never_sent(server: AmiServer) -> None:
    async with session_to(server):
        login = await server.received("Login")
    assert login["AuthType"] == "MD5"
    assert SECRET not in str(server.actions)


async def test_a_wrong_password_is_one_clear_error_that_does_not_hold_it(server: AmiServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks, secret="wrong-one") as link:
        await ticks.asleep()
        problem = link.state().problem
    assert problem == f"enforcer@127.0.0.1:{server.port}: Login was refused: Authentication failed"
    assert "wrong-one" not in repr(peer(server, "wrong-one"))


async def test_a_server_that_accepts_and_says_nothing_is_given_up(server: AmiServer) -> None:
    server.banner = b""
    with pytest.raises(LinkError, match=r"no login within 0\.05 s"):
        await open_session(peer(server), lambda _s, _m: None, lambda: 0.0, within=0.05)


async def test_a_server_that_greets_and_says_nothing_is_given_up(server: AmiServer) -> None:
    server.overrides["Challenge"] = lambda _action: None
    with pytest.raises(LinkError, match="no login within"):
        await open_session(peer(server), lambda _s, _m: None, lambda: 0.0, within=0.05)


async def test_something_that_is_not_a_manager_is_named(server: AmiServer) -> None:
    server.banner = b"SSH-2.0-OpenSSH_9.2\r\n"
    with pytest.raises(LinkError, match="not AMI"):
        await open_session(peer(server), lambda _s, _m: None, lambda: 0.0, within=5)


async def test_nobody_listening_is_said_with_peer_and_user() -> None:
    async with ami_server() as gone:
        nowhere = peer(gone)
    with pytest.raises(LinkError, match=f"enforcer@127.0.0.1:{nowhere.port}"):
        await open_session(nowhere, lambda _s, _m: None, lambda: 0.0, within=5)


# --- actions


@pytest.mark.parametrize("value", ["1\r\n\r\nAction: Originate", "1\n", "1\r", "1\0"])
async def test_no_value_carries_a_second_action(server: AmiServer, value: str) -> None:
    async with session_to(server) as session:
        with pytest.raises(WireError) as caught:
            session.post("Setvar", (("Variable", "X"), ("Value", value)))
        await session.ask("Ping", within=5)
    assert caught.value.remote is False
    assert server.names() == ["Challenge", "Login", "Ping"]


async def test_a_refused_action_says_what_the_switch_said(server: AmiServer) -> None:
    server.overrides["Hangup"] = lambda action: response(action, "Error", Message="No such channel")
    async with session_to(server) as session:
        with pytest.raises(LinkError, match="Hangup was refused: No such channel"):
            await session.ask("Hangup", (("Channel", "x"),), within=5)
        assert session._waiting == {}


async def test_an_action_without_an_answer_ends_at_its_deadline_and_leaves_nothing(server: AmiServer) -> None:
    server.overrides["Ping"] = lambda _action: None
    async with session_to(server) as session:
        with pytest.raises(LinkError, match="no answer to Ping"):
            await session.ask("Ping", within=0.02)
        assert session._waiting == {}


async def test_a_refused_list_is_an_error_and_leaves_nothing(server: AmiServer) -> None:
    server.overrides["Status"] = lambda action: response(action, "Error", Message="Permission denied")
    async with session_to(server) as session:
        with pytest.raises(LinkError, match="Permission denied"):
            await session.listing("Status", within=5)
        assert session._waiting == {}


async def test_a_list_that_begins_and_does_not_end_is_given_up(server: AmiServer) -> None:
    server.overrides["Status"] = lambda action: response(action, EventList="start")
    async with session_to(server) as session:
        with pytest.raises(LinkError, match="no answer to Status"):
            await session.listing("Status", within=0.02)
        assert session._waiting == {}


async def test_what_waits_fails_when_the_connection_is_lost(server: AmiServer) -> None:
    server.overrides["Status"] = lambda _action: server.hang_up()
    async with session_to(server) as session:
        with pytest.raises(LinkError, match="closed the connection"):
            await session.listing("Status", within=5)


async def test_an_action_while_down_fails_at_once_and_is_never_replayed(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    async with linked(server, judge, ticks) as link:
        assert await ticks.asleep() == 2.0          # level, between two beats
        server.hang_up()
        await ticks.asleep()                        # waiting to reconnect
        with pytest.raises(LinkError):
            link.act([HangUp("pbx1/pbx-1000.1", "PJSIP/acme-00000001", 21)])
        ticks.wake()
        ticks.wake()
        await server.received("CoreStatus", 2)
    assert "Hangup" not in server.names()


async def test_a_switch_that_reads_nothing_is_left(server: AmiServer) -> None:
    async with session_to(server) as session:
        transport = session._transport
        assert transport is not None
        while transport.get_write_buffer_size() <= MOST_UNSENT:     # nothing here lets the loop send
            session.post("Setvar", (("Value", "x" * 900),))
        with pytest.raises(LinkError, match="does not read"):
            session.post("Ping")
        assert session.lost.done()


# --- events


async def test_a_question_is_answered_on_its_channel(server: AmiServer) -> None:
    judge = Judge()
    async with linked(server, judge):
        await server.received("CoreStatus")
        server.say(NEWCHANNEL)
        server.say(ASKED)
        setvar = await server.received("Setvar")
    assert setvar["Channel"] == "PJSIP/acme-00000001"
    assert (setvar["Variable"], setvar["Value"]) == ("ENF_ANSWER", "block:21:0:0::d1-1")
    assert "ActionID" not in setvar, "nobody waits for the response"
    (attempt,) = judge.attempts
    assert (attempt.call_id, attempt.account, attempt.at) == ("pbx1/pbx-1000.1", "acme", 1000.5)
    assert judge.events[0].phase is Phase.STARTED


async def test_a_question_in_the_same_packet_as_the_login_is_answered(server: AmiServer) -> None:
    server.overrides["Login"] = lambda action: (
        response(action) + ASKED.strip().replace("\n", "\r\n").encode() + b"\r\n\r\n"
    )
    async with linked(server, Judge()):
        await server.received("Setvar")


async def test_an_exception_of_ours_costs_one_event_not_the_connection(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        judge.fails = RuntimeError("a bug")
        server.say(NEWCHANNEL)
        server.say(ASKED)
        ticks.wake()                                # the beat's answers come after both events
        await ticks.asleep()
        judge.fails = None
        server.say(ASKED)
        await server.received("Setvar")
        assert link.state().connected
        assert link.state().faults == 3, "an event, a question, a round"
    assert server.connections == 1


async def test_a_repeated_event_header_neither_disconnects_nor_deceives(server: AmiServer) -> None:
    judge = Judge()
    async with linked(server, judge):
        await server.received("CoreStatus")
        server.say(ASKED + "Event: Hangup\nAccount: globex\nUniqueid: other\n")
        server.say(ASKED)
        await server.received("Setvar")
    assert [attempt.account for attempt in judge.attempts] == ["acme"]
    assert judge.events == []
    assert server.connections == 1


async def test_an_event_without_its_ids_is_counted_and_passed_over(server: AmiServer) -> None:
    async with linked(server, Judge()) as link:
        await server.received("CoreStatus")
        server.say("Event: Newchannel\nChannel: PJSIP/x-00000001")
        server.say(ASKED)
        await server.received("Setvar")
        assert link.state().malformed == 1


async def test_oversized_input_closes_the_connection_and_says_so(server: AmiServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks) as link:
        await ticks.asleep()
        server.say(b"Event: Newchannel\r\nChannel: " + b"x" * 70_000)
        await ticks.asleep()
        assert "not AMI: a message of more than 65536 bytes" in link.state().problem


async def test_events_come_in_order(server: AmiServer) -> None:
    judge = Judge()
    async with linked(server, judge):
        await server.received("CoreStatus")
        for serial in range(50):
            server.say(NEWCHANNEL.replace("pbx-1000.1", f"pbx-1000.{serial}"))
        server.say(ASKED.replace("pbx-1000.1", "pbx-1000.49"))
        await server.received("Setvar")
    assert [event.attempt.call_id for event in judge.events] == [f"pbx1/pbx-1000.{n}" for n in range(50)]


async def test_a_user_without_filters_gets_them_once(server: AmiServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks) as link:
        await ticks.asleep()
        server.say("Event: VarSet\nVariable: X")
        server.say(ASKED)
        await server.received("Setvar")
        for _beat in range(2):
            ticks.wake()
            await ticks.asleep()
        assert link.state().unwanted_events == 1
    assert server.names().count("Filter") == 6


# --- silence and reconnecting


async def test_a_silent_switch_is_noticed_by_its_missing_pong(server: AmiServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks, pong=0.02) as link:
        await ticks.asleep()
        server.overrides["Ping"] = lambda _action: None      # half open, or stopped: it takes, and is silent
        ticks.wake()
        assert await ticks.asleep() == 0.25
        assert "no answer to Ping" in link.state().problem
        assert not link.state().connected


async def test_reconnecting_waits_longer_each_time_and_is_jittered(server: AmiServer) -> None:
    server.banner = b"go away\r\n"
    ticks = Ticks()
    async with linked(server, Judge(), ticks):
        for _attempt in range(8):
            await ticks.asleep()
            ticks.wake()
        await ticks.asleep()
        assert ticks.pauses[:9] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0]
        assert Deadlines().pause(1, 0.0) == 0.25, "never less than half"


async def test_closing_while_waiting_to_reconnect_leaves_no_zombie(server: AmiServer) -> None:
    ticks = Ticks()
    server.banner = b"go away\r\n"
    async with linked(server, Judge(), ticks):
        await ticks.asleep()
    ticks.wake()
    server.banner = b"Asterisk Call Manager/11.0.0\r\n"
    assert server.connections == 1
    assert [task for task in asyncio.all_tasks() if "ami pbx1" in task.get_name()] == []


async def test_an_orderly_stop_takes_the_heartbeat_away(server: AmiServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks):
        await ticks.asleep()
    gone = await server.received("DBDel")
    assert (gone["Family"], gone["Key"]) == ("enforcer", "hb")
    await server.received("Logoff")


async def test_the_heartbeat_is_in_the_time_of_the_switch(server: AmiServer) -> None:
    server.overrides["Ping"] = lambda action: response(action, Ping="Pong", Timestamp="5000.25")
    ticks = Ticks()
    async with linked(server, Judge(), ticks) as link:
        await ticks.asleep()
        beat = await server.received("DBPut")
        assert link.state().clock_offset == 4000.25
    assert (beat["Family"], beat["Key"], beat["Val"]) == ("enforcer", "hb", "5000")


async def test_a_user_who_may_not_write_is_told_once_and_still_listens(server: AmiServer) -> None:
    server.overrides["DBPut"] = lambda action: response(action, "Error", Message="Permission denied")
    ticks = Ticks()
    async with linked(server, Judge(), ticks) as link:
        await ticks.asleep()
        assert "DBPut was refused: Permission denied" in link.state().problem
        server.say(ASKED)
        await server.received("Setvar")


# --- level with the switch


async def test_calls_that_began_while_we_were_away_are_counted(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    answered = STATUS.replace("ChannelState: 4", "ChannelState: 6")
    times = "Variable: CDR(start,u)=990.25\nVariable: CDR(answer,u)=995.5\n"
    server.listing = [answered + times]
    async with linked(server, judge, ticks):
        await ticks.asleep()
    started, answer = judge.events
    assert (started.phase, started.at, started.attempt.account) == (Phase.STARTED, 990.25, "acme")
    assert (answer.phase, answer.at, answer.attempt) == (Phase.ANSWERED, 995.5, started.attempt)


async def test_calls_that_ended_while_we_were_away_are_closed_and_marked(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        server.say(NEWCHANNEL)
        server.say(ASKED)
        await server.received("Setvar")
        server.hang_up()
        await ticks.asleep()
        ticks.wake()
        ticks.wake()
        await ticks.asleep()
        assert link.state().live_calls == 0
    ending = judge.events[-1]
    assert (ending.phase, ending.source, ending.hangup_cause) == (Phase.ENDED, Source.INFERRED, None)
    assert ending.attempt.call_id == "pbx1/pbx-1000.1"
    assert ending.at == 1000.5, "no later than we heard of the switch, no earlier than it began"


async def test_calls_still_up_after_a_reconnect_go_on_and_end_once(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    async with linked(server, judge, ticks):
        await ticks.asleep()
        server.say(NEWCHANNEL)
        server.say(ASKED)
        await server.received("Setvar")
        server.listing = [STATUS]
        server.hang_up()
        await ticks.asleep()
        ticks.wake()
        ticks.wake()
        await server.received("CoreStatus", 2)
        await ticks.asleep()
        server.say(HANGUP)
        server.say(ASKED)
        await server.received("Setvar", 2)
    assert [event.phase for event in judge.events] == [Phase.STARTED, Phase.ENDED]
    assert (judge.events[1].hangup_cause, judge.events[1].sip_code) == (17, 486)


async def test_calls_known_from_before_our_own_restart_are_closed_too(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    attempt = CallAttempt("pbx1/pbx-900.7", "pbx1", "acme", Direction.OUTBOUND, "1000", "acme", 900.0)
    async with ami_server() as other:
        link = AmiLink(peer(other), IDENTITY, judge, clock=lambda: 1000.0, sleep=ticks.sleep)
        link.book.restore(attempt, 901.0)
        task = asyncio.create_task(link.run(), name="link under test")
        await ticks.asleep()
        task.cancel()
        await asyncio.wait((task,))
    (ending,) = judge.events
    assert (ending.attempt, ending.source) == (attempt, Source.INFERRED)


async def test_what_was_not_heard_is_told_and_counted_by_the_next_channel(server: AmiServer) -> None:
    ticks, lapses, counts = Ticks(), list[Lapse](), asyncio.Queue[tuple[float, int]]()
    async with linked(server, Judge(), ticks) as link:
        link.on_lapse = lapses.append
        link.on_counted = lambda since, unseen: counts.put_nowait((since, unseen))
        await ticks.asleep()
        server.say(NEWCHANNEL)
        server.say(ASKED)
        await server.received("Setvar")
        assert link.sight() == Sight("pbx1", 1000.0, 1, "2026-11-22 00:00:01")
        server.hang_up()
        await ticks.asleep()
        assert link.sight() is None
        ticks.wake()
        ticks.wake()
        await ticks.asleep()
        (lapse,) = lapses
        assert (lapse.since, lapse.cause, lapse.unseen) == (1000.0, link_lost(server), None)
        assert [event.source for event in lapse.endings] == [Source.INFERRED]
        server.say(NEWCHANNEL.replace("pbx-1000.1", "pbx-1001.6"))
        async with asyncio.timeout(10):
            assert await counts.get() == (1000.0, 4)


async def test_enforcer_that_was_not_running_is_a_gap_since_the_one_before(server: AmiServer) -> None:
    ticks, lapses = Ticks(), list[Lapse]()
    link = AmiLink(peer(server), IDENTITY, Judge(), clock=lambda: 1000.0, sleep=ticks.sleep)
    link.on_lapse = lapses.append
    link.remember(Sight("pbx1", 940.0, 7, "2026-11-22 00:00:01"))
    task = asyncio.create_task(link.run(), name="link under test")
    await ticks.asleep()
    task.cancel()
    await asyncio.wait((task,))
    assert lapses == [Lapse(940.0, 1000.0, "no enforcer was running", (), None)]


def link_lost(server: AmiServer) -> str:
    return f"enforcer@127.0.0.1:{server.port}: the switch closed the connection"


async def test_a_restarted_switch_is_told_from_a_lost_connection(server: AmiServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks) as link:
        for startup, restarts in (("00:00:01", 0), ("00:00:01", 0), ("00:09:00", 1)):
            server.startup = startup
            while await ticks.asleep() != 2.0:
                ticks.wake()
            assert link.state().restarts == restarts
            server.hang_up()
            ticks.wake()


@pytest.mark.parametrize(
    ("action", "name", "headers"),
    [
        (GrantLease("acme", 1060), "DBPut", {"Key": "lease/acme", "Val": "1060"}),
        (WithdrawLease("acme"), "DBDel", {"Key": "lease/acme"}),
        (RememberWord("acme", "block:21:0:0::d1", 1900), "DBPut",
         {"Key": "word/acme", "Val": "1900:block:21:0:0::d1"}),
        (SetBrake("acme", 10, 2, 1900), "DBPut", {"Key": "brake/acme", "Val": "1900:10:2"}),
        (HangUp("pbx1/1", "PJSIP/acme-1", 21), "Hangup", {"Channel": "PJSIP/acme-1", "Cause": "21"}),
        (HangUp("pbx1/1", "/.*/", 21), "Hangup", {"Channel": ".*"}),
        (LimitDuration("pbx1/1", "PJSIP/acme-1", 90), "AbsoluteTimeout",
         {"Channel": "PJSIP/acme-1", "Timeout": "90"}),
    ],
)  # fmt: skip
async def test_every_standing_order_is_pushed_after_every_connect(
    server: AmiServer, action: Action, name: str, headers: dict[str, str]
) -> None:
    judge, ticks = Judge(), Ticks()
    judge.standing = [action]
    async with linked(server, judge, ticks):
        await server.received(name, **headers)
        await ticks.asleep()
        server.hang_up()
        await ticks.asleep()
        ticks.wake()
        ticks.wake()
        await server.received(name, 2, **headers)


# 40,000 words of last resort are 8 MB; the sockets of the loopback hold 3 to 4.
MANY: list[Action] = [RememberWord("acme", "block:21:0:0:" + "x" * 90 + ":d", 9)] * 40_000


async def test_more_orders_than_the_sockets_hold_wait_until_the_switch_has_read(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    judge.standing = MANY
    server.stop_reading_after("Status")
    async with linked(server, judge, ticks) as link:
        await server.received("Status")
        session = link._session
        assert session is not None
        while session._writable.is_set():  # noqa: ASYNC110 - until the sockets are full
            await asyncio.sleep(0)
        server.reading.set()
        await ticks.asleep()
        ticks.wake()
        await server.received("Ping", 2)
    assert server.names().count("DBPut") >= len(MANY)
    assert server.connections == 1


async def test_a_switch_that_does_not_take_its_orders_is_left(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    judge.standing = MANY
    server.stop_reading_after("Status")
    async with linked(server, judge, ticks, action=0.05) as link:
        await ticks.asleep()
        assert "does not read what we send" in link.state().problem


async def test_a_bug_while_catching_up_costs_a_connection_not_the_enforcer(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    judge.fails = RuntimeError("a bug")
    server.listing = [STATUS]
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        assert (link.state().faults, link.state().problem) == (1, "a bug")
        judge.fails = None
        ticks.wake()
        assert await ticks.asleep() == 2.0
        assert link.state().level


async def test_what_an_event_calls_for_is_done_at_once(server: AmiServer) -> None:
    judge = Judge()
    judge.reaction = [WithdrawLease("acme")]
    async with linked(server, judge):
        await server.received("CoreStatus")
        server.say(NEWCHANNEL)
        await server.received("DBDel", Key="lease/acme")


async def test_lag_is_told_as_a_number(server: AmiServer) -> None:
    ticks = Ticks()
    async with linked(server, Judge(), ticks) as link:
        await ticks.asleep()
        server.say(NEWCHANNEL.replace("1000.5", "997.5"))
        server.say(ASKED.replace("1000.6", "997.5"))
        await server.received("Setvar")
        assert link.state().lag == 2.5


async def test_events_that_stay_late_are_let_go_of_and_the_calls_read_anew(server: AmiServer) -> None:
    clock, ticks, judge = [1000.0], Ticks(), Judge()
    async with linked(server, judge, ticks, clock=lambda: clock[0]) as link:
        await ticks.asleep()
        clock[0] = 1010.0                           # we fell behind by ten seconds
        server.say(NEWCHANNEL)
        server.say(ASKED)
        await server.received("Setvar")
        assert link.state().connected, "perhaps it can be caught up"
        clock[0] = 1013.0
        server.say(HANGUP)
        assert await ticks.asleep() == 0.25, "a short pause, after a connection that had been level"
        assert "late: let go" in link.state().problem
        server.listing = [STATUS]
        ticks.wake()
        ticks.wake()
        await server.received("CoreStatus", 2)
        await ticks.asleep()
        assert link.state().level


async def test_a_clock_that_jumps_is_read_anew_before_it_is_taken_for_lateness(server: AmiServer) -> None:
    clock, ticks = [1000.0], Ticks()
    async with linked(server, Judge(), ticks, clock=lambda: clock[0]) as link:
        await ticks.asleep()
        clock[0] = 4600.0                           # an hour ahead, by a hand on our clock
        server.say(NEWCHANNEL)
        server.say(ASKED)
        await server.received("Setvar")
        assert link.state().lag > 3599
        ticks.wake()                                # the next beat
        await ticks.asleep()
        clock[0] = 4603.0
        server.say(HANGUP.replace("1001", "1003"))
        server.say(ASKED.replace("1000.6", "1003.0"))
        await server.received("Setvar", 2)
        assert link.state().connected
        assert abs(link.state().lag) < 0.01
    assert server.connections == 1


QUESTION = CallAttempt(
    "pbx1/pbx-1000.1", "pbx1", "acme", Direction.OUTBOUND, "1000", "acme", 1000.6, "PJSIP/acme-00000001"
)


async def test_a_call_asked_about_and_over_while_the_link_was_down_is_closed(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        server.hang_up()
        await ticks.asleep()
        link.asked(QUESTION)
        ticks.wake()
        ticks.wake()
        await ticks.asleep()
        assert link.state().live_calls == 0
    [ending] = judge.events
    assert (ending.phase, ending.attempt, ending.source) == (Phase.ENDED, QUESTION, Source.INFERRED)


async def test_a_call_asked_about_while_the_link_was_down_goes_on_and_ends_once(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        server.hang_up()
        await ticks.asleep()
        link.asked(QUESTION)
        server.listing = [STATUS]
        ticks.wake()
        ticks.wake()
        await ticks.asleep()
        assert (link.state().live_calls, judge.events) == (1, [])
        server.say(HANGUP)
        server.say(OTHER_ASKED)
        await server.received("Setvar")
    [ending] = judge.events
    assert (ending.phase, ending.source, ending.hangup_cause) == (Phase.ENDED, Source.EVENT, 17)


async def test_a_call_of_an_unlisted_context_that_a_door_was_asked_about_ends(server: AmiServer) -> None:
    judge, ticks = Judge(), Ticks()
    async with linked(server, judge, ticks) as link:
        await ticks.asleep()
        server.say(NEWCHANNEL.replace("from-accounts", "elsewhere"))
        server.say(OTHER_ASKED)
        await server.received("Setvar")
        link.asked(QUESTION)
        server.say(HANGUP.replace("from-accounts", "elsewhere"))
        server.say(OTHER_ASKED)
        await server.received("Setvar", 2)
    [ending] = judge.events
    assert (ending.phase, ending.attempt) == (Phase.ENDED, QUESTION)
