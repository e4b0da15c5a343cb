"""What people order, carried out on a ledger: done and said, or refused and nothing changed."""

from __future__ import annotations

import pytest

from enforcer.control.commands import (
    AddAccount,
    ChangeAccount,
    Command,
    ImportAccounts,
    Known,
    SetMode,
    SetStanding,
    act,
)
from enforcer.domain.account import Account, AccountType, Standing
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.numbers import NumberPlan
from enforcer.errors import BadInput
from enforcer.ledger.memory import MemoryLedger

NOW = 1_795_309_510.0
ACME = Account("acme", "acme-inc", AccountType.PBX)
KNOWN = Known(rules=("asr", "cps"), switches=("pbx1",))


@pytest.fixture
def ledger() -> MemoryLedger:
    ledger = MemoryLedger(NumberPlan("US").classify, lambda: NOW)
    ledger.put_accounts([ACME])
    return ledger


def test_a_mode_says_who_when_why_and_until(ledger: MemoryLedger) -> None:
    command = SetMode(Mode.BLOCK, "acme", "asr", seconds=7200.0, who="alice", why="complaint")
    assert act(command, ledger, KNOWN, NOW) == "account acme, rule asr: block"
    (setting,) = ledger.modes()
    assert (setting.who, setting.at, setting.why, setting.until) == ("alice", NOW, "complaint", NOW + 7200)
    modes = Modes(ledger.modes())
    assert modes.resolve("acme", "asr", "pbx1", NOW).mode is Mode.BLOCK
    assert modes.resolve("acme", "asr", "pbx1", NOW + 7200).mode is Mode.MONITOR


def test_the_ceiling_goes_before_every_mode(ledger: MemoryLedger) -> None:
    act(SetMode(Mode.BLOCK, "acme"), ledger, KNOWN, NOW)
    assert act(SetMode(Mode.MONITOR, ceiling=True), ledger, KNOWN, NOW) == "site ceiling: monitor"
    assert Modes(ledger.modes()).resolve("acme", "asr", "pbx1", NOW).mode is Mode.MONITOR


REFUSED: list[tuple[Command, str]] = [
    (SetMode(Mode.TAG, "acne"), "no such account: 'acne'; did you mean 'acme'?"),
    (SetMode(Mode.TAG, "x"), "no such account: 'x' (neither registered nor seen in any call)"),
    (
        SetMode(Mode.TAG, rule="asrr"),
        "--rule: no such rule: 'asrr' (there is asr or cps); did you mean 'asr'?",
    ),
    (
        SetMode(Mode.TAG, switch="pbx2"),
        "--switch: no such switch: 'pbx2' (there is pbx1); did you mean 'pbx1'?",
    ),
    (AddAccount(ACME), "account 'acme' is registered already: see `account set`"),
    (ChangeAccount(Account("x", "x")), "no such account: 'x'; add it first"),
    (SetStanding("x", Standing.SUSPENDED), "no such account: 'x'; add it first"),
    (SetStanding("acme", Standing.ACTIVE), "account 'acme' is active already"),
]


@pytest.mark.parametrize(("command", "problem"), REFUSED)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    ledger: MemoryLedger, command: Command, problem: str
) -> None:
    with pytest.raises(BadInput) as caught:
        act(command, ledger, KNOWN, NOW)
    assert str(caught.value) == problem
    assert ledger.accounts() == [ACME]
    assert ledger.modes() == []


def test_a_suspension_keeps_its_reason_and_its_author(ledger: MemoryLedger) -> None:
    act(SetStanding("acme", Standing.SUSPENDED, who="alice", why="unpaid"), ledger, KNOWN, NOW)
    assert ledger.account("acme").standing_reason == "unpaid (by alice)"
    act(SetStanding("acme", Standing.ACTIVE, who="bob"), ledger, KNOWN, NOW)
    assert ledger.account("acme") == ACME


def test_an_import_lifts_no_suspension(ledger: MemoryLedger) -> None:
    act(SetStanding("acme", Standing.SUSPENDED, why="unpaid"), ledger, KNOWN, NOW)
    changed = Account("acme", "acme-inc", AccountType.PBX, plan="flat")
    said = act(ImportAccounts((changed, Account("globex", "globex"))), ledger, KNOWN, NOW)
    assert said == "2 accounts imported: 1 new, 1 known before"
    account = ledger.account("acme")
    assert (account.plan, account.standing, account.standing_reason) == ("flat", Standing.SUSPENDED, "unpaid")
