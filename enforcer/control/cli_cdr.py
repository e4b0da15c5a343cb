"""`enforcer cdr`: the switch's own call records, imported.

In: files. Out: calls in the ledger, a line for each row that is no good.
Refuses to know: what a row means.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from enforcer.control.cdr_import import BATCH, BATCH_ALONE, Import
from enforcer.control.cli_terminal import CONFIG, FOUND, Config, Json, OneLine, complain, emit, say
from enforcer.control.gaps import BAD_ROWS, filled
from enforcer.control.site import Site
from enforcer.domain.gap import IN_ORDER
from enforcer.errors import BadInput
from enforcer.ledger.store import holder

MOST_NAMED = 20         # bad rows; more say that this is another kind of file

app = typer.Typer(cls=OneLine, help="Call detail records.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def cdr() -> None:
    """Call detail records."""


@app.command("import")
def import_cdrs(
    files: Annotated[list[Path], typer.Argument(
        metavar="FILE...", help="Master.csv of Asterisk's cdr_csv, or of FreeSWITCH's mod_cdr_csv.")],
    switch: Annotated[str, typer.Option("--switch", "-s", help="The switch that wrote them.")],
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Import CDR files; importing them again changes nothing. Bad rows are skipped and exit 1."""
    site = Site(config)
    settings = site.settings.switch(switch)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
               TimeRemainingColumn())
    console = Console(stderr=True)
    bad = count(1)

    def named(problem: BadInput) -> None:
        nth = next(bad)
        if nth <= MOST_NAMED:
            complain(f"{problem} (skipped)")
        elif nth == MOST_NAMED + 1:
            complain("further bad rows are counted and not named")

    with site.ledger() as ledger, Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        total = sum(file.stat().st_size for file in files if file.is_file())
        task = progress.add_task("importing", total=total)
        job = Import(
            ledger, settings,
            complain=named,
            progress=lambda read: progress.advance(task, read),
            batch=BATCH if holder(site.settings.ledger_path) else BATCH_ALONE,
        )
        done = job.files(files)
        by = f"an import of {', '.join(file.name for file in files)}"
        # A row that could not be read is one that may be missing.
        closed = [] if done.bad else filled(
            ledger, switch, done.since + IN_ORDER, done.until - IN_ORDER, by, time.time()
        )
        ledger.put(closed)
        waiting = ledger.registers.gaps.open(switch)
    if as_json:
        facts = {name: number for name, number in asdict(done).items() if name not in ("since", "until")}
        emit(facts | {"gaps_closed": len(closed)})
    else:
        say(
            f"{done.rows} rows imported: {done.new} new calls, {done.completed} completed, "
            f"{done.unchanged} known already; {done.bad} bad rows skipped"
        )
        if closed:
            say(f"{len(closed)} gaps closed")
        elif done.bad and waiting:
            say(f"gaps stay open: {BAD_ROWS}")
    if done.bad:
        raise typer.Exit(FOUND)
