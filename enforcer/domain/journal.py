"""The journal: what people and the enforcer itself put on record, one entry after the other, never edited.

In: something that has to be provable later. Out: a `JournalEntry`; what is taken back, another entry takes
back.
Refuses to know: what follows from entries (`registers`), and where they are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class Kind(StrEnum):
    """What an entry is about. `ref` names the thing itself, as said here."""

    POLICY = "policy"           # a policy pack came into force; ref: "<pack>@<revision>"
    MODE = "mode"               # a mode was set; ref: its subject
    ACCOUNT = "account"         # an account was registered or changed; ref: the account
    CUSTOMER = "customer"       # a customer's particulars were changed; ref: the customer
    STANDING = "standing"       # an account was suspended, resumed or terminated; ref: the new standing
    OPT_OUT = "opt-out"         # somebody does not want to be called or written to; ref: the number, E.164
    OPT_IN = "opt-in"           # and changed their mind; ref: the number, E.164
    STRIKE = "strike"           # a violation; ref: the strike
    PARDON = "pardon"           # a strike was withdrawn; ref: the strike
    NOTICE = "notice"           # a step in the life of a notice; ref: the notice
    CHARGE = "charge"           # an entry in the book of charges; ref: rule and cycle
    SETTLEMENT = "settlement"   # a closed cycle was settled for the first time; ref: the cycle
    GAP = "gap"                 # a switch was not heard for a while, or that was repaired; ref: the gap
    REQUEST = "request"         # somebody asked a running enforcer to do something; ref: the request
    BREAKER = "breaker"         # what the breaker saw in an hour; ref: when that ended, UTC
    EMERGENCY = "emergency"     # an account called for help, and until when it is exempt; ref: the call
    PRUNE = "prune"             # what is older than it has to be was removed; ref: when, UTC
    HOLD = "hold"               # nothing about somebody may be removed, or may again; ref: who
    COMMAND = "command"         # an order with a name was carried out; ref: that name


class JournalEntry(NamedTuple):
    """One entry. `body` holds what else there is to say, as JSON can hold it.

    `link` is its place in the chain and `seal` its seal (see `chain`), 0 and "" until it is written.
    """

    kind: Kind
    at: float                   # Unix seconds
    ref: str
    customer: str = ""
    account: str = ""
    body: Mapping[str, Any] = {}
    link: int = 0
    seal: str = ""

    @property
    def text(self) -> str:
        """The body as one line of JSON: this is what is kept, and what is sealed."""
        return json.dumps(self.body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def parts(self) -> tuple[object, ...]:
        """What its seal stands for."""
        return self.kind.value, self.at, self.ref, self.customer, self.account, self.text
