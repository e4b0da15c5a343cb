"""The FastAGI door: Asterisk's dialplan asks over a TCP connection a call, and gets one line back.

In: connections. Out: the answer line as `SET VARIABLE ENF_ANSWER`; a count of what became of each.
Refuses to know: what is decided, and what the answer costs; it writes what `admit` returns.
"""

from __future__ import annotations

import asyncio

from enforcer.switch.door import Outcome
from enforcer.switch.visit import Asking, CallDoor
from enforcer.wire.agi import AgiReader, AgiReply, AgiRequest, attempt_of, set_variable

__all__ = ["AgiDoor", "Outcome"]

VARIABLE = "ENF_ANSWER"


class AgiDoor(CallDoor):
    """Listens for the questions of one Asterisk. For everything else see `CallDoor`."""

    name = "FastAGI"
    label = "agi"
    default_port = 4573

    def visitor(self, loop: asyncio.AbstractEventLoop) -> asyncio.BaseProtocol:
        """One question, one answer."""
        return _Connection(self, loop)


class _Connection(Asking):
    __slots__ = ("_reader",)

    def __init__(self, door: AgiDoor, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(door, loop)
        self._reader = AgiReader()

    def hear(self, data: bytes, door: CallDoor) -> None:
        """The request is a question, what follows it is the word on our answer."""
        heard = self._reader.feed(data)
        if isinstance(heard, AgiRequest):
            attempt = attempt_of(heard, door.switch, door.clock())
            self.answer(attempt, lambda line: set_variable(VARIABLE, line))
            heard = self._reader.feed(b"")          # a HANGUP may have come with the question
        if isinstance(heard, AgiReply):
            self.end(Outcome.ANSWERED if heard.taken else Outcome.UNHEARD)
