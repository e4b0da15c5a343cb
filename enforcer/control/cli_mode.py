"""`enforcer mode`: how far verdicts go, for whom, who said so, and until when.

In: options. Out: settings in the ledger; a running enforcer follows within a moment.
Refuses to know: how modes are resolved.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from enforcer.control.cli_terminal import CONFIG, Config, Json, OneLine, emit, say, table, who
from enforcer.control.commands import Known, SetMode, act
from enforcer.control.facts import mode_facts
from enforcer.control.site import Site
from enforcer.control.words import local, span_of
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.errors import BadInput
from enforcer.toml_models import meant

app = typer.Typer(
    cls=OneLine, help="Show or set how far verdicts may go: off, monitor, tag, throttle, block.",
    rich_markup_mode=None,
)

ModeWord = Annotated[str, typer.Argument(metavar="MODE", help="off, monitor, tag, throttle or block.")]
Account = Annotated[str, typer.Option("--account", "-a", help="For this account.")]
RuleId = Annotated[str, typer.Option("--rule", "-r", help="For this rule.")]
Switch = Annotated[str, typer.Option("--switch", "-s", help="For calls on this switch.")]
For = Annotated[str, typer.Option("--for", metavar="SPAN", help="Ends by itself after, e.g. 90s, 2h, 1d12h.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why: shown by `mode` and `why`.")]


@app.callback(invoke_without_command=True)
def show(context: typer.Context, config: Config = CONFIG, as_json: Json = False) -> None:
    """Show the settings in force, the site ceiling first."""
    if context.invoked_subcommand is not None:
        return
    site = Site(config)
    now = time.time()
    with site.ledger() as ledger:
        settings = site.modes(ledger).settings(now)
    if not any(s.place == (False, "", "", "") for s in settings):
        default = ModeSetting(site.settings.policy.default_mode, why="configuration")
        settings = [*(s for s in settings if s.ceiling), default, *(s for s in settings if not s.ceiling)]
    if as_json:
        emit([mode_facts(setting) for setting in settings])
        return
    table(
        ("for", "mode", "set by", "at", "until", "why"),
        (
            (
                s.subject, s.mode.word, s.who or "-", local(s.at, "UTC") if s.at else "-",
                "-" if s.until is None else local(s.until, "UTC"), s.why,
            )
            for s in settings
        ),
    )


@app.command("set")
def set_mode(
    mode: ModeWord, account: Account = "", rule: RuleId = "", switch: Switch = "", span: For = "",
    reason: Reason = "", config: Config = CONFIG,
) -> None:
    """Set the mode of an account, a rule, a switch, or all together; with none of them, of the site."""
    command = SetMode(_mode(mode), account, rule, switch, False, _span(span), who(), reason)
    _act(config, command)


@app.command("ceiling")
def ceiling(mode: ModeWord, span: For = "", reason: Reason = "", config: Config = CONFIG) -> None:
    """Set the site ceiling: no verdict anywhere goes further. `ceiling monitor` lets every call go,
    `ceiling block` lifts the ceiling."""
    _act(config, SetMode(_mode(mode), ceiling=True, seconds=_span(span), who=who(), why=reason))


def _act(config: Config, command: SetMode) -> None:
    site = Site(config)
    # Only a rule's name needs the packs: with a broken pack the ceiling can still be pulled down.
    switches = tuple(switch.name for switch in site.settings.switches)
    known = site.known if command.rule else Known(switches=switches)
    with site.ledger() as ledger:
        now = time.time()               # when it is entered, not when we began to open the ledger
        done = act(command, ledger, known, now)
    until = "" if command.seconds is None else f" until {local(now + command.seconds, 'UTC')}"
    say(done + until)


def _mode(word: str) -> Mode:
    try:
        return Mode.of(word)
    except ValueError as error:
        raise BadInput("MODE", f"{error}{meant(word.lower(), [m.word for m in Mode])}") from None


def _span(text: str) -> float | None:
    return span_of(text) if text else None
