"""`enforcer nearest`: the accounts nearest their limits, and when they reach them at this pace.

In: options. Out: a table, or JSON. Refuses to know: how it is reckoned (`fullest`).
"""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from enforcer.control.case import Case
from enforcer.control.cli_terminal import CONFIG, Config, Json, emit, say, table
from enforcer.control.fullest import fullest
from enforcer.control.outlook import METHOD
from enforcer.control.site import Site
from enforcer.domain.cycle import Span

DAYS = 31               # an account that nobody registered is known by its calls


def show(
    most: Annotated[int, typer.Option("--limit", min=1, max=200, help="So many.")] = 20,
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Show the accounts nearest their limits, and when they reach them at this pace."""
    site, now = Site(config), time.time()
    with site.ledger(site.policy) as ledger:
        case = Case(ledger, site.policy, site.settings.policy.default_mode, now, site.plan.canonical)
        known = {account.id: account for account in ledger.accounts()}
        lately = ledger.callers(Span(now - DAYS * 86_400, now, "lately"))
        everybody = known | {name: ledger.account(name) for name, _ in lately if name not in known}
        found = [one.facts() for one in fullest(case, everybody.values(), most)]
    if as_json:
        emit({"nearest": found, "method": METHOD})
        return
    table(
        ("account", "rule", "metric", "value", "limit", "full", "level", "forecast"),
        (
            (one["account"], one["rule"], one["metric"], one["value"], one["limit"], f"{one['percent']} %",
             one["level"], _when(one))
            for one in found
        ),
    )
    if any(one["forecast"] for one in found):
        say(METHOD)


def _when(facts: dict[str, Any]) -> str:
    """When the limit is reached."""
    last = facts["forecast"][-1]["when"] if facts["forecast"] else None
    return str(last)[:16].replace("T", " ") if last else "-"
