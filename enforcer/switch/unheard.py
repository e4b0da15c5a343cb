"""Calls that a door was asked about and whose first event has not been heard: perhaps it never will be.

In: questions; the calls that events tell of. Out: those that nobody told of, when a connection is over.
Refuses to know: why an event did not come (the link was down, or let go of a queue with the event in it).

The door answers while the link is down, and its calls are counted; but what nobody hears begin nobody hears
end, and it would be in progress for ever. So the next listing has to say which of them are gone.
"""

from __future__ import annotations

from collections.abc import Iterator

from enforcer.domain.call import CallAttempt

MOST = 20_000       # the oldest are forgotten: the switch's own CDRs end them


class Unheard:
    """See the module. Two beats old is heard, or over: our own event came through the queue behind it."""

    def __init__(self) -> None:
        self._new: dict[str, CallAttempt] = {}
        self._old: dict[str, CallAttempt] = {}

    def asked(self, attempt: CallAttempt) -> None:
        """A question about a call that is not known yet."""
        if len(self._new) >= MOST:
            del self._new[next(iter(self._new))]
        self._new[attempt.call_id] = attempt

    def heard(self, call_id: str) -> None:
        """An event told of this call."""
        self._new.pop(call_id, None)
        self._old.pop(call_id, None)

    def beat(self) -> None:
        """Everything that had been on its way before the last beat is here."""
        self._old, self._new = self._new, {}

    def take(self) -> Iterator[CallAttempt]:
        """Those that nobody told of, once."""
        both = {**self._old, **self._new}
        self._old, self._new = {}, {}
        yield from both.values()
