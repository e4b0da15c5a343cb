"""Log lines: JSON for machines, colours for people, one line each whatever is in them.

In: what structlog is told. Out: lines on a stream. Refuses to know: what happened.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

from enforcer.log_stream import LogStream


def set_up_logging(form: str = "auto", stream: TextIO | None = None) -> None:
    """Log lines as "json" or for the "console"; "auto" is colours at a terminal, else JSON."""
    out = stream or sys.stderr
    console = form == "console" or (form == "auto" and out.isatty())
    renderer: structlog.typing.Processor
    lost = '{"level": "error", "event": "log lines lost", "lines": %d}'
    if console:
        lost = "%d log lines lost"
        renderer = structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=0)
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            one_line,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, LogStream(out, lost))),
        cache_logger_on_first_use=False,
    )


def one_line(_logger: object, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Values may come from callers: whatever could begin a new line or move a cursor is shown as "?"."""
    for key, value in entry.items():
        entry[key] = _printable(value)
    return entry


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() else "".join(c if c.isprintable() else "?" for c in value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {_printable(key): _printable(one) for key, one in value.items()}
    if value is None or isinstance(value, int | float):
        return value
    return _printable(str(value))
