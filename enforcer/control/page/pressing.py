"""What an operator presses: asked once, with what it will do in numbers, and then ordered at the desk.

In: forms. Out: a page that asks, or an order and what came of it. Refuses to know: what orders do.

The form that asks carries the order's own id: pressed twice, or sent again by an impatient browser, it is
carried out once.
"""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from enforcer.control.http.problems import Problem
from enforcer.control.page.entrance import Here, Visitor, pressed
from enforcer.control.page.render import HEADERS, page
from enforcer.control.requests import request_of
from enforcer.errors import BadInput

DOOR = "page"
MOST_SAID = 500

routes = APIRouter(include_in_schema=False)

# What each order that has a button is called, and whether it keeps calls from going.
TITLES: dict[str, tuple[str, bool]] = {
    "mode.set": ("Set a mode", True), "mode.ceiling": ("Set the site's ceiling", True),
    "account.suspend": ("Suspend an account", True), "account.terminate": ("Terminate an account", True),
    "account.resume": ("Resume an account", False), "optout.add": ("Put an opt-out on record", True),
    "optout.remove": ("Take an opt-out back", False), "strike.add": ("Put a strike on record", True),
    "strike.withdraw": ("Withdraw a strike", False), "notice.ack": ("Acknowledge a notice", True),
    "reload": ("Read the packs again", True),
}  # fmt: skip


@routes.post("/ask")
async def ask(me: Here) -> Response:
    """Say what it will do, in numbers, and ask."""
    fields = await pressed(me)
    back = fields.pop("back", "")
    facts = {name: value for name, value in fields.items() if value}
    title, danger = TITLES.get(facts.get("do", ""), ("", True))
    problem, words, whatif = "", [], None
    try:
        if not title:
            raise BadInput("", "there is no such button")
        if not facts.get("reason", "").strip():
            raise BadInput("reason", "say why: it is kept on record, and shown to whoever asks")
        request_of(facts, me.caller.name, sure=True)
    except BadInput as error:
        return _asking(
            me, 422, here="", title=title or "Nothing", problem=str(error), facts={}, words=[],
            whatif=None, numbers="", unknown="", back=back, back_url=whence(back), danger=False, id="",
        )
    unknown = ""
    try:
        told = (await me.front.back.ask("foresee", about=[json.dumps(facts)])).told
        words, whatif = told["words"], told["whatif"]
    except Problem as trouble:
        if trouble.status in (404, 422):
            problem = trouble.said
        else:                   # whoever has to pull the brake is not kept from it by a clerk that is ill
            unknown = trouble.said
    return _asking(
        me, 422 if problem else 200, here="", title=title, problem=problem, facts=facts, words=words,
        whatif=whatif, numbers=_numbers(whatif, facts.get("mode", "")), unknown=unknown, back=back,
        back_url=whence(back), danger=danger, id=f"page-{secrets.token_hex(8)}",
    )


def _numbers(whatif: dict[str, Any] | None, mode: str) -> str:
    """What the button itself says of what it will do."""
    then = next((one for one in whatif["modes"] if one["mode"] == mode), None) if whatif else None
    if then is None or whatif is None:
        return ""
    return f": {then['refused']:,} of {whatif['asked']:,} calls refused, not {whatif['now']['refused']:,}"


def _asking(me: Visitor, status: int, /, **facts: Any) -> Response:
    """A page that asks, or for a page that is open a part of it, to be put in its dialogue."""
    if "hx-request" in me.request.headers:
        return page("ask_dialog.html", status, me=me, dialog=True, **facts)
    return me.page("ask.html", status, dialog=False, **facts)


@routes.post("/do")
async def do(me: Here) -> Response:
    """Order it, and tell on the next page what came of it."""
    fields = await pressed(me)
    back = whence(fields.pop("back", ""))
    facts: dict[str, Any] = {name: value for name, value in fields.items() if value}
    ack = await me.front.desk.take_patiently(facts, me.caller.name, DOOR, sure=True)
    _tell(me, ack.accepted, ack.said)
    return RedirectResponse(back, 303, HEADERS)


def _tell(me: Visitor, well: bool, said: str) -> None:
    if me.session.said[-1:] != [(well, said[:MOST_SAID])]:      # pressed twice, done and told once
        me.session.said.append((well, said[:MOST_SAID]))
    del me.session.said[:-5]


def whence(back: str) -> str:
    """The page that a form was on: the overview, or an account's."""
    name = back.removeprefix("account:")
    return f"/account?name={quote(name, safe='')}" if name != back and name else "/"
