"""`enforcer usage` and `enforcer why`: where an account stands, and why.

In: arguments. Out: text or JSON. Refuses to know: how anything is explained.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from enforcer.control.case import Case
from enforcer.control.cli_terminal import CONFIG, Config, Json, emit, say, table
from enforcer.control.commands import known_account
from enforcer.control.report import Report, RuleLine, standing
from enforcer.control.report_average import SETTLED
from enforcer.control.report_rules import TOGETHER
from enforcer.control.site import Site
from enforcer.control.why import explain
from enforcer.control.why_calls import evidence_lines
from enforcer.control.words import cycle_words, shown
from enforcer.domain.behind import FEW
from enforcer.ledger.port import Ledger

Account = Annotated[str, typer.Argument(metavar="ACCOUNT")]


def usage(
    account: Account, config: Config = CONFIG, as_json: Json = False,
    cycle: Annotated[str, typer.Option(metavar="CYCLE", help="A billing cycle such as 2026-11.")] = "",
) -> None:
    """Show an account's calls in a billing cycle, and where it stands against each rule."""
    site = Site(config)
    with site.ledger() as ledger:
        found = known_account(ledger, account)
        told = standing(_case(site, ledger, FEW), site.modes(ledger), found, cycle)
    if as_json:
        emit(told.facts())
        return
    say(f"account {shown(found.id)}, customer {shown(found.customer)}, {found.standing.value}")
    say(cycle_words(told.span, found.timezone))
    say()
    table(
        ("direction", "attempts", "completed", "short", "in progress", "minutes", "blocked", "shed"),
        (
            (direction.value, u.attempts, u.completed, u.short, u.live, f"{u.msec / 60_000:.1f}", u.blocked,
             u.shed)
            for direction, u in told.totals
        ),
    )
    if told.messages:
        say()
        table(
            ("direction", "messages", "blocked", "shed"),
            ((direction.value, u.attempts, u.blocked, u.shed) for direction, u in told.messages),
        )
    for line in told.gap_lines:
        say(line)
    say()
    say(told.pace_words)
    if told.lines:
        say()
        _rules(told)
    if told.moments:
        say()
        say(f"About a moment, and not kept of a past cycle: {', '.join(told.moments)}.")


def _rules(told: Report) -> None:
    """The table of rules, and under it what those that have reached a level found."""
    table(
        ("rule", "of", "metric", "value", "limit", "level", "headroom", "mode"),
        (
            (line.rule.spec.id, line.key, line.rule.metric, line.value, line.limit, line.level.name.lower(),
             "-" if line.headroom is None else line.headroom, line.mode.mode.word)
            for line in told.lines
        ),
    )
    zone = told.account.timezone
    for line in told.lines:
        notes = _notes(line, zone)
        if notes:
            say()
            say(f"{line.rule.spec.id}:")
            for note in notes:
                say(f"  {note}")


def _notes(line: RuleLine, zone: str) -> list[str]:
    """What a table has no room for. A rule that is not at a level says only what it cannot know."""
    told = [line.note] if line.note and (line.level or line.note not in (SETTLED, TOGETHER)) else []
    if line.level:
        told += [*line.also, *evidence_lines(line.evidence, ids=False), *line.outlook.sentences(zone)]
        notice = line.notice(zone)
        told += [notice] if notice else []
    return told


def why(
    subject: Annotated[str, typer.Argument(metavar="CALL|DECISION|ACCOUNT")],
    config: Config = CONFIG, as_json: Json = False,
    everything: Annotated[bool, typer.Option(
        "--all", help="List every call behind a number, not just the first and the last few.")] = False,
) -> None:
    """Explain a call (by its id, or the Call-ID of its SIP), a decision, or how an account stands: clause,
    numbers, mode, and what would help."""
    site = Site(config)
    with site.ledger() as ledger:
        told = explain(_case(site, ledger, None if everything else FEW), subject)
    if as_json:
        emit(told.facts | {"title": told.title, "lines": told.lines})
        return
    say(told.title)
    for line in told.lines:
        say(line)


def _case(site: Site, ledger: Ledger, most: int | None) -> Case:
    return Case(
        ledger, site.policy, site.settings.policy.default_mode, time.time(), site.plan.canonical, most
    )
