"""Facts into HTML: templates, what they may call, and the headers that every page carries.

In: the name of a template, facts. Out: a response. Refuses to know: where facts come from.

Whatever a caller or a person typed is escaped, everywhere, by the templates themselves. No page has a script
or a style in it, and none may be shown within another's.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from importlib.resources import files
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from enforcer.control.page.htmx import sha384

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",       # with none at all, a form's Origin would be "null"
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
# Nothing is evaluated, no style or script is put in, and nothing is asked of another site.
HTMX_CONFIG = json.dumps({
    "allowEval": False, "includeIndicatorStyles": False, "allowScriptTags": False, "selfRequestsOnly": True,
    "historyEnabled": False, "ignoreTitle": True, "timeout": 15_000,
})
_TICKS = re.compile(r"`([^`]+)`")


def _static() -> dict[str, tuple[bytes, str]]:
    """Every file under static/: its bytes and what it is. Read once."""
    found = {}
    for file in files("enforcer.control.page").joinpath("static").iterdir():
        kind = TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            found[file.name] = file.read_bytes(), kind
    return found


STATIC = _static()
INTEGRITY: dict[str, str] = {}      # of each file, as the attribute of that name has it


def serve(name: str, data: bytes) -> None:
    """One more file."""
    STATIC[name] = data, TYPES[name.rpartition(".")[2]]
    INTEGRITY[name] = f"sha384-{sha384(data)}"


def address(name: str) -> str:
    """Where a file is; another address for each version of it, so that browsers may keep it for good."""
    return f"/static/{name}?{INTEGRITY[name][7:19].replace('+', '-').replace('/', '_')}"


for _name, (_data, _) in list(STATIC.items()):
    serve(_name, _data)


def when(text: str | None) -> Markup:
    """An instant (ISO 8601) as people read it."""
    if not text:
        return Markup("–")
    at = datetime.fromisoformat(text)
    zone = at.strftime("%z")
    offset = "UTC" if zone in ("+0000", "") else f"{zone[:3]}:{zone[3:]}"
    return Markup('<time datetime="{}">{} <span class="zone">{}</span></time>').format(
        text, at.strftime("%Y-%m-%d %H:%M:%S"), offset
    )


def ticks(text: str) -> Markup:
    """Text with commands in backticks."""
    parts = _TICKS.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def indented(line: str) -> dict[str, Any]:
    """A sentence and how far it is indented."""
    text = line.lstrip(" ")
    return {"depth": min(4, (len(line) - len(text)) // 2), "text": text}


def visible(value: object) -> str:
    """Text that a person can tell from what it is not: what is not printable is spelt out, also what turns
    the direction of writing."""
    return "".join(
        char if char.isprintable() else f"\\x{ord(char):02x}" for char in str(value)
    )


def number(value: float) -> str:
    """With thousands apart."""
    return f"{value:,}"


ENVIRONMENT = Environment(
    loader=PackageLoader("enforcer.control.page"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
    finalize=lambda value: visible(value) if type(value) is str else "" if value is None else value,
)
ENVIRONMENT.filters |= {"when": when, "ticks": ticks, "indented": indented, "number": number}
ENVIRONMENT.globals |= {"address": address, "integrity": INTEGRITY, "htmx_config": HTMX_CONFIG}


def page(template: str, status: int = 200, /, **facts: Any) -> HTMLResponse:
    """A page, or a part of one."""
    return HTMLResponse(ENVIRONMENT.get_template(template).render(**facts), status, HEADERS)
