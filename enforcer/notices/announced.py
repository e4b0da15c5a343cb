"""What a notice has announced follows by itself: an account is suspended or terminated when its time comes.

In: notices that were delivered and whose grace has ended. Out: accounts with a new standing; ops are told.
Refuses to know: who decided so and why, calls, and the clock.
"""

from __future__ import annotations

from dataclasses import replace

from enforcer.domain.account import Standing
from enforcer.domain.notice import Stage, created, step
from enforcer.ledger.port import Ledger
from enforcer.notices.text import Stationery, reason_of


def carry_out(ledger: Ledger, stationery: Stationery, at: float) -> bool:
    """Do what is due at `at` (Unix seconds). Whether any account changed. Raises LedgerError; then it is
    still due. A crash in between finds the account stopped already, and only closes the notice."""
    changed = False
    for notice in ledger.registers.notices.announcing():
        if notice.acts_from > at:
            continue
        account, wanted = ledger.account(notice.account), Standing(notice.then)
        steps = [step(notice, Stage.CLOSED, at, how=wanted.value)]
        if account.standing not in (wanted, Standing.TERMINATED):
            reason = f"{reason_of(notice)} (notice {notice.id})".strip()
            ledger.put_accounts([replace(account, standing=wanted, standing_reason=reason)])
            steps.append(created(stationery.carried_out(notice, account, at)))
            changed = True
        for one in steps:
            ledger.note(one)
    return changed
