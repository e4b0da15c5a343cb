"""`python -m tests.fuzz [TARGET...] [--inputs N] [--seed S]`: hostile bytes for every decoder and door.

Guided by what each input reaches where atheris is installed (it is no dependency); else, and with `--blind`,
by what one input in sixty reaches, which is faster. What fails, takes too long or makes memory grow is
printed and left in the folder that is named; `--keep` makes the kept corpus anew out of all that was found.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from itertools import islice
from pathlib import Path

from tests.fuzz.corpus import keep, kept, reached, smallest
from tests.fuzz.mutate import inputs
from tests.fuzz.target import SELDOM, Target
from tests.fuzz.targets import ALL
from tests.fuzz.watch import Watch, silent
from tests.support.memory import held

MOST_FAILURES = 5
LOOKED_AT = 60          # one input in so many is looked at for what it reaches: that is 20 times as slow
MOST_FOUND = 1500
SEEN_BYTEWISE = 8
GROWTH = 25.0           # MB, from a fifth of the inputs to the last, without what was found and is kept


def blind(target: Target, many: int, seed: int, folder: Path) -> tuple[int, list[bytes]]:
    """So many mutations of seeds, kept inputs, and those of the mutations that reached something new; how
    many were run, and those that failed."""
    choice = random.Random(f"{target.name} {seed}")
    found = [*target.seeds(), *kept(target.name)]
    known = set().union(*(reached(target.run, data) for data in found))
    failed: list[bytes] = []
    said: set[str] = set()
    watch, before = Watch(), 0.0
    for number, data in enumerate(islice(inputs(found, target.words, choice), many), 1):
        watch.number = number
        try:
            if number % LOOKED_AT == 0 and len(found) < MOST_FOUND:
                edges = reached(target.run, data)
                if edges - known:
                    known |= edges
                    found.append(data)
            else:
                target.run(data)
        except Exception as problem:
            trouble = traceback.format_exc(limit=-2)
            kind = f"{type(problem)} {traceback.extract_tb(problem.__traceback__)[-1][:2]}"
            if kind not in said and len(said) < MOST_FAILURES:
                said.add(kind)
                failed.append(data)
                (folder / f"failed-{len(failed)}").write_bytes(data)
                print(f"{target.name}: {data[:400]!r}\n{trouble}", file=sys.stderr, flush=True)
        if number == many // 5:
            before = held().live - sum(map(len, found)) / 1e6
    watch.stop()
    (folder / "found").mkdir(exist_ok=True)
    for number, data in enumerate(found):
        (folder / "found" / str(number)).write_bytes(data)
    after = held().live - sum(map(len, found)) / 1e6
    print(f"{target.name}: {len(found)} inputs that reach something new, {len(known)} steps of the product "
          f"reached, {before:.0f} MB in use at a fifth, {after:.0f} MB at the end", flush=True)
    if many >= 100_000 and after - before > GROWTH:
        print(f"{target.name}: memory grows", file=sys.stderr, flush=True)
        failed.append(b"memory grows")
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
    done = re.search(r"number_of_executed_units: (\d+)", told.stdout + told.stderr)
    return int(done[1]) if done else 0, failed


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
    SELDOM[0] = SEEN_BYTEWISE
    silent()
    for name in told.targets or ALL:
        target, folder = ALL[name], root / name
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        done, failed = (guided if atheris else blind)(target, told.inputs, told.seed, folder)
        seconds = time.monotonic() - began
        more = ""
        if told.keep and not failed:
            found = [path.read_bytes() for path in sorted((folder / "found").glob("*"))]
            corpus = smallest(target.run, [*found, *target.seeds(), *kept(name)])
            keep(name, corpus)
            more = f", {len(corpus)} inputs kept"
        bad += len(failed)
        print(f"{name}: {done} inputs in {seconds:.0f} s ({done / max(seconds, 0.001):.0f}/s), "
              f"{len(failed)} failed{more}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
