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
from enforcer.control import cli_account, cli_cdr, cli_check, cli_mode, cli_settle, cli_why
from enforcer.control.cli_terminal import CONFIG, FOUND, Config, Json, OneLine, emit, say
from enforcer.control.doctor import Probe, examine
from enforcer.control.site import Site
from enforcer.control.words import iso
from enforcer.settings import Settings


@dataclass(frozen=True, slots=True)
class Outside:
    """What the command line may not know itself: how to run the enforcer, how to look at a switch."""

    run: Callable[[Settings], int]      # until it is told to stop; the exit code
    probe: Probe


app = typer.Typer(
    cls=OneLine, help="Acceptable-use enforcement on the switch itself.", no_args_is_help=True,
    rich_markup_mode=None, pretty_exceptions_enable=False,
)
app.add_typer(cli_mode.app, name="mode")
app.add_typer(cli_account.app, name="account")
app.add_typer(cli_cdr.app, name="cdr")
app.command("check")(cli_check.check)
app.command("usage")(cli_why.usage)
app.command("why")(cli_why.why)
app.command("settle")(cli_settle.settle)


@app.callback()
def enforcer(config: Config = CONFIG) -> None:
    """Acceptable-use enforcement on the switch itself."""


@app.command()
def run(context: typer.Context, config: Config = CONFIG) -> None:
    """Run until stopped: listen, decide, act."""
    outside: Outside = context.obj
    raise typer.Exit(outside.run(Site(config).settings))


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


@app.command()
def verify(config: Config = CONFIG, as_json: Json = False) -> None:
    """Prove that every counter equals the call records it stands for. Exit 1 where one does not."""
    site = Site(config)
    with site.ledger(site.policy) as ledger:
        mismatches = ledger.verify()
        calls = sum(1 for _ in ledger.calls())
    if as_json:
        emit([
            {"scope": m.scope.value, "of": m.key, "cycle": m.span.label, "from": iso(m.span.start),
             "counted": m.counted._asdict(), "derived": m.derived._asdict()}
            for m in mismatches
        ])
    else:
        for m in mismatches:
            say(f"{m.scope.value} {m.key}, cycle {m.span.label}: counted {m.counted.words}; "
                f"the records say {m.derived.words}")
        outcome = f"{len(mismatches)} counters differ" if mismatches else "all counters agree"
        say(f"{calls} calls: {outcome}")
    if mismatches:
        raise typer.Exit(FOUND)
