"""`enforcer reconcile`: usage made equal to what the switches themselves wrote, now.

In: the switches of the configuration. Out: calls in the ledger, gaps closed; for a switch whose file cannot
be read from here, the command that imports it. Exit 1 where a row is no good or a file cannot be read.
Refuses to know: how files are followed. An enforcer that runs does the same by itself, where a switch has a
`cdr_file`.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from enforcer.control.cdr_follow import Follower
from enforcer.control.cli_terminal import CONFIG, FOUND, Config, Json, complain, emit, say
from enforcer.control.gaps import BAD_ROWS, filled_by, gap_facts, gap_lines
from enforcer.control.site import Site
from enforcer.errors import BadInput
from enforcer.settings_switch import SwitchSettings


def reconcile(
    switch: Annotated[str, typer.Option("--switch", "-s", help="One switch only.")] = "",
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Read what the switches wrote into their CDR files since the last time, and close gaps with it."""
    site = Site(config)
    chosen = [site.settings.switch(switch)] if switch else list(site.settings.linked)
    if any(one.kind == "gateway" for one in chosen):
        said = f"{switch!r} is a gateway: it reports its calls over HTTP, and writes no CDRs"
        raise BadInput("--switch", said)
    told = [_reconciled(site, one) for one in chosen]
    with site.ledger() as ledger:
        gaps = [gap for one in chosen for gap in ledger.registers.gaps.open(one.name)]
    if as_json:
        emit({"switches": told, "gaps": [gap_facts(gap) for gap in gaps]})
    else:
        for one in told:
            say(_words(one))
        for line in gap_lines(gaps, "UTC"):
            say(line)
        if gaps:
            say("A gap closes when CDRs from before it until after it were read: import older files with "
                "`enforcer cdr import FILE... --switch S`, all in one command")
            if any(one["bad"] for one in told):
                say(f"{BAD_ROWS}: mend it in a copy, or take it out, and import the copy")
    if any(one["problem"] or one["bad"] for one in told):
        raise typer.Exit(FOUND)


def _reconciled(site: Site, switch: SwitchSettings) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "switch": switch.name, "file": None, "rows": 0, "new": 0, "completed": 0, "unchanged": 0, "bad": 0,
        "gaps_closed": 0, "problem": "",
    }
    path = switch.cdr_path
    if path is None:
        what = "Master.csv of its cdr_csv" if switch.kind == "asterisk" else "Master.csv of its mod_cdr_csv"
        facts["problem"] = (
            f"no cdr_file in the configuration: copy {what} here, then `enforcer cdr import FILE --switch "
            f"{switch.name}`"
        )
        return facts
    follower = Follower(switch, path, site.ledger, lambda problem: complain(f"{problem} (skipped)"))
    swept = follower.sweep()
    closed = []
    if swept.place is not None and not swept.trouble:
        with site.ledger() as ledger:
            closed = filled_by(ledger, swept.place, time.time(), switch.cdr_delay)
            ledger.put(closed)
    return facts | {
        "file": str(path), "rows": swept.rows, "new": swept.new, "completed": swept.completed,
        "unchanged": swept.unchanged, "bad": swept.bad, "gaps_closed": len(closed), "problem": swept.trouble,
    }


def _words(one: dict[str, Any]) -> str:
    if one["file"] is None:
        return f"{one['switch']}: {one['problem']}"
    told = (
        f"{one['switch']}: {one['rows']} rows read: {one['new']} new calls, {one['completed']} completed, "
        f"{one['unchanged']} known already; {one['bad']} bad rows skipped; {one['gaps_closed']} gaps closed"
    )
    return f"{told}; {one['problem']}" if one["problem"] else told
