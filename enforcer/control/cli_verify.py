"""`enforcer verify`: the proof that nobody changed what is on record, and that counters have not drifted.

In: a ledger, and perhaps an end of the chain that was noted earlier. Out: what does not fit, the first link
of the chain before all else; exit 1 where there is anything.
Refuses to know: how a chain is sealed, and how tallies are made.

The names of the facts are promised to users: a list, empty where all is well.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from enforcer.control.cli_terminal import CONFIG, FOUND, Config, Json, emit, say
from enforcer.control.gaps import gap_facts, gap_lines
from enforcer.control.pruned import pruned_words
from enforcer.control.site import Site
from enforcer.control.words import iso, local
from enforcer.domain.chain import Fault, Head
from enforcer.domain.journal import Kind
from enforcer.domain.retention import checkpoints
from enforcer.errors import BadInput, LedgerError
from enforcer.ledger.port import Mismatch, Proof

Found = TypeVar("Found")


def verify(
    head: Annotated[str, typer.Option(
        "--head", metavar="LINK:SEAL", help="An end of the chain noted earlier, from the log or a bundle.",
    )] = "",
    config: Config = CONFIG, as_json: Json = False,
) -> None:
    """Prove the chain of what is on record, the tables that say the same, and that every counter equals the
    call records it stands for. Exit 1 where something does not fit: the first link of the chain is named."""
    noted = _head(head) if head else None
    site = Site(config)
    policy = site.policy
    with site.ledger() as ledger:
        proof = ledger.prove(noted)
        with contextlib.suppress(LedgerError):      # a disk that is full keeps nobody from looking
            ledger.tell()
        tables, unread = _as_far_as_readable(ledger.contradictions, proof)
        mismatches: list[Mismatch] = []
        if not unread:
            def count() -> list[Mismatch]:
                ledger.use(policy)
                return ledger.verify()

            mismatches, unread = _as_far_as_readable(count, proof)
        calls = sum(1 for _ in ledger.calls())
        pruned = checkpoints(() if proof.fault else ledger.journal({Kind.PRUNE}))
        gaps = [] if unread else ledger.registers.gaps.open()
    broken = [proof.fault] if proof.fault else []
    if as_json:
        emit([
            *(_facts("chain", fault) for fault in broken), *(_facts("tables", fault) for fault in tables),
            *(_mismatch_facts(m) for m in mismatches),
            *({"check": "gaps"} | gap_facts(gap) for gap in gaps),
        ])
    else:
        for fault in (*broken, *tables):
            say(_words(fault))
        for m in mismatches:
            say(f"{m.scope.value} {m.key}, cycle {m.span.label}: counted {m.counted.words}; "
                f"the records say {m.derived.words}")
        outcome = f"{len(mismatches)} counters differ" if mismatches else "all counters agree"
        say(f"{calls} calls: {f'counters were not compared: {unread}' if unread else outcome}")
        say(_chain_words(proof, noted))
        for line in pruned_words(pruned):
            say(line)
        for line in gap_lines(gaps, "UTC"):
            say(line)
        if gaps:
            say("`enforcer reconcile` fills gaps from the switch's CDR files")
    if broken or tables or mismatches:
        raise typer.Exit(FOUND)


def show_head(config: Config = CONFIG, as_json: Json = False) -> None:
    """Show the end of the chain, to keep elsewhere: `verify --head` proves later that the chain holds it."""
    with Site(config).ledger() as ledger:
        head = ledger.tell()
    if as_json:
        emit({"link": head.link, "seal": head.seal, "head": head.words})
    else:
        say(head.words)


def _head(text: str) -> Head:
    told = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text.strip())
    if told is None:
        raise BadInput("--head", f"{text!r} is no head such as the log and `enforcer head` tell: a number, a "
                                 "colon, and 64 hexadecimal digits")
    return Head(int(told[1]), told[2])


def _as_far_as_readable(ask: Callable[[], list[Found]], proof: Proof) -> tuple[list[Found], str]:
    """An answer, or why there is none: where the chain is broken, what is in it may be unreadable."""
    try:
        return ask(), ""
    except LedgerError as problem:
        if proof.fault is None:
            raise
        return [], str(problem)


def _words(fault: Fault) -> str:
    when = "" if fault.at is None else f", {local(fault.at, 'UTC')}"
    about = f" ({fault.kind} {fault.ref}{when})" if fault.kind and fault.ref else ""
    where = f"link {fault.link}" if fault.link else "no link"
    return f"{where}{about}: {fault.what.value}: {fault.words}"


def _chain_words(proof: Proof, noted: Head | None) -> str:
    if proof.fault is not None:
        return f"chain: {proof.links} links are sound before the first that does not fit"
    lies = f"; link {noted.link} is as it was noted" if noted is not None else ""
    gone = f" ({proof.pruned} of them were pruned, and their seals stand)" if proof.pruned else ""
    return f"chain: all {proof.links} links are sound{gone}{lies}; its head is {proof.head.words}"


def _facts(check: str, fault: Fault) -> dict[str, Any]:
    return {
        "check": check, "what": fault.what.value, "problem": fault.words, "link": fault.link or None,
        "kind": fault.kind or None, "at": None if fault.at is None else iso(fault.at),
        "ref": fault.ref or None,
    }


def _mismatch_facts(m: Mismatch) -> dict[str, Any]:
    return {
        "check": "counters", "scope": m.scope.value, "of": m.key, "cycle": m.span.label,
        "from": iso(m.span.start), "counted": m.counted._asdict(), "derived": m.derived._asdict(),
    }
