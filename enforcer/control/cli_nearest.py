"""`enforcer nearest`: the accounts nearest their limits, and when they reach them at this pace.

In: options. Out: a table, or JSON. Refuses to know: how it is reckoned (`nearest`).
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from enforcer.control.cli_terminal import CONFIG, Config, Json, emit, say, table
from enforcer.control.nearest import METHOD, nearest
from enforcer.control.site import Site


def show(
    most: Annotated[int, typer.Option("--limit", min=1, max=200, help="So many.")] = 20,
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Show the accounts nearest their limits, and when they reach them at this pace."""
    site, now = Site(config), time.time()
    with site.ledger(site.policy) as ledger:
        found = nearest(ledger, most, now)
    if as_json:
        emit({"nearest": found, "method": METHOD})
        return
    table(
        ("account", "rule", "metric", "value", "limit", "used", "level", "passed (UTC)"),
        (
            (one["account"] if one["scope"] == "account" else f"{one['customer']} (all accounts)",
             one["rule"], one["metric"], one["value"], one["limit"], f"{one['percent']} %", one["level"],
             (one["passed"] or "-")[:16].replace("T", " "))
            for one in found
        ),
    )
    if found:
        say(METHOD)
