"""`enforcer breaker`: whether it tripped and why, what its band is, and arming it again.

In: options. Out: text or JSON; a ceiling in the ledger, which a running enforcer follows within a moment.
Exit 1 while it is tripped. Refuses to know: what trips it (`domain.breaker`).
"""

from __future__ import annotations

import time
from fractions import Fraction

import typer

from enforcer.control import acts
from enforcer.control.cli_mode import Reason
from enforcer.control.cli_terminal import CONFIG, FOUND, Config, Json, OneLine, emit, say, table, who
from enforcer.control.site import Site
from enforcer.control.words import local
from enforcer.domain.band import WHO, Band, known, percent, tripped
from enforcer.domain.breaker import Breaker
from enforcer.domain.journal import Kind
from enforcer.domain.mode import ModeSetting
from enforcer.errors import BadInput

app = typer.Typer(
    cls=OneLine, help="Show whether the breaker holds the site at monitor, and arm it again.",
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def show(context: typer.Context, config: Config = CONFIG, as_json: Json = False) -> None:
    """Show its state, its band, and when it tripped before. Exit 1 while it is tripped."""
    if context.invoked_subcommand is not None:
        return
    site = Site(config)
    terms, now = site.settings.breaker, time.time()
    with site.ledger() as ledger:
        held = tripped(site.modes(ledger), now)
        past = [one for one in ledger.modes() if one.who == WHO and one.ceiling]
        hours = known(ledger.journal({Kind.BREAKER}), now)
    breaker = Breaker(terms.band, hours)
    usual = {of: breaker.usual(of, now) for of in ("calls", "accounts")}
    state = "tripped" if held else "armed" if terms.enabled else "off"
    if as_json:
        emit({
            "state": state, "tripped": None if held is None else _facts(held),
            "band": _band(terms.band),
            "usual": {of: _exact(share) for of, share in usual.items()},
            "limit": {of: _exact(_limit(terms.band, of, usual[of])) for of in usual},
            "hours": len(hours), "history": [_facts(one) for one in past],
        })
    else:
        _say(state, held, terms.band, usual, past)
    if held is not None:
        raise typer.Exit(FOUND)


@app.command("rearm")
def rearm(reason: Reason = "", config: Config = CONFIG) -> None:
    """Lift the breaker's ceiling: verdicts go as far as people had let them. What is refused from then on
    counts anew, and can trip it again."""
    if not reason.strip():
        raise BadInput("--reason", "is missing: say what was wrong, or why it was meant")
    with Site(config).ledger() as ledger:
        say(acts.rearm(ledger, who(), reason, time.time()))


def _say(
    state: str, held: ModeSetting | None, band: Band, usual: dict[str, Fraction | None],
    past: list[ModeSetting],
) -> None:
    if held is not None:
        since = local(held.at, "UTC")
        say(f"TRIPPED since {since}: every call goes, the site's ceiling is {held.mode.word}.")
        say(f"Why: {held.why}.")
        say("If a pack is wrong, put it right and `enforcer reload`; then "
            "`enforcer breaker rearm --reason TEXT`.")
    else:
        off = "off: `enabled = true` under [breaker] of the configuration arms it."
        say("Armed." if state == "armed" else off)
    for of, most in (("calls", band.calls), ("accounts", band.accounts)):
        share = usual[of]
        usually = f"usually {percent(share)} now" if share is not None else "what is usual is not known yet"
        say(f"It trips above {percent(_limit(band, of, share))} of {of} refused; {usually}, "
            f"and never more than {percent(most)}.")
    say(f"It never trips below {band.least_accounts} accounts refused and {band.least_calls} calls, "
        f"nor for a jump below {percent(band.least_share)}.")
    if past:
        say()
        table(("tripped", "why"), ((local(one.at, "UTC"), one.why) for one in reversed(past)))


def _limit(band: Band, of: str, usual: Fraction | None) -> Fraction:
    return band.limit(band.calls if of == "calls" else band.accounts, usual)


def _band(band: Band) -> dict[str, object]:
    told = band._asdict().items()
    return {name: _exact(value) if isinstance(value, Fraction) else value for name, value in told}


def _facts(setting: ModeSetting) -> dict[str, object]:
    return {"at": setting.at, "why": setting.why}


def _exact(share: Fraction | None) -> str | None:
    """A share as a decimal string, to the sixth place."""
    return None if share is None else f"{float(share):.6f}".rstrip("0").rstrip(".")
