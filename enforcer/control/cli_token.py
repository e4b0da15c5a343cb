"""The commands for tokens: whoever asks the running enforcer over HTTP shows one.

In: arguments. Out: tables, JSON, and a new token, this once; entries in the journal that say who made or
revoked which. Refuses to know: HTTP. What is asked for there, the running enforcer puts on record itself.
"""

from __future__ import annotations

import time
from secrets import token_hex
from typing import Annotated

import typer

from enforcer.control.cli_terminal import CONFIG, Config, Json, OneLine, complain, emit, say, table, who
from enforcer.control.http.tokens import Role, Token, Tokens, tokens_path
from enforcer.control.site import Site
from enforcer.control.words import iso
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.errors import BadInput, LedgerError
from enforcer.spans import seconds_of

app = typer.Typer(
    cls=OneLine, help="Tokens for the HTTP door.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is; orders are signed with it.")]
By = Annotated[str, typer.Option("--by", metavar="WHO", help="Who does this; you, unless named.")]


@app.command()
def create(
    context: typer.Context,
    name: Name,
    role: Annotated[Role, typer.Option("--role", help="viewer looks, operator orders, gateway asks.")],
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long it counts, such as 90d.")] = "",
    by: By = "",
    config: Config = CONFIG,
    as_json: Json = False,
) -> None:
    """Make a token, and show it this once."""
    try:
        seconds = float(seconds_of(span)) if span else None
    except ValueError as problem:
        raise BadInput("--for", str(problem)) from None
    site = Site(config)
    shown = _tokens(site).make(name, role, seconds, by or who())
    _record(context, site, "token.create", by, f"token {name}: {role}")
    if as_json:
        emit({"name": name, "role": role.value, "token": shown})
    else:
        say(shown)


@app.command("list")
def show(config: Config = CONFIG, as_json: Json = False) -> None:
    """All tokens that were ever made; none of them is shown."""
    now = time.time()
    facts = [_facts(token, now) for token in _tokens(Site(config)).all()]
    if as_json:
        emit(facts)
    else:
        table(("name", "role", "state", "made", "by", "until"), (
            (f["name"], f["role"], f["state"], f["made"], f["by"], f["until"] or "for ever") for f in facts
        ))


@app.command()
def revoke(context: typer.Context, name: Name, by: By = "", config: Config = CONFIG) -> None:
    """The token counts no more, from the next request on."""
    site = Site(config)
    _tokens(site).revoke(name)
    _record(context, site, "token.revoke", by, f"token {name} counts no more")
    say(f"token {name} counts no more")


def _tokens(site: Site) -> Tokens:
    return Tokens(tokens_path(site.settings.ledger_path), time.time)


def _record(context: typer.Context, site: Site, do: str, by: str, said: str) -> None:
    """Put on record who did that. It is done all the same where the ledger is ill."""
    if context.obj.door != "command line":
        return
    entry = JournalEntry(Kind.COMMAND, time.time(), f"{do}-{token_hex(6)}", body={
        "do": do, "who": by or who(), "door": context.obj.door, "said": said,
    })
    try:
        with site.ledger() as ledger:
            ledger.put([entry])
    except LedgerError as problem:
        complain(f"warning: this is not on record: {problem}")


def _facts(token: Token, now: float) -> dict[str, str | None]:
    state = "good" if token.good(now) else "past its time" if token.revoked is None else "revoked"
    return {
        "name": token.name, "role": token.role.value, "state": state, "made": iso(token.made), "by": token.by,
        "until": None if token.until is None else iso(token.until),
        "revoked": None if token.revoked is None else iso(token.revoked),
    }
