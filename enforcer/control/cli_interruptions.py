"""`enforcer interruptions`: the time that credits for lost service leave out, because the AUP was breached.

In: the name of a billing cycle. Out: a table, JSON or CSV of intervals.
Refuses to know: how intervals are found, and what a service level promises.

The names of the facts are promised to users.
"""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from enforcer.control.cli_terminal import CONFIG, Config, Json, emit, say, table
from enforcer.control.interruptions import FIELDS, Told, interrupted, interruptions, slowed
from enforcer.control.sheets import sheet
from enforcer.control.site import Site
from enforcer.control.subjects import Subjects
from enforcer.control.words import local
from enforcer.domain.interruption import total
from enforcer.errors import BadInput
from enforcer.spans import seconds_of


def show(
    cycle: Annotated[str, typer.Option(metavar="CYCLE", help="A billing cycle such as 2026-10.")],
    account: Annotated[str, typer.Option("--account", "-a", help="Of this account only.")] = "",
    customer: Annotated[str, typer.Option(help="Of this customer's accounts only.")] = "",
    gap: Annotated[str, typer.Option(
        metavar="SPAN", help="Refused attempts this far apart are still one interruption.",
    )] = "15m",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")] = False,
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """List when enforcement interrupted service: refused calls, and accounts that were stopped. Times in
    which calls were only held are told apart. Each account has its own cycle of that name."""
    if as_csv and as_json:
        raise BadInput("--csv", "either CSV or JSON, not both")
    seconds = _gap(gap)
    with Site(config).ledger() as ledger:
        if account or customer:
            customer = Subjects(ledger).find(account, customer, "interruptions").customer
        found = interruptions(ledger, cycle, time.time(), seconds, account, customer)
    lost, slow = interrupted(found), slowed(found)
    if as_json:
        emit({
            "interruptions": [one.facts() for one in lost], "slowed": [one.facts() for one in slow],
            "total_seconds": {
                name: f"{total(one.interval for one in lost if one.interval.account == name):.3f}"
                for name in sorted({one.interval.account for one in lost})
            },
        })
    elif as_csv:
        sys.stdout.write(sheet(FIELDS, (one.facts() for one in found)))
    else:
        _show(lost, slow)


def _gap(text: str) -> float:
    try:
        return float(seconds_of(text))
    except ValueError as problem:
        raise BadInput("--gap", str(problem)) from None


def _show(lost: list[Told], slow: list[Told]) -> None:
    table(
        ("account", "from", "until", "lasted", "rule", "clause", "mode", "blocked", "shed", "decisions"),
        (
            (
                told.interval.account, local(told.interval.start, told.timezone), _until(told),
                _lasted(told.interval.seconds), told.interval.standing or told.interval.rule,
                told.interval.clause or "-", told.interval.mode or "-", told.interval.blocked,
                told.interval.shed, _some(told.interval.decisions),
            )
            for told in lost
        ),
    )
    for name in sorted({told.interval.account for told in lost}):
        mine = [told.interval for told in lost if told.interval.account == name]
        many = "1 interruption" if len(mine) == 1 else f"{len(mine)} interruptions"
        say(f"account {name}: {many}, {_lasted(total(mine))} in all")
    for told in slow:
        one = told.interval
        say(f"account {one.account} was slowed, not interrupted: {one.held} held by {one.rule}, "
            f"{local(one.start, told.timezone)} to {local(one.end, told.timezone)}, "
            f"{one.longest_hold:.1f} s at most")


def _until(told: Told) -> str:
    return "goes on" if told.interval.open else local(told.interval.end, told.timezone)


def _lasted(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def _some(decisions: tuple[str, ...]) -> str:
    more = f" and {len(decisions) - 3} more" if len(decisions) > 3 else ""
    return " ".join(decisions[:3]) + more or "-"
