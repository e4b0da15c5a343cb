"""The commands for tokens: whoever asks the running enforcer over HTTP shows one.

In: arguments. Out: tables, JSON, and a new token, this once. Refuses to know: HTTP.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from enforcer.control.cli_terminal import CONFIG, Config, Json, emit, say, table, who
from enforcer.control.http.tokens import Role, Token, Tokens, tokens_path
from enforcer.control.site import Site
from enforcer.control.words import iso
from enforcer.errors import BadInput
from enforcer.spans import seconds_of

app = typer.Typer(help="Tokens for the HTTP door.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is; orders are signed with it.")]


@app.command()
def create(
    name: Name,
    role: Annotated[Role, typer.Option("--role", help="viewer looks, operator orders, gateway asks.")],
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long it counts, such as 90d.")] = "",
    config: Config = CONFIG,
    as_json: Json = False,
) -> None:
    """Make a token, and show it this once."""
    try:
        seconds = float(seconds_of(span)) if span else None
    except ValueError as problem:
        raise BadInput("--for", str(problem)) from None
    shown = _tokens(config).make(name, role, seconds, who())
    if as_json:
        emit({"name": name, "role": role.value, "token": shown})
    else:
        say(shown)


@app.command("list")
def show(config: Config = CONFIG, as_json: Json = False) -> None:
    """All tokens that were ever made; none of them is shown."""
    now = time.time()
    facts = [_facts(token, now) for token in _tokens(config).all()]
    if as_json:
        emit(facts)
    else:
        table(("name", "role", "state", "made", "by", "until"), (
            (f["name"], f["role"], f["state"], f["made"], f["by"], f["until"] or "for ever") for f in facts
        ))


@app.command()
def revoke(name: Name, config: Config = CONFIG) -> None:
    """The token counts no more, from the next request on."""
    _tokens(config).revoke(name)
    say(f"token {name} counts no more")


def _tokens(config: Config) -> Tokens:
    return Tokens(tokens_path(Site(config).settings.ledger_path), time.time)


def _facts(token: Token, now: float) -> dict[str, str | None]:
    state = "good" if token.good(now) else "past its time" if token.revoked is None else "revoked"
    return {
        "name": token.name, "role": token.role.value, "state": state, "made": iso(token.made), "by": token.by,
        "until": None if token.until is None else iso(token.until),
        "revoked": None if token.revoked is None else iso(token.revoked),
    }
