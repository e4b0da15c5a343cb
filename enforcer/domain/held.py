"""How long a window after an emergency call lasts by a clock that nobody sets.

In: the moments of such a clock (seconds since whatever it likes), as windows are opened; times of the wall
clock. Out: the time at which a window is to be looked at. Refuses to know: both clocks, and who calls.

The times of windows, calls and records are those of wall clocks, ours and the switches', which jump: an hour
ahead, and no window is open; an hour back, and one lasts twice as long. A window of this process is open as
long as the steady clock says so. After that the wall clock may keep it open for as long again: calls are told
late, and records come later still. Of one that was opened before a restart there is only the wall clock.
"""

from __future__ import annotations

from enforcer.domain.emergency import CLOCKS_APART, MOST_WINDOWS, Window


class Held:
    """The windows of all accounts that were opened while we ran."""

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}       # by the steady clock; the one opened longest ago first

    def hold(self, account: str, until: float) -> None:
        """The account's window is open until that moment of the steady clock, or longer if it was to be."""
        end = max(until, self._ends.pop(account, until))
        if len(self._ends) >= MOST_WINDOWS:
            self._ends.pop(next(iter(self._ends)))
        self._ends[account] = end

    def open(self, account: str, now: float) -> bool:
        """Whether it is, at this moment of the steady clock."""
        return now < self._ends.get(account, now)

    def moment(self, account: str, window: Window, at: float, now: float, length: float) -> float:
        """The time at which to ask whether the `window` is open, where `at` is what a wall clock says and
        `now` the steady one; `length` is that of a window, in seconds."""
        end = self._ends.get(account)
        if end is None:
            return at
        if now < end:
            return at if window.at - CLOCKS_APART <= at < window.until else window.at
        return at if now < end + length else max(at, window.until)
