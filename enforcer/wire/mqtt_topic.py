"""Names as levels of an MQTT topic: an account, a customer or a switch is one level, and nobody else's.

In: names, as people, files or callers have them. Out: levels and topics that a broker takes as they are.
Refuses to know: the connection, and what is published.

A topic is levels between slashes (MQTT 5.0, 4.7). "+" and "#" stand for other levels in a subscription and
may not be in a topic that is published to; NUL may be nowhere; a topic that begins with "$" is the broker's.
So all but letters, digits and "_.@-" is percent-encoded, bytewise, and the way back is the usual one. An
empty name is "%", which is no byte's code: an empty level is allowed, but many a client trims it.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from enforcer.errors import WireError

LONGEST_TOPIC = 65_535          # bytes (1.5.4: a string's length is two bytes)
EMPTY = "%"

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@-")
_LEVEL = re.compile(r"%|(?:[A-Za-z0-9_.@-]|%[0-9A-F]{2})+", re.ASCII)


def level(name: str) -> str:
    """The level of a name; no two names have the same.

    >>> level("acme"), level("+12025550142"), level("a/#"), level("")
    ('acme', '%2B12025550142', 'a%2F%23', '%')
    """
    raw = name.encode("utf-8", "surrogatepass")
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw) or EMPTY


def name_of(text: str) -> str:
    """The name behind a level. Raises WireError where no name has this level: somebody else wrote it.

    >>> name_of("%2B12025550142")
    '+12025550142'
    """
    if _LEVEL.fullmatch(text):
        if text == EMPTY:
            return ""
        try:
            name = unquote_to_bytes(text).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            name = ""
        if level(name) == text:
            return name
    raise WireError(f"not a level of ours: {text[:40]!a}")


def topic(*names: str) -> str:
    """The topic with these names as its levels. Raises WireError (ours) where it is longer than any may be,
    or has no level."""
    text = "/".join(map(level, names))
    if not text or len(text) > LONGEST_TOPIC:
        raise WireError(f"a topic of {len(text)} bytes", remote=False)
    return text
