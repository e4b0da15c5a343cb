"""Tokens: made once, shown once, kept as hashes, and nobody's once revoked or past their time."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from enforcer.control.http.tokens import PREFIX, Caller, Role, Tokens
from enforcer.errors import BadInput, LedgerError


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def tokens(tmp_path: Path, now: list[float]) -> Tokens:
    return Tokens(tmp_path / "var" / "enforcer.db.tokens", lambda: now[0])


def test_a_token_is_known_again_and_its_text_is_kept_nowhere(tokens: Tokens) -> None:
    shown = tokens.make("ann", Role.OPERATOR, None, "root")
    assert shown.startswith(PREFIX)
    assert tokens.whose(shown) == Caller("ann", Role.OPERATOR)
    assert shown.removeprefix(PREFIX) not in tokens.path.read_text()
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    for wrong in ("", shown[:-1], shown + "x", shown.upper(), "enf_", "\udcff", "x" * 100_000):
        assert tokens.whose(wrong) is None


def test_another_process_sees_a_token_at_once_made_and_revoked(tokens: Tokens, now: list[float]) -> None:
    running = Tokens(tokens.path, lambda: now[0])
    assert running.whose("enf_x") is None
    shown = tokens.make("ann", Role.VIEWER, None, "root")
    assert running.whose(shown) is not None
    tokens.revoke("ann")
    assert running.whose(shown) is None
    assert [token.revoked for token in running.all()] == [1000.0]


def test_a_token_ends_by_itself(tokens: Tokens, now: list[float]) -> None:
    shown = tokens.make("ann", Role.VIEWER, 60.0, "root")
    now[0] = 1059.9
    assert tokens.whose(shown) is not None
    now[0] = 1060.0
    assert tokens.whose(shown) is None
    assert tokens.make("ann", Role.VIEWER, 60.0, "root") != shown       # the name is free again


def test_a_name_belongs_to_one_token_at_a_time(tokens: Tokens) -> None:
    tokens.make("ann", Role.VIEWER, None, "root")
    with pytest.raises(BadInput, match="has a token already"):
        tokens.make("ann", Role.OPERATOR, None, "root")
    with pytest.raises(BadInput, match="no such token, or none that counts: 'bob'"):
        tokens.revoke("bob")
    for name in ("", "a b", "-x", "x" * 41, "a\n", "ä"):
        with pytest.raises(BadInput, match="is no name"):
            tokens.make(name, Role.VIEWER, None, "root")
    assert len(tokens.all()) == 1


def test_two_that_make_tokens_at_once_lose_none(tokens: Tokens) -> None:
    def make(number: int) -> None:
        Tokens(tokens.path, lambda: 1.0).make(f"t{number}", Role.VIEWER, None, "root")

    threads = [threading.Thread(target=make, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(token.name for token in tokens.all()) == sorted(f"t{number}" for number in range(12))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"tokens": [{"name": 1}]}', '{"tokens": 5}', "[" * 100_000])
def test_a_file_that_is_not_ours_opens_nothing_and_is_named(tokens: Tokens, text: str) -> None:
    tokens.path.parent.mkdir()
    tokens.path.write_text(text)
    with pytest.raises(LedgerError, match=r"enforcer\.db\.tokens: not as the enforcer writes it"):
        tokens.whose("enf_x")
    with pytest.raises(LedgerError):
        tokens.make("ann", Role.VIEWER, None, "root")
    assert tokens.path.read_text() == text


@pytest.mark.parametrize(("mine", "looks", "orders", "asks"), [
    (Role.VIEWER, True, False, False), (Role.OPERATOR, True, True, False), (Role.GATEWAY, False, False, True),
])
def test_what_each_role_is_good_for(mine: Role, looks: bool, orders: bool, asks: bool) -> None:
    assert (mine.may(Role.VIEWER), mine.may(Role.OPERATOR), mine.may(Role.GATEWAY)) == (looks, orders, asks)


def test_the_file_holds_what_is_listed_and_no_more(tokens: Tokens) -> None:
    tokens.make("ann", Role.OPERATOR, 60.0, "root")
    (kept,) = json.loads(tokens.path.read_text())["tokens"]
    assert kept | {"hash": "h"} == {
        "name": "ann", "role": "operator", "hash": "h", "made": 1000.0, "by": "root", "until": 1060.0,
        "revoked": None,
    }
