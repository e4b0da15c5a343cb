"""The link to one Asterisk: kept up, kept level with the switch, and answering its questions.

In: the switch's events and questions. Out: call facts and questions to `Admission`; answers, leases,
words, brakes, hang-ups and a heartbeat to the switch.
Refuses to know: why a decision is what it is; how messages are written (`wire`); what is counted.

    run()  ──▶ connect, log in ──▶ level: clock, restart?, live calls, all orders again ──▶ beat
      ▲                                    (events and questions are handled meanwhile)      │
      └────────── wait: back-off with jitter ◀── lost, refused, silent, not AMI ◀────────────┘

Each beat is a Ping with a deadline and a heartbeat in AstDB: a switch that is there but silent
(half-open, stopped) is noticed within a beat and a deadline, and the dialplan notices the same of us.
Of a switch whose events come late we let go before they pile up there (`lateness`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any

import structlog

from enforcer.domain.actions import Action, CloseMessages, HangUp, OpenMessages
from enforcer.domain.call import CallAttempt, CallEvent
from enforcer.domain.gap import Sight
from enforcer.errors import LinkError, WireError
from enforcer.switch.ami_level import Boots, clock_ahead, forget_brakes, select
from enforcer.switch.ami_messages import MessageDesk
from enforcer.switch.ami_session import Peer, Session, open_session
from enforcer.switch.census import Census
from enforcer.switch.kept import BATCH, BEAT, KeptLink
from enforcer.switch.lateness import STEADY, Lateness
from enforcer.switch.link import Deadlines, Judge, LinkState, worth_a_line
from enforcer.switch.unheard import Unheard
from enforcer.wire.ami import Message
from enforcer.wire.ami_actions import FAMILY, Command, answer, command_for, heartbeat
from enforcer.wire.answer import answer_line
from enforcer.wire.asterisk import CallBook
from enforcer.wire.asterisk_messages import is_message
from enforcer.wire.asterisk_questions import Question
from enforcer.wire.asterisk_status import STATUS_HEADERS, resync
from enforcer.wire.channel import Identity, event_time, plain
from enforcer.wire.legs import Legs, SwitchNews

__all__ = ["AmiLink", "Deadlines", "Judge", "LinkState", "Peer"]

log = structlog.get_logger("ami")

CHANNEL_EVENTS = frozenset({"Newchannel", "Newstate", "Hangup"})


class AmiLink(KeptLink[Session]):
    """See the module. `await link.run()` until cancelled; `link.act(...)` at any time.

    `messages` is how the contexts of accounts' text messages begin; None where none are asked about.
    `clock` is Unix seconds; `sleep` and `jitter` (0 to 1) are given so that tests wait for nothing.
    """

    def __init__(
        self,
        peer: Peer,
        identity: Identity,
        judge: Judge,
        *,
        deadlines: Deadlines | None = None,
        messages: str | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(peer, identity.switch, judge, deadlines, clock, sleep, jitter)
        self.book = CallBook(identity)
        self._peer = peer
        self._messages: MessageDesk | None = None
        if messages is not None:
            self._messages = MessageDesk(
                self._switch, messages, judge, self._deadlines.action, self.now
            )
        self._boots = Boots(self._switch)
        self._unheard = Unheard()
        self._census = Census()
        self._filtered = False
        self._lateness = Lateness()
        self._offset = 0.0
        self._tuned = False             # the switch's clock is known
        self._answers = 0

    def asked(self, attempt: CallAttempt) -> None:
        """The FastAGI door was asked about this call, which counted it: its end has to be found, too."""
        for fact in self.book.asked(attempt):
            self._judge.observe(fact)
        if self.book.find(attempt.call_id) is None:
            self._unheard.asked(attempt)

    @property
    def _legs(self) -> Legs:
        return self.book

    @property
    def _ahead(self) -> float:
        return self._offset

    def state(self) -> LinkState:
        """The link in numbers."""
        answers = self._answers + (self._messages.answers if self._messages else 0)
        return replace(
            super().state(), lag=self._lateness.lag, restarts=self._boots.restarts, answers=answers,
        )

    def remember(self, sight: Sight) -> None:
        """How far an enforcer before us heard this switch."""
        super().remember(sight)
        self._boots.booted_at = sight.boot
        self._census.remember(sight.serial)

    @property
    def _counts(self) -> tuple[int | None, str]:
        return self._census.serial, self._boots.booted_at

    async def _connect(self) -> Session:
        self._census.lost()
        session = await open_session(self._peer, self._happened, self._clock, within=self._deadlines.login)
        self._filtered = False
        self._lateness.begin()
        return session

    def _jobs(self, session: Session) -> dict[str, Coroutine[Any, Any, None]]:
        jobs = {"serve": self._serve(session)}
        if self._messages is not None:
            jobs["messages"] = self._messages.run(session)
        return jobs

    def _part(self, session: Session) -> None:
        farewell: list[Command] = [("DBDel", (("Family", FAMILY), ("Key", "hb")))]
        for command in farewell + (self._messages.leaving() if self._messages else []):
            self._send(session, command)

    async def _serve(self, session: Session) -> None:
        """Level first, then beat. Raises LinkError when the switch falls silent."""
        await self._tune(session)
        await self._beat(session)
        await self._catch_up(session)
        self._level = True
        while True:
            await self._sleep(BEAT)
            await self._tune(session)
            await self._beat(session)
            self._unheard.beat()
            if self._messages is not None:
                self._messages.beat()
            await self._rounds(session)
            if session.events_dropped and not self._filtered:
                self._filtered = True
                select(session, self._switch)

    async def _tune(self, session: Session) -> None:
        steady = STEADY if self._tuned else self._deadlines.pong
        ahead = await clock_ahead(session, self._clock, self._deadlines.pong, steady=steady)
        if ahead is not None:
            self._offset, self._tuned = ahead, True

    async def _beat(self, session: Session) -> None:
        """The heartbeat, in the switch's own time: its dialplan compares it with its own clock."""
        await self._ask(session, heartbeat(self.now()))
        if self._messages is not None:
            self._messages.hold(session, self.now())

    async def _ask(self, session: Session, command: Command) -> Message | None:
        """Something we want but can go on without: the response, or None where the switch refuses it
        (most likely the user's rights in manager.conf), which is then the link's `problem`."""
        name, headers = command
        try:
            return await session.ask(name, headers, within=self._deadlines.action)
        except LinkError as problem:
            if session.lost.done():
                raise
            if self._problem != str(problem):       # said once
                log.error("the switch refuses us", switch=self._switch, problem=str(problem))
            self._problem = str(problem)
            return None

    async def _catch_up(self, session: Session) -> None:
        """After every connect: was it restarted, which calls live, and all standing orders again
        (AstDB reaches the disk a second late, so a switch may have lost what it confirmed)."""
        restarts = self._boots.restarts
        self._boots.look(await self._ask(session, ("CoreStatus", ())))
        if self._boots.restarts != restarts:
            self._census.forget()
            self._uncounted = []
        for attempt in self._unheard.take():
            self.book.believe(attempt, attempt.call_id.partition("/")[2])
        known_before = self.book.known_legs()
        lost_at = self._heard_at if self._heard_at is not None else self.now()
        listing = await session.listing("Status", STATUS_HEADERS, within=self._deadlines.listing)
        missed = resync(self.book, listing, known_before, lost_at, self.now())
        for event in missed:
            self._do(session, self._judge.observe(event))
        self._lapsed(missed, self._census.level(entry.get("Uniqueid") or "" for entry in listing))
        log.info("level with the switch", switch=self._switch, live=self.book.live_calls, missed=len(missed))
        if self._connects == 1:
            await forget_brakes(session, self._deadlines.action)
        if self._messages is not None:
            await self._messages.catch_up(session)
        await self._push(session, self._judge.everything(self._switch, self.now()))
        if self._messages is not None:
            self._messages.begin()

    async def _push(self, session: Session, actions: list[Action]) -> None:
        """Many actions, a batch at a time, so that questions are answered in between."""
        for start in range(0, len(actions), BATCH):
            self._do(session, actions[start : start + BATCH])
            await session.drained(within=self._deadlines.action)
            await asyncio.sleep(0)

    # --- the hot path

    def _happened(self, session: Session, message: Message) -> None:
        """One event. Called from the socket; everything here is synchronous and short."""
        now = self._clock() + self._offset
        if message.name in CHANNEL_EVENTS:
            plain(message)
        if self._tuned:
            late = self._lateness.felt(now - event_time(message, now), now)
            if late:
                session.close(late)
        try:
            if self._messages is not None and is_message(message):
                before = self._messages.answers
                self._messages.happened(session, message, now)
                if self._messages.answers > before:
                    self.took(self._clock() - session.heard_at)
                return
            if message.name == "Newchannel":
                unseen = self._census.saw(message.get("Uniqueid") or "")
                if unseen is not None:
                    self._counted(unseen)
            facts = self.book.read(message, now)
        except WireError as problem:
            self._malformed += 1
            if worth_a_line(self._malformed):
                log.warning(
                    "malformed event", switch=self._switch, problem=str(problem), times=self._malformed
                )
            return
        for fact in facts:
            if isinstance(fact, Question):
                line = answer_line(self._judge.admit(fact.attempt))
                self._send(session, answer(fact.channel, line))
                self._answers += 1
                self.took(self._clock() - session.heard_at)
            elif isinstance(fact, CallEvent):
                self._unheard.heard(fact.attempt.call_id)
                actions = self._judge.observe(fact)
                if actions:
                    self._do(session, actions)
            elif fact is SwitchNews.SHUTDOWN:
                log.warning("the switch is shutting down", switch=self._switch)

    def _do(self, session: Session, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, CloseMessages | OpenMessages):
                if self._messages is not None:
                    self._messages.want([action])
                continue
            if isinstance(action, HangUp) and self.book.moved(action.call_id):
                # Nobody told us where to: it may be an emergency call by now.
                log.warning("not hung up: the call dialled again", switch=self._switch, call=action.call_id)
                continue
            self._send(session, command_for(action))

    def _send(self, session: Session, command: Command) -> None:
        """Send, where the connection still is; losing it is dealt with elsewhere, once."""
        try:
            session.post(*command)
        except LinkError:
            pass
        except WireError as problem:
            self._malformed += 1
            log.error("not sent", switch=self._switch, problem=str(problem))
