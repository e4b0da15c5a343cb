"""Who is looking at the page: sessions, each begun with a token and known by a cookie.

In: a token that is good, the cookie of a request. Out: sessions. Refuses to know: pages.

A session lives in memory, for `SECONDS` at most, and no longer than its token counts: whoever revokes a token
ends its sessions with the next request. The cookie holds 256 random bits, of which only the hash is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from enforcer.control.http.tokens import Caller, Tokens

SECONDS = 12 * 3600.0
IDLE_SECONDS = 3600.0       # a page that is open asks every few seconds
MOST = 1000


@dataclass(slots=True)
class Session:
    """One browser. `csrf` is in each of its forms; `said` is what the next page tells once."""

    caller: Caller
    token: str                  # the hash of the token that it was begun with
    csrf: str
    ends: float
    seen: float
    said: list[tuple[bool, str]] = field(default_factory=list)

    def fits(self, shown: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(self.csrf.encode(), shown.encode("utf-8", "replace"))


class Sessions:
    """See the module."""

    def __init__(self, tokens: Tokens, clock: Callable[[], float]) -> None:
        self._tokens = tokens
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def begin(self, caller: Caller, token: str) -> str:
        """A new session of whose token that is; the cookie's value."""
        now, name = self._clock(), secrets.token_urlsafe(32)
        self._sessions[_hash(name)] = Session(
            caller, _hash(token), secrets.token_urlsafe(32), now + SECONDS, now
        )
        while len(self._sessions) > MOST:
            self._sessions.popitem(last=False)
        return name

    def of(self, cookie: str | None) -> Session | None:
        """The session that a cookie is of, None where it is over, or never was."""
        if not cookie:
            return None
        name, now = _hash(cookie), self._clock()
        found = self._sessions.get(name)
        if found is None:
            return None
        if now >= found.ends or now - found.seen > IDLE_SECONDS or not self._counts(found, now):
            del self._sessions[name]
            return None
        found.seen = now
        return found

    def end(self, cookie: str | None) -> None:
        """Log out."""
        self._sessions.pop(_hash(cookie or ""), None)

    def _counts(self, session: Session, now: float) -> bool:
        """Whether its token counts still, for the same role."""
        return any(
            one.hash == session.token and one.good(now) and one.role is session.caller.role
            for one in self._tokens.all()
        )


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
