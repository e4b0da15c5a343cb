"""`python -m tests.bench [NAME ...]`: run all measurements, or those named."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.bench.report import Figure, show

ALL = (
    "decide", "decode", "decode_esl", "esl_link", "ledger", "percall", "switch", "safety", "freeswitch",
    "safety_freeswitch", "toggle",
)


def main(names: list[str]) -> int:
    """Run, show, write. 2 where a name is not known."""
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no such measurement: {unknown[0]} (one of {', '.join(ALL)})", file=sys.stderr)
        return 2
    groups: dict[str, list[Figure]] = {}
    for name in names or ALL:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        groups[name] = importlib.import_module(f"tests.bench.{name}").run()
    show(groups, Path("bench.json"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
