"""A command of our own in a process of its own: what may take hours, beside questions that may not wait.

In: its words, and how long it may take. Out: the JSON that it prints. Refuses to know: what it does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from enforcer.errors import LedgerError


async def run(config: Path, *words: str, within: float, what: str) -> Any:
    """What `enforcer WORDS... --json` prints. It is ended after `within` seconds, or when we are cancelled.
    Raises LedgerError with what it complained of, or that `what` was not done in time."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "enforcer", *words, "--json", "--config", str(config),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(within):     # (wait_for may let go of a cancellation)
            told, complained = await process.communicate()
    except TimeoutError:
        raise LedgerError(f"{what} was not done in {within:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise LedgerError(complained.decode("utf-8", "replace").strip() or f"exit code {process.returncode}")
    return json.loads(told)
