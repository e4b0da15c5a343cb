"""`enforcer dossier` and `enforcer foresee`: all that is known of an account; what an order would do.

In: arguments. Out: text or JSON. Refuses to know: how either is found.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from enforcer.control.acts import Reload
from enforcer.control.ahead import ahead_of
from enforcer.control.case import Case
from enforcer.control.cli_terminal import CONFIG, Config, Json, emit, say, table
from enforcer.control.commands import known_account
from enforcer.control.dossier import dossier
from enforcer.control.foresight import Scene, foreseen
from enforcer.control.requests import decoded, request_of
from enforcer.control.site import Site


def show(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT")],
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Show all that is known of an account, the latest first: what its page shows."""
    site, now = Site(config), time.time()
    with site.ledger() as ledger:
        case = Case(ledger, site.policy, site.settings.policy.default_mode, now, site.plan.canonical)
        told = dossier(case, known_account(ledger, account))
    if as_json:
        emit(told)
        return
    for name, value in told["account"].items():
        say(f"{name.replace('_', ' '):16} {value}")
    say()
    table(
        ("rule", "value", "limit", "level", "mode"),
        ((r["rule"], r["value"], r["limit"], r["level"], r["mode"]) for r in told["usage"]["rules"]),
    )
    for title, key, words in (
        ("calls", "calls", ("started", "number", "direction", "refusal")),
        ("notices", "notices", ("notice", "created", "stage", "subject")),
        ("strikes", "strikes", ("id", "kind", "at", "reason")),
        ("charges", "charges", ("cycle", "rule", "amount", "currency")),
        ("history", "history", ("at", "by", "words")),
    ):
        if told[key]:
            say()
            say(f"{title}, the latest first")
            table(words, ([str(row[word] or "-") for word in words] for row in told[key]))


def foresee(
    order: Annotated[str, typer.Argument(metavar="ORDER", help='As JSON: {"do": "mode.set", ...}.')],
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Say what an order would do, in numbers. Nothing is changed."""
    site = Site(config)
    asked = request_of(decoded(order)).order
    with site.ledger() as ledger:
        told = foreseen(asked, Scene(
            ledger, lambda: site.policy, site.plan, site.settings.policy.default_mode, time.time()
        ))
    if isinstance(asked, Reload):
        told["words"].append(ahead_of(site).words)
    if as_json:
        emit(told)
        return
    for sentence in told["words"]:
        say(sentence)
