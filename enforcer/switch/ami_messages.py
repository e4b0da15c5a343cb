"""The text messages of one Asterisk: its questions answered, STOP heard, blocked accounts closed.

In: events of a session, `CloseMessages` and `OpenMessages`. Out: attempts to `Admission`, answers and actions
to the switch.
Refuses to know: calls, and how the link is kept up.

Closing takes an extension out of the switch's dialplan. A reload of the dialplan brings it back and tells
nobody, so each beat one closed account is tried again: where that succeeds, all are. What was closed is noted
in AstDB, so that the next enforcer can open it. Should none come, the switch opens by itself what a rule has
closed, once our heartbeat (`here`) is too old; accounts that people stopped stand in a context of their own.

What the switch took just before its account was closed is to be asked about, too: so the dialplan turns an
account away only after a pause of half a second, or where there is none, after `LONGEST` seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import structlog

from enforcer.domain.actions import CloseMessages, MessageOrder, OpenMessages
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from enforcer.domain.decision import Decision
from enforcer.errors import LinkError
from enforcer.switch.ami_session import Session
from enforcer.wire.ami import Message
from enforcer.wire.ami_actions import FAMILY, Command
from enforcer.wire.answer import answer_line
from enforcer.wire.asterisk_messages import (
    account_of_key,
    asked_until,
    closing,
    here,
    message_answer,
    note_closed,
    note_opened,
    opening,
    read_message,
    resuming,
    stopping,
    stretch,
)

log = structlog.get_logger("ami")

# Seconds without a message of the account's after which it is turned away: more than one waits for its turn.
PAUSE = 0.5
# After so many it is turned away without a pause: a flood must not keep the others' messages waiting.
LONGEST = 5.0


class _Leaving(NamedTuple):
    """An account on its way to being closed: since when, and its latest message (when, which)."""

    since: float
    last: float = float("-inf")
    message: str = ""
    number: str = ""


class MessageJudge(Protocol):
    """`Admission`, as far as messages need it."""

    def admit(self, attempt: CallAttempt) -> Decision:
        """Count the message and decide on it."""

    def observe(self, event: CallEvent) -> object:
        """Count what became of a message."""

    def heard(self, attempt: CallAttempt, words: str, at: float) -> None:
        """Somebody wrote these words to an account."""


class MessageDesk:
    """One a link, for all its connections. `prefix` and an account's name are the name of the context that
    its messages enter; `clock` is the switch's own."""

    def __init__(
        self, switch: str, prefix: str, judge: MessageJudge, deadline: float,
        clock: Callable[[], float],
    ) -> None:
        self.answers = 0
        self._switch = switch
        self._prefix = prefix
        self._judge = judge
        self._deadline = deadline
        self._clock = clock
        self._closed: dict[str, None] = {}      # what we took away, the one looked at longest ago first
        self._orders: dict[str, MessageOrder] = {}      # not yet done; the latest for each account
        self._lasting: set[str] = set()         # of those closed, the ones that people stopped
        self._marked: set[str] = set()          # and those that the switch may have been told so of
        self._leaving: dict[str, _Leaving] = {}     # closed a moment ago, the first one first
        self._at = 0.0                          # the switch's time at the last beat
        self._news = asyncio.Event()
        self._ready = asyncio.Event()
        self._look_due = False
        self._problem = ""

    def happened(self, session: Session, message: Message, now: float) -> None:
        """An event about a message. Raises WireError where it is not one of ours."""
        fact = read_message(message, self._switch, now)
        sent = fact.attempt
        leaving = self._leaving.get(sent.account)
        if leaving is not None and sent.direction is Direction.OUTBOUND:
            self._leaving[sent.account] = _Leaving(leaving.since, self._clock(), sent.call_id, sent.number)
        if fact.serial:
            line = answer_line(self._judge.admit(fact.attempt))
            try:
                session.post(*message_answer(fact.serial, line))
                self.answers += 1
            except LinkError:
                pass            # lost: dealt with elsewhere, once
        else:
            event = CallEvent(Phase.ENDED, fact.attempt, fact.attempt.at, refusal=fact.refusal)
            self._judge.observe(event)
        if fact.text:
            self._judge.heard(fact.attempt, fact.text, now)

    def want(self, orders: Iterable[MessageOrder]) -> None:
        """Close and open these, soon and in their order."""
        for order in orders:
            self._orders[order.account] = order
            self._news.set()
            if isinstance(order, CloseMessages) and order.lasts:
                self._lasting.add(order.account)
            else:
                self._lasting.discard(order.account)

    def leaving(self) -> list[Command]:
        """We go in good order: what is closed by a rule is opened, for nobody will be there to do it when its
        cycle is over. Accounts that people stopped stay closed."""
        commands = []
        for account in self._closed:
            steps = opening(self._prefix, account)
            if steps and account not in self._lasting:
                commands += [*steps, note_opened(account)]
        return commands

    def hold(self, session: Session, at: float) -> None:
        """What a rule has closed stays closed a little longer. `at` is the switch's own time."""
        session.post(*here(at))
        self._shut(session, at)
        if stretch(at) != stretch(self._at):
            for account in self._lasting & self._closed.keys():
                self._orders.setdefault(account, CloseMessages(account, lasts=True))
        self._at = at

    async def catch_up(self, session: Session) -> None:
        """After a connect: what was closed before, by us or by an enforcer before us, is to be opened, unless
        it is ordered closed again before `begin`. Raises LinkError where the connection is lost."""
        self._ready.clear()
        self._orders.clear()
        headers = (("Family", FAMILY), ("Key", "closed"))
        try:
            listing = await session.listing("DBGetTree", headers, within=self._deadline)
        except LinkError:
            if session.lost.done():
                raise
            listing = []        # a switch that has no such family says so with an error
        for entry in listing:
            if account := account_of_key(entry.get("Key") or ""):
                self._closed.setdefault(account)
                self._marked.add(account)
        for account in self._closed:
            self._orders[account] = OpenMessages(account)

    def begin(self) -> None:
        """All standing orders are here: do them."""
        self._ready.set()
        self._news.set()

    def beat(self) -> None:
        """Time to look whether the dialplan was reloaded."""
        self._look_due = True
        self._news.set()

    async def run(self, session: Session) -> None:
        """Do what is wanted, until the connection is lost (raises LinkError)."""
        self._ready.clear()
        await self._ready.wait()
        while True:
            await self._news.wait()
            self._news.clear()
            if self._look_due:
                self._look_due = False
                await self._look(session)
            while self._orders:
                account = next(iter(self._orders))
                order = self._orders.pop(account)
                if isinstance(order, CloseMessages):
                    await self._close(session, account)
                else:
                    await self._open(session, account)

    async def _close(self, session: Session, account: str) -> None:
        """An account that has no extension of its own is refused message by message."""
        removal = closing(self._prefix, account)
        if removal is not None:
            self._ask_on(session, account)
        if await self._done(session, removal):
            self._closed[account] = None
            session.post(*note_closed(account))
        if account in self._closed:
            await self._mark(session, account)

    async def _open(self, session: Session, account: str) -> None:
        if account not in self._closed:
            return
        for step in opening(self._prefix, account):
            await self._done(session, step)         # refused where a reload was first
        del self._closed[account]
        self._leaving.pop(account, None)
        await self._mark(session, account)
        session.post(*note_opened(account))

    def _ask_on(self, session: Session, account: str) -> None:
        """What was taken by now, and what is taken until the account pauses, is asked about."""
        at = self._clock()
        session.post(*asked_until(account, at + PAUSE))
        self._leaving.pop(account, None)
        self._leaving[account] = _Leaving(at)

    def _shut(self, session: Session, at: float) -> None:
        """Accounts that have not paused for so long are turned away all the same."""
        for account, leaving in list(self._leaving.items()):
            if abs(at - leaving.since) < LONGEST:
                break
            del self._leaving[account]
            session.post(*asked_until(account, 0))
            if at - leaving.last < PAUSE:
                log.warning(
                    "closed while it writes: what the switch takes at this moment may be dropped",
                    switch=self._switch, account=account, message=leaving.message, number=leaving.number,
                )

    async def _mark(self, session: Session, account: str) -> None:
        """Whether it stays closed without us. (The marks of an enforcer before us are taken away.)"""
        lasts = account in self._lasting and account in self._closed
        if lasts:
            for command in stopping(account, self._at):
                await self._done(session, command)      # refused where it stands already
        if account in self._marked:
            for command in resuming(account, self._at, wholly=not lasts):
                await self._done(session, command)
        (self._marked.add if lasts else self._marked.discard)(account)

    async def _look(self, session: Session) -> None:
        """Try to take one closed account's extension away again. It is there only after a reload."""
        account = next(iter(self._closed), "")
        if not account:
            return
        self._closed[account] = self._closed.pop(account)
        if await self._done(session, closing(self._prefix, account)):
            self._ask_on(session, account)
            await self._mark(session, account)
            count = len(self._closed)
            log.info("the dialplan was reloaded: closing again", switch=self._switch, accounts=count)
            for other in self._closed:
                if other != account:
                    self._orders.setdefault(other, CloseMessages(other))

    async def _done(self, session: Session, command: Command | None) -> bool:
        """Whether the switch did it. Raises LinkError where the connection is lost."""
        if command is None:
            return False
        name, headers = command
        try:
            await session.ask(name, headers, within=self._deadline)
        except LinkError as problem:
            if session.lost.done():
                raise
            if "Permission" in str(problem) and str(problem) != self._problem:      # said once
                self._problem = str(problem)
                log.error("the switch refuses us", switch=self._switch, problem=self._problem)
            return False
        return True
