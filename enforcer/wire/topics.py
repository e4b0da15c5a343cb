"""Names as levels of MQTT topics: what an account is called can neither add a level nor match others.

In: a name, or a level of a topic. Out: the other one. Refuses to know: which topics there are.

MQTT gives "/", "+" and "#" a meaning, forbids NUL, takes a "$" at the beginning for the broker's own, and
lets a level be empty. All of these, and whatever is not plain ASCII, are written as in URLs: "%2B".
"""

from __future__ import annotations

from urllib.parse import quote, unquote

_PLAIN = "-._~@:!*'(),;=&"      # besides letters and digits


def level(name: str) -> str:
    """The name as one level of a topic; "%00" for none at all.

    >>> level("acme+1/x"), level("")
    ('acme%2B1%2Fx', '%00')
    """
    return quote(name, safe=_PLAIN, errors="replace") or "%00"


def name_of(text: str) -> str:
    """The name that a level stands for.

    >>> name_of("acme%2B1%2Fx")
    'acme+1/x'
    """
    return "" if text == "%00" else unquote(text, errors="replace")
