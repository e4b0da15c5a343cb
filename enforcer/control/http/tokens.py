"""Who may ask over HTTP: tokens with a name and a role, of which only hashes are kept.

In: a token that somebody shows. Out: the caller whose token it is, or None. A token is made once, shown once,
and known again by its hash. Refuses to know: HTTP.

The hash is one round of SHA-256: a token is 256 bits from the system's random source, which nobody guesses
however fast the hash is. A slow hash is for words that people choose.

The file lies beside the ledger, mode 0600, and is replaced as a whole; a running enforcer sees a new one at
the next request. It is not in the ledger: whoever pulls the brake must be known even while the ledger is ill.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from enforcer.errors import BadInput, LedgerError
from enforcer.ledger.remedy import remedy

PREFIX = "enf_"                 # so that scanners for lost secrets know one
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,39}\Z")


class Role(StrEnum):
    """What a token is good for. An operator may also look; a gateway only asks about its own calls."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    GATEWAY = "gateway"

    def may(self, role: Role) -> bool:
        """Whether this role does for that one."""
        return self is role or (self is Role.OPERATOR and role is Role.VIEWER)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is, and until when (Unix seconds) the token counts; None for ever."""

    name: str
    role: Role
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token. Times are Unix seconds; `until` None is for ever, `revoked` None not yet."""

    name: str
    role: Role
    hash: str
    made: float
    by: str
    until: float | None = None
    revoked: float | None = None

    def good(self, at: float) -> bool:
        """Whether it counts at that time."""
        return self.revoked is None and (self.until is None or at < self.until)


def tokens_path(ledger: Path) -> Path:
    """The file of tokens that belongs to a ledger."""
    return ledger.with_name(f"{ledger.name}.tokens")


class Tokens:
    """See the module."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.path = path
        self._clock = clock
        self._stamp: tuple[int, int, int] | None = None
        self._known: tuple[Token, ...] = ()

    def whose(self, shown: str) -> Caller | None:
        """The caller whose token that is, None where it is nobody's, revoked, or past its time."""
        found = _hash(shown)
        whose: Token | None = None
        for token in self.all():                # all are compared: time tells nothing
            if hmac.compare_digest(token.hash, found):
                whose = token
        if whose is None or not whose.good(self._clock()):
            return None
        return Caller(whose.name, whose.role, whose.until)

    def all(self) -> tuple[Token, ...]:
        """Every token that was ever made, oldest first. Raises LedgerError where the file cannot be used."""
        try:
            state = os.stat(self.path)
        except FileNotFoundError:
            self._stamp, self._known = None, ()
            return ()
        except OSError as error:
            raise _trouble(self.path, error) from None
        stamp = (state.st_ino, state.st_mtime_ns, state.st_size)
        if stamp != self._stamp:
            self._known, self._stamp = _read(self.path), stamp
        return self._known

    def make(self, name: str, role: Role, seconds: float | None, by: str) -> str:
        """A new token, told this once. Raises BadInput where the name cannot be one or is another's."""
        if not _NAME.match(name):
            raise BadInput("NAME", f"{name[:50]!r} is no name: up to 40 letters, digits, '_', '.', '-', '@'")
        shown = PREFIX + secrets.token_urlsafe(32)
        now = self._clock()
        with self._changing() as tokens:
            if any(token.name == name and token.good(now) for token in tokens):
                raise BadInput("NAME", f"{name!r} has a token already: revoke it, or choose another name")
            until = None if seconds is None else now + seconds
            tokens.append(Token(name, role, _hash(shown), now, by, until))
        return shown

    def revoke(self, name: str) -> Token:
        """From now on it is nobody's. Raises BadInput where no token of that name counts."""
        now = self._clock()
        with self._changing() as tokens:
            for place, token in enumerate(tokens):
                if token.name == name and token.good(now):
                    tokens[place] = replace(token, revoked=now)
                    return tokens[place]
        raise BadInput("", f"no such token, or none that counts: {name[:50]!r}; see `enforcer token list`")

    @contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        """The tokens, to be changed by one process at a time, kept where the block ends well."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _trouble(self.path, error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            tokens = list(self.all())
            yield tokens
            _write(self.path, tokens)
        finally:
            os.close(lock)


def _hash(shown: str) -> str:
    return hashlib.sha256(shown.encode("utf-8", "surrogateescape")).hexdigest()


def _trouble(path: Path, error: OSError) -> LedgerError:
    """What the system complains of, and what to do about it."""
    return LedgerError(f"tokens {path}: {error.strerror}{remedy(path, error)}")


def _read(path: Path) -> tuple[Token, ...]:
    try:
        told: Any = json.loads(path.read_text("utf-8"))
        return tuple(_token(facts) for facts in told["tokens"])
    except OSError as error:
        raise _trouble(path, error) from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise LedgerError(
            f"tokens {path}: not as the enforcer writes it; put back a copy, or move it away for new ones"
        ) from None


def _token(facts: dict[str, Any]) -> Token:
    """Raises KeyError, TypeError or ValueError where it is none of ours."""
    token = Token(**{**facts, "role": Role(facts["role"])})
    times = (token.until, token.revoked, token.made)
    if not all(isinstance(word, str) for word in (token.name, token.hash, token.by)) or not all(
        isinstance(time, int | float) for time in times if time is not None
    ):
        raise TypeError("no token")
    token.hash.encode("ascii")          # a hash is compared as ASCII
    return token


def _write(path: Path, tokens: list[Token]) -> None:
    text = json.dumps({"tokens": [asdict(token) for token in tokens]}, indent=1)
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError as error:
        raise _trouble(path, error) from None
