"""Kinds of value that a setting can have, each with its own words for what is wrong with one.

In: values from TOML. Out: the values as the code uses them. Refuses to know: which setting it is.
"""

from __future__ import annotations

import re
from decimal import Decimal
from ipaddress import ip_network
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, StringConstraints

from enforcer.spans import LONGEST_SPAN, seconds_of
from enforcer.toml_models import Wrong


def _exact_float(value: Any) -> Any:
    """TOML numbers come as int or Decimal; True is neither."""
    return float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _span(value: Any) -> Any:
    """A span of time, "24h", or a whole number of seconds."""
    if not isinstance(value, str):
        return value
    try:
        return seconds_of(value)
    except ValueError as problem:
        raise Wrong(str(problem)) from None


def _zone(name: str) -> str:
    """The name of a time zone. Raises ValueError where there is no such zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise Wrong(f"no such time zone: {name!r} (an IANA name such as Europe/Berlin)") from None
    return name


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise Wrong(f"no such network: {error}") from None


def _listen(text: str) -> str:
    """"host:port", or "" for off."""
    if text:
        host, colon, port = text.rpartition(":")
        if not (host and colon and port.isdecimal() and 1 <= int(port) <= 65535):
            raise Wrong(f'{text!r} is no address: "host:port", such as "127.0.0.1:9464"')
    return text


def _context(text: str) -> str:
    """The beginning of a context's name, as Asterisk can have one."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", text, re.ASCII):
        raise Wrong(f"{text!r} begins no context: letters, digits, '_', '.' and '-' only")
    return text


Name = Annotated[str, StringConstraints(min_length=1)]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]
Seconds = Annotated[
    float, BeforeValidator(_exact_float), Field(strict=True, gt=0, le=86_400, allow_inf_nan=False)
]
Span = Annotated[StrictInt, BeforeValidator(_span), Field(ge=0, le=LONGEST_SPAN)]
Zone = Annotated[str, AfterValidator(_zone)]
Network = Annotated[str, AfterValidator(_network)]
Context = Annotated[str, AfterValidator(_context)]
Listen = Annotated[str, AfterValidator(_listen)]
