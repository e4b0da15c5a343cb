"""The command line. Names, flags and exit codes are promised to users.

In: arguments. Out: text or JSON, and 0 fine, 1 the check found something, 2 bad use or bad input.
Refuses to know: how the enforcer runs and how a switch is looked at; both come in as `Outside`.
No command needs a running enforcer: each opens the ledger of the configuration, and a running
enforcer notices what changed. A command's module is imported when the command is wanted.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from enforcer.control.cli_later import later
from enforcer.control.cli_terminal import CONFIG, FOUND, Config, Json, emit, say

if TYPE_CHECKING:
    from enforcer.control.doctor import Probe
    from enforcer.settings import Settings

PLACES = {
    name: f"enforcer.control.{place}" for name, place in {
        "calls": "cli_calls:calls", "charges": "cli_calls:charges", "check": "cli_check:check",
        "drill": "cli_drill:run", "usage": "cli_why:usage", "why": "cli_why:why",
        "nearest": "cli_nearest:show", "whatif": "cli_whatif:show", "dossier": "cli_look:show",
        "foresee": "cli_look:foresee",
        "settle": "cli_settle:settle", "evidence": "cli_evidence:make",
        "interruptions": "cli_interruptions:show", "settle-due": "cli_settle:due",
        "completion": "cli_completion:completion", "top": "cli_top:top", "reload": "cli_reload:reload",
        "prune": "cli_prune:prune", "reconcile": "cli_reconcile:reconcile", "verify": "cli_verify:verify",
        "head": "cli_verify:show_head", "mode": "cli_mode:app", "breaker": "cli_breaker:app",
        "account": "cli_account:app", "customer": "cli_customer:app", "notice": "cli_notice:app",
        "cdr": "cli_cdr:app", "optout": "cli_optout:app", "strike": "cli_strike:app", "hold": "cli_hold:app",
        "token": "cli_token:app",
    }.items()
}


@dataclass(frozen=True, slots=True)
class Outside:
    """What the command line may not know itself: how to run the enforcer, how to look at a switch."""

    run: Callable[[Settings], int]      # until it is told to stop; the exit code
    probe: Probe
    door: str = "command line"          # by which people come


app = typer.Typer(
    cls=later(PLACES), help="Acceptable-use enforcement on the switch itself.", no_args_is_help=True,
    rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False,
)
@app.callback()
def enforcer(config: Config = CONFIG) -> None:
    """Acceptable-use enforcement on the switch itself."""
    gc.enable()         # off while the command was imported


@app.command()
def run(context: typer.Context, config: Config = CONFIG) -> None:
    """Run until stopped: listen, decide, act."""
    from enforcer.control.site import Site

    outside: Outside = context.obj
    raise typer.Exit(outside.run(Site(config).settings))


@app.command("clerk", hidden=True)
def answer_questions(context: typer.Context) -> None:
    """Answer the running enforcer's questions about the past, on standard input and output."""
    from enforcer.control import clerk

    clerk.work(app, context.obj)


@app.command()
def doctor(context: typer.Context, config: Config = CONFIG, as_json: Json = False) -> None:
    """Look at everything enforcement needs: packs, ledger, and every switch. Exit 1 where it is broken."""
    from enforcer.checkup import Grade
    from enforcer.control.doctor import examine
    from enforcer.control.site import Site

    outside: Outside = context.obj
    findings = []
    for finding in examine(Site(config), outside.probe):
        findings.append(finding)
        if not as_json:
            advice = f" -> {finding.advice}" if finding.advice else ""
            say(f"{finding.grade.value:8} {finding.subject}: {finding.words}{advice}")
    if as_json:
        emit([finding._asdict() for finding in findings])
    if any(finding.grade is Grade.FAILED for finding in findings):
        raise typer.Exit(FOUND)
