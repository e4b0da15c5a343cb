"""How busy a switch is, and what everybody's fair share of it comes to.

In: calls as they begin and end, and how many channels a switch has. Out: an account's calls on the switch,
and its share while the switch is contended.
Refuses to know: rules and modes.

Max-min fairness: there is a level up to which every account gets all it wants; only those who hold more are
held to it. The level is the highest at which all together stay below the contended part of the switch, so
what one account leaves unused is there for the others. Nobody is held to less than one call.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction


class Load:
    """Calls in progress on one switch. `channels` is how many it can hold, 0 where nobody said.

    `shared` are the calls of all accounts, `others` those that count for no account's share: emergency calls
    and those of no account.
    """

    __slots__ = ("by_account", "channels", "others", "shared")

    def __init__(self, channels: int = 0) -> None:
        self.channels = channels
        self.by_account: dict[str, int] = {}
        self.others = 0
        self.shared = 0         # what `by_account` adds up to, kept: each question asks for it

    @property
    def total(self) -> int:
        """All calls in progress."""
        return self.shared + self.others

    def change(self, account: str, by: int) -> None:
        """A call of this account ("" for none that shares) began (1) or ended (-1)."""
        if not account:
            self.others += by
            return
        self.shared += by
        calls = self.by_account.get(account, 0) + by
        if calls:
            self.by_account[account] = calls
        else:
            del self.by_account[account]

    def share(self, contended: Fraction) -> Fraction | None:
        """Calls that an account may hold while more than the `contended` part of all channels is in use; None
        while it is not."""
        if not self.channels:
            return None
        room = self.channels * contended - self.others
        if self.shared <= room:
            return None
        left, level = room, Fraction(1)
        waiting = sorted(self.by_account.values())
        for place, calls in enumerate(waiting):
            level = max(Fraction(1), left / (len(waiting) - place))
            if calls > level:
                break
            left -= calls
        return level


class Loads:
    """The load of every switch of the site."""

    __slots__ = ("_channels", "_loads")

    def __init__(self, channels: Mapping[str, int] | None = None) -> None:
        self._channels = dict(channels or {})
        self._loads: dict[str, Load] = {}

    def of(self, switch: str) -> Load:
        """The load of one switch."""
        load = self._loads.get(switch)
        if load is None:
            load = self._loads[switch] = Load(self._channels.get(switch, 0))
        return load

    def busy(self, account: str) -> bool:
        """Whether the account has calls in progress anywhere."""
        return any(account in load.by_account for load in self._loads.values())

    def clear(self) -> None:
        """No call is in progress anywhere."""
        self._loads.clear()
