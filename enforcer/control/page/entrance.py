"""Who comes in by a browser: logging in and out, and whose request it is.

In: requests. Out: a `Visitor` for each page, or the log-in page. Refuses to know: what the pages show.

A form counts only where three things say that it is ours: the cookie (which no other site's form sends
along), the origin that the browser names, and the session's own word in the form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, cast
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from enforcer.control.http.front import Front, front_of
from enforcer.control.http.problems import Problem
from enforcer.control.http.tokens import Caller, Role
from enforcer.control.page.render import HEADERS, page
from enforcer.control.page.sessions import SECONDS, Session, Sessions

COOKIE = "enforcer"
MOST_FIELDS = 40

routes = APIRouter(include_in_schema=False)


class LogIn(Exception):
    """Whoever asks has no session. `part`: it is a part of a page that asks, not a person."""

    def __init__(self, part: bool, back: str) -> None:
        self.part = part
        self.back = back
        super().__init__("log in first")


class Shown(Exception):
    """A page that tells why there is no other."""

    def __init__(self, status: int, said: str, session: Session | None = None) -> None:
        self.status = status
        self.said = said
        self.session = session
        super().__init__(said)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is logged in, and the enforcer that they look at."""

    front: Front
    session: Session
    request: Request

    @property
    def caller(self) -> Caller:
        return self.session.caller

    @property
    def operator(self) -> bool:
        """Whether there are buttons to press."""
        return self.caller.role.may(Role.OPERATOR)

    def page(self, template: str, status: int = 200, /, **facts: Any) -> HTMLResponse:
        """A page for them; what was done last is told once."""
        said = list(self.session.said)
        self.session.said.clear()
        return page(template, status, me=self, said=said, site=self.front.settings.site, **facts)

    def part(self, template: str, /, **facts: Any) -> HTMLResponse:
        """A part of a page, as it is fetched anew."""
        return page(template, 200, me=self, **facts)

    async def ask(self, *words: str, about: list[str] | None = None) -> Any:
        """Look something up. Raises Shown."""
        try:
            return (await self.front.back.ask(*words, about=about or [])).told
        except Problem as problem:
            raise Shown(problem.status, problem.said, self.session) from None


def sessions_of(request: Request) -> Sessions:
    """The sessions of this enforcer."""
    return cast(Sessions, request.app.state.sessions)


def cookie_of(request: Request) -> str:
    """The cookie's name: over TLS one that no plain page can set."""
    return f"__Host-{COOKIE}" if request.url.scheme == "https" else COOKIE


def session_of(request: Request) -> Session | None:
    """Whose request it is."""
    return sessions_of(request).of(request.cookies.get(cookie_of(request)))


def _visitor(request: Request) -> Visitor:
    found = session_of(request)
    if found is None:
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        scripted = "hx-request" in request.headers or "text/event-stream" in request.headers.get("accept", "")
        raise LogIn(scripted, back if request.method == "GET" else "/")
    return Visitor(front_of(request), found, request)


Here = Annotated[Visitor, Depends(_visitor)]


async def fields_of(request: Request) -> dict[str, str]:
    """What a form says. Raises Shown for a form that is none of ours."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Shown(415, "that is no form of this page")
    if not same_origin(request):
        raise Shown(403, "that form was not sent from this page")
    body = await request.body()
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Shown(422, "that form cannot be read") from None
    return {name: value.strip() for name, value in pairs}


async def pressed(me: Visitor) -> dict[str, str]:
    """What an operator's form says. Raises Shown where it is not theirs to send."""
    if not me.operator:
        raise Shown(403, f"the token of {me.caller.name} is a {me.caller.role}'s: it may look, not press",
                    me.session)
    fields = await fields_of(me.request)
    if not me.session.fits(fields.pop("csrf", "")):
        raise Shown(403, "that form is of another session: go back, load the page again, and press once more",
                    me.session)
    return fields


def same_origin(request: Request) -> bool:
    """Whether the browser says that the request comes from this very site. Who says nothing is refused."""
    origin = request.headers.get("origin")
    if origin is None or origin == "null":
        return request.headers.get("sec-fetch-site") == "same-origin"
    _, named, host = origin.partition("://")            # and nothing else: RFC 6454, 6.2
    return bool(named) and host.lower() == request.headers.get("host", "").lower()


@routes.get("/login")
async def login_page(request: Request, back: str = "/") -> Response:
    """Ask for a token."""
    if session_of(request) is not None:
        return RedirectResponse(_inside(back), 303, HEADERS)
    return page("login.html", problem="", back=_inside(back), site=front_of(request).settings.site)


@routes.post("/login")
async def login(request: Request) -> Response:
    """Begin a session."""
    front, fields = front_of(request), await fields_of(request)
    token, back = fields.get("token", ""), _inside(fields.get("back", "/"))
    caller = front.tokens.whose(token) if token else None
    said, status = "", 401
    if not token:
        said, status = "Type or paste a token.", 422
    elif caller is None:
        problem = front.wrong_token(request.client.host if request.client else "")
        said, status = problem.said, problem.status
    elif not caller.role.may(Role.VIEWER):
        said, status = f"That token is a {caller.role}'s: it is for programs, not for this page.", 403
    if caller is None or said:
        return page("login.html", status, problem=said, back=back, site=front.settings.site)
    sessions = sessions_of(request)
    sessions.end(request.cookies.get(cookie_of(request)))       # nobody's old session becomes somebody else's
    answer = RedirectResponse(back, 303, HEADERS)
    answer.set_cookie(
        cookie_of(request), sessions.begin(caller, token), max_age=int(SECONDS), httponly=True,
        samesite="strict", secure=request.url.scheme == "https", path="/",
    )
    front.note("logged in", who=caller.name, role=caller.role.value)
    return answer


@routes.post("/logout")
async def logout(request: Request) -> Response:
    """End the session."""
    fields, found = await fields_of(request), session_of(request)
    if found is not None and found.fits(fields.get("csrf", "")):
        sessions_of(request).end(request.cookies.get(cookie_of(request)))
    answer = RedirectResponse("/login", 303, HEADERS)
    answer.delete_cookie(
        cookie_of(request), path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return answer


def to_login(back: str) -> str:
    """Where to log in, and come back from."""
    return f"/login?back={quote(back, safe='')}" if back != "/" else "/login"


def _inside(back: str) -> str:
    """A place on this site, and no other."""
    elsewhere = not back.startswith("/") or back.startswith("//") or "\\" in back
    return back if not elsewhere and back.isprintable() else "/"
