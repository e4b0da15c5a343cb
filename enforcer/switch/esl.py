"""The link to one FreeSWITCH: kept up, kept level with the switch, and let go of before it could harm it.

In: the switch's events. Out: call facts to `Admission`; leases, words, brakes, hang-ups and a heartbeat to
the switch. Questions do not come here: its dialplan asks at a door.
Refuses to know: why a decision is what it is; how commands are written (`wire`); what is counted.

    run()  ──▶ connect, log in ──▶ level: clock, restart?, live calls, all orders again ──▶ beat
      ▲                                    (events are handled meanwhile)                    │
      └────────── wait: back-off with jitter ◀── lost, refused, silent, too late ◀───────────┘

Each beat is an event to ourselves, through the switch's own queue (see `esl_pulse`), and a heartbeat in
mod_hash: a switch that is there but silent is noticed within a beat and a deadline, and its dialplan notices
the same of us.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any

import structlog

from enforcer.domain.actions import Action, CloseMessages, HangUp, OpenMessages
from enforcer.domain.call import CallAttempt, CallEvent, Phase
from enforcer.domain.gap import Sight
from enforcer.errors import LinkError, WireError
from enforcer.switch import esl_level
from enforcer.switch.esl_messages import MessageDesk
from enforcer.switch.esl_pulse import Pulse
from enforcer.switch.esl_session import Peer, Session, open_session
from enforcer.switch.kept import BATCH, BEAT, KeptLink
from enforcer.switch.link import Deadlines, Judge, LinkState, worth_a_line
from enforcer.switch.unheard import Unheard
from enforcer.wire import freeswitch_actions as orders
from enforcer.wire.channel import Identity
from enforcer.wire.esl import Message
from enforcer.wire.freeswitch import CallBook
from enforcer.wire.freeswitch_messages import MESSAGE_EVENT
from enforcer.wire.freeswitch_status import resync
from enforcer.wire.legs import Legs, SwitchNews

__all__ = ["Deadlines", "EslLink", "Peer"]

log = structlog.get_logger("esl")


class EslLink(KeptLink[Session]):
    """See the module. `await link.run()` until cancelled; `link.act(...)` at any time.

    `messages`: its chat plan asks about text messages. `clock` is Unix seconds; `sleep` and `jitter` (0 to 1)
    are given so that tests wait for nothing.
    """

    def __init__(
        self,
        peer: Peer,
        identity: Identity,
        judge: Judge,
        *,
        deadlines: Deadlines | None = None,
        messages: bool = False,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(peer, identity.switch, judge, deadlines, clock, sleep, jitter)
        self.book = CallBook(identity)
        self._peer = peer
        self._messages = MessageDesk(self._switch, judge, self._deadlines.action) if messages else None
        self._pulse = Pulse(identity.switch, clock)
        self._store = esl_level.Store(identity.switch)
        self._known_before: list[str] = []      # channels that we knew before this connection
        self._unheard = Unheard()
        self._nameless: set[str] = set()        # calls in progress whose account is not known yet

    @property
    def _legs(self) -> Legs:
        return self.book

    def asked(self, attempt: CallAttempt) -> None:
        """A door was asked about this call: if it is ours, that names its account, and perhaps its leader."""
        if attempt.switch != self._switch:
            return
        self._nameless.discard(attempt.call_id)
        if self.book.find(attempt.call_id) is None:
            self._unheard.asked(attempt)
        for fact in self.book.asked(attempt):
            if isinstance(fact, CallEvent):
                self._judge.observe(fact)

    @property
    def _ahead(self) -> float:
        return self._pulse.offset

    def state(self) -> LinkState:
        """The link in numbers."""
        pulse = self._pulse
        return replace(
            super().state(), problem=self._problem or self._store.problem, lag=pulse.lag,
            restarts=pulse.restarts, answers=self._messages.answers if self._messages else 0,
        )

    def remember(self, sight: Sight) -> None:
        """How far an enforcer before us heard this switch."""
        super().remember(sight)
        self._pulse.remember(sight.boot, sight.serial)

    @property
    def _counts(self) -> tuple[int | None, str]:
        return self._pulse.total, self._pulse.core

    def _well(self) -> bool:
        """Who is too slow for this switch shall not come back at once, again and again."""
        return self._level and not self._pulse.late

    async def _connect(self) -> Session:
        self._pulse.begin()
        for attempt in self._unheard.take():
            self.book.believe(attempt)
        # What began while we connect is told by its event, and need not be listed yet.
        self._known_before = self.book.known_legs()
        more = frozenset({MESSAGE_EVENT}) if self._messages else frozenset()
        return await open_session(
            self._peer, self._happened, self._clock, within=self._deadlines.login, more=more
        )

    def _jobs(self, session: Session) -> dict[str, Coroutine[Any, Any, None]]:
        jobs = {"serve": self._serve(session)}
        if self._messages is not None:
            jobs["messages"] = self._messages.run(session)
        return jobs

    def _part(self, session: Session) -> None:
        for command in [orders.farewell(), *(self._messages.leaving() if self._messages else [])]:
            self._send(session, command)

    async def _serve(self, session: Session) -> None:
        """Level first, then beat. Raises LinkError when the switch falls silent."""
        unheard = await self._beat(session)
        await self._catch_up(session, self._known_before, unheard if self._pulse.compared else None)
        self._level = True
        listed: list[str] | None = self.book.known_legs()
        at = self.now()
        while True:
            await self._sleep(BEAT)
            await self._beat(session)
            self._unheard.beat()
            if listed is not None:
                # FreeSWITCH lists from a database that it writes in batches: what ended just before we came
                # may have been in there still, and nobody will tell us its end.
                await self._read_calls(session, listed, at)
                listed = None
            await self._rounds(session)

    async def _beat(self, session: Session) -> int:
        """How many channels began since the last unheard of by us. The heartbeat is in the switch's own
        time: its dialplan compares it with its own clock."""
        await self._pulse.beat(session, self._deadlines.pong)
        self.book.core = self._pulse.core
        if await self._store.beat(session, self.now(), self._deadlines.action) and self._level:
            log.warning("the switch has lost what we left there", switch=self._switch)
            await self._push(session, self._judge.everything(self._switch, self.now()))
        if self._messages is not None:
            self._messages.beat(session, self.now())
        return self._pulse.missed(await esl_level.channels_begun(session, self._deadlines.action))

    async def _catch_up(self, session: Session, known_before: list[str], unheard: int | None) -> None:
        """After every connect: which calls live, and all standing orders again (mod_hash is in memory: a
        switch that was restarted has lost it)."""
        lost_at = self._heard_at if self._heard_at is not None else self.now()
        missed = await self._read_calls(session, known_before, lost_at)
        self._lapsed(missed, unheard)
        live, gap = self.book.live_calls, round(self.now() - lost_at, 1)
        log.info("level with the switch", switch=self._switch, live=live, missed=len(missed), gap=gap)
        if unheard:         # some of them may be in progress still, and are counted by now
            log.warning("channels began unheard: import their CDRs", switch=self._switch, channels=unheard)
        if self._connects == 1:
            await esl_level.forget_limits(session, self._deadlines.action)
        if self._messages is not None:
            self._messages.catch_up(session)
        await self._push(session, self._judge.everything(self._switch, self.now()))

    async def _read_calls(self, session: Session, known_before: list[str], lost_at: float) -> list[CallEvent]:
        """What the switch has in progress; the facts that we had missed. `known_before` are the channels that
        cannot be there if it does not list them."""
        rows = await esl_level.listing(session, self._deadlines.listing)
        dumps = await esl_level.dumps(session, self.book, rows, self._deadlines.action)
        missed = resync(self.book, rows, dumps, known_before, lost_at, self.now())
        for event in missed:
            self._do(session, self._observed(event))
        return missed

    async def _push(self, session: Session, actions: list[Action]) -> None:
        """Many actions, a batch at a time: while the switch carries commands out it sends us no events."""
        for start in range(0, len(actions), BATCH):
            self._do(session, actions[start : start + BATCH])
            await session.settled(within=self._deadlines.action)

    # --- the hot path

    def _happened(self, session: Session, message: Message) -> None:
        """One event. Called from the socket; everything here is synchronous and short."""
        try:
            if self._messages is not None and message.name == MESSAGE_EVENT:
                # Stamped when it came: how long it waited for its chat plan says nothing of our events.
                before = self._messages.answers
                self._do(session, self._messages.happened(session, message, self.now()))
                if self._messages.answers > before:
                    self.took(self._clock() - session.heard_at)
                return
            if self._pulse.felt(session, message):
                return
            facts = self.book.read(message, self.now())
        except WireError as problem:
            self._malformed += 1
            if worth_a_line(self._malformed):
                log.warning(
                    "malformed event", switch=self._switch, problem=str(problem), times=self._malformed
                )
            return
        for fact in facts:
            if isinstance(fact, CallEvent):
                actions = self._observed(fact)
                if actions:
                    self._do(session, actions)
            elif fact is SwitchNews.SHUTDOWN:
                log.warning("the switch is shutting down", switch=self._switch)

    def _observed(self, fact: CallEvent) -> list[Action]:
        """Where the directory names no account code, it is the dialplan that says whose call it is, after its
        first event: a lease that has to be withdrawn, or a limit, is looked at when a later one names it."""
        actions = self._judge.observe(fact)
        self._unheard.heard(fact.attempt.call_id)
        call_id, account = fact.attempt.call_id, fact.attempt.account
        if fact.phase is Phase.STARTED:
            if not account:
                self._nameless.add(call_id)
        elif call_id in self._nameless and (account or fact.phase is Phase.ENDED):
            self._nameless.discard(call_id)
            if account:
                actions = actions + self._judge.named(fact)
        return actions

    def _do(self, session: Session, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, CloseMessages | OpenMessages):
                if self._messages is not None:
                    self._messages.want(session, action, self.now())
                continue
            call = self.book.find(action.call_id) if isinstance(action, HangUp) else None
            if isinstance(action, HangUp) and call is not None and call.moved:
                # Nobody told us where to: it may be an emergency call by now.
                log.warning("not hung up: the call dialled again", switch=self._switch, call=action.call_id)
                continue
            try:
                answered = call is None or call.answered_at is not None
                self._send(session, orders.command_for(action, answered))
            except WireError as problem:
                self._malformed += 1
                log.error("not sent", switch=self._switch, problem=str(problem))

    @staticmethod
    def _send(session: Session, command: bytes) -> None:
        """Send, where the connection still is; losing it is dealt with elsewhere, once."""
        with contextlib.suppress(LinkError):
            session.post(command)
