"""What the enforcer wants done on a switch, besides answering a question.

In: decisions of `admission`. Out: values that a link in `switch` turns into its protocol.
Everything written on a switch carries the moment it expires, so that a dead enforcer can
neither bless nor block an account for ever; only closed messages have to be opened again: by the one
that closed them as it leaves, by the next, or by a reload of the switch's dialplan.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GrantLease:
    """The account may call without asking until `until` (Unix seconds)."""

    account: str
    until: int


@dataclass(frozen=True, slots=True)
class WithdrawLease:
    """The account asks again from its next call on."""

    account: str


@dataclass(frozen=True, slots=True)
class RememberWord:
    """What to do for this account while nobody can be asked, until `until` (Unix seconds).

    `word` is the same answer line that a question gets (see `dialplan/README.md`).
    """

    account: str
    word: str
    until: int


@dataclass(frozen=True, slots=True)
class SetBrake:
    """Limits that the switch keeps by itself, asked or not: 0 means no limit of that kind."""

    account: str
    max_calls: int              # concurrent
    max_cps: int                # set-ups in one second
    until: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """End a call in progress. `cause` is the Q.850 cause that the caller's leg gets."""

    call_id: str
    channel: str
    cause: int


@dataclass(frozen=True, slots=True)
class LimitDuration:
    """The call ends by itself `seconds` from now, even if we are dead by then."""

    call_id: str
    channel: str
    seconds: int


@dataclass(frozen=True, slots=True)
class CloseMessages:
    """The account's text messages are turned away as they come, without asking (404), until it is opened.
    Where people stopped it, that `lasts` when we leave; else an enforcer that leaves opens it."""

    account: str
    lasts: bool = False


@dataclass(frozen=True, slots=True)
class OpenMessages:
    """The account's text messages are taken and asked about again."""

    account: str


Order = GrantLease | WithdrawLease | RememberWord | SetBrake | HangUp | LimitDuration
MessageOrder = CloseMessages | OpenMessages
Action = Order | MessageOrder
