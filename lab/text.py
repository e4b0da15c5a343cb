"""One text message of your own on the switch of `make run` or `make lab`, and what came of it.

In: account, number, text. Out: the SIP answer, and the message back where there is one. Refuses to know why.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from lab.provision import lab_dir
from lab.texter import Texter

PATIENCE = 1.0
"""Seconds for a message back: the dialplan itself waits 0.3 s at the most."""


async def write(switch: str, phones: int, account: str, number: str, text: str) -> int:
    """Send it, and say what came of it: 0 taken, 1 refused. Raises TimeoutError where nobody answers."""
    async with Texter(switch) as phone, Texter(switch, phones) as listening:
        code = await phone.send(account, number, text)
        print(f"{account} -> {number}: {code}")
        if code >= 300:
            return 1
        try:
            back = await listening.text(account, within=PATIENCE)
        except TimeoutError:
            return 0
        print(f"{account} <- {back.body}")
        return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m lab.text ACCOUNT NUMBER [TEXT]`: 0 taken, 1 refused, 2 bad use, 3 no lab is running."""
    parser = argparse.ArgumentParser("python -m lab.text", description="Write a text on the running lab.")
    parser.add_argument("account", help="acme, globex, initech, umbrella; or 12025550177, who is outside")
    parser.add_argument("number", help="e.g. 12025550142; 12025550101 to 104 are the accounts' own")
    parser.add_argument("text", nargs="?", default="hello")
    options = parser.parse_args(arguments)
    home = lab_dir() / "run"
    try:
        switch = (home / "sip.address").read_text().strip()
        phones = int((home / "phones.port").read_text())
        return asyncio.run(write(switch, phones, options.account, options.number, options.text))
    except (OSError, ValueError):
        print("lab: no real switch is running here; `make run` or `make lab` starts one", file=sys.stderr)
    except TimeoutError:
        print("lab: the switch does not answer", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
