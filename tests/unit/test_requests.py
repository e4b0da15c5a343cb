"""Orders as programs write them: understood whole, or refused with the key that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

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
from enforcer.control.requests import LONGEST_REQUEST, MODELS, decoded, request_of
from enforcer.domain.account import Account, AccountType, Standing
from enforcer.domain.mode import Mode
from enforcer.errors import BadInput

ACCOUNT = {"account": "acme", "customer": "big", "type": "trunk", "channels": 10}
NEW = Account("acme", "big", AccountType.TRUNK, 10)
UNDERSTOOD: list[tuple[dict[str, Any], Order]] = [
    ({"do": "mode.set", "mode": "tag"}, SetMode(Mode.TAG, who="ann")),
    (
        {"do": "mode.set", "mode": "block", "account": "acme", "rule": "asr", "for": "2h", "reason": "4711"},
        SetMode(Mode.BLOCK, "acme", "asr", seconds=7200.0, who="ann", why="4711"),
    ),
    ({"do": "mode.set", "mode": "off", "switch": "pbx1"}, SetMode(Mode.OFF, switch="pbx1", who="ann")),
    ({"do": "mode.ceiling", "mode": "monitor"}, SetMode(Mode.MONITOR, ceiling=True, who="ann")),
    ({"do": "account.add"} | ACCOUNT, AddAccount(NEW)),
    ({"do": "account.set"} | ACCOUNT, ChangeAccount(NEW)),
    (
        {"do": "account.suspend", "account": "acme", "reason": "unpaid"},
        SetStanding("acme", Standing.SUSPENDED, "ann", "unpaid"),
    ),
    (
        {"do": "account.terminate", "account": "acme", "after": "7d"},
        Announce("acme", Standing.TERMINATED, 604_800.0, "ann"),
    ),
    ({"do": "account.resume", "account": "acme"}, SetStanding("acme", Standing.ACTIVE, "ann")),
    ({"do": "optout.add", "number": "2125550123", "account": "a"}, AddOptOut("2125550123", "a", who="ann")),
    ({"do": "optout.remove", "number": "1", "customer": "big"}, RemoveOptOut("1", "", "big", "ann")),
    (
        {"do": "strike.add", "kind": "spam", "customer": "big", "at": "2026-10-05"},
        AddStrike("spam", "", "big", "2026-10-05", "ann"),
    ),
    ({"do": "strike.withdraw", "strike": "s1", "reason": "wrong"}, WithdrawStrike("s1", "ann", "wrong")),
    ({"do": "notice.ack", "notice": "n-1"}, Acknowledge("n-1", "ann")),
    ({"do": "breaker.rearm", "reason": "a typo"}, Rearm("ann", "a typo")),
    ({"do": "reload"}, Reload("ann")),
]


@pytest.mark.parametrize(("facts", "order"), UNDERSTOOD)
def test_an_order_is_understood_with_whoever_gives_it(facts: dict[str, Any], order: Order) -> None:
    assert request_of(facts, "ann").order == order


def test_every_order_that_there_is_stands_in_the_table() -> None:
    assert {facts["do"] for facts, _ in UNDERSTOOD} == set(MODELS)


REFUSED = [
    ({}, 'key "do" is missing: say mode.set,'),
    ({"do": "mode.sett", "mode": "tag"}, "do: no such order: 'mode.sett'; did you mean 'mode.set'?"),
    ({"do": ["mode.set"]}, "do: no such order: \"['mode.set']\""),
    ({"do": "mode.set"}, "key 'mode' is missing"),
    (
        {"do": "mode.set", "mode": "blok"},
        "mode must be off, monitor, tag, throttle or block; did you mean 'block'?",
    ),
    ({"do": "mode.set", "mode": "tag", "acount": "acme"}, "unknown key 'acount'; did you mean 'account'?"),
    ({"do": "mode.set", "mode": "tag", "for": "soon"}, "for: 'soon' is no span of time"),
    ({"do": "mode.set", "mode": "tag", "account": 7}, "account must be a string"),
    ({"do": "mode.ceiling", "mode": "tag", "account": "acme"}, "unknown key 'account'"),
    ({"do": "account.suspend", "account": ""}, "account must not be empty"),
    ({"do": "account.add", "account": "a", "customer": "b", "type": "pbz"}, "type: 'pbz' is not pbx,"),
    ({"do": "reload", "reason": "a\nb"}, "reason: holds characters that cannot be printed"),
    ({"do": "reload", "id": "two words"}, "id: must be at most 80 letters, digits and signs"),
]


@pytest.mark.parametrize(("facts", "problem"), REFUSED)
def test_what_is_wrong_is_refused_with_its_key(facts: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        request_of(facts, "ann")
    assert str(caught.value).startswith(problem)


NO_OBJECTS = [
    (b"", "the request is no JSON"), (b"block", "the request is no JSON"),
    (b"[]", "the request must be a JSON object"),
    (b"\xff\xfe", "the request is no JSON"), (b'{"do": NaN}', "the request is no JSON: NaN is no number"),
    (b'{"do": "reload", "do": "mode.set"}', "the request is no JSON: 'do' is there twice"),
    (b"[" * 10_000, "the request is no JSON"), (b" " * (LONGEST_REQUEST + 1), "the request has 16385 bytes"),
]


@pytest.mark.parametrize(("text", "problem"), NO_OBJECTS)
def test_what_is_no_json_object_is_refused(text: bytes, problem: str) -> None:
    with pytest.raises(BadInput, match=problem.replace("(", r"\(")):
        decoded(text)


def test_a_door_that_knows_who_asks_believes_nothing_else() -> None:
    facts = {"do": "reload", "who": "the boss"}
    assert request_of(facts, "ann").who == "the boss"
    assert request_of(facts, "ann", sure=True).who == "ann"


@pytest.mark.parametrize("facts", [
    {"do": "mode.set", "mode": "block", "account": ""}, {"do": "mode.set", "mode": "block", "rule": ""},
    {"do": "mode.set", "mode": "block", "switch": "", "account": "acme"},
    {"do": "optout.add", "number": "2125550123", "account": "", "customer": "big"},
    {"do": "strike.add", "kind": "spam", "account": "", "customer": "big"},
])
def test_an_empty_name_never_means_everybody(facts: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="must not be empty; leave it out where none is meant"):
        request_of(facts, "ann")
