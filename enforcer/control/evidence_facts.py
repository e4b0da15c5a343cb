"""What a bundle of evidence says of single calls, decisions, charges, notices and entries of the journal.

In: values of `domain`, and the zone whose time they are told in. Out: rows and facts that stand by
themselves.
Refuses to know: which of them belong into a bundle.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from enforcer.control.facts import call_facts, decision_facts
from enforcer.control.words import iso
from enforcer.domain.call import CallRecord
from enforcer.domain.charge import Entry
from enforcer.domain.decision import Decision
from enforcer.domain.journal import JournalEntry
from enforcer.domain.notice import Notice

CALLS = (
    "call", "medium", "switch", "account", "customer", "direction", "number", "number_class", "caller",
    "route", "started", "answered", "ended", "started_epoch", "billsec", "hangup_cause", "sip_code",
    "refusal", "legs",
)  # fmt: skip
CHARGES = (
    "customer", "account", "rule", "clause", "cycle", "policy", "number", "amount", "currency", "at",
    "at_epoch", "words", "reverses",
)  # fmt: skip


def call_row(record: CallRecord, zone: str) -> dict[str, object]:
    """A call or message as a row of `CALLS`."""
    return call_facts(record, zone) | {
        "medium": record.medium.value, "route": record.route, "sip_code": record.sip_code,
        "legs": record.legs, "started_epoch": record.started_at,
    }


def charge_row(entry: Entry, zone: str) -> dict[str, object]:
    """An entry of the book of charges as a row of `CHARGES`."""
    return entry._asdict() | {
        "amount": f"{entry.amount:f}", "at": iso(entry.at, zone), "at_epoch": entry.at,
        "reverses": entry.reverses or None,
    }


def decision_row(decision: Decision, zone: str) -> dict[str, Any]:
    """A decision with all that was found."""
    findings = [
        finding._asdict() | {
            "level": finding.level.name.lower(), "verdict": finding.verdict.word,
            "capped": finding.capped.word,
        }
        for finding in decision.findings
    ]
    return decision_facts(decision, zone) | {
        "at_epoch": decision.at, "medium": decision.medium, "direction": str(decision.direction),
        "findings": findings,
    }


def entry_row(entry: JournalEntry, zone: str) -> dict[str, Any]:
    """An entry of the journal."""
    return {
        "link": entry.link, "kind": entry.kind.value, "at": iso(entry.at, zone), "ref": entry.ref,
        "customer": entry.customer or None, "account": entry.account or None,
    } | dict(entry.body)


def notice_row(notice: Notice, steps: Iterable[JournalEntry], zone: str) -> dict[str, Any]:
    """A notice as it stands, its text, and the steps of its delivery."""
    def when(at: float | None) -> str | None:
        return None if at is None or at == float("inf") else iso(at, zone)

    return {
        "notice": notice.id, "to": notice.audience.value, "about": notice.about.value,
        "customer": notice.customer, "account": notice.account or None, "rule": notice.rule,
        "level": notice.level.name.lower(), "cycle": notice.cycle, "stage": notice.stage.value,
        "created": when(notice.at), "delivered": when(notice.delivered_at),
        "acknowledged": when(notice.acknowledged_at), "acknowledged_by": notice.acknowledged_by or None,
        "grace_seconds": notice.grace, "acts_from": when(notice.acts_from),
        "acts_until": when(notice.acts_until), "text": notice.facts.get("text", ""),
        "facts": dict(notice.facts),
        "steps": [
            {"link": step.link, "at": iso(step.at, zone)} | {
                name: step.body[name] for name in ("stage", "problem", "by", "how") if name in step.body
            }
            for step in steps
        ],
    }
