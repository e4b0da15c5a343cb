"""The text messages of one FreeSWITCH: those in our hands sent on or refused, STOP heard, accounts closed.

In: MESSAGE events of a session, `CloseMessages` and `OpenMessages`. Out: attempts to `Admission`, commands
to the switch.
Refuses to know: calls, how the link is kept up, and where a message goes.

FreeSWITCH has taken a message before anybody is asked, and then keeps it no longer: what its chat plan hands
over exists only in our hands, except for a net that sends it on by itself after one to two seconds. So a
message is decided in the callback that brings it, and what takes the net away and sends the message on is
written at once. Where it comes so late that the net may be gone (we were frozen), the switch is asked first:
what the net has sent went, and is not sent twice.

What closes an account is a key with an end, renewed as long as we are there: what we leave behind undoes
itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import NamedTuple, Protocol

import structlog

from enforcer.domain.actions import Action, CloseMessages, MessageOrder
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase, Refusal
from enforcer.domain.decision import Decision
from enforcer.errors import LinkError
from enforcer.switch.esl_session import Session
from enforcer.wire import freeswitch_actions as orders
from enforcer.wire.answer import answer_line, parse_answer
from enforcer.wire.esl import Message
from enforcer.wire.freeswitch_messages import (
    NET_HOLDS,
    MessageFact,
    read_message,
    send_on,
    take_net,
    taken,
    tell_sender,
    why_not_sent,
)

log = structlog.get_logger("esl")

CLOSED_FOR = 900                # s, renewed when half of it is over
AT_ONCE = 50                    # late messages whose nets are looked for together
MOST_LATE = 2_000               # that wait for it; any more are left to their nets, which send them on


class MessageJudge(Protocol):
    """`Admission`, as far as messages need it."""

    def admit(self, attempt: CallAttempt) -> Decision:
        """Count the message and decide on it."""

    def wrote(self, event: CallEvent) -> list[Action]:
        """Count a message that was not asked about."""

    def heard(self, attempt: CallAttempt, words: str, at: float) -> None:
        """Somebody wrote these words to an account."""


class _Held(NamedTuple):
    """A message that came late, decided, and what is to be done if its net was still there."""

    fact: MessageFact
    command: bytes | None


class MessageDesk:
    """One a link, for all its connections."""

    def __init__(self, switch: str, judge: MessageJudge, deadline: float) -> None:
        self.answers = 0
        self._switch = switch
        self._judge = judge
        self._deadline = deadline
        # Whether people stopped it, and until when it is written.
        self._closed: dict[str, tuple[bool, int]] = {}
        self._late: asyncio.Queue[_Held] = asyncio.Queue(MOST_LATE)
        self._behind = 0            # how many of those are not done yet
        self.left = 0               # messages that were left to their nets, for want of room

    def happened(self, session: Session, message: Message, now: float) -> list[Action]:
        """An event about a message. Raises WireError where it is not one of ours."""
        fact = read_message(message, self._switch, now)
        if fact is None:
            return []
        actions: list[Action] = []
        if fact.asked:
            self._asked(session, message, fact, now)
        else:
            event = CallEvent(Phase.ENDED, fact.attempt, fact.attempt.at, refusal=fact.refusal)
            actions = self._judge.wrote(event)
        if fact.text:
            self._judge.heard(fact.attempt, fact.text, now)
        return actions

    def _asked(self, session: Session, message: Message, fact: MessageFact, now: float) -> None:
        answer = parse_answer(answer_line(self._judge.admit(fact.attempt)))
        if not answer.cause:
            command: bytes | None = send_on(message, answer.tag)
        elif fact.attempt.direction is Direction.OUTBOUND:
            command = tell_sender(message, why_not_sent(fact.attempt.number, answer))
        else:
            command = None
        # While others are looked for, commands may wait for longer than one that comes now can.
        if fact.net and (self._behind or now - fact.attempt.at > NET_HOLDS):
            if self._late.full():
                self._leave(fact)
                return
            self._behind += 1
            self._late.put_nowait(_Held(fact, command))
            return
        net = take_net(fact.serial) if fact.net else b""
        with contextlib.suppress(LinkError):        # lost: dealt with elsewhere, once; the net does the rest
            if net:
                session.post(net)
            if command is not None:
                session.post(command)
            self.answers += 1

    async def run(self, session: Session) -> None:
        """Do what has come late, until the connection is lost (raises LinkError)."""
        while True:
            batch = [await self._late.get()]
            while len(batch) < AT_ONCE and not self._late.empty():
                batch.append(self._late.get_nowait())
            try:
                await asyncio.gather(*(self._if_held(session, held) for held in batch))
            finally:
                self._behind -= len(batch)

    async def _if_held(self, session: Session, held: _Held) -> None:
        """Sends it on, or refuses it, unless its net has let it go or nobody knows."""
        try:
            there = taken((await session.said(take_net(held.fact.serial), within=self._deadline)).text)
        except LinkError:
            there = False
        if there:
            self.answers += 1
            if held.command is not None:
                session.post(held.command)
        else:
            self._went(held.fact)

    def _went(self, fact: MessageFact) -> None:
        self._judge.wrote(CallEvent(Phase.ENDED, fact.attempt, fact.attempt.at, refusal=Refusal.WENT))

    def _leave(self, fact: MessageFact) -> None:
        """Its net has sent it on, or will: as if nobody had been there to be asked."""
        if not self.left:
            log.error("too many late messages: some are sent on unasked", switch=self._switch)
        self.left += 1
        self._went(fact)

    # --- accounts none of whose messages may pass

    def want(self, session: Session, order: MessageOrder, now: float) -> None:
        """Close or open an account, now."""
        if isinstance(order, CloseMessages):
            self._closed[order.account] = (order.lasts, 0)
            self._renew(session, now)
        elif self._closed.pop(order.account, None) is not None:
            self._send(session, orders.open_messages(order.account))

    def beat(self, session: Session, now: float) -> None:
        """Time to say that we are there, and to renew what closes accounts."""
        self._send(session, orders.hands(now))
        self._renew(session, now)

    def catch_up(self, session: Session) -> None:
        """After a connect: everything is open, until it is ordered closed again."""
        for account in self._closed:
            self._send(session, orders.open_messages(account))
        self._closed.clear()

    def leaving(self) -> list[bytes]:
        """We go in good order: what is closed by a rule is opened, for nobody will be there to do it when its
        cycle is over. Accounts that people stopped stay closed."""
        ours = [account for account, (lasts, _) in self._closed.items() if not lasts]
        return [orders.forget(orders.HANDS), *map(orders.open_messages, ours)]

    def _renew(self, session: Session, now: float) -> None:
        for account, (lasts, until) in self._closed.items():
            if until - now <= CLOSED_FOR / 2:
                self._closed[account] = (lasts, int(now) + CLOSED_FOR)
                self._send(session, orders.close_messages(account, int(now) + CLOSED_FOR))

    def _send(self, session: Session, command: bytes) -> None:
        with contextlib.suppress(LinkError):        # after the next connect all is ordered again
            session.post(command)
