"""How late events come, and when to let go of a switch whose events pile up.

In: for each event how late it is. Out: the lag; whether it is time to close the connection.
Refuses to know: protocols, and what follows when a connection is closed.

What we have not read waits on the switch. FreeSWITCH keeps up to 100,000 events of some 6 KB for a listener
and then loses them (seen in its source, 1.11); Asterisk keeps them without a bound, and calls suffer when its
memory does. So where events are more than `LATE` seconds old and `CATCHING_UP` seconds of reading have not
changed that, the connection is to be closed, which frees them, and the live calls read anew. A thousand calls
a second, each of two legs with three events, which is more than any FreeSWITCH that we know of can do, are
45,000 events in that time: less than half of the queue. Who was stopped for longer and can read on does so
first: what is caught up in time is not lost. `CATCHING_UP` is more than a beat: a clock that jumped, ours or
the switch's, is read anew within it, and no reason to let go. A process that stays stopped lets go of
nothing; then the switch's own end of the queue is the bound, or (Asterisk) the 10 s that it waits to write.
"""

from __future__ import annotations

LATE, CATCHING_UP = 5.0, 2.5        # seconds
# A clock is read by a beat that took at most so long: of a longer one nobody knows when the switch looked.
STEADY = 0.25


class Lateness:
    """See the module."""

    def __init__(self) -> None:
        self.lag = 0.0                      # s from the last event's own time until we had it
        self._since: float | None = None    # our time

    @property
    def late(self) -> bool:
        """Whether the last events came too late."""
        return self._since is not None

    def begin(self) -> None:
        """A new connection: nothing waits for us there."""
        self._since = None

    def felt(self, lag: float, ours: float) -> str:
        """An event came `lag` s after it happened; it is `ours` by our clock. Why to let go, "" not to."""
        self.lag = lag
        if lag <= LATE:
            self._since = None
        elif self._since is None:
            self._since = ours
        elif ours - self._since > CATCHING_UP:
            return f"events come {lag:.1f} s late: let go, so that they do not pile up there"
        return ""
