"""Who is looking at the page: sessions, each begun with a token and known by a cookie.

In: a token that is good, the cookie of a request. Out: sessions. Refuses to know: pages.

A session lasts `SECONDS` at most, and no longer than its token counts: whoever revokes a token ends its
sessions with the next request. The cookie holds 256 random bits, of which only the hash is kept. A file
beside the tokens, mode 0600, lets an open page outlive a restart of the enforcer; where it cannot be read or
written, sessions end with the enforcer.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from enforcer.control.http.tokens import Caller, Role, Tokens

SECONDS = 12 * 3600.0
IDLE_SECONDS = 3600.0       # a page that is open asks every few seconds
KEEP_SECONDS = 600.0        # between two times that it is kept who was seen when
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
        self._file = tokens.path.with_name(f"{tokens.path.name}.sessions")
        self._sessions: OrderedDict[str, Session] = OrderedDict(_read(self._file))
        self._kept = clock()

    def begin(self, caller: Caller, token: str) -> str:
        """A new session of whose token that is; the cookie's value."""
        now, name = self._clock(), secrets.token_urlsafe(32)
        self._sessions[_hash(name)] = Session(
            caller, _hash(token), secrets.token_urlsafe(32), now + SECONDS, now
        )
        while len(self._sessions) > MOST:
            self._sessions.popitem(last=False)
        self._keep(now)
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
        if now - self._kept > KEEP_SECONDS:
            self._keep(now)
        return found

    def end(self, cookie: str | None) -> None:
        """Log out."""
        if self._sessions.pop(_hash(cookie or ""), None) is not None:
            self._keep(self._clock())

    def _keep(self, now: float) -> None:
        self._kept = now
        _write(self._file, self._sessions)

    def _counts(self, session: Session, now: float) -> bool:
        """Whether its token counts still, for the same role."""
        return any(
            one.hash == session.token and one.good(now) and one.role is session.caller.role
            for one in self._tokens.all()
        )


def _read(file: Path) -> dict[str, Session]:
    try:
        told = json.loads(file.read_text("utf-8"))
        return {
            name: Session(Caller(str(who), Role(role)), str(token), str(csrf), float(ends), float(seen))
            for name, who, role, token, csrf, ends, seen in told[-MOST:]
        }
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}       # then everybody logs in anew


def _write(file: Path, sessions: Mapping[str, Session]) -> None:
    rows = [
        [name, one.caller.name, one.caller.role.value, one.token, one.csrf, one.ends, one.seen]
        for name, one in sessions.items()
    ]
    fresh = file.with_name(f"{file.name}.new")
    with contextlib.suppress(OSError):      # then they end with the enforcer
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(rows, stream)
        os.replace(fresh, file)


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
