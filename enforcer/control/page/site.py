"""The live page, put in front of an application.

In: an application with its front. Out: the same, with pages. Refuses to know: what they show.
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from enforcer.control.http.front import Front
from enforcer.control.page import entrance, looking, pressing, stream
from enforcer.control.page.entrance import LogIn, Shown, Visitor, session_of, to_login
from enforcer.control.page.htmx import NAME, NoHtmx, htmx
from enforcer.control.page.render import HEADERS, page, serve
from enforcer.control.page.sessions import Sessions


def install(app: FastAPI, front: Front) -> None:
    """Answer browsers. Where htmx is not what it should be the page is off, and all else goes on."""
    try:
        serve(NAME, htmx())
    except NoHtmx as problem:
        front.fault("live page off", problem=str(problem))
        return
    app.state.sessions = Sessions(front.tokens, front.clock)
    app.state.shared = looking.Shared()
    app.state.dossiers = looking.Dossiers()
    app.state.glance = stream.Glance(front)
    front.sessions.append(lambda request: found.caller if (found := session_of(request)) else None)

    async def log_in(request: Request, error: Exception) -> Response:
        assert isinstance(error, LogIn)
        if error.part:
            return page("part_trouble.html", 401, problem="Your session has ended: log in again.")
        return RedirectResponse(to_login(error.back), 303, HEADERS)

    async def shown(request: Request, error: Exception) -> Response:
        assert isinstance(error, Shown)
        return trouble(request, error)

    def trouble(request: Request, error: Shown) -> Response:
        if "hx-request" in request.headers:
            return page("part_trouble.html", error.status, problem=error.said)
        if error.session is not None:
            me = Visitor(front, error.session, request)
            return me.page("trouble.html", error.status, here="", problem=error.said)
        return page("trouble_plain.html", error.status, problem=error.said, site=front.settings.site)

    def for_people(request: Request, status: int, said: str) -> Response:
        return trouble(request, Shown(status, said, session_of(request)))

    app.state.for_people = for_people
    app.add_exception_handler(LogIn, log_in)
    app.add_exception_handler(Shown, shown)
    for part in (entrance, looking, pressing, stream):
        app.include_router(part.routes)
