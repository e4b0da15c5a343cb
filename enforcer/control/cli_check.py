"""`enforcer check`: the configuration and the packs in plain English, and what is odd about them.

In: arguments. Out: text or JSON; exit 0 where all can be used, whatever is odd, 2 where something cannot.
Refuses to know: what could be odd (`review`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from enforcer import packs
from enforcer.checkup import Finding, Grade
from enforcer.control.ahead import ahead_of as _ahead
from enforcer.control.cli_terminal import CONFIG, Config, Json, complain, emit, say
from enforcer.control.dialplan import refuse_unless_safe
from enforcer.control.doctor import emergency_numbers
from enforcer.control.exposure import exposed
from enforcer.control.review import review
from enforcer.control.site import Site
from enforcer.domain.account import Account
from enforcer.errors import LedgerError
from enforcer.notices.text import stationery_of
from enforcer.wording import describe


def check(
    config: Config = CONFIG, as_json: Json = False,
    schema: Annotated[bool, typer.Option(
        "--schema", help="Print the JSON Schema of policy packs, for editors, and do nothing else. A pack "
        "uses it by its first line: #:schema pack.schema.json")] = False,
    dialplan: Annotated[list[Path] | None, typer.Option(
        "--dialplan", metavar="FILE", help="Read this dialplan too, and refuse one in which an emergency "
        "number comes to the enforcer or leads nowhere. May be repeated; `dialplan` of a [[switch]] has "
        "more.")] = None,
    against_ledger: Annotated[bool, typer.Option(
        "--against-ledger", help="Say whom these packs would refuse now, by what the ledger has counted.",
    )] = False,
) -> None:
    """Read the configuration and the policy packs, and say what every rule comes to."""
    if schema:
        print(packs.schema(), end="")
        return
    site = Site(config)
    settings, policy = site.settings, site.policy
    try:
        site.unchanged()
    except LedgerError as problem:
        complain(f"{problem}; so the packs were not compared with what is on record")
    stationery_of(settings)         # a template that cannot be filled in is found here
    emergency = emergency_numbers(site)
    looked = [*_dialplans(site, dialplan or [], emergency)]
    accounts, trouble = _accounts(site)
    findings = [*trouble, *exposed(settings), *review(policy, settings.policy.default_mode, accounts)]
    ahead = _ahead(site) if against_ledger else None
    if ahead is not None and ahead.trips:
        findings.append(Finding("breaker", Grade.WARNING, "would trip at once with these packs", ahead.words))
    if as_json:
        emit({
            "site": settings.site, "ledger": str(settings.ledger_path), "mode": settings.policy.mode,
            "switches": [switch.name for switch in settings.switches], "emergency": emergency,
            "packs": [{"pack": p.label, "effective": p.effective, "currency": p.currency,
                       "source": p.source, "contact": p.contact} for p in policy.packs],
            "rules": [{"rule": r.spec.id, "kind": r.spec.kind, "clause": r.spec.clause,
                       "policy": r.spec.policy, "text": r.spec.text, "means": describe(r)}
                      for r in policy.rules],
            "findings": [finding._asdict() for finding in findings], "dialplans": looked,
        } | ({} if ahead is None else {"ahead": ahead.facts}))
        return
    switches = ", ".join(switch.name for switch in settings.switches) or "none"
    say(f"{settings.path}: site {settings.site}, switches {switches}, ledger {settings.ledger_path}")
    say(f"Where nobody set a mode: {settings.policy.mode}.")
    say(f"Never counted, never touched, whatever a rule says: {', '.join(emergency)}.")
    for line in looked:
        say(line + ".")
    if ahead is not None:
        say(ahead.words)
    for pack in policy.packs:
        since = f", effective {pack.effective}" if pack.effective else ""
        say()
        say(f"{pack.label}{since}{': ' if pack.source else ''}{pack.source}")
        for rule in policy.rules:
            if rule.spec.policy == pack.label:
                say(f"  {rule.spec.id} ({rule.spec.clause})")
                say(f"    {describe(rule)}")
    _say(findings)


def _dialplans(site: Site, paths: list[Path], emergency: list[str]) -> Iterator[str]:
    """What was looked at. Raises BadInput for a dialplan that could keep an emergency call waiting."""
    switches = site.settings.switches
    for xml in (False, True):
        some = [path for path in paths if (path.suffix == ".xml") is xml]
        kind = "freeswitch" if xml else "asterisk"
        contexts = [name for one in switches if one.kind == kind for name in one.outbound_contexts]
        if some:
            yield refuse_unless_safe(some, contexts or ["from-accounts", "default"], emergency)
    for switch in switches:
        if switch.dialplan:
            files = [site.settings.path.parent / name for name in switch.dialplan]
            yield refuse_unless_safe(files, switch.outbound_contexts, emergency)


def _say(findings: list[Finding]) -> None:
    if not findings:
        return
    say()
    say("Worth a look; nothing of this keeps the enforcer from running:")
    for finding in findings:
        advice = f" -> {finding.advice}" if finding.advice else ""
        say(f"  {finding.subject} {finding.words}{advice}")


def _accounts(site: Site) -> tuple[list[Account], list[Finding]]:
    """Whom the rules could be about; nobody where there is no ledger yet: a check makes none. One that cannot
    be read is `doctor`'s business, and keeps nobody from checking a pack."""
    if not site.settings.ledger_path.exists():
        return [], []
    try:
        with site.ledger() as ledger:
            return ledger.accounts(), []
    except LedgerError as error:
        words = f"could not be read, so no account was looked at: {error}"
        return [], [Finding("ledger", Grade.WARNING, words, "see `enforcer doctor`")]
