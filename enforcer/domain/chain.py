"""The chain that makes a record of what happened tamper-evident: each link seals itself and all before it.

In: what is to be recorded, and the seal before it. Out: its seal. Whoever changes, removes or inserts a
link later has to make every seal after it anew, and the last one was told to others by then (it stands in
evidence bundles and in the log).
Refuses to know: where links are kept.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

BEGINNING = "0" * 64        # the seal before the first link


class Head(NamedTuple):
    """The end of the chain: the number of its last link (0 none), and that link's seal."""

    link: int = 0
    seal: str = BEGINNING


def seal(before: str, *parts: object) -> str:
    """The seal (SHA-256, hex) of a link with these parts, which stands after the seal `before`.

    Numbers are sealed as Python writes them: exact, and the same on every machine.
    """
    text = json.dumps([before, *parts], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
