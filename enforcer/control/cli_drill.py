"""`enforcer drill FAULT`: what callers would get under that fault, with nothing broken.

In: options. Out: text or JSON. Refuses to know: how it is found out (`drill`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from enforcer.control.cli_terminal import CONFIG, Config, Json, emit, say, table
from enforcer.control.commands import known_account
from enforcer.control.drill import FAULTS, Drill, Held, Line, drill
from enforcer.control.site import Site
from enforcer.domain.decision import OnFailure
from enforcer.errors import BadInput
from enforcer.orders import LeaseTerms
from enforcer.toml_models import one_of

SHOWN = 50      # accounts, where nobody asked for one; --json has all


def run(
    fault: Annotated[str, typer.Argument(metavar="FAULT", help=f"{one_of(sorted(FAULTS))}.")],
    account: Annotated[str, typer.Option("--account", "-a", help="This account only.")] = "",
    switch: Annotated[str, typer.Option("--switch", "-s", help="On this switch only.")] = "",
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Show what each rule would do under a fault: who would be refused, and for how long. Breaks nothing."""
    if fault not in FAULTS:
        raise BadInput("", f"no such fault: {fault!r} (one of {one_of(sorted(FAULTS))})")
    site = Site(config)
    switches = [site.settings.switch(switch).name] if switch else [one.name for one in site.settings.switches]
    if not switches:
        raise BadInput("", "no [[switch]] in the configuration: nothing to drill")
    terms = LeaseTerms(site.settings.lease.seconds, site.settings.lease.headroom)
    with site.ledger(site.policy) as ledger:
        accounts = [known_account(ledger, account)] if account else ledger.accounts()
        now = time.time()
        found = [
            drill(fault, ledger, site.policy, site.modes(ledger), one, terms, now, accounts)
            for one in switches
        ]
    if as_json:
        emit({"fault": fault, "words": FAULTS[fault].words, "then": FAULTS[fault].then,
              "switches": [_facts(one) for one in found]})
        return
    say(f"If {FAULTS[fault].words}:")
    say(FAULTS[fault].then)
    say("Emergency calls go as ever: the dialplan asks nobody about them.")
    for one in found:
        _say(one, door=bool(site.settings.door.agi.enabled and fault == "link"))


def _say(found: Drill, *, door: bool) -> None:
    say()
    at_door = ": calls that ask at the FastAGI door are answered until the heartbeat is stale"
    say(f"switch {found.switch}" + (at_door if door else ""))
    table(
        ("rule", "on failure", "of its accounts", "so that"),
        ((one.rule, one.on_failure.value, _accounts(one), _so_that(found, one)) for one in found.lines),
    )
    if not found.held:
        say("The switch holds nothing for any account: calls go as ENF_FAIL says.")
        return
    say()
    shown = sorted(found.held, key=lambda held: (not held.refused, held.account))[:SHOWN]
    rows = ((one.account, _first(found, one), _then(found, one)) for one in shown)
    table(("account", "first", "then"), rows)
    if len(found.held) > len(shown):
        say(f"and {len(found.held) - len(shown)} more: --json has all, --account one")


def _accounts(line: Line) -> str:
    total = sum(line.accounts.values())
    refused = line.accounts["block"] + line.accounts["throttle"]
    parts = [f"{refused} of {total} refused"]
    parts += [f"{line.accounts['tag']} tagged"] if line.accounts["tag"] else []
    parts += [f"{line.braked} braked"] if line.braked else []
    return ", ".join(parts)


def _so_that(found: Drill, line: Line) -> str:
    """What the rule comes to, in a sentence."""
    if found.about.capped is not None:
        return "every call goes"
    if found.about.answered:
        return "it decides as ever"
    refused = line.accounts["block"] + line.accounts["throttle"]
    if line.on_failure is OnFailure.OPEN:
        said = "calls go"
    elif line.on_failure is OnFailure.CLOSED:
        said = "calls are refused with 503" if refused else "calls go: no mode lets it block"
    else:
        some = refused or line.accounts["tag"]
        said = "the last verdict stands" if some else "calls go: no account's last verdict was another"
    return said + (", within the brake" if line.braked else "")


def _first(found: Drill, one: Held) -> str:
    if found.about.answered:
        return "answered as ever" if found.about.capped is None else "goes"
    if one.leased:
        return f"goes, while it holds a lease ({found.lease_seconds} s at the most)"
    return ""


def _then(found: Drill, one: Held) -> str:
    if found.about.answered:
        return ""
    parts = list(_brake(one))
    if one.refused:
        parts.append(f"refused with {one.sip_code}" + (" (people stopped it)" if one.people else ""))
    elif one.word and one.word != "allow":
        parts.append(f"goes, {one.word}")
    return ", ".join(parts) or "as ENF_FAIL says"


def _brake(one: Held) -> Iterator[str]:
    if one.calls:
        yield f"at most {one.calls} calls at once"
    if one.cps:
        yield f"at most {one.cps} set-ups a second"


def _facts(found: Drill) -> dict[str, Any]:
    return {
        "switch": found.switch, "answered": found.about.answered,
        "rules": [
            {"rule": line.rule, "clause": line.clause, "on_failure": line.on_failure.value,
             "accounts": dict(line.accounts), "braked": line.braked, "so_that": _so_that(found, line)}
            for line in found.lines
        ],
        "accounts": [
            {"account": one.account, "leased": one.leased, "verdict": one.word or None,
             "sip_code": one.sip_code or None, "max_calls": one.calls or None, "max_cps": one.cps or None,
             "by_people": one.people}
            for one in found.held
        ],
    }
