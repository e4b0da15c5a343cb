"""Known holes in what we depend on: `pip-audit` as one part of `make check`.

In: `.venv`, and the Internet. Out: a line for each hole; exit 1 where one is in what is shipped, 0 otherwise,
also where the data about holes cannot be reached: then one line says that nothing was looked at.
Refuses to know: how to mend one. Standard library only.

Tools of development are looked at too, and named, and fail nothing: nobody installs them with the enforcer
(and pip itself, which came with the machine's Python, always has some).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection
from importlib import metadata
from pathlib import Path
from typing import Any

PATIENCE = 120      # s for everything; without network it is over in one or two
COMMAND = ("-m", "pip_audit", "--local", "--skip-editable", "--progress-spinner", "off", "--format", "json",
           "--timeout", "10")


def normal(name: str) -> str:
    """A distribution's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def shipped(root: str = "enforcer") -> set[str]:
    """The names of all that is installed with the project, at whatever remove, without its extras."""
    found: set[str] = set()
    waiting = [root]
    while waiting:
        name = normal(waiting.pop())
        if name in found:
            continue
        found.add(name)
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:       # for another platform or Python
            continue
        names = [re.match(r"[A-Za-z0-9._-]+", need) for need in needs if "extra ==" not in need]
        waiting += [match[0] for match in names if match]
    return found


def pins() -> str:
    """What is installed of it, as constraints for pip."""
    lines = [
        "# What the enforcer was tested with: `pip install -c packaging/constraints.txt .` gives the same.",
        "# Made by: .venv/bin/python -m lab.audit --pins > packaging/constraints.txt",
    ]
    here = {normal(one.metadata["Name"]): one.version for one in metadata.distributions()}
    lines += [f"{name}=={here[name]}" for name in sorted(shipped() - {"enforcer"}) if name in here]
    return "\n".join(lines)


def judged(report: dict[str, Any], ours: Collection[str]) -> tuple[int, list[str]]:
    """The exit code and what to say, of what pip-audit wrote as JSON."""
    looked_at, missed, lines, code = 0, [], [], 0
    for one in report["dependencies"]:
        if "skip_reason" in one:
            missed.append(one["name"])
            continue
        looked_at += 1
        for hole in one["vulns"]:
            fixed = " or ".join(hole["fix_versions"]) or "no version yet"
            ship = normal(one["name"]) in ours
            code = 1 if ship else code
            whose = "" if ship else " (a tool of development, not shipped)"
            lines.append(f"audit: {one['name']} {one['version']}: {hole['id']}, fixed in {fixed}{whose}")
    if not looked_at:
        return 0, ["audit: skipped: no data about known holes can be reached from here"]
    if missed:
        lines.append(f"audit: nothing is known of {', '.join(sorted(missed))}")
    if not code:
        lines.append(f"audit: {looked_at} packages, no known hole in what is shipped")
    return code, lines


def main() -> int:
    """`python -m lab.audit`; with --pins only the versions of what is shipped."""
    if sys.argv[1:] == ["--pins"]:
        print(pins())
        return 0
    if not Path(sys.executable).parent.joinpath("pip-audit").exists():
        print("audit: skipped: pip-audit is not installed (make setup)")
        return 0
    try:
        done = subprocess.run(
            [sys.executable, *COMMAND], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE,
        )
        report = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        print(f"audit: skipped: no answer about known holes within {PATIENCE} s")
        return 0
    except ValueError:      # pip-audit says nothing on stdout when it cannot connect
        last = next(iter(done.stderr.strip().splitlines()[-1:]), "no reason given")
        print(f"audit: skipped: pip-audit could not look: {last[:160]}")
        return 0
    code, lines = judged(report, shipped())
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
