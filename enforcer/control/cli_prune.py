"""`enforcer prune`: remove what is older than `[retention]` says, so that the ledger stops growing.

In: a configuration. Out: fewer rows, one checkpoint on the chain, and what was kept all the same.
Refuses to know: how rows are removed, and what is needed.

A running enforcer does this by itself, some times a day, in a process of its own. The names of the facts are
promised to users.
"""

from __future__ import annotations

import os
import time
from typing import Annotated, Any

import typer

from enforcer.control.cli_terminal import CONFIG, Config, Json, emit, say
from enforcer.control.keeping import kept
from enforcer.control.site import Site
from enforcer.control.words import iso, local
from enforcer.ledger.pruning import Outcome, Pruner
from enforcer.ledger.store import Store, alone

PATIENCE = 30.0         # seconds that a bite waits for another process
NICE = 19


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")] = False,
    trusting: Annotated[bool, typer.Option(
        "--trust-clock", help="Go by the clock alone: for a ledger that no enforcer runs on.",
    )] = False,
    gently: Annotated[bool, typer.Option(
        "--gently", help="Let everything else on the machine go first.",
    )] = False,
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Remove decisions and calls that are older than [retention] in the configuration says. What a window, an
    unsettled cycle or a hold needs is kept, and so is everything else on record. The chain can be proved all
    the same: `enforcer verify` says since when. Nothing is old by the clock alone, which may jump: the
    enforcer also has to have run for as long."""
    if gently:
        os.nice(NICE)
    site = Site(config)
    terms, now = site.settings.retention.terms, time.time()
    path = site.settings.ledger_path
    with site.ledger() as ledger, alone(path.with_name(path.name + ".prune")):
        store = Store(path, PATIENCE)
        try:
            pruner = Pruner(store, time.time, _pause, trusting)
            if not dry_run and max(terms):
                pruner.look(max(terms))
            before = now - terms.calls if terms.calls else float("-inf")
            revisions = site.revisions(ledger, now, compare=False)
            found = kept(ledger, site.policy, revisions, now, before, pruner.oldest_call)
            outcome = (pruner.plan if dry_run else pruner.prune)(terms, found.needed)
            since = None if trusting else pruner.lived()
        finally:
            store.close()
    if as_json:
        emit(_facts(outcome, dry_run) | {
            "held": {
                "accounts": sorted(found.needed.accounts), "customers": sorted(found.needed.customers),
            },
            "unsettled": found.unsettled,
        })
        return
    for line in _words(outcome, dry_run):
        say(line)
    if found.needed.accounts:
        say(f"on hold, and kept: {len(found.needed.accounts)} accounts (see `enforcer hold list`)")
    for cycle in sorted(set(found.unsettled.values())):
        count = sum(1 for one in found.unsettled.values() if one == cycle)
        say(f"not settled, and kept: calls of {count} customers since {cycle} "
            f"(`enforcer settle --cycle {cycle}` settles it)")
    if since is not None and since < max(terms):
        say(f"the clock was watched for {since / 86_400:.1f} days so far: by its word alone nothing goes "
            "(see --trust-clock)")


def _pause(seconds: float) -> None:
    """As long as a bite took, so that others have the file at least half of the time."""
    time.sleep(max(0.01, seconds))


def _facts(outcome: Outcome, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run, "decisions": outcome.decisions,
        "decisions_before": None if outcome.decisions_before is None else iso(outcome.decisions_before),
        "calls": outcome.calls,
        "calls_before": None if outcome.calls_before is None else iso(outcome.calls_before),
    }


def _words(outcome: Outcome, dry_run: bool) -> list[str]:
    done = "would be pruned" if dry_run else "pruned"
    told = []
    for name, count, before in (
        ("decisions", outcome.decisions, outcome.decisions_before),
        ("calls", outcome.calls, outcome.calls_before),
    ):
        when = "none is old enough" if before is None else f"of before {local(before, 'UTC')}"
        told.append(f"{count} {name} {done}: {when}")
    return told
