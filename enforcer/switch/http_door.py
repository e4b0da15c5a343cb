"""The HTTP door: FreeSWITCH's mod_curl asks with one request a call.

In: connections. Out: the answer line as the body of a response; a count of what became of each.
Refuses to know: what is decided, and the grammar of question and answer (see `wire.http_door`).

mod_curl waits a second at the most, inside the hunt for the call's next steps: it takes no thread, no channel
state and no guard. Whether it has read the answer it does not say: what was written in time counts as heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from hmac import compare_digest

from enforcer.errors import LinkError
from enforcer.switch.door import Outcome
from enforcer.switch.link import worth_a_line
from enforcer.switch.visit import Asking, CallDoor
from enforcer.wire.http_door import QuestionReader, attempt_of, claimed, response

__all__ = ["HttpDoor", "Outcome"]


class HttpDoor(CallDoor):
    """Listens for the questions of one FreeSWITCH. For everything else see `CallDoor`.

    A question that says another's name would have its calls counted here, and is sent away; where there is a
    `token`, so is one without it.
    """

    name = "HTTP"
    label = "http"
    default_port = 8090
    token = ""
    known: Collection[str] = ()     # names of switches
    misled = 0          # questions that were sent away for it

    def stranger(self, path: str) -> str:
        """Why the question must not be answered here, "" where it may."""
        name, token = claimed(path)
        if name and name != self.switch:
            who = name if name in self.known else "somebody with the name of no switch"    # it may be a token
            return f"{who} asks at the door of {self.switch}: see enf_ask there"
        if self.token and not compare_digest(token.encode(), self.token.encode()):
            told = "another token" if token else "no token"
            return f"who asks at the door of {self.switch} has {told}: see door_token_env, and enf_ask there"
        return ""

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
        if isinstance(door, HttpDoor) and (why := door.stranger(self._reader.path)):
            door.misled += 1
            self.end(Outcome.FOREIGN)
            if worth_a_line(door.misled):
                self.at_fault(LinkError(why))
            return
        self.answer(attempt_of(question, door.switch, door.clock()), response)
        if self.outcome is Outcome.UNHEARD and self.transport is not None:
            self.outcome = Outcome.ANSWERED
            self.transport.close()
