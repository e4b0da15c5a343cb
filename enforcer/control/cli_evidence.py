"""`enforcer evidence`: one bundle of all that is on record about an account in a cycle, and its check.

In: an account or a customer, and a cycle; or a bundle. Out: a zip file; or what in it does not match, exit 1.
Refuses to know: what is in a bundle, and how it is packed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from enforcer.control.bundle import digest, packed, problems, save
from enforcer.control.cli_terminal import CONFIG, FOUND, Config, Json, emit, say
from enforcer.control.evidence import dispute, evidence
from enforcer.control.site import Site
from enforcer.control.subjects import Subjects
from enforcer.errors import BadInput


def make(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Whom it is about.")] = "",
    cycle: Annotated[str, typer.Option(metavar="CYCLE", help="A billing cycle such as 2026-10.")] = "",
    customer: Annotated[str, typer.Option(help="All accounts of this customer instead.")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where it goes.")] = None,
    check: Annotated[Path | None, typer.Option(
        "--check", metavar="FILE", help="Check a bundle instead of making one.",
    )] = None,
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Write one zip file of all that is on record about an account in a billing cycle: calls, decisions,
    notices, charges, strikes, opt-outs, modes, usage, policy, and the chain's seals. The same ledger gives
    the same bytes. With --check: exit 1 where a file in a bundle does not match its digest."""
    if check is not None:
        if account or cycle or customer or out:
            raise BadInput("--check", "checks a bundle, and makes none: leave the rest out")
        _check(check, as_json)
        return
    if not cycle:
        raise BadInput("--cycle", "name a billing cycle, such as 2026-10")
    site = Site(config)
    policy = site.policy
    with site.ledger() as ledger:
        whose = Subjects(ledger).find(account, customer, "evidence")
        about = dispute(ledger, whose.account, whose.customer, cycle, time.time())
        files = evidence(ledger, policy, site.modes(ledger), about)
    content = packed(files)
    path = out or Path(f"evidence-{whose.account or whose.customer}-{cycle}.zip".replace("/", "_"))
    save(path, content)
    if as_json:
        emit({
            "file": str(path), "bytes": len(content), "sha256": digest(content), "about": about.words,
            "cycle": cycle, "files": sorted([*files, "manifest.json"]),
        })
        return
    say(f"{path}: {about.words}, cycle {cycle}, {len(files) + 1} files, {len(content)} bytes")
    say(f"SHA-256 {digest(content)}")


def _check(path: Path, as_json: bool) -> None:
    found, looked_at = problems(path)
    if as_json:
        emit({"file": str(path), "files": looked_at, "problems": found})
    else:
        for problem in found:
            say(problem)
        if not found:
            say(f"{path}: all {looked_at} files are as the manifest says, and every link fits its seal")
    if found:
        raise typer.Exit(FOUND)
