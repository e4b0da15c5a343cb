"""What was in force when: revisions of policy packs, and accounts as they were registered.

In: the journal, and the packs that the configuration names now. Out: the entries to write where a pack came
into force or went, and for any moment the policy of that moment.
Refuses to know: what is decided, settled or shown.

A revision is in force from when it was first loaded, and no sooner than its effective date; the packs that
were there first, from their effective date on. Its text is on record, and may not change under its label.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from enforcer import packs
from enforcer.domain.account import Account
from enforcer.domain.calendars import ALWAYS
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.past import Past, Settled
from enforcer.domain.policy import Pack, Policy
from enforcer.domain.rules import Rule
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.ledger.register_rows import account_entry
from enforcer.ledger.tables import account_of_row
from enforcer.toml_lines import parse

# What a pack on record says was checked when it came into force; no switch has to be able to send it now.
ANY_CODE: Collection[int] = range(300, 700)


class Revision(NamedTuple):
    """One revision of a pack, in force since then (Unix seconds); without a text, the pack was withdrawn."""

    since: float
    at: float                   # when it was loaded
    label: str
    text: str
    effective: str = ""


class Revisions:
    """All revisions of all packs, in the order in which they came into force."""

    def __init__(self, entries: Iterable[JournalEntry]) -> None:
        self._by_pack: dict[str, list[Revision]] = {}
        self._parsed: dict[str, Policy] = {}
        self._policies: dict[tuple[str, ...], Policy] = {}
        self._texts: dict[str, tuple[str, float]] = {}
        began: float | None = None
        for entry in entries:
            body = entry.body
            began = entry.at if began is None else began
            since = ALWAYS if entry.at == began else entry.at
            text = body.get("text", "")
            if text:
                self._texts.setdefault(entry.ref, (text, entry.at))
            name = body.get("pack") or entry.ref.partition("@")[0]
            self._by_pack.setdefault(name, []).append(
                Revision(since, entry.at, entry.ref, text, body.get("effective", ""))
            )

    @classmethod
    def fixed(cls, policy: Policy) -> Revisions:
        """A policy that was always in force."""
        found = cls(())
        labels = dict.fromkeys([*(p.label for p in policy.packs), *(r.spec.policy for r in policy.rules)])
        for label in labels:
            some = [pack for pack in policy.packs if pack.label == label]
            effective = some[0].effective if some else ""
            found._by_pack[label] = [Revision(ALWAYS, 0.0, label, "-", effective)]
            found._parsed[label] = Policy((r for r in policy.rules if r.spec.policy == label), some)
        return found

    @property
    def current(self) -> dict[str, str]:
        """The label in force of each pack."""
        return {name: some[-1].label for name, some in self._by_pack.items() if some[-1].text}

    def on_record(self, label: str) -> tuple[str, float] | None:
        """The text of that label, and when it first came into force."""
        return self._texts.get(label)

    def at(self, moment: float, day: str) -> tuple[Policy, list[str]]:
        """The policy in force at a moment (Unix seconds; `day` is its local date, ISO), and why packs of
        today are not in it."""
        chosen, notes = [], []
        for some in self._by_pack.values():
            found = None
            for revision in some:
                if revision.since <= moment and (not revision.text or revision.effective <= day):
                    found = revision
            if found is not None and found.text:
                chosen.append(found)
            last = some[-1]
            if last.text and last is not found and (found is None or found.label != last.label):
                notes.append(_why_not(last, found, moment))
        chosen.sort(key=lambda revision: revision.since)
        labels = tuple(revision.label for revision in chosen)
        if labels not in self._policies:
            self._policies[labels] = self._together(chosen)
        return self._policies[labels], notes

    def _together(self, chosen: Sequence[Revision]) -> Policy:
        """Where two packs that were never loaded together have a rule of one id, the later one's stands."""
        rules: dict[str, Rule] = {}
        found: list[Pack] = []
        for revision in chosen:
            policy = self._parsed.get(revision.label)
            if policy is None:
                name = f"{revision.label} as it is on record"
                policy = self._parsed[revision.label] = packs.loads([(name, revision.text)], ANY_CODE)
            rules |= {rule.spec.id: rule for rule in policy.rules}
            found += policy.packs
        return Policy(rules.values(), found)


def _why_not(last: Revision, found: Revision | None, moment: float) -> str:
    if last.since <= moment:
        return f"{last.label} is effective from {last.effective}: it settles no cycle that began before"
    since = f"{last.label} came into force on {_utc(last.at)}"
    if found is None or not found.text:
        return f"{since}: it settles no cycle that began before"
    return f"{since}: cycles that began before are settled by {found.label}"


def revisions(ledger: Ledger) -> Revisions:
    """All that ever came into force. Raises LedgerError."""
    return Revisions(ledger.journal({Kind.POLICY}))


def news(ledger: Ledger, policy: Policy, at: float, paths: Sequence[Path] = ()) -> list[JournalEntry]:
    """The entries to write because this policy is in force from `at` on: none where it is on record already.

    `paths` are its packs' files. Raises BadInput for a label that has another text on record; LedgerError.
    """
    known = revisions(ledger)
    for nth, pack in enumerate(policy.packs):
        recorded = known.on_record(pack.label)
        if recorded is not None and recorded[0] != pack.text:
            where = parse(paths[nth], pack.text).where(("pack", "revision")) if paths else pack.label
            raise BadInput(where, f"{pack.label} is on record with another text since {_utc(recorded[1])}: "
                           "a changed pack needs a new revision")
    current = known.current
    loaded = {pack.name: pack for pack in policy.packs}
    written = [
        JournalEntry(Kind.POLICY, at, label, body={"pack": name, "withdrawn": True})
        for name, label in current.items() if name not in loaded
    ]
    return written + [
        JournalEntry(Kind.POLICY, at, pack.label, body={
            "pack": name, "revision": pack.revision, "effective": pack.effective, "text": pack.text,
        })
        for name, pack in loaded.items() if current.get(name) != pack.label
    ]


def unrecorded(ledger: Ledger, at: float) -> list[JournalEntry]:
    """The entries to write for accounts registered before there was a journal. Raises LedgerError."""
    there = {entry.ref for entry in ledger.journal({Kind.ACCOUNT})}
    return [account_entry(account, at) for account in ledger.accounts() if account.id not in there]


def request(name: str, at: float, who: str) -> JournalEntry:
    """That somebody asks the running enforcer to read the packs again."""
    return JournalEntry(Kind.REQUEST, at, name, body={"what": "reload", "who": who})


def answer(asked: JournalEntry, label: str, problem: str, at: float) -> JournalEntry:
    """What came of a request: the policy that is in force now, and why it is not a new one."""
    body = {"answer": True, "policy": label, "problem": problem}
    return JournalEntry(Kind.REQUEST, at, asked.ref, body=body)


def past(ledger: Ledger) -> Past:
    """All accounts as they were at any time. Raises LedgerError."""
    entered: list[tuple[float, Account | Settled]] = []
    for entry in ledger.journal({Kind.ACCOUNT, Kind.SETTLEMENT}):
        if entry.kind is Kind.ACCOUNT:
            entered.append((entry.at, account_of_row(entry.body)))
        elif entry.body["charges"]:
            entered.append((entry.at, Settled(entry.customer)))

    def called_before(account_id: str, at: float) -> bool:
        first = next(iter(ledger.calls(account_id)), None)
        return first is not None and first.started_at < at

    return Past(entered, called_before)


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
