"""The command line. Names, flags and exit codes are promised to users.

In: arguments. Out: text or JSON, and 0 fine, 1 the check found something, 2 bad use or bad input.
Refuses to know: how the enforcer runs and how a switch is looked at; both come in as `Outside`.
No command needs a running enforcer: each opens the ledger of the configuration, and a running
enforcer notices what changed by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import typer

from enforcer.checkup import Grade
from enforcer.control import (
    clerk,
    cli_account,
    cli_breaker,
    cli_calls,
    cli_cdr,
    cli_check,
    cli_completion,
    cli_customer,
    cli_drill,
    cli_evidence,
    cli_hold,
    cli_interruptions,
    cli_look,
    cli_mode,
    cli_nearest,
    cli_notice,
    cli_optout,
    cli_prune,
    cli_reconcile,
    cli_reload,
    cli_settle,
    cli_strike,
    cli_token,
    cli_top,
    cli_verify,
    cli_whatif,
    cli_why,
)
from enforcer.control.cli_terminal import CONFIG, FOUND, Config, Json, OneLine, emit, say
from enforcer.control.doctor import Probe, examine
from enforcer.control.site import Site
from enforcer.settings import Settings


@dataclass(frozen=True, slots=True)
class Outside:
    """What the command line may not know itself: how to run the enforcer, how to look at a switch."""

    run: Callable[[Settings], int]      # until it is told to stop; the exit code
    probe: Probe


app = typer.Typer(
    cls=OneLine, help="Acceptable-use enforcement on the switch itself.", no_args_is_help=True,
    rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False,
)
app.add_typer(cli_mode.app, name="mode")
app.add_typer(cli_breaker.app, name="breaker")
app.add_typer(cli_account.app, name="account")
app.add_typer(cli_customer.app, name="customer")
app.add_typer(cli_notice.app, name="notice")
app.add_typer(cli_cdr.app, name="cdr")
app.add_typer(cli_optout.app, name="optout")
app.add_typer(cli_strike.app, name="strike")
app.add_typer(cli_hold.app, name="hold")
app.add_typer(cli_token.app, name="token")
app.command("calls")(cli_calls.calls)
app.command("charges")(cli_calls.charges)
app.command("check")(cli_check.check)
app.command("drill")(cli_drill.run)
app.command("usage")(cli_why.usage)
app.command("why")(cli_why.why)
app.command("nearest")(cli_nearest.show)
app.command("whatif")(cli_whatif.show)
app.command("dossier")(cli_look.show)
app.command("foresee")(cli_look.foresee)
app.command("settle")(cli_settle.settle)
app.command("evidence")(cli_evidence.make)
app.command("interruptions")(cli_interruptions.show)
app.command("settle-due")(cli_settle.due)
app.command("completion")(cli_completion.completion)
app.command("top")(cli_top.top)
app.command("reload")(cli_reload.reload)
app.command("prune")(cli_prune.prune)
app.command("reconcile")(cli_reconcile.reconcile)
app.command("verify")(cli_verify.verify)
app.command("head")(cli_verify.show_head)


@app.callback()
def enforcer(config: Config = CONFIG) -> None:
    """Acceptable-use enforcement on the switch itself."""


@app.command()
def run(context: typer.Context, config: Config = CONFIG) -> None:
    """Run until stopped: listen, decide, act."""
    outside: Outside = context.obj
    raise typer.Exit(outside.run(Site(config).settings))


@app.command("clerk", hidden=True)
def answer_questions(context: typer.Context) -> None:
    """Answer the running enforcer's questions about the past, on standard input and output."""
    clerk.work(app, context.obj)


@app.command()
def doctor(context: typer.Context, config: Config = CONFIG, as_json: Json = False) -> None:
    """Look at everything enforcement needs: packs, ledger, and every switch. Exit 1 where it is broken."""
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
