"""The event socket door: FreeSWITCH's `socket` application asks over a TCP connection a call.

In: connections. Out: the answer line as the channel variable ENF_ANSWER; a count of what became of each.
Refuses to know: what is decided, and the dialogue's grammar (see `wire.esl_door`).

Two round trips are the fewest: we say `connect` as soon as the connection stands, hear the channel, then send
the answer and the way out in one write. FreeSWITCH closes; we never do while it might still read, because
a connection that is reset under it may take the call's next steps with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from enforcer.errors import LinkError
from enforcer.switch.door import Outcome
from enforcer.switch.visit import Asking, CallDoor
from enforcer.wire.esl_door import CONNECT, Dialogue, State

__all__ = ["EslDoor", "Outcome"]


class EslDoor(CallDoor):
    """Listens for the questions of one FreeSWITCH. For everything else see `CallDoor`.

    `whose`: of which other switch this run (Core-UUID) is known to be, "" of none: one that asks at another's
    door would have its calls counted there, and is sent away.
    """

    name = "event socket"
    label = "esl"
    default_port = 8084
    whose: Callable[[str], str] = staticmethod(lambda run: "")

    def visitor(self, loop: asyncio.AbstractEventLoop) -> asyncio.BaseProtocol:
        """One question, one answer."""
        return _Connection(self, loop)


class _Connection(Asking):
    __slots__ = ("_dialogue",)

    def __init__(self, door: EslDoor, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(door, loop)
        self._dialogue = Dialogue(door.switch)

    def welcome(self) -> None:
        """FreeSWITCH has called us, and waits for us to speak first."""
        assert self.transport is not None
        self.transport.write(CONNECT)

    def hear(self, data: bytes, door: CallDoor) -> None:
        """The channel is the question, what follows it are words on our answer."""
        dialogue = self._dialogue
        attempt = dialogue.feed(data, door.clock())
        if attempt is not None and isinstance(door, EslDoor) and (other := door.whose(dialogue.run)):
            self.end(Outcome.FOREIGN)
            self.at_fault(LinkError(f"{other} asks at the door of {door.switch}: see enf_door there"))
        elif attempt is not None:
            self.answer(attempt, dialogue.answer)
        elif dialogue.state is State.OVER:
            self.end(Outcome.GONE)                  # the channel was gone before it could be asked about
        elif dialogue.taken:
            self.outcome = Outcome.ANSWERED

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, which is how this dialogue ends."""
        self._dialogue.close()
        super().connection_lost(exc)
