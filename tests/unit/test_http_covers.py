"""All that the command line does is in the table of docs/http.md: a path that exists, or why not."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import FastAPI

from enforcer.completing import table
from enforcer.control.http import (
    asking,
    events,
    health,
    importing,
    issuing,
    ordering,
    overview,
    reading,
    upkeep,
)

PAGE = Path(__file__).parents[2] / "docs" / "http.md"
ROW = re.compile(r"\| `([a-z -]+)` \| (.+) \|")
PATH = re.compile(r"`(GET|PUT|POST|DELETE) (/v1/[^`]*)`")
GROUPS_THAT_SHOW = {"mode", "breaker"}      # besides having commands below them


def rows() -> dict[str, str]:
    return dict(match.groups() for line in PAGE.read_text().splitlines() if (match := ROW.fullmatch(line)))


def paths() -> set[tuple[str, str]]:
    app = FastAPI()
    for part in (health, overview, importing, issuing, ordering, asking, events, upkeep, reading):
        app.include_router(part.routes)
    return {
        (method.upper(), path.replace(":path", ""))
        for path, methods in app.openapi()["paths"].items() for method in methods
    }


def test_every_command_has_a_row() -> None:
    commands = {
        words for words, told in table().items()
        if words and (not told["commands"] or words in GROUPS_THAT_SHOW)
    }
    assert set(rows()) == commands, "docs/http.md: say how each command is given over HTTP, or why it is not"


def test_every_row_names_paths_that_exist_or_says_why_there_is_none() -> None:
    known = paths()
    for command, told in rows().items():
        named = set(PATH.findall(told))
        assert named <= known, command
        assert named or re.fullmatch(r"no: \S.{20,}", told), command


def test_no_path_but_those_of_machines_is_missing_from_the_table() -> None:
    """What only gateways and machines ask stands in OpenAPI alone."""
    named = {found for told in rows().values() for found in PATH.findall(told)}
    others = {path for _, path in paths() - named}
    assert others == {
        "/healthz", "/readyz", "/metrics", "/v1/orders", "/v1/admit", "/v1/message", "/v1/calls/answered",
        "/v1/calls/ended",
    }
