"""`python -m tests.fuzz [TARGET...] [--inputs N] [--seed S]`: hostile bytes for every decoder and door.

Guided by what each input reaches where atheris is installed (it is no dependency), else blind. What fails is
printed and left in the folder that is named; `--keep` makes the kept corpus anew out of all that was found.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
import traceback
from itertools import islice
from pathlib import Path

from tests.fuzz.corpus import keep, kept, smallest
from tests.fuzz.mutate import inputs
from tests.fuzz.target import Target
from tests.fuzz.targets import ALL

MOST_FAILURES = 5


def blind(target: Target, many: int, seed: int, folder: Path) -> tuple[int, list[bytes]]:
    """So many mutations of seeds and kept inputs; how many were run, and those that failed."""
    choice = random.Random(f"{target.name} {seed}")
    found = [*target.seeds(), *kept(target.name)]
    failed: list[bytes] = []
    said: set[str] = set()
    for data in islice(inputs(found, target.words, choice), many):
        try:
            target.run(data)
        except Exception:
            trouble = traceback.format_exc(limit=-2)
            if trouble not in said and len(said) < MOST_FAILURES:
                said.add(trouble)
                failed.append(data)
                (folder / f"failed-{len(failed)}").write_bytes(data)
                print(f"{target.name}: {data[:200]!r}\n{trouble}", file=sys.stderr, flush=True)
    return many, failed


def guided(target: Target, many: int, seed: int, folder: Path) -> tuple[int, list[bytes]]:
    """The same under atheris, which ends at the first that fails."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", target.name, str(folder), str(many), str(seed or 1)],
        capture_output=True, text=True, errors="replace", check=False,
    )
    (folder / "log").write_text(told.stdout + told.stderr)
    failed = [path.read_bytes() for path in sorted(folder.glob("failed-*"))]
    if told.returncode:
        lines = (told.stdout + told.stderr).splitlines()
        at = next((n for n, line in enumerate(lines) if "Uncaught Python" in line), max(0, len(lines) - 25))
        print(f"{target.name}:", *lines[at : at + 25], *(repr(data[:300]) for data in failed), sep="\n",
              file=sys.stderr, flush=True)
        failed = failed or [b""]
    return many, failed


def main() -> int:
    """1 where something failed, 2 where a target is not known."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(ALL)}")
    parser.add_argument("--inputs", type=int, default=100_000, help="of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--blind", action="store_true", help="do not use atheris")
    parser.add_argument("--keep", action="store_true", help="write the kept corpus anew")
    parser.add_argument("--folder", type=Path, default=None, help="where what is found stays")
    told = parser.parse_args()
    unknown = [name for name in told.targets if name not in ALL]
    if unknown:
        print(f"no such target: {unknown[0]} (one of {', '.join(ALL)})", file=sys.stderr)
        return 2
    atheris = not told.blind and importlib.util.find_spec("atheris") is not None
    root = told.folder or Path(tempfile.mkdtemp(prefix="enforcer-fuzz-"))
    print(f"{'guided by atheris' if atheris else 'blind'}, {told.inputs} inputs each, in {root}", flush=True)
    bad = 0
    for name in told.targets or ALL:
        target, folder = ALL[name], root / name
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        done, failed = (guided if atheris else blind)(target, told.inputs, told.seed, folder)
        seconds = time.monotonic() - began
        more = ""
        if told.keep and not failed:
            found = [path.read_bytes() for path in (folder / "found").glob("*")] if atheris else []
            corpus = smallest(target.run, [*found, *target.seeds(), *kept(name)])
            keep(name, corpus)
            more = f", {len(corpus)} inputs kept"
        bad += len(failed)
        print(f"{name}: {done} inputs in {seconds:.0f} s ({done / max(seconds, 0.001):.0f}/s), "
              f"{len(failed)} failed{more}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
