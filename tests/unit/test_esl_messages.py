"""Text messages on a link to FreeSWITCH: none is sent twice, and what closes accounts is renewed."""

from __future__ import annotations

import asyncio

import pytest

from enforcer.domain.actions import Action, CloseMessages, OpenMessages
from enforcer.domain.call import CallAttempt, CallEvent, Refusal
from enforcer.domain.decision import Decision, Verdict
from enforcer.errors import LinkError
from enforcer.switch import esl_messages
from enforcer.switch.esl_messages import CLOSED_FOR, MessageDesk
from enforcer.wire.esl import API, Message
from tests.unit.test_freeswitch_messages import SERIAL, message

NOW = 1000.6        # the message is of 1000.5


class Judge:
    """Lets messages go, or refuses them; keeps what it was told."""

    def __init__(self, verdict: Verdict = Verdict.ALLOW) -> None:
        self.verdict = verdict
        self.asked: list[CallAttempt] = []
        self.told: list[CallEvent] = []
        self.words: list[str] = []

    def admit(self, attempt: CallAttempt) -> Decision:
        self.asked.append(attempt)
        code = 403 if self.verdict is Verdict.BLOCK else 0
        return Decision(
            "d1-1", attempt.at, attempt.call_id, attempt.switch, attempt.account, attempt.number,
            attempt.direction, self.verdict, self.verdict, sip_code=code,
        )  # fmt: skip

    def wrote(self, event: CallEvent) -> list[Action]:
        self.told.append(event)
        return []

    def heard(self, attempt: CallAttempt, words: str, at: float) -> None:
        self.words.append(words)


class Session:
    """What was posted, and how the switch answers."""

    def __init__(self, deleted: int = 1) -> None:
        self.posted: list[bytes] = []
        self.asked: list[bytes] = []
        self.deleted = deleted
        self.down = False

    def post(self, data: bytes) -> None:
        if self.down:
            raise LinkError("down")
        self.posted.append(data)

    async def said(self, data: bytes, *, within: float) -> Message:
        if self.down:
            raise LinkError("down")
        self.asked.append(data)
        return Message(API, "", b"", f"+OK Deleted: {self.deleted}\n".encode())


def verbs(session: Session) -> list[bytes]:
    return [command.split(b"\n", 1)[0] for command in session.posted]


async def late(desk: MessageDesk, session: Session) -> None:
    """What has come late is done."""
    task = asyncio.create_task(desk.run(session), name="desk")
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_net_is_taken_away_before_the_message_is_sent_on() -> None:
    judge, session = Judge(), Session()
    MessageDesk("fs1", judge, 1.0).happened(session, message(), NOW)
    assert verbs(session) == [f"api sched_del enforcer-{SERIAL}".encode(), b"sendevent CUSTOM"]
    assert [one.number for one in judge.asked] == ["12025550142"]


async def test_refused_message_is_answered_and_one_of_nobody_of_ours_is_not() -> None:
    judge, session = Judge(Verdict.BLOCK), Session()
    desk = MessageDesk("fs1", judge, 1.0)
    desk.happened(session, message(), NOW)
    assert session.posted[1].endswith(b"\n\nNot sent to 12025550142: refused by the rule  [d1-1]")
    session.posted.clear()
    desk.happened(session, message(b"STOP", enforcer_direction="inbound"), NOW)
    assert verbs(session) == [f"api sched_del enforcer-{SERIAL}".encode()]
    assert judge.words == ["STOP"]


@pytest.mark.parametrize(("deleted", "sent", "went"), [(1, 1, 0), (0, 0, 1)])
async def test_late_message_is_sent_on_only_if_its_net_was_there(deleted: int, sent: int, went: int) -> None:
    judge, session = Judge(), Session(deleted)
    desk = MessageDesk("fs1", judge, 1.0)
    desk.happened(session, message(), 1001.5)
    assert not session.posted
    await late(desk, session)
    assert len(session.posted) == sent
    assert [event.refusal for event in judge.told] == [Refusal.WENT] * went


async def test_message_behind_late_ones_is_sent_on_only_if_its_net_was_there() -> None:
    session = Session()
    desk = MessageDesk("fs1", Judge(), 1.0)
    desk.happened(session, message(), 1001.5)
    desk.happened(session, message(), NOW)
    assert not session.posted
    await late(desk, session)
    assert len(session.asked) == 2
    desk.happened(session, message(), NOW)
    assert len(session.asked) == 2, "all is done: the next is not late"


async def test_late_messages_that_find_no_room_are_left_to_their_nets_and_known_to_have_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(esl_messages, "MOST_LATE", 3)
    judge, session = Judge(Verdict.BLOCK), Session()
    desk = MessageDesk("fs1", judge, 1.0)
    for _ in range(8):
        desk.happened(session, message(), 1001.5)
    assert desk._late.qsize() == 3
    assert [event.refusal for event in judge.told] == [Refusal.WENT] * desk.left == [Refusal.WENT] * 5
    await late(desk, session)
    assert len(session.asked) == len(session.posted) == 3
    desk.happened(session, message(), NOW)
    assert verbs(session)[-1] == b"sendevent CUSTOM", "all is done: the next is not late"


async def test_late_message_without_a_net_is_sent_on_at_once() -> None:
    session = Session()
    MessageDesk("fs1", Judge(), 1.0).happened(session, message(enforcer_net="no"), 1099.0)
    assert verbs(session) == [b"sendevent CUSTOM"]


async def test_connection_that_is_lost_leaves_the_message_to_its_net() -> None:
    judge, session = Judge(), Session()
    desk = MessageDesk("fs1", judge, 1.0)
    session.down = True
    desk.happened(session, message(), NOW)
    assert desk.answers == 0
    desk.happened(session, message(), 1001.5)
    await late(desk, session)
    assert [event.refusal for event in judge.told] == [Refusal.WENT]


async def test_message_that_was_not_asked_about_is_counted() -> None:
    judge, session = Judge(), Session()
    desk = MessageDesk("fs1", judge, 1.0)
    for verdict in ("leased", "block", "emergency"):
        desk.happened(session, message(enforcer_verdict=verdict), NOW)
    assert [event.refusal for event in judge.told] == [Refusal.WENT, Refusal.BLOCKED, Refusal.WENT]
    assert not session.posted


async def test_closed_account_is_renewed_opened_and_left_as_it_should_be() -> None:
    session = Session()
    desk = MessageDesk("fs1", Judge(), 1.0)
    desk.want(session, CloseMessages("a"), 1000.0)
    desk.want(session, CloseMessages("b", lasts=True), 1000.0)
    desk.beat(session, 1001.0)
    assert session.posted.pop() == b"api hash insert/enf/hands/1004\n\n"
    assert [command.split()[2] for command in session.posted] == [
        f"insert/enf/closed.{name}/{1000 + CLOSED_FOR}".encode() for name in "ab"
    ]
    session.posted.clear()
    desk.beat(session, 1000 + CLOSED_FOR / 2)
    assert session.posted.pop(0).startswith(b"api hash insert/enf/hands/")
    assert len(session.posted) == 2
    forgotten = b"api hash delete/enf/hands\n\n"
    assert desk.leaving() == [forgotten, b"api hash delete/enf/closed.a\n\n"]
    desk.want(session, OpenMessages("a"), 1500.0)
    desk.want(session, OpenMessages("never"), 1500.0)
    assert session.posted[2:] == [b"api hash delete/enf/closed.a\n\n"]
    desk.catch_up(session)
    assert session.posted[3:] == [b"api hash delete/enf/closed.b\n\n"]
    assert desk.leaving() == [forgotten]
