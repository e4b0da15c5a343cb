"""What one switch holds for one account, as it was written last.

In: facts. Out: values. Refuses to know: when anything is written, and how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from enforcer.domain.account import Account
from enforcer.domain.decision import Decision, OnFailure, Verdict
from enforcer.domain.policy import Seat

# Of callers nobody registered, some 400 bytes each. Where so many have it, any more ask about each call, and
# who went silent is let go. Fewer than may have books: a look at all of these brings nobody back who had to
# make room there.
MOST_STRANGERS = 25_000


@dataclass(slots=True)
class Post:
    """One switch, one account, and when that is looked at next."""

    last_call: float
    due: float = float("inf")
    lease: int = 0                      # until, 0 none
    word: str = ""                      # the line, "" none was ever written
    word_until: int = 0
    brake: tuple[int, int] = (0, 0)     # concurrent calls, calls per second
    brake_until: int = 0
    verdict: Verdict | None = None      # the latest, None before the first
    last: Decision | None = None        # that decision, where it was not to allow: the few that a word needs
    stranger: bool = False              # nobody registered the account


def stranger(account: Account) -> bool:
    """Whether an account is one that nobody registered."""
    return account.type is None and account.customer == account.id


def fails_closed(seats: Sequence[Seat]) -> bool:
    """Whether a rule would leave a block, should a mode ever allow it."""
    return any(seat.rule.spec.on_failure is OnFailure.CLOSED for seat in seats)
