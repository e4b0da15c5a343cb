"""What `make check` says of known holes, in the words pip-audit 2.10 reports them in."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement

from lab.audit import judged, pins, shipped
from lab.provision import ROOT

CLEAN = {"name": "rich", "version": "14.0", "vulns": []}
UNKNOWN = {"name": "typer", "skip_reason": "Dependency not found on PyPI and could not be audited: typer (1)"}
HOLE = {"id": "GHSA-1", "fix_versions": ["2.1", "3.0"], "aliases": [], "description": "x"}


def holed(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "2.0", "vulns": [{**HOLE, **more}]}


@pytest.mark.parametrize(
    ("found", "code", "lines"),
    [
        ([CLEAN], 0, ["audit: 1 packages, no known hole in what is shipped"]),
        ([UNKNOWN], 0, ["audit: skipped: no data about known holes can be reached from here"]),
        ([], 0, ["audit: skipped: no data about known holes can be reached from here"]),
        ([CLEAN, UNKNOWN], 0, ["audit: nothing is known of typer",
                               "audit: 1 packages, no known hole in what is shipped"]),
        ([CLEAN, holed("Rich")], 1, ["audit: Rich 2.0: GHSA-1, fixed in 2.1 or 3.0"]),
        ([holed("rich", fix_versions=[])], 1, ["audit: rich 2.0: GHSA-1, fixed in no version yet"]),
        ([holed("pytest")], 0, [
            "audit: pytest 2.0: GHSA-1, fixed in 2.1 or 3.0 (a tool of development, not shipped)",
            "audit: 1 packages, no known hole in what is shipped",
        ]),
    ],
)
def test_a_hole_in_what_is_shipped_fails(found: list[Any], code: int, lines: list[str]) -> None:
    assert judged({"dependencies": found, "fixes": []}, {"rich", "typer"}) == (code, lines)


def test_what_is_shipped_is_followed_to_its_end() -> None:
    names = shipped()
    assert {"enforcer", "apprise", "requests", "certifi", "pydantic-core"} <= names
    assert not names & {"pytest", "mypy", "pip", "pip-audit"}


def test_the_pins_name_all_that_is_shipped_in_versions_that_pyproject_allows() -> None:
    pinned = dict(
        line.split("==") for line in (ROOT / "packaging" / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    installed = {line.split("==")[0] for line in pins().splitlines() if "==" in line}
    assert set(pinned) >= installed
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for need in map(Requirement, asked):
        assert pinned[need.name] in need.specifier


def test_without_network_it_says_so_and_fails_nothing() -> None:
    away = {"https_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1", "no_proxy": ""}
    done = subprocess.run(
        [sys.executable, "-m", "lab.audit"], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env={**os.environ, **away},
    )
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith("audit: skipped: ")
