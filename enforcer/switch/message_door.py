"""The message door: any source of text messages asks here, a line a message, as many as it likes.

In: connections. Out: one answer line a question, in their order; a count of what became of each connection.
Refuses to know: what is decided, and where messages go.

A line has to be whole within the deadline, counted from the one before; a peer that does not read what it is
answered is not read either, until the deadline ends it. Bytes that are no question cost their connection, and
nothing else. An id that is asked about again gets the answer that it got, and is counted once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Protocol

from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision
from enforcer.errors import WireError
from enforcer.switch.door import Door, Outcome
from enforcer.switch.visit import Visit
from enforcer.wire.message_line import LineReader, MessageQuestion, message_answer_line

SOURCE = "message-door"     # stands where a switch's name would: in call ids, decisions and modes
REMEMBERED = 10_000         # answers, about 3 MB: who repeats a question does so within minutes
# Bytes read before others get a turn: some 60 questions, a few milliseconds. (asyncio would read 64 times as
# much at once, and a caller at another door waits as long.)
PIECE = 4096


class Admits(Protocol):
    """Whoever decides, and listens."""

    def admit(self, attempt: CallAttempt) -> Decision:
        """Count the attempt and decide on it, without waiting for anything."""

    def heard(self, attempt: CallAttempt, words: str, at: float) -> None:
        """Somebody wrote these words to an account."""


class MessageDoor(Door):
    """For everything but `admission` see `Door`."""

    name = label = "messages"

    def __init__(
        self,
        admission: Admits,
        *,
        clock: Callable[[], float],
        host: str = "127.0.0.1",
        port: int = 4575,
        peers: Iterable[str] = ("127.0.0.0/8",),
        deadline: float = 30.0,
        most: int = 100,
        on_fault: Callable[[Exception], object] | None = None,
    ) -> None:
        super().__init__(
            clock=clock, host=host, port=port, peers=peers, deadline=deadline, most=most, on_fault=on_fault
        )
        self._admission = admission
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    def visitor(self, loop: asyncio.AbstractEventLoop) -> asyncio.BaseProtocol:
        """Questions and answers until the other side has had enough."""
        return _Connection(self, loop)

    def answer(self, question: MessageQuestion) -> bytes:
        """The answer line. Raises whatever kept us from deciding."""
        found = self._answers.get(question.id)
        if found is not None:
            return found
        at = self.clock()
        attempt = question.attempt(SOURCE, at)
        line = message_answer_line(question, self._admission.admit(attempt))
        self._answers[question.id] = line
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        if question.text:
            self._admission.heard(attempt, question.text, self.clock())
        return line


class _Connection(Visit, asyncio.BufferedProtocol):
    """Many questions. Each has the whole deadline, counted from the one before."""

    __slots__ = ("_messages", "_piece", "_reader")

    def __init__(self, door: MessageDoor, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(door, loop)
        self._messages = door
        self._piece = bytearray(PIECE)
        self._reader = LineReader()

    def get_buffer(self, sizehint: int) -> bytearray:
        """Where the next bytes go."""
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        """Questions, or parts of one."""
        data = bytes(self._piece[:nbytes])
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        heard_at = perf_counter()
        try:
            for question in self._reader.feed(data):
                transport.write(self._messages.answer(question))
                self._messages.took(perf_counter() - heard_at)
                self.outcome = Outcome.ANSWERED
                self._messages.has_asked(self)
                self.wait()
        except WireError:
            self.leave(Outcome.MALFORMED)
        except Exception as fault:
            self.leave(Outcome.FAULT)
            if self._messages.on_fault is not None:
                self._messages.on_fault(fault)

    def pause_writing(self) -> None:
        """They do not read: nor do we."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """They do again."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def leave(self, outcome: Outcome) -> None:
        """Close, once what was answered is sent; the deadline goes on."""
        self.outcome = outcome
        if self.transport is not None:
            self.transport.close()

    def end(self, outcome: Outcome) -> None:
        """Close at once. Who was answered, and then said no more, was answered."""
        answered = outcome is Outcome.SILENT and self.outcome is not Outcome.GONE
        super().end(self.outcome if answered else outcome)
