"""One call of your own on the switch of `make run` or `make lab`: who calls whom, and what came of it.

In: account, number, seconds to talk. Out: the SIP answer and how long it took. Refuses to know why.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from lab.process import LabFailed
from lab.provision import LabUnavailable, lab_dir, provision
from lab.sipp import Call, place


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m lab.call ACCOUNT NUMBER`: 0 answered, 1 refused, 2 bad use, 3 no lab is running."""
    parser = argparse.ArgumentParser("python -m lab.call", description="Place calls on the running lab.")
    parser.add_argument("account", help="acme, globex, initech or umbrella")
    parser.add_argument("number", help="e.g. 12025550142, or 112; ...486 is busy, ...404 unknown")
    parser.add_argument("--talk", type=float, default=1.0, help="seconds until the caller hangs up")
    parser.add_argument("--times", type=int, default=1, help="so many calls, ten a second")
    options = parser.parse_args(arguments)
    address = lab_dir() / "run" / "sip.address"
    calls = [Call(options.account, options.number, options.talk)] * max(1, options.times)
    try:
        where = address.read_text().strip()
        outcome = asyncio.run(
            place(provision(["sipp"])["sipp"], where, calls, messages=True, within=90 + 2 * options.talk)
        )
    except OSError:
        print("lab: no real switch is running here; `make run` or `make lab` starts one", file=sys.stderr)
        return 3
    except (LabFailed, LabUnavailable) as reason:
        print(f"lab: {reason}", file=sys.stderr)
        return 3
    for message in outcome.final(options.number):
        print(f"{options.account} -> {options.number}: {message.start.removeprefix('SIP/2.0 ')}")
    print(f"set up in {', '.join(f'{ms:.1f}' for ms in outcome.setup_ms) or '-'} ms")
    return 0 if set(outcome.codes) == {200} else 1


if __name__ == "__main__":
    sys.exit(main())
