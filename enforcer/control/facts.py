"""Facts for programs: what `--json` prints of accounts, modes, calls and decisions.

In: values of `domain`. Out: dictionaries that JSON can hold; times are ISO 8601 with their offset,
minutes and billed seconds decimal strings.
Refuses to know: sentences.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from enforcer.control.words import iso
from enforcer.domain.account import Account
from enforcer.domain.call import CallRecord
from enforcer.domain.decision import Decision
from enforcer.domain.mode import ModeSetting
from enforcer.domain.rules.base import plain
from enforcer.domain.usage import Usage


def counters(usage: Usage) -> dict[str, Any]:
    """A snapshot for programs; minutes as a decimal string."""
    return {
        "attempts": usage.attempts, "completed": usage.completed, "short": usage.short, "live": usage.live,
        "minutes": plain(Fraction(usage.msec, 60_000)), "blocked": usage.blocked, "shed": usage.shed,
    }


def account_facts(account: Account) -> dict[str, Any]:
    """An account, under the names that its CSV columns have."""
    return {
        "account": account.id, "customer": account.customer,
        "type": account.type.value if account.type is not None else None, "channels": account.channels,
        "plan": account.plan, "anchor_day": account.anchor_day, "timezone": account.timezone,
        "standing": account.standing.value, "standing_reason": account.standing_reason,
    }


def mode_facts(setting: ModeSetting) -> dict[str, Any]:
    """A mode setting; the default of the configuration was set by nobody at no time."""
    return {
        "subject": setting.subject, "mode": setting.mode.word, "ceiling": setting.ceiling,
        "account": setting.account or None, "rule": setting.rule or None, "switch": setting.switch or None,
        "who": setting.who or None, "at": iso(setting.at) if setting.at else None, "why": setting.why or None,
        "until": None if setting.until is None else iso(setting.until),
    }


def call_facts(record: CallRecord, zone: str) -> dict[str, Any]:
    """A call."""
    def when(at: float | None) -> str | None:
        return None if at is None else iso(at, zone)

    return {
        "call": record.call_id, "switch": record.switch, "account": record.account,
        "customer": record.customer, "direction": record.direction.value, "number": record.number,
        "number_class": record.number_class.value, "caller": record.caller,
        "started": when(record.started_at),
        "answered": when(record.answered_at),
        "ended": when(record.ended_at),
        "billsec": f"{record.billmsec / 1000:.3f}", "hangup_cause": record.hangup_cause,
        "refusal": record.refusal.value if record.refused else "",
    }


def decision_facts(decision: Decision, zone: str) -> dict[str, Any]:
    """A decision, its findings left to whoever can explain them."""
    return {
        "decision": decision.decision_id, "at": iso(decision.at, zone), "call": decision.call_id,
        "sip_call_id": decision.sip_call_id,
        "switch": decision.switch, "account": decision.account, "number": decision.number,
        "verdict": decision.verdict.word, "would_be": decision.would_be.word, "rule": decision.rule,
        "clause": decision.clause, "policy": decision.policy, "sip_code": decision.sip_code,
        "hold": decision.hold, "shed": decision.shed, "max_duration": decision.max_duration,
        "tags": list(decision.tags), "exempt": decision.exempt, "degraded": decision.degraded,
        "gap": decision.gap,
        "reason": decision.reason, "usage": {rule: counters(usage) for rule, usage in decision.usage},
        "findings": [],
    }
