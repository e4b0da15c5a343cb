"""`enforcer calls` and `enforcer charges`: what is on record of calls, and what settlements charged.

In: arguments. Out: tables, JSON. Refuses to know: how calls are counted, and how cycles are settled.
"""

from __future__ import annotations

import re
import time
from itertools import islice
from typing import Annotated

import typer

from enforcer.control.cli_terminal import CONFIG, Config, Json, emit, say, table
from enforcer.control.evidence_facts import call_row, charge_row
from enforcer.control.site import Site
from enforcer.control.subjects import Subjects, instant
from enforcer.control.words import local
from enforcer.domain.cycle import Span
from enforcer.errors import BadInput
from enforcer.spans import seconds_of

MOST = 1000
_CYCLE = re.compile(r"[0-9]{4}-((0[1-9]|1[0-2])(-[0-9]{2})?|W[0-9]{2})")

Account = Annotated[str, typer.Option("--account", "-a", help="Of this account only.")]
Customer = Annotated[str, typer.Option("--customer", metavar="CUSTOMER", help="Of this customer only.")]


def calls(
    account: Account = "", customer: Customer = "",
    since: Annotated[str, typer.Option(
        "--since", metavar="WHEN", help="A date, a date and time, or a span back, such as 2h.")] = "1d",
    until: Annotated[str, typer.Option("--until", metavar="WHEN", help="Now, unless named.")] = "",
    skip: Annotated[int, typer.Option("--skip", min=0, help="Leave out so many, for the next page.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="Show so many at most.")] = 100,
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """List calls and messages that began in a stretch of time, oldest first."""
    now = time.time()
    with Site(config).ledger() as ledger:
        zone = "UTC"
        if account or customer:
            whose = Subjects(ledger).find(account, customer, "calls")
            customer, zone = ("" if account else whose.customer), whose.timezone
        start = _when(since, zone, "--since", now)
        end = _when(until, zone, "--until", now) if until else now + 1.0
        if end <= start:
            raise BadInput("--until", "is not after --since")
        some = ledger.calls(account, Span(start, end, "calls"), customer)
        found = list(islice(some, skip, skip + limit + 1))
        records, more = found[:limit], len(found) > limit
        facts = [call_row(record, zone) for record in records]
    if as_json:
        emit({"calls": facts, "more": more})
        return
    table(
        ("call", "began", "account", "direction", "number", "seconds", "refused"),
        (
            (r.call_id, local(r.started_at, zone), r.account or "-", r.direction.value, r.number,
             f"{r.billmsec / 1000:.1f}", r.refusal.value if r.refused else "-")
            for r in records
        ),
    )
    if more:
        say(f"There are more: --skip {skip + limit}")


def charges(
    cycle: Annotated[str, typer.Option("--cycle", metavar="CYCLE", help="Of this billing cycle only.")] = "",
    customer: Customer = "", config: Config = CONFIG, as_json: Json = False,
) -> None:
    """List what settlements charged, in the order of writing; entries that take others back are there too."""
    if cycle and not _CYCLE.fullmatch(cycle):
        raise BadInput("--cycle", f"{cycle!r} is no billing cycle: year and month, such as 2026-11")
    with Site(config).ledger() as ledger:
        if customer:
            Subjects(ledger).find("", customer, "charges")
        found = [charge_row(entry, "UTC") for entry in ledger.charges(customer, cycle)]
    if as_json:
        emit(found)
        return
    table(
        ("cycle", "customer", "account", "rule", "amount", "currency", "how"),
        (
            (
                one["cycle"], one["customer"], one["account"] or "all", one["rule"], one["amount"],
                one["currency"], one["words"],
            )
            for one in found
        ),
    )


def _when(text: str, zone: str, where: str, now: float) -> float:
    """An instant, or a span back from now."""
    try:
        return now - seconds_of(text)
    except ValueError:
        pass
    try:
        return instant(text, zone, where, now)
    except BadInput as problem:
        more = "; or a span back from now, such as 2h or 1d" if "is no date" in str(problem) else ""
        raise BadInput("", f"{problem}{more}") from None
