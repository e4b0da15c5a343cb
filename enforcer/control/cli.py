"""The command line. Names, flags and exit codes are promised to users.

In: arguments. Out: text or JSON, and 0 fine, 1 the check found something, 2 bad use or bad input.
Refuses to know: how the enforcer runs and how a switch is looked at; both come in as `Outside`.
No command needs a running enforcer: each opens the ledger of the configuration, and a running
enforcer notices what changed by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from enforcer.checkup import Grade
from enforcer.control import (
    cli_account,
    cli_cdr,
    cli_customer,
    cli_evidence,
    cli_interruptions,
    cli_mode,
    cli_notice,
    cli_optout,
    cli_reload,
    cli_settle,
    cli_strike,
    cli_verify,
)
from enforcer.control.cli_terminal import CONFIG, FOUND, Config, Json, OneLine, complain, emit, say, table
from enforcer.control.commands import known_account
from enforcer.control.doctor import Probe, emergency_numbers, examine
from enforcer.control.report import report
from enforcer.control.site import Site
from enforcer.control.why import Case, explain
from enforcer.control.words import cycle_words, shown
from enforcer.errors import LedgerError
from enforcer.notice_text import stationery_of
from enforcer.settings import Settings
from enforcer.wording import describe


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
app.add_typer(cli_customer.app, name="customer")
app.add_typer(cli_notice.app, name="notice")
app.add_typer(cli_cdr.app, name="cdr")
app.add_typer(cli_optout.app, name="optout")
app.add_typer(cli_strike.app, name="strike")
app.command("settle")(cli_settle.settle)
app.command("evidence")(cli_evidence.make)
app.command("interruptions")(cli_interruptions.show)
app.command("settle-due")(cli_settle.due)
app.command("reload")(cli_reload.reload)
app.command("verify")(cli_verify.verify)
app.command("head")(cli_verify.show_head)

Account = Annotated[str, typer.Argument(metavar="ACCOUNT")]


@app.callback()
def enforcer(config: Config = CONFIG) -> None:
    """Acceptable-use enforcement on the switch itself."""


@app.command()
def run(context: typer.Context, config: Config = CONFIG) -> None:
    """Run until stopped: listen, decide, act."""
    outside: Outside = context.obj
    raise typer.Exit(outside.run(Site(config).settings))


@app.command()
def check(config: Config = CONFIG, as_json: Json = False) -> None:
    """Read the configuration and the policy packs, and say what every rule comes to."""
    site = Site(config)
    settings, policy = site.settings, site.policy
    try:
        site.unchanged()
    except LedgerError as problem:
        complain(f"{problem}; so the packs were not compared with what is on record")
    emergency = emergency_numbers(site)
    stationery_of(settings)         # a template that cannot be filled in is found here
    if as_json:
        emit({
            "site": settings.site, "ledger": str(settings.ledger_path), "mode": settings.policy.mode,
            "switches": [switch.name for switch in settings.switches], "emergency": emergency,
            "packs": [{"pack": p.label, "effective": p.effective, "currency": p.currency,
                       "source": p.source, "contact": p.contact} for p in policy.packs],
            "rules": [{"rule": r.spec.id, "kind": r.spec.kind, "clause": r.spec.clause,
                       "policy": r.spec.policy, "text": r.spec.text, "means": describe(r)}
                      for r in policy.rules],
        })
        return
    switches = ", ".join(switch.name for switch in settings.switches) or "none"
    say(f"{settings.path}: site {settings.site}, switches {switches}, ledger {settings.ledger_path}")
    say(f"Where nobody set a mode: {settings.policy.mode}.")
    say(f"Never counted, never touched, whatever a rule says: {', '.join(emergency)}.")
    for pack in policy.packs:
        since = f", effective {pack.effective}" if pack.effective else ""
        say()
        say(f"{pack.label}{since}{': ' if pack.source else ''}{pack.source}")
        for rule in policy.rules:
            if rule.spec.policy == pack.label:
                say(f"  {rule.spec.id} ({rule.spec.clause})")
                say(f"    {describe(rule)}")


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
def usage(
    account: Account, config: Config = CONFIG, as_json: Json = False,
    cycle: Annotated[str, typer.Option(metavar="CYCLE", help="A billing cycle such as 2026-11.")] = "",
) -> None:
    """Show an account's calls in a billing cycle, and where it stands against each rule."""
    site = Site(config)
    with site.ledger() as ledger:
        found = known_account(ledger, account)
        standing = report(ledger, site.policy, site.modes(ledger), found, time.time(), cycle)
    if as_json:
        emit(standing.facts())
        return
    say(f"account {shown(found.id)}, customer {shown(found.customer)}, {found.standing.value}")
    say(cycle_words(standing.span, found.timezone))
    say()
    table(
        ("direction", "attempts", "completed", "short", "in progress", "minutes", "blocked", "shed"),
        (
            (direction.value, u.attempts, u.completed, u.short, u.live, f"{u.msec / 60_000:.1f}", u.blocked,
             u.shed)
            for direction, u in standing.totals
        ),
    )
    if not standing.lines:
        return
    say()
    table(
        ("rule", "of", "metric", "value", "limit", "level", "headroom", "mode"),
        (
            (line.rule.spec.id, line.key, line.rule.metric, line.value, line.limit, line.level.name.lower(),
             "-" if line.headroom is None else line.headroom, line.mode.mode.word)
            for line in standing.lines
        ),
    )


@app.command()
def why(
    subject: Annotated[str, typer.Argument(metavar="CALL|DECISION|ACCOUNT")],
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Explain a call, a decision, or how an account stands: clause, numbers, mode, and what would help."""
    site = Site(config)
    with site.ledger() as ledger:
        case = Case(ledger, site.policy, site.settings.policy.default_mode, time.time())
        told = explain(case, subject)
    if as_json:
        emit(told.facts)
        return
    say(told.title)
    for line in told.lines:
        say(line)
