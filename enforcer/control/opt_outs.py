"""Opt-outs by people's hand: entered, taken back, imported from a list.

In: a number, whose calls it wants no more, who says so. Out: entries in the journal, and one line that says
what was done; BadInput, and then nothing was done.
Refuses to know: messages with STOP in them, and what an opt-out keeps from being called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from enforcer.control.csv_rows import read_rows
from enforcer.control.subjects import Subject, Subjects, instant
from enforcer.control.words import iso
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.registers import OptOut, OptOuts
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger

FIELDS = ("number", "customer", "account", "date", "reason")


def add(
    ledger: Ledger, plan: NumberPlan, number: str, whose: Subject, now: float, who: str, why: str = ""
) -> str:
    """Somebody does not want to hear from these. Once is enough: the first time stands."""
    found = telephone(plan, number, "NUMBER")
    there = standing(ledger.registers.opt_outs, found, whose)
    if there is not None:
        return f"{found} opted out of {whose.words} already, on {iso(there.at, whose.timezone)}"
    ledger.put([JournalEntry(
        Kind.OPT_OUT, now, found, whose.customer, whose.account, _body({"who": who, "why": why})
    )])
    return f"{found} opted out of {whose.words}"


def remove(
    ledger: Ledger, plan: NumberPlan, number: str, whose: Subject, now: float, who: str, why: str = ""
) -> str:
    """They changed their mind. Raises BadInput where no opt-out stands against these."""
    found = telephone(plan, number, "NUMBER")
    opt_outs = ledger.registers.opt_outs
    mine = [
        one for one in opt_outs.of(found, whose.customer)
        if not whose.account or one.account in ("", whose.account)
    ]
    if not mine:
        others = [one for one in opt_outs.all() if one.number == found]
        hint = f"; it did of {', '.join(_sender(one) for one in others)}" if others else ""
        raise BadInput("NUMBER", f"{found} has not opted out of {whose.words}{hint}")
    ledger.put([JournalEntry(
        Kind.OPT_IN, now, found, whose.customer, whose.account, _body({"who": who, "why": why})
    )])
    also = [one for one in mine if one.account != whose.account]
    beyond = f"; so is its opt-out of {', '.join(_sender(one) for one in also)}" if also else ""
    return f"the opt-out of {found} from {whose.words} is withdrawn{beyond}"


def imported(ledger: Ledger, plan: NumberPlan, path: Path, now: float, who: str) -> str:
    """The opt-outs of a CSV file with the header `number,customer,account,date,reason`, all or none; those
    on record already are left as they are. Raises BadInput for the first row that cannot be used."""
    subjects = Subjects(ledger)
    opt_outs = ledger.registers.opt_outs
    entries: dict[tuple[str, str, str], JournalEntry] = {}
    rows = 0
    for line, raw in read_rows(path, FIELDS):
        rows += 1
        where = f"{path}:{line}"
        fields = {name: value.strip() for name, value in raw.items()}
        for name, value in fields.items():
            if not value.isprintable():
                raise BadInput(where, f"{name}: holds characters that cannot be printed")
        number = telephone(plan, fields["number"], where)
        whose = subjects.find(fields["account"], fields["customer"], where)
        said = instant(fields["date"], whose.timezone, where, now) if fields["date"] else now
        place = number, whose.customer, whose.account
        if place not in entries and standing(opt_outs, number, whose) is None:
            body = _body({"source": "import", "who": who, "why": fields["reason"]})
            if said != now:
                body["at"] = said
            entries[place] = JournalEntry(Kind.OPT_OUT, now, *place, body)
    ledger.put(list(entries.values()))
    return f"{rows} opt-outs imported: {len(entries)} new, {rows - len(entries)} known before"


def telephone(plan: NumberPlan, number: str, where: str) -> str:
    """The number as E.164. Raises BadInput where it cannot be anybody's."""
    found = plan.telephone(number)
    if found is None:
        raise BadInput(where, f"{number!r} is no telephone number of {plan.country}; write it as it is "
                              "dialled there, or with + and the country's code")
    return found


def standing(opt_outs: OptOuts, number: str, whose: Subject) -> OptOut | None:
    """The opt-out of exactly this sender, or exactly this customer as a whole."""
    return next((
        one for one in opt_outs.of(number, whose.customer) if one.account == whose.account
    ), None)


def facts(one: OptOut, timezone: str = "UTC") -> dict[str, Any]:
    """An opt-out for programs. `honoured_in` is in seconds, null where no message said it."""
    seconds = one.honoured_in
    return {
        "number": one.number, "customer": one.customer, "account": one.account or None,
        "source": one.source or "cli", "at": iso(one.at, timezone), "entered": iso(one.entered, timezone),
        "by": one.who or None, "reason": one.why or None,
        "honoured_in": None if seconds is None else f"{seconds:.3f}",
    }


def _sender(one: OptOut) -> str:
    return f"account {one.account}" if one.account else f"customer {one.customer}"


def _body(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value}
