"""`enforcer reload`: the running enforcer reads the policy packs again.

In: a configuration. Out: a request in the journal, and the enforcer's answer: the policy now in force, or
where a pack is wrong. Refuses to know: how packs are read.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from enforcer import history
from enforcer.control.cli_terminal import BAD, CONFIG, FOUND, Config, Json, complain, emit, say, who
from enforcer.control.site import Site
from enforcer.domain.journal import Kind
from enforcer.ledger.port import Ledger
from enforcer.ledger.store import holder

LOOK_SECONDS = 0.1
PATIENCE = 15.0         # seconds; to derive all counters of a large ledger anew takes a few of them


Wait = Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for the answer.")]


def reload(
    wait: Wait = PATIENCE,
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Have the running enforcer read the policy packs again, all or nothing. Exit 2 where a pack is wrong:
    then the old ones stay in force. Exit 1 where no enforcer runs, or none answers."""
    site = Site(config)
    path = site.settings.ledger_path
    process = holder(path)
    if not process:
        complain(f"no enforcer runs on {path}: the packs are read when `enforcer run` starts")
        raise typer.Exit(FOUND)
    with site.ledger() as ledger:
        told = ask(ledger, wait, time.monotonic, time.sleep)
    if told is None:
        complain(f"the enforcer that runs on {path} (process {process}) did not answer in {wait:g} s; it "
                 "reads the packs as soon as it can: see its log")
        raise typer.Exit(FOUND)
    if as_json:
        emit({"policy": told["policy"], "problem": told["problem"] or None})
    elif not told["problem"]:
        say(f"in force: {told['policy']}")
    if told["problem"]:
        complain(f"{told['problem']}; {told['policy']} stays in force")
        raise typer.Exit(BAD)


def ask(
    ledger: Ledger, wait: float, clock: Callable[[], float], pause: Callable[[float], None]
) -> dict[str, Any] | None:
    """Put the request on record and wait so many seconds for its answer; None where there is none."""
    name = f"reload-{secrets.token_hex(6)}"
    ledger.put([history.request(name, time.time(), who())])
    until = clock() + wait
    while True:
        for entry in ledger.journal({Kind.REQUEST}, ref=name):
            if "answer" in entry.body:
                return dict(entry.body)
        if clock() >= until:
            return None
        pause(LOOK_SECONDS)
