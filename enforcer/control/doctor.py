"""Is everything there that enforcement needs? One look at each part, and what to do where it is not.

In: a site, and somebody who can look at a switch. Out: findings, one after the other, as they come.
Refuses to know: how a switch is spoken to. A new check is a function in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from enforcer.checkup import Finding, Grade
from enforcer.control.exposure import exposed
from enforcer.control.gaps import cdr_findings
from enforcer.control.site import Site
from enforcer.domain.notice import Audience
from enforcer.domain.numbers import sample
from enforcer.errors import EnforcerError
from enforcer.notices.carrier import carrier_of, shown, usable
from enforcer.notices.text import stationery_of
from enforcer.settings_switch import SwitchSettings

# Looks at one switch, whose secret can be read, with the emergency numbers of its country.
Probe = Callable[[SwitchSettings, Sequence[str]], Iterable[Finding]]

LONGEST_SHORT = 3       # emergency numbers of up to so many digits are tried on the switch


def examine(site: Site, probe: Probe) -> Iterator[Finding]:
    """All findings. What cannot be looked at because something before it is broken is left out."""
    for subject, check in CHECKS.items():
        yield from _guarded(subject, check(site))
    for switch in site.settings.linked:         # a gateway comes to us, with a token
        secret = list(_guarded(f"switch {switch.name}", _secret(switch)))
        yield from secret
        if all(finding.grade is not Grade.FAILED for finding in secret):
            yield from probe(switch, emergency_numbers(site))


def emergency_numbers(site: Site) -> list[str]:
    """The country's emergency numbers of two and three digits, and those of the configuration; of a pattern
    one that it matches."""
    short = [f"{number:0{digits}}" for digits in (2, LONGEST_SHORT) for number in range(10**digits)]
    country = [number for number in short if site.plan.is_emergency(number)]
    added = [sample(text) for text in site.settings.numbers.emergency]
    return sorted({*country, *added})


def _configuration(site: Site) -> Iterator[Finding]:
    settings = site.settings
    yield Finding("configuration", Grade.OK, f"{settings.path}: site {settings.site}")
    if not settings.switches:
        yield Finding("configuration", Grade.WARNING, "names no switch", "add a [[switch]]")
    yield from exposed(settings)


def _packs(site: Site) -> Iterator[Finding]:
    policy = site.policy
    if not policy.rules:
        yield Finding("policy", Grade.WARNING, "has no rule: calls are counted, and that is all",
                      "name packs under [policy]")
        return
    yield Finding("policy", Grade.OK, f"{policy.label}: {len(policy.rules)} rules")


def _ledger(site: Site) -> Iterator[Finding]:
    with site.ledger() as ledger:
        accounts = ledger.accounts()
        ledger.put_accounts([])             # takes the write lock, and changes nothing
        ledger.flush()
        grade = Grade.FAILED if ledger.degraded else Grade.OK
        words = ledger.degraded or f"{site.settings.ledger_path}: can be written, {len(accounts)} accounts"
        yield Finding("ledger", grade, words)


def _notices(site: Site) -> Iterator[Finding]:
    terms = site.settings.notices
    stationery_of(site.settings)
    addresses = terms.ops_addresses()
    if terms.mail:
        problem = usable(carrier_of(site.settings).url("somebody@example.com"))
        if problem:
            yield Finding("notices", Grade.FAILED, f"`mail` and `from` cannot be used: {problem}")
    for number, address in enumerate(addresses, 1):
        problem = usable(address)
        if problem:
            yield Finding("notices", Grade.FAILED, f"address {number} of ops cannot be used: {problem}")
    whom = ", ".join(map(shown, addresses)) or "nobody: what they have to hear is in the log"
    yield Finding("notices", Grade.OK, f"those to ops go to {whom}")
    with site.ledger() as ledger:
        pending = [n for n in ledger.registers.notices.pending() if n.audience is Audience.CUSTOMER]
    if pending:
        yield Finding("notices", Grade.WARNING,
                      f"{len(pending)} to customers have not arrived: what waits for them does not happen",
                      "enforcer notice list --pending")


def _secret(switch: SwitchSettings) -> Iterator[Finding]:
    subject = f"switch {switch.name}"
    switch.secret()
    if switch.secret_path is None:
        yield Finding(subject, Grade.OK, f"secret present in {switch.secret_env}")
        return
    yield Finding(subject, Grade.OK, f"secret present in {switch.secret_path}")


def _guarded(subject: str, check: Iterable[Finding]) -> Iterator[Finding]:
    """The findings of a check; what it raises is one, too."""
    try:
        yield from check
    except EnforcerError as error:
        yield Finding(subject, Grade.FAILED, str(error).removeprefix(f"{subject}: "))


def _counters(site: Site) -> Iterator[Finding]:
    with site.ledger() as ledger:
        gaps = ledger.registers.gaps
        for switch in site.settings.linked:
            yield from cdr_findings(switch, gaps.open(switch.name))


CHECKS: dict[str, Callable[[Site], Iterable[Finding]]] = {
    "configuration": _configuration, "policy": _packs, "ledger": _ledger,
    "notices": _notices, "counters": _counters,
}  # fmt: skip
