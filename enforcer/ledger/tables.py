"""The tables of a ledger in SQL, and how facts become rows and rows facts again.

In: domain values, or rows. Out: the other. Refuses to know: which database, connections, and when
anything is written. The tables themselves are made by `sql/*.sql`; a test holds both together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from enforcer.domain.account import Account, AccountType, Standing
from enforcer.domain.call import CallRecord, Direction, Medium, NumberClass, Refusal, Source, milliseconds
from enforcer.domain.decision import Decision, Finding, Level, Verdict
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.domain.usage import Usage

metadata = sa.MetaData()


def _table(table: str, /, **columns: type[sa.types.TypeEngine[Any]]) -> sa.Table:
    return sa.Table(table, metadata, *(sa.Column(column, kind) for column, kind in columns.items()))


MARK = _table("mark", name=sa.Text, value=sa.BigInteger)
ACCOUNT = _table(
    "account", id=sa.Text, customer=sa.Text, type=sa.Text, channels=sa.BigInteger, plan=sa.Text,
    anchor_day=sa.BigInteger, timezone=sa.Text, standing=sa.Text, standing_reason=sa.Text,
    change=sa.BigInteger,
)
MODE_SETTING = _table(
    "mode_setting", change=sa.BigInteger, mode=sa.Text, account=sa.Text, rule=sa.Text, switch=sa.Text,
    ceiling=sa.Boolean, who=sa.Text, at=sa.Double, why=sa.Text, until=sa.Double, writer=sa.BigInteger,
)
CALL = _table(
    "call", call_id=sa.Text, switch=sa.Text, account=sa.Text, customer=sa.Text, direction=sa.Text,
    number=sa.Text, caller=sa.Text, number_class=sa.Text, route=sa.Text, channel=sa.Text,
    started_at=sa.Double, started_by=sa.BigInteger, answered_at=sa.Double, answered_by=sa.BigInteger,
    ended_at=sa.Double, ended_by=sa.BigInteger, told_msec=sa.BigInteger, hangup_cause=sa.BigInteger,
    sip_code=sa.BigInteger, refusal=sa.Text, legs=sa.Text, medium=sa.Text, outcome=sa.Text,
    billed_msec=sa.BigInteger, answered_msec=sa.BigInteger, seizures=sa.BigInteger, born=sa.BigInteger,
    change=sa.BigInteger, writer=sa.BigInteger,
)
CALL_BEFORE = _table(
    "call_before", change=sa.BigInteger, at=sa.Double, call_id=sa.Text, body=sa.Text, writer=sa.BigInteger,
)
DECISION = _table(
    "decision", decision_id=sa.Text, at=sa.Double, call_id=sa.Text, account=sa.Text, body=sa.Text,
    link=sa.BigInteger, seal=sa.Text, sip_call_id=sa.Text,
)
JOURNAL = _table(
    "journal", link=sa.BigInteger, kind=sa.Text, at=sa.Double, ref=sa.Text, customer=sa.Text,
    account=sa.Text, body=sa.Text, seal=sa.Text, writer=sa.BigInteger,
)
CHAIN = _table("chain", link=sa.BigInteger, seal=sa.Text)
CUSTOMER = _table("customer", id=sa.Text, name=sa.Text, contacts=sa.Text, change=sa.BigInteger)
CHARGE = _table(
    "charge", customer=sa.Text, account=sa.Text, rule=sa.Text, cycle=sa.Text, policy=sa.Text,
    number=sa.BigInteger, amount=sa.Text, currency=sa.Text, at=sa.Double, clause=sa.Text, words=sa.Text,
    reverses=sa.BigInteger, change=sa.BigInteger,
)
PRUNED = _table(
    "pruned", first=sa.BigInteger, last=sa.BigInteger, before=sa.Text, seal=sa.Text, checkpoint=sa.BigInteger,
)
TOLD = _table("told", link=sa.BigInteger)
CALLS_PRUNED = _table("calls_pruned", customer=sa.Text, before=sa.Double, at=sa.Double)
LIVED = _table(
    "lived", number=sa.BigInteger, at=sa.Double, seconds=sa.Double, link=sa.BigInteger, change=sa.BigInteger,
)
SIGHT = _table("sight", switch=sa.Text, heard_at=sa.Double, serial=sa.BigInteger, boot=sa.Text)
CDR_PLACE = _table(
    "cdr_place", switch=sa.Text, device=sa.BigInteger, inode=sa.BigInteger, position=sa.BigInteger,
    line=sa.BigInteger, digest=sa.Text, since=sa.Double, read_at=sa.Double, ended_at=sa.Double,
)

RECORD_FIELDS = CallRecord._fields
_values = attrgetter(*RECORD_FIELDS)
RECORD_COLUMNS = [CALL.c[name] for name in RECORD_FIELDS]
DERIVED_COLUMNS = [CALL.c[name] for name in ("outcome", "billed_msec", "answered_msec", "seizures")]
LIVE = ("ringing", "talking")
REFUSED = {
    (Medium.CALL, Refusal.BLOCKED): "blocked", (Medium.CALL, Refusal.SHED): "shed",
    (Medium.MESSAGE, Refusal.BLOCKED): "stopped", (Medium.MESSAGE, Refusal.SHED): "dropped",
}
SENT = "sent"
OF_MESSAGES = (SENT, "stopped", "dropped")


def outcome(record: CallRecord) -> str:
    """What a call came to, in the word that usage is added up by.

    "lost" was answered, and nobody saw it end: it is never short (see `contribute`). "unheard" was not
    answered when it was last heard of, and nobody saw it end either. Messages have words of their own, so
    that the word alone tells them from calls.
    """
    if record.refused:
        return REFUSED[record.medium, record.refusal]
    if record.medium is Medium.MESSAGE:
        return SENT
    if record.ended_at is None:
        return "ringing" if record.answered_at is None else "talking"
    if record.answered_at is None and record.billmsec <= 0:
        return "unheard" if record.ended_by is Source.INFERRED else "unanswered"
    return "lost" if record.ended_by is Source.INFERRED else "answered"


def added_up(record: CallRecord) -> tuple[str, int, int, int]:
    """What usage is added up from: `DERIVED_COLUMNS`."""
    answered = 0 if record.answered_at is None else milliseconds(record.answered_at)
    return outcome(record), record.billmsec, answered, record.seizures


def row_of_record(record: CallRecord, born: int, change: int, writer: int) -> tuple[Any, ...]:
    """A row of `CALL`, its columns in their order. A tuple: millions are made."""
    return (*_values(record), *added_up(record), born, change, writer)


_DIRECTION = {member.value: member for member in Direction}
_NUMBER_CLASS = {member.value: member for member in NumberClass}
_REFUSAL = {member.value: member for member in Refusal}
_MEDIUM = {member.value: member for member in Medium}
_SOURCE: dict[int | None, Source] = {member.value: member for member in Source}


def record_of_row(row: Any) -> CallRecord:
    """A call from the first columns of a row, which are `RECORD_COLUMNS`."""
    (
        call_id, switch, account, customer, direction, number, caller, number_class, route, channel,
        started_at, started_by, answered_at, answered_by, ended_at, ended_by, told_msec, hangup_cause,
        sip_code, refusal, legs, medium,
    ) = row[:22]
    return CallRecord(
        call_id, switch, account, customer, _DIRECTION[direction], number, caller,
        _NUMBER_CLASS[number_class], route, channel, started_at, _SOURCE[started_by], answered_at,
        _SOURCE.get(answered_by), ended_at, _SOURCE.get(ended_by), told_msec, hangup_cause, sip_code,
        _REFUSAL[refusal], legs, _MEDIUM[medium],
    )


def text_of_record(record: CallRecord) -> str:
    """A record as one line of JSON."""
    return json.dumps(_values(record), ensure_ascii=False)


def record_of_text(text: str) -> CallRecord:
    """A record from its line of JSON, which may have been written before there were legs and messages."""
    return record_of_row([*json.loads(text), "", Medium.CALL.value])


def row_of_account(account: Account) -> dict[str, Any]:
    """The columns of an account but for `change`."""
    return {field.name: getattr(account, field.name) for field in fields(Account)}


def account_of_row(row: Mapping[Any, Any]) -> Account:
    """An account from its row."""
    return Account(
        row["id"], row["customer"], None if row["type"] is None else AccountType(row["type"]),
        row["channels"], row["plan"], row["anchor_day"], row["timezone"], Standing(row["standing"]),
        row["standing_reason"],
    )


def row_of_mode(setting: ModeSetting) -> dict[str, Any]:
    """The columns of a mode setting but for `change` and `writer`."""
    row = {field.name: getattr(setting, field.name) for field in fields(ModeSetting)}
    return row | {"mode": setting.mode.word}


def mode_of_row(row: sa.RowMapping) -> ModeSetting:
    """A mode setting from its row."""
    return ModeSetting(
        Mode.of(row["mode"]), row["account"], row["rule"], row["switch"], bool(row["ceiling"]),
        row["who"], row["at"], row["why"], row["until"],
    )


def row_of_decision(decision: Decision) -> dict[str, Any]:
    """The columns of a decision but for `link` and `seal`. The body leaves out what `Decision` has by
    default."""
    defaults = Decision._field_defaults
    body = {
        name: value for name, value in decision._asdict().items()
        if name not in defaults or value != defaults[name]
    }
    if decision.findings:
        body["findings"] = [finding._asdict() for finding in decision.findings]
    return {
        "decision_id": decision.decision_id, "at": decision.at, "call_id": decision.call_id,
        "account": decision.account, "sip_call_id": decision.sip_call_id,
        "body": json.dumps(body, ensure_ascii=False, separators=(",", ":")),
    }


def decision_of_text(text: str) -> Decision:
    """A decision from the body of its row."""
    body = json.loads(text)
    body["verdict"] = Verdict(body["verdict"])
    body["would_be"] = Verdict(body["would_be"])
    body["tags"] = tuple(body.get("tags", ()))
    body["usage"] = tuple((rule, Usage(*numbers)) for rule, numbers in body.get("usage", ()))
    body["findings"] = tuple(
        Finding(**finding | {
            "level": Level(finding["level"]),
            "verdict": Verdict(finding["verdict"]),
            "capped": Verdict(finding["capped"]),
        })
        for finding in body.get("findings", ())
    )
    return Decision(**body)
