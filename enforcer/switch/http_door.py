"""The HTTP door: FreeSWITCH's mod_curl asks with one request a call.

In: connections. Out: the answer line as the body of a response; a count of what became of each.
Refuses to know: what is decided, and the grammar of question and answer (see `wire.http_door`).

mod_curl waits a second at the most, inside the hunt for the call's next steps: it takes no thread, no channel
state and no guard. Whether it has read the answer it does not say: what was written in time counts as heard.
"""

from __future__ import annotations

import asyncio

from enforcer.switch.door import Outcome
from enforcer.switch.visit import Asking, CallDoor
from enforcer.wire.http_door import QuestionReader, attempt_of, response

__all__ = ["HttpDoor", "Outcome"]


class HttpDoor(CallDoor):
    """Listens for the questions of one FreeSWITCH. For everything else see `CallDoor`."""

    name = "HTTP"
    label = "http"
    default_port = 8090

    def visitor(self, loop: asyncio.AbstractEventLoop) -> asyncio.BaseProtocol:
        """One question, one answer."""
        return _Connection(self, loop)


class _Connection(Asking):
    __slots__ = ("_reader",)

    def __init__(self, door: HttpDoor, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(door, loop)
        self._reader = QuestionReader()

    def hear(self, data: bytes, door: CallDoor) -> None:
        """The request is the question; nothing follows it."""
        question = self._reader.feed(data)
        if question is None:
            return
        self.answer(attempt_of(question, door.switch, door.clock()), response)
        if self.outcome is Outcome.UNHEARD and self.transport is not None:
            self.outcome = Outcome.ANSWERED
            self.transport.close()
