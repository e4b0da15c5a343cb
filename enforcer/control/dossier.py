"""All that is known of an account, in one look: what its page shows.

In: a case, an account. Out: facts. Refuses to know: how they are shown.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from enforcer.control import opt_outs, strikes
from enforcer.control.case import Case
from enforcer.control.cli_notice import notice_facts
from enforcer.control.evidence_facts import call_row, charge_row
from enforcer.control.facts import account_facts, decision_facts, mode_facts
from enforcer.control.report import standing
from enforcer.control.standing import announced_facts
from enforcer.control.words import iso
from enforcer.domain.account import Account
from enforcer.domain.cycle import Span
from enforcer.domain.journal import JournalEntry, Kind

FEW = 25                # of each list: the latest; of calls and decisions, which take more room:
FEWER = 12
CALL_DAYS = 31


def dossier(case: Case, account: Account) -> dict[str, Any]:
    """See the module; the latest come first. Raises LedgerError."""
    ledger, now, zone = case.ledger, case.now, account.timezone
    registers = ledger.registers
    modes = case.modes(now)
    said = standing(case, modes, account).facts()
    span = Span(now - CALL_DAYS * 86_400, now + 1.0, "lately")
    calls = deque(ledger.calls(account.id, span), maxlen=FEWER)
    mine = [one for one in registers.notices.all(account.customer) if one.account in ("", account.id)]
    counting = strikes.standings(ledger, case.policy, now, account.customer, account.id)
    struck = [s for s in registers.strikes.all(account.customer) if s.account in ("", account.id)]
    unwanted = [one for one in registers.opt_outs.all(account.customer) if one.account in ("", account.id)]
    charges = [one for one in ledger.charges(account.customer) if one.account in ("", account.id)]
    history = deque(ledger.journal(account=account.id), maxlen=FEW)
    settings = [
        one for one in modes.settings(now) if one.ceiling or one.account in ("", account.id)
    ]
    return {
        "account": account_facts(account) | {"announced": [
            announced_facts(one, zone) for one in registers.notices.announcing(account.id)
        ]},
        "usage": said,
        "modes": [mode_facts(one) for one in settings],
        "calls": [call_row(one, zone) for one in reversed(calls)],
        "decisions": [decision_facts(one, zone) for one in ledger.decisions(account.id, limit=FEWER)],
        "notices": [notice_facts(one, zone) for one in reversed(mine[-FEW:])],
        "strikes": [strikes.facts(one, counting, zone) for one in reversed(struck[-FEW:])],
        "strike_rules": [one.facts() for one in counting],
        "opt_outs": [
            opt_outs.facts(one, zone) for one in sorted(unwanted, key=lambda one: -one.at)[:FEW]
        ],
        "opt_outs_in_all": len(unwanted),
        "charges": [charge_row(one, zone) for one in reversed(charges[-FEW:])],
        "history": [entry_facts(one, zone) for one in reversed(history)],
    }


def entry_facts(entry: JournalEntry, zone: str) -> dict[str, Any]:
    """An entry of the journal, in words."""
    return {
        "link": entry.link, "at": iso(entry.at, zone), "kind": entry.kind.value, "ref": entry.ref,
        "words": _words(entry), "by": str(entry.body.get("who") or entry.body.get("by") or "") or None,
    }


def _words(entry: JournalEntry) -> str:
    body = entry.body
    why = body.get("why") or body.get("standing_reason") or body.get("how") or body.get("problem") or ""
    match entry.kind:
        case Kind.MODE:
            said = f"mode {body.get('mode')} for {entry.ref}"
        case Kind.ACCOUNT:
            said = f"registered as {body.get('type') or 'no type'}, {body.get('standing')}"
        case Kind.NOTICE:
            said = f"notice {entry.ref} {body.get('stage')}"
        case Kind.OPT_OUT:
            said = f"{entry.ref} opted out"
        case Kind.OPT_IN:
            said = f"{entry.ref} opted in again"
        case Kind.STRIKE:
            said = f"strike {entry.ref}: {body.get('kind')}"
        case Kind.PARDON:
            said = f"strike {entry.ref} withdrawn"
        case Kind.CHARGE:
            said = f"charge {entry.ref}: {body.get('amount')} {body.get('currency')}"
        case Kind.EMERGENCY:
            said = "called for help: exempt for a while"
        case _:
            said = f"{entry.kind.value} {entry.ref}"
    if entry.kind is Kind.ACCOUNT and why:      # it says in brackets who did it
        return f"{said}: {str(why).removeprefix('(').removesuffix(')') if str(why)[0] == '(' else why}"
    return f"{said} ({why})" if why else said
