"""Text messages on a link: questions answered, words heard, accounts closed and opened."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from enforcer.domain.actions import Action, CloseMessages, OpenMessages
from enforcer.domain.call import CallAttempt, CallEvent, Phase, Refusal
from enforcer.domain.decision import Decision, Verdict
from enforcer.switch.ami import AmiLink, Deadlines
from enforcer.switch.ami_session import Peer
from enforcer.wire.channel import Identity
from tests.support import ami_server as ami
from tests.support.ami_server import SECRET, AmiServer

ANSWER = {"Variable": "ENF_MESSAGE_ANSWER"}
EVENT = """\
Event: UserEvent
Timestamp: 1000.000000
Channel: Message/ast_msg_queue
Uniqueid: pbx1-1000.0
UserEvent: EnfMessage
Serial: 1795646428.020984
Account: {account}
Direction: {direction}
Number: 12025550142
Sender: 12025550177
Ask: {ask}
Verdict: {verdict}
Text: {text}
"""


def told(
    account: str = "acme", direction: str = "outbound", ask: str = "yes", verdict: str = "none",
    text: str = "",
) -> str:
    return EVENT.format(account=account, direction=direction, ask=ask, verdict=verdict, text=text)


class Judge:
    """Stands where Admission will."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.standing: list[Action] = []
        self.due: list[Action] = []

    def admit(self, attempt: CallAttempt) -> Decision:
        self.done.append(attempt)
        return Decision(
            "d1-1", attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
            attempt.direction, Verdict.BLOCK, Verdict.BLOCK, sip_code=403,
        )  # fmt: skip

    def observe(self, event: CallEvent) -> list[Action]:
        self.done.append(event)
        return []

    def heard(self, attempt: CallAttempt, words: str, at: float) -> None:
        self.done.append((attempt.caller, words, at))

    def round(self, switch: str, at: float) -> list[Action]:
        return []

    def urgent(self, switch: str, at: float) -> list[Action]:
        due, self.due = self.due, []
        return due

    def everything(self, switch: str, at: float) -> list[Action]:
        return self.standing


class Beats:
    """The link's sleep: one wake-up a call of `beat`."""

    def __init__(self) -> None:
        self._asleep = asyncio.Semaphore(0)
        self._wake = asyncio.Semaphore(0)

    async def sleep(self, _seconds: float) -> None:
        self._asleep.release()
        await self._wake.acquire()

    async def beat(self) -> None:
        async with asyncio.timeout(10):
            await self._asleep.acquire()
        self._wake.release()


@pytest.fixture
async def server() -> AsyncIterator[AmiServer]:
    async with ami.ami_server() as running:
        yield running


@asynccontextmanager
async def linked(
    server: AmiServer, judge: Judge, beats: Beats, messages: str | None = "messages-",
    clock: Callable[[], float] = lambda: 1000.0,
) -> AsyncIterator[AmiLink]:
    link = AmiLink(
        Peer("127.0.0.1", server.port, "enforcer", SECRET), Identity("pbx1"), judge, deadlines=Deadlines(),
        messages=messages, clock=clock, sleep=beats.sleep, jitter=lambda: 1.0,
    )  # fmt: skip
    task = asyncio.create_task(link.run(), name="link under test")
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled(), task.exception()


def listing(*accounts: str) -> Callable[[ami.Action], bytes]:
    """What is in AstDB under "closed"; Asterisk calls none an error."""

    def answer(action: ami.Action) -> bytes:
        if not accounts:
            return ami.response(action, "Error", Message="Database entry not found")
        number = f"ActionID: {action['ActionID']}\r\n"
        entries = "".join(
            f"Event: DBGetTreeResponse\r\nKey: /enforcer/closed/{name}\r\nVal: 1\r\n{number}\r\n"
            for name in accounts
        )
        done = f"Event: DBGetTreeComplete\r\n{number}EventList: Complete\r\n\r\n"
        return ami.response(action, EventList="start") + (entries + done).encode()

    return answer


def mark(account: str, stretch: int) -> str:
    """The extension that says of an account that it stays closed, for these 100,000 s."""
    return hashlib.md5(f"{stretch}.{account}".encode()).hexdigest()


class Dialplan:
    """Extensions that are there, by context; as Asterisk answers about them."""

    def __init__(self, server: AmiServer, *contexts: str) -> None:
        self.there = set(contexts)
        self.stopped: set[str] = set()          # of the accounts that stay closed without us
        self.emptied = asyncio.Event()
        server.overrides["DialplanExtensionRemove"] = self._remove
        server.overrides["DialplanExtensionAdd"] = self._add
        server.overrides.setdefault("DBGetTree", listing())

    def _remove(self, action: ami.Action) -> bytes:
        if action["Context"] == "message-stopped":
            known = action["Extension"] in self.stopped
            self.stopped.discard(action["Extension"])
            return ami.response(action) if known else ami.response(action, "Error", Message="Failed")
        if action["Context"] not in self.there:
            return ami.response(action, "Error", Message="Failed to remove requested extension")
        self.there.discard(action["Context"])
        if not self.there:
            self.emptied.set()
        return ami.response(action)

    def _add(self, action: ami.Action) -> bytes:
        if action["Context"] == "message-stopped":
            self.stopped.add(action["Extension"])
            return ami.response(action)
        if action["Priority"] != "1":
            return ami.response(action)
        if action["Context"] in self.there:
            return ami.response(action, "Error", Message="That extension and priority already exist")
        self.there.add(action["Context"])
        return ami.response(action)


async def test_question_is_answered_by_its_serial(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    Dialplan(server)
    async with linked(server, judge, beats) as link:
        await server.received("CoreStatus")
        server.say(told())
        answer = await server.received("Setvar", **ANSWER)
        assert (answer["Variable"], answer["Value"]) == (
            "ENF_MESSAGE_ANSWER", "1795646428.020984:block:21:0:0::d1-1",
        )  # fmt: skip
        assert "Channel" not in answer
        assert link.state().answers == 1


async def test_words_are_heard_once_their_message_was_answered(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    Dialplan(server)
    async with linked(server, judge, beats):
        await server.received("CoreStatus")
        server.say(told(direction="inbound", text="STOP"))
        await server.received("Setvar", **ANSWER)
        await beats.beat()
    assert isinstance(judge.done[0], CallAttempt)
    assert judge.done[1] == ("12025550177", "STOP", 1000.0)


async def test_message_that_went_unasked_is_counted_and_not_answered(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    Dialplan(server)
    async with linked(server, judge, beats):
        await server.received("CoreStatus")
        server.say(told(ask="no", verdict="allow"))
        server.say(told())
        await server.received("Setvar", **ANSWER)
    event = judge.done[0]
    assert isinstance(event, CallEvent)
    assert (event.phase, event.refusal) == (Phase.ENDED, Refusal.WENT)
    assert [one["Variable"] for one in server.actions if one["Action"] == "Setvar"].count(
        "ENF_MESSAGE_ANSWER") == 1


async def test_event_that_is_no_question_is_counted_as_malformed(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    Dialplan(server)
    async with linked(server, judge, beats) as link:
        await server.received("CoreStatus")
        server.say(told().replace("Serial: 1795646428.020984\n", "Serial: x\n"))
        server.say(told())
        await server.received("Setvar", **ANSWER)
        assert link.state().malformed == 1
    assert len(judge.done) == 1


async def test_switch_that_is_not_to_ask_about_messages_is_not_answered(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    judge.standing = [CloseMessages("acme")]
    async with linked(server, judge, beats, messages=None):
        await server.received("DBPut")
        server.say(told())
        await beats.beat()
        await server.received("DBPut", 2)
    assert judge.done == []
    assert not {"Setvar", "DialplanExtensionRemove", "DBGetTree"} & set(server.names())


async def test_account_is_closed_at_once_and_noted_and_opened_again(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    plan = Dialplan(server, "messages-acme", "messages-globex")
    async with linked(server, judge, beats) as link:
        await server.received("DBGetTree")
        await beats.beat()
        judge.due = [CloseMessages("acme")]
        link.hurry()
        link.hurry()
        await server.received("DBPut", Key="closed/acme")
        assert plan.there == {"messages-globex"}
        judge.due = [OpenMessages("acme"), OpenMessages("globex")]
        link.hurry()
        await server.received("DBDel", Key="closed/acme")
        added = await server.received("DialplanExtensionAdd")
        assert added["ApplicationData"] == "enforcer-messages,outbound,1(acme,${EXTEN})"
        ended = await server.received("DialplanExtensionAdd", 2)
        assert (ended["Priority"], ended["Application"]) == ("2", "Hangup")
        assert server.names().count("DialplanExtensionAdd") == 2        # what we never closed stays as it is


async def test_what_was_taken_before_the_closing_is_asked_about_and_a_flood_not_for_long(
    server: AmiServer,
) -> None:
    judge, beats, at = Judge(), Beats(), [1000.0]
    Dialplan(server, "messages-acme", "messages-globex")
    server.overrides["Ping"] = lambda action: ami.response(action, Ping="Pong", Timestamp=f"{at[0]:.6f}")
    judge.standing = [CloseMessages("acme"), CloseMessages("globex"), CloseMessages("no such name")]
    with capture_logs() as logged:
        async with linked(server, judge, beats, clock=lambda: at[0]):
            await server.received("DBPut", Key="closed/globex")
            acme = await server.received("Setvar", Variable="ENF_TAKEN_acme")
            removed = await server.received("DialplanExtensionRemove", Context="messages-acme")
            assert server.actions.index(acme) < server.actions.index(removed)
            assert acme["Value"] == "1000500"
            at[0] = 1004.9
            await beats.beat()
            await server.received("Setvar", 2, Variable="ENF_HERE")
            at[0] = 1005.2
            server.say(told())
            await server.received("Setvar", **ANSWER)
            await beats.beat()
            for account in ("acme", "globex"):
                assert (await server.received("Setvar", 2, Variable=f"ENF_TAKEN_{account}"))["Value"] == "0"
    names = [one["Variable"] for one in server.actions if one["Action"] == "Setvar"]
    assert sum(name.startswith("ENF_TAKEN_") for name in names) == 4
    (said,) = [one for one in logged if one["event"].startswith("closed while it writes")]
    told_of = (said["account"], said["message"], said["number"])
    assert told_of == ("acme", "pbx1/message-1795646428.020984", "12025550142")


async def test_account_without_a_context_of_its_own_is_left_alone(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    Dialplan(server)
    judge.standing = [CloseMessages("acme"), CloseMessages("no such name")]
    async with linked(server, judge, beats) as link:
        await server.received("DialplanExtensionRemove", Context="messages-acme")
        await beats.beat()
        judge.due = [OpenMessages("acme")]
        link.hurry()
        await beats.beat()
        await server.received("DBPut", 3)       # the third heartbeat
    assert "DialplanExtensionAdd" not in server.names()
    assert server.names().count("DialplanExtensionRemove") == 1


async def test_reload_of_the_dialplan_is_noticed_and_all_are_closed_again(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    plan = Dialplan(server, "messages-acme", "messages-globex")
    judge.standing = [CloseMessages("acme"), CloseMessages("globex")]
    async with linked(server, judge, beats):
        await server.received("DBPut", Key="closed/globex")
        await beats.beat()
        await server.received("DialplanExtensionRemove", 3)
        plan.there = {"messages-acme", "messages-globex"}
        plan.emptied.clear()
        await beats.beat()
        async with asyncio.timeout(10):
            await plan.emptied.wait()


async def test_what_an_enforcer_before_us_closed_is_opened_unless_it_must_not(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    server.overrides["DBGetTree"] = listing("acme", "globex", "no such")
    plan = Dialplan(server)
    judge.standing = [CloseMessages("globex")]
    async with linked(server, judge, beats):
        await server.received("DBDel", Key="closed/acme")
        assert plan.there == {"messages-acme"}
    assert plan.there == {"messages-acme", "messages-globex"}      # who goes in good order opens all


async def test_what_was_closed_stays_closed_over_a_lost_connection(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    plan = Dialplan(server, "messages-acme")
    judge.standing = [CloseMessages("acme")]
    async with linked(server, judge, beats):
        await server.received("DBPut", Key="closed/acme")
        server.overrides["DBGetTree"] = listing("acme")
        server.hang_up()
        await server.connected(1)
        for _ in range(3):
            await beats.beat()
        await server.received("DBGetTree", 2)
        await server.received("DialplanExtensionRemove", 2)
        assert plan.there == set()
        assert "DialplanExtensionAdd" not in server.names()


async def test_who_leaves_in_good_order_opens_what_only_a_rule_has_closed(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    plan = Dialplan(server, "messages-acme", "messages-globex", "messages-initech")
    judge.standing = [CloseMessages("acme"), CloseMessages("globex", lasts=True), CloseMessages("initech")]
    async with linked(server, judge, beats) as link:
        await server.received("DBPut", Key="closed/initech")
        await beats.beat()
        judge.due = [CloseMessages("initech", lasts=True)]
        link.hurry()
        await server.received("DialplanExtensionAdd", Extension=mark("initech", 1))
    await server.received("Logoff")
    assert plan.there == {"messages-acme"}
    assert plan.stopped == {mark(name, 0) for name in ("globex", "initech")} | {
        mark(name, 1) for name in ("globex", "initech")}
    assert [a["Key"] for a in server.actions if a["Action"] == "DBDel"] == ["hb", "closed/acme"]


async def test_each_beat_says_that_we_are_there_to_open_what_is_closed(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    Dialplan(server)
    async with linked(server, judge, beats):
        here = await server.received("Setvar", Variable="ENF_HERE")
        assert here["Value"] == "1000"
        await beats.beat()
        await server.received("Setvar", 2, Variable="ENF_HERE")


async def test_account_that_people_stopped_is_marked_for_a_day_and_again_as_days_go_by(
    server: AmiServer
) -> None:
    judge, beats = Judge(), Beats()
    plan = Dialplan(server, "messages-acme", "messages-globex")
    judge.standing = [CloseMessages("acme", lasts=True), CloseMessages("globex")]
    now = [1000.0]
    async with linked(server, judge, beats, clock=lambda: now[0]) as link:
        await server.received("DBPut", Key="closed/globex")
        assert plan.stopped == {mark("acme", 0), mark("acme", 1)}
        now[0] += 100_000
        server.overrides["Ping"] = lambda action: ami.response(
            action, Ping="Pong", Timestamp=f"{now[0]:.6f}"
        )
        await beats.beat()
        await server.received("DialplanExtensionRemove", Extension=mark("acme", 0))
        assert plan.stopped == {mark("acme", 1), mark("acme", 2)}
        await beats.beat()
        judge.due = [CloseMessages("acme")]
        link.hurry()
        await server.received("DialplanExtensionRemove", Extension=mark("acme", 2))
        assert plan.stopped == set()


async def test_mark_of_an_enforcer_before_us_is_taken_away_where_people_let_the_account_go(
    server: AmiServer
) -> None:
    judge, beats = Judge(), Beats()
    server.overrides["DBGetTree"] = listing("acme")
    plan = Dialplan(server)
    plan.stopped = {mark("acme", 0), mark("acme", 1)}
    async with linked(server, judge, beats):
        await server.received("DBDel", Key="closed/acme")
        assert plan.stopped == set()


async def test_refused_right_is_said_and_costs_no_link(server: AmiServer) -> None:
    judge, beats = Judge(), Beats()
    judge.standing = [CloseMessages("acme")]
    server.overrides["DialplanExtensionRemove"] = server.overrides["DBGetTree"] = lambda action: ami.response(
        action, "Error", Message="Permission denied"
    )
    async with linked(server, judge, beats) as link:
        await server.received("DialplanExtensionRemove")
        server.say(told())
        await server.received("Setvar", **ANSWER)
        assert link.state().connected
