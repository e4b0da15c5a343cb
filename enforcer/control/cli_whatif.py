"""`enforcer whatif`: what each mode would have done to the calls of the last hours, before one is set.

In: options. Out: a table, or JSON. Refuses to know: how it is reckoned (`whatif`).
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from enforcer.control.cli_terminal import CONFIG, Config, Json, emit, say, table
from enforcer.control.commands import known_account, unknown
from enforcer.control.effects import effects
from enforcer.control.site import Site
from enforcer.control.words import span_of
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.errors import BadInput

LATELY = "24h"


def show(
    account: Annotated[str, typer.Option("--account", "-a", help="A mode of this account.")] = "",
    rule: Annotated[str, typer.Option("--rule", "-r", help="A mode of this rule.")] = "",
    switch: Annotated[str, typer.Option("--switch", "-s", help="A mode of this switch.")] = "",
    ceiling: Annotated[bool, typer.Option("--ceiling", help="The ceiling of the site.")] = False,
    span: Annotated[str, typer.Option("--last", metavar="SPAN", help="Look back so far.")] = LATELY,
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Show what each mode would have done to the calls of the last hours. Nothing is set."""
    site = Site(config)
    if rule and rule not in site.known.rules:
        raise BadInput("--rule", unknown("rule", rule, site.known.rules))
    with site.ledger() as ledger:
        if account:
            known_account(ledger, account)
        place = ModeSetting(Mode.MONITOR, account, rule, switch, ceiling)
        seconds = span_of(span, "--last")
        found = effects(ledger, site.settings.policy.default_mode, place, seconds, time.time())
    if as_json:
        emit(found)
        return
    say(found["words"])
    table(
        ("mode", "refused", "throttled", "tagged", "accounts", "other than now"),
        (
            (one["mode"], one["refused"], one["throttled"], one["tagged"], one["accounts"],
             one["harder"] + one["softer"])
            for one in [found["now"] | {"mode": "as it is now"}, *found["modes"]]
        ),
    )
    for note in found["notes"]:
        say(note)
