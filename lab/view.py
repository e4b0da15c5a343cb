"""What a person watching `make run` sees: the enforcer's own log lines, as a table that lives or as text.

In: log lines (one JSON object each). Out: the terminal. Refuses to know where the lines come from.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

VERDICTS = ("allow", "tag", "throttle", "block")
STYLES = {"allow": "green", "tag": "cyan", "throttle": "yellow", "block": "red"}
SHOWN = 14
"""Most decisions on the screen; fewer where the terminal is low."""
AROUND = 17
"""Lines the panel needs besides them."""

Line = Mapping[str, Any]


def parse(text: str) -> Line | None:
    """A log line as a mapping, None if it is something else (a traceback, say)."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def outcome(line: Line) -> str:
    """What became of the call: allowed, tagged, held 0.35 s, in its turn, shed 503, blocked 403."""
    match line.get("verdict"):
        case "allow":
            return "allowed"
        case "tag":
            return "tagged"
        case "throttle" if line.get("shed"):
            return f"shed {line.get('sip_code', 503)}"
        case "throttle" if not line.get("hold"):
            return "in its turn"
        case "throttle":
            return f"held {line.get('hold', 0):g} s"
        case "block":
            return f"blocked {line.get('sip_code', '')}".rstrip()
        case other:
            return str(other)


def sentence(line: Line) -> str:
    """One decision as one line of text."""
    would = f" (would be {line['would_be']})" if line.get("would_be") else ""
    reason = line.get("reason") or "nothing against it"
    return f"{line.get('account') or '-':<9} -> {line.get('number', ''):<12} {outcome(line)}{would}: {reason}"


class View(Protocol):
    """Where lines go."""

    def show(self, text: str) -> None:
        """Take in one log line."""

    @property
    def counts(self) -> Counter[str]:
        """Decisions by verdict."""


class PlainView:
    """One line of text a decision; everything else as it came, if it warns."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, text: str) -> None:
        line = parse(text)
        if line is None:
            self._print(text)
        elif line.get("event") == "decision":
            self.counts[str(line.get("verdict"))] += 1
            self._print(sentence(line))
        elif line.get("level") in ("warning", "error", "critical"):
            self._print(f"enforcer: {line.get('event')} {line.get('problem', '')}".rstrip())

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveView:
    """A table of accounts by verdict, and the latest decisions with their reasons."""

    def __init__(self, console: Console, title: str, hints: str) -> None:
        self.counts: Counter[str] = Counter()
        self._by_account: dict[str, Counter[str]] = {}
        self._latest: deque[Line] = deque(maxlen=SHOWN)
        self._trouble = ""
        self._console, self._title, self._hints = console, title, hints
        self._live = Live(self._draw(), console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, text: str) -> None:
        line = parse(text)
        if line is None:
            self._trouble = text
        elif line.get("event") == "decision":
            verdict = str(line.get("verdict"))
            self.counts[verdict] += 1
            self._by_account.setdefault(str(line.get("account") or "-"), Counter())[verdict] += 1
            self._latest.appendleft(line)
        elif line.get("level") in ("warning", "error", "critical"):
            self._trouble = f"{line.get('event')} {line.get('problem', '')}".rstrip()
        self._live.update(self._draw(), refresh=True)

    def _draw(self) -> Panel:
        accounts = Table(box=None, padding=(0, 2))
        accounts.add_column("account")
        for verdict in VERDICTS:
            accounts.add_column(verdict, justify="right", style=STYLES[verdict])
        for account, counts in sorted(self._by_account.items()):
            accounts.add_row(Text(account), *(str(counts[verdict] or "") for verdict in VERDICTS))
        latest = Table(box=None, padding=(0, 1), expand=True)
        for name, ratio in (("account", None), ("number", None), ("outcome", None), ("because", 1)):
            latest.add_column(name, ratio=ratio, no_wrap=True, overflow="ellipsis")
        room = max(3, self._console.size.height - AROUND)
        for line in list(self._latest)[:room]:
            style = STYLES.get(str(line.get("verdict")), "")
            latest.add_row(
                Text(str(line.get("account") or "-")),
                Text(str(line.get("number", ""))),
                Text(outcome(line), style=style),
                Text(str(line.get("reason") or "")),
            )
        parts: list[Any] = [accounts, Text(), latest, Text(), Text(self._hints, style="dim")]
        if self._trouble:
            parts.append(Text(self._trouble, style="bold red"))
        return Panel(Group(*parts), title=Text(self._title), title_align="left")
