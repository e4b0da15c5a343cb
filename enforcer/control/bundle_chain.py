"""A bundle held against its own chain: what its files say is what was sealed when it happened.

In: the files of a bundle. Out: in words, each link that does not fit, and each thing that a file says
otherwise than its link. Whoever changes a file and its digest still has to answer for the seal.
Refuses to know: zip files, digests, and whether the chain is that of any ledger.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from enforcer.control.evidence_facts import decision_row
from enforcer.control.sheets import cell
from enforcer.ledger.tables import decision_of_text

CHAIN = "chain.json"
# What a text comes to that is none, or another than it should be: it may be anybody's.
_UNREADABLE = (
    ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError, csv.Error,
)


class Sealed(NamedTuple):
    """What a bundle's chain holds. A link by its number: before, kind, at, ref, customer, account, body; of a
    decision: before, "decision", at, id, call, account, body. `older` are decisions from before the chain."""

    links: dict[int, list[Any]]
    older: frozenset[str]


def contradictions(files: Mapping[str, bytes]) -> Iterator[str]:
    """What does not fit, each naming its file. Files that are not there are not looked at."""
    if CHAIN not in files:
        return
    try:
        chain = json.loads(files[CHAIN])
        told: list[dict[str, Any]] = chain["links"]
        broken = list(_unfit(told))
        sealed = Sealed(
            {link["link"]: json.loads(link["sealed"]) for link in told}, frozenset(chain["older_decisions"])
        )
    except _UNREADABLE:
        yield f"{CHAIN}: cannot be read"
        return
    yield from (f"{CHAIN}: {problem}" for problem in broken)
    if broken:
        return
    for name, look in _LOOKS.items():
        if name in files:
            try:
                yield from (f"{name}: {problem}" for problem in look(files[name].decode(), sealed))
            except _UNREADABLE:
                yield f"{name}: cannot be read"


def _unfit(links: list[dict[str, Any]]) -> Iterator[str]:
    """Links whose seal is not that of what it seals, or that do not follow the link before them."""
    last: dict[str, Any] | None = None
    for link in links:
        sealed = link["sealed"]
        if hashlib.sha256(sealed.encode("utf-8", "surrogatepass")).hexdigest() != link["seal"]:
            yield f"link {link['link']} ({link['kind']} {link['ref']}) does not fit its seal"
        elif (
            last is not None and last["link"] + 1 == link["link"] and json.loads(sealed)[0] != last["seal"]
        ):
            yield f"link {link['link']} does not follow link {last['link']}"
        last = link


def _decisions(text: str, sealed: Sealed) -> Iterator[str]:
    bodies = {parts[3]: parts[6] for parts in sealed.links.values() if parts[1] == "decision"}
    for told in json.loads(text):
        name = told["decision"]
        if name not in bodies:
            if name not in sealed.older:
                yield f"decision {name} is on no link of {CHAIN}"
            continue
        row = json.loads(json.dumps(decision_row(decision_of_text(bodies[name]), "UTC")))
        yield from _differences(f"decision {name}", told, row, but=("at",))


def _entries(text: str, sealed: Sealed) -> Iterator[str]:
    told = json.loads(text)
    for entry in told if isinstance(told, list) else told["history"]:
        number = entry["link"]
        if number not in sealed.links:
            yield f"link {number} is not in {CHAIN}"
            continue
        _, kind, _, ref, customer, account, body = sealed.links[number]
        row = {"kind": kind, "ref": ref, "customer": customer or None, "account": account or None}
        yield from _differences(f"link {number}", entry, row | json.loads(body))


def _notices(text: str, sealed: Sealed) -> Iterator[str]:
    for notice in json.loads(text):
        for step in notice["steps"]:
            parts = sealed.links.get(step["link"])
            if parts is None or parts[3] != notice["notice"]:
                yield f"notice {notice['notice']}: no link {step['link']} in {CHAIN} is about it"
                continue
            body = json.loads(parts[6])
            yield from _differences(f"notice {notice['notice']}", step, body)
            if step["stage"] == "created":
                yield from _differences(f"notice {notice['notice']}", notice, {"facts": body["facts"]})
                if notice["text"] != body["facts"].get("text", ""):
                    yield f"notice {notice['notice']}: its text is not the one that is sealed"


def _strikes(text: str, sealed: Sealed) -> Iterator[str]:
    bodies = {parts[3]: json.loads(parts[6]) for parts in sealed.links.values() if parts[1] == "strike"}
    for strike in json.loads(text)["strikes"]:
        if strike["id"] not in bodies:
            yield f"strike {strike['id']} is on no link of {CHAIN}"
        elif strike["kind"] != bodies[strike["id"]]["kind"]:
            yield f"strike {strike['id']}: its kind is not the one that is sealed"


def _charges(text: str, sealed: Sealed) -> Iterator[str]:
    """Charges from before there was a chain have no link."""
    key = ("account", "rule", "cycle", "policy", "number")
    bodies = {}
    for parts in sealed.links.values():
        if parts[1] == "charge":
            body = json.loads(parts[6])
            bodies[tuple(cell(str(body[name])) for name in key)] = body     # as a sheet has it
    for row in csv.DictReader(io.StringIO(text)):
        body = bodies.pop(tuple(row[name] for name in key), None)
        if body is not None and row["amount"] != body["amount"]:
            yield f"{row['rule']} {row['number']}: amount {row['amount']!r}, sealed is {body['amount']!r}"
    for body in bodies.values():
        yield f"{body['rule']} {body['number']} is missing: {body['amount']} {body['currency']}"


def _differences(
    what: str, told: Mapping[str, Any], sealed: Mapping[str, Any], but: tuple[str, ...] = ()
) -> Iterator[str]:
    """What both have and say otherwise."""
    for name, value in told.items():
        if name not in but and name in sealed and sealed[name] != value:
            yield f"{what}: {name} {value!r}, sealed is {sealed[name]!r}"


_LOOKS: dict[str, Callable[[str, Sealed], Iterator[str]]] = {
    "decisions.json": _decisions, "accounts.json": _entries, "opt_outs.json": _entries,
    "notices.json": _notices, "strikes.json": _strikes, "charges.csv": _charges,
}
