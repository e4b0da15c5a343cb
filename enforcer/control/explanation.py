"""What there is to tell about a call, a decision or an account.

In: sentences and facts, as they are found. Out: both. Refuses to know: what they say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Explanation:
    """What to tell. `lines` are sentences, indented by leading spaces; `facts` say the same as data."""

    title: str
    lines: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
