"""Orders as programs write them: one JSON object each, over MQTT and HTTP alike.

    {"do": "mode.set", "mode": "block", "account": "acme", "for": "2h", "reason": "complaint 4711"}

In: what JSON decodes to, and who says it. Out: a `Request` with its order, or BadInput that names the key.
Refuses to know: doors, ledgers, and whether the order can be carried out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from enforcer.control.accounts_csv import account_of
from enforcer.control.acts import (
    Acknowledge,
    AddOptOut,
    AddStrike,
    Announce,
    Order,
    Rearm,
    Reload,
    RemoveOptOut,
    WithdrawStrike,
)
from enforcer.control.commands import AddAccount, ChangeAccount, SetMode, SetStanding
from enforcer.control.words import LONGEST_REASON, NOT_EMPTY
from enforcer.domain.account import Standing
from enforcer.domain.band import WHO
from enforcer.domain.mode import Mode
from enforcer.errors import BadInput
from enforcer.spans import seconds_of
from enforcer.toml_models import Table, Wrong, meant, one_of, told

EXAMPLE = '{"do": "mode.set", "mode": "monitor"}'
LONGEST_REQUEST = 16_384        # bytes; the longest order that means anything has some hundred
_PLAIN = re.compile(r"[!-~]{1,80}\Z")
_NARROWING = ("account", "rule", "switch", "customer")      # left out, an order is about more

Text = Annotated[str, StringConstraints(max_length=LONGEST_REASON, strict=True)]
Needed = Annotated[str, StringConstraints(min_length=1, max_length=200, strict=True)]


@dataclass(frozen=True, slots=True)
class Request:
    """An order, who gives it, and its name: the same name twice is the same order. "" has none."""

    do: str
    order: Order
    who: str
    id: str = ""


class Asked(Table):
    """What every request may say. `who` counts only where the door does not know it."""

    do: Needed
    id: Text = ""
    who: Text = ""
    reason: Text = ""

    @model_validator(mode="after")
    def _printable(self) -> Asked:
        for name, value in self.model_dump().items():
            if isinstance(value, str) and not value.isprintable():
                raise Wrong("holds characters that cannot be printed", name)
        for name in _NARROWING:     # a script whose variable is unset must not mean the whole site
            if name in self.model_fields_set and not getattr(self, name):
                raise Wrong(NOT_EMPTY, name)
        if self.id and not _PLAIN.match(self.id):
            raise Wrong("must be at most 80 letters, digits and signs", "id")
        return self


class _Mode(Asked):
    mode: Literal["off", "monitor", "tag", "throttle", "block"]
    span: Text = Field("", alias="for")

    @model_validator(mode="after")
    def _a_span(self) -> _Mode:
        _seconds(self.span, "for")
        return self

    def order(self, who: str) -> SetMode:
        return SetMode(
            Mode.of(self.mode), ceiling=True, seconds=_seconds(self.span, "for"), who=who, why=self.reason
        )


class _ModeOf(_Mode):
    account: Text = ""
    rule: Text = ""
    switch: Text = ""

    def order(self, who: str) -> SetMode:
        return SetMode(
            Mode.of(self.mode), self.account, self.rule, self.switch, False, _seconds(self.span, "for"), who,
            self.reason,
        )


class _Account(Asked):
    account: Needed
    customer: Needed
    type: Needed
    channels: int = 0
    plan: Text = ""
    anchor_day: int = 1
    timezone: Text = "UTC"

    def order(self, who: str) -> Order:
        fields = {
            name: str(value) for name, value in self.model_dump().items()
            if name in ("account", "customer", "type", "channels", "plan", "anchor_day", "timezone")
        }
        account = account_of(fields)
        return AddAccount(account) if self.do == "account.add" else ChangeAccount(account)


class _Standing(Asked):
    account: Needed

    def order(self, who: str) -> Order:
        return SetStanding(self.account, Standing.ACTIVE, who, self.reason)


class _Stopped(_Standing):
    after: Text = ""

    @model_validator(mode="after")
    def _a_span(self) -> _Stopped:
        _seconds(self.after, "after")
        return self

    def order(self, who: str) -> Order:
        standing = Standing.SUSPENDED if self.do == "account.suspend" else Standing.TERMINATED
        after = _seconds(self.after, "after")
        if after is not None:
            return Announce(self.account, standing, after, who, self.reason)
        return SetStanding(self.account, standing, who, self.reason)


class _OptOut(Asked):
    number: Needed
    account: Text = ""
    customer: Text = ""

    def order(self, who: str) -> Order:
        kind = AddOptOut if self.do == "optout.add" else RemoveOptOut
        return kind(self.number, self.account, self.customer, who, self.reason)


class _Strike(Asked):
    kind: Needed
    account: Text = ""
    customer: Text = ""
    at: Text = ""

    def order(self, who: str) -> Order:
        return AddStrike(self.kind, self.account, self.customer, self.at, who, self.reason)


class _Withdrawn(Asked):
    strike: Needed

    def order(self, who: str) -> Order:
        return WithdrawStrike(self.strike, who, self.reason)


class _Notice(Asked):
    notice: Needed

    def order(self, who: str) -> Order:
        return Acknowledge(self.notice, who, self.reason)


class _Rearm(Asked):
    def order(self, who: str) -> Order:
        return Rearm(who, self.reason)


class _Reload(Asked):
    def order(self, who: str) -> Order:
        return Reload(who)


MODELS: Mapping[str, type[Any]] = {
    "mode.set": _ModeOf, "mode.ceiling": _Mode,
    "account.add": _Account, "account.set": _Account,
    "account.suspend": _Stopped, "account.terminate": _Stopped, "account.resume": _Standing,
    "optout.add": _OptOut, "optout.remove": _OptOut,
    "strike.add": _Strike, "strike.withdraw": _Withdrawn,
    "notice.ack": _Notice, "breaker.rearm": _Rearm, "reload": _Reload,
}


def decoded(text: bytes | str) -> dict[str, Any]:
    """One JSON object. Raises BadInput for anything else."""
    if len(text) > LONGEST_REQUEST:
        raise BadInput("", f"the request has {len(text)} bytes, {LONGEST_REQUEST} at most")
    try:
        found = json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as problem:
        raise BadInput("", f"the request is no JSON: {problem}; write {EXAMPLE}") from None
    if not isinstance(found, dict):
        raise BadInput("", f"the request must be a JSON object, such as {EXAMPLE}")
    return found


def request_of(facts: Mapping[str, Any], who: str = "", sure: bool = False) -> Request:
    """The request that these facts make. `who` is what the door knows of who asks; where it is `sure`, what
    the request says of itself counts for nothing. Raises BadInput."""
    do = facts.get("do")
    if not isinstance(do, str) or do not in MODELS:
        if do is None:
            raise BadInput("", f'key "do" is missing: say {one_of(MODELS)}')
        hint = meant(do, MODELS) if isinstance(do, str) else ""
        raise BadInput("", f"do: no such order: {str(do)[:80]!r}{hint}")
    asked: Asked = told(facts, MODELS[do])
    said = who if sure else asked.who or who
    if said == WHO:
        raise BadInput("who", f"{WHO!r} is the name that the breaker itself signs with: name a person")
    make: Callable[[str], Order] = asked.order      # type: ignore[attr-defined]
    return Request(do, make(said), said, asked.id)


def _seconds(text: str, key: str) -> float | None:
    if not text:
        return None
    try:
        return float(seconds_of(text))
    except ValueError as problem:
        raise Wrong(str(problem), key) from None


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What is said twice is an error and not a riddle."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} is there twice")
        found[name] = value
    return found
