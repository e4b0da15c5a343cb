"""Everything on record about one account, or one customer, in one billing cycle, as files for a dispute.

In: a ledger, a policy, whom and which cycle it is about. Out: files by name, JSON and CSV, in words that
stand by themselves, each entry of the chain with its seal.
Refuses to know: zip files, and what anybody makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from enforcer.control import pruned
from enforcer.control.bundle import text_of
from enforcer.control.bundle_chain import CHAIN
from enforcer.control.evidence_facts import (
    CALLS,
    CHARGES,
    call_row,
    charge_row,
    decision_row,
    entry_row,
    notice_row,
)
from enforcer.control.evidence_words import read_me
from enforcer.control.facts import account_facts, mode_facts
from enforcer.control.interruptions import interrupted, interruptions, slowed
from enforcer.control.report import named_cycle, report
from enforcer.control.sheets import sheet
from enforcer.control.strikes import facts as strike_facts
from enforcer.control.strikes import standings
from enforcer.control.words import iso
from enforcer.domain.account import Account
from enforcer.domain.chain import BEGINNING, Cut, sealed_text
from enforcer.domain.cycle import BillingCycle, Span
from enforcer.domain.interruption import GAP
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.mode import Modes
from enforcer.domain.policy import Policy
from enforcer.errors import BadInput
from enforcer.history import revisions
from enforcer.ledger.port import Ledger

_UNTIL_THEN = (Kind.ACCOUNT, Kind.STANDING, Kind.OPT_OUT, Kind.OPT_IN, Kind.MODE, Kind.POLICY)


class Dispute(NamedTuple):
    """Whom and what a bundle is about. `account` is None for all of a customer's accounts."""

    customer: str
    account: Account | None
    accounts: tuple[Account, ...]
    span: Span
    timezone: str
    now: float

    def concerns(self, account_id: str) -> bool:
        """Whether an entry about that account, or with "" about the customer as a whole, belongs here."""
        return not account_id or self.account is None or account_id == self.account.id

    @property
    def words(self) -> str:
        """For people."""
        return f"customer {self.customer}" if self.account is None else f"account {self.account.id}"


def dispute(ledger: Ledger, account: str, customer: str, cycle: str, now: float) -> Dispute:
    """What a bundle about these is about; an account's own cycle, or that of its customer's first account.
    Raises BadInput for a cycle that has not begun."""
    one = ledger.account(account) if account else None
    registered = ledger.accounts(customer)
    first = one or (registered[0] if registered else ledger.account(customer))
    span = named_cycle(BillingCycle(first.anchor_day, first.timezone), cycle)
    if span.start > now:
        raise BadInput("--cycle", f"{cycle} has not begun yet")
    accounts = [one] if one else list(registered)
    if one is None:
        known = {account.id for account in accounts}
        accounts += [
            ledger.account(name) for name, whose in ledger.callers(span)
            if whose == customer and name not in known
        ]
    return Dispute(customer, one, tuple(accounts), span, first.timezone, now)


def evidence(ledger: Ledger, policy: Policy, modes: Modes, about: Dispute) -> dict[str, bytes]:
    """All files by name; `policy` is that of today. Raises LedgerError."""
    ledger.flush()
    packs = list(_packs(ledger, policy, about))
    policy = in_force(ledger, policy, about)
    calls = list(ledger.calls(about.account.id if about.account else "", about.span,
                              "" if about.account else about.customer))
    decisions = [
        decision for account in about.accounts for decision in ledger.decisions_in(about.span, account.id)
    ]
    notices = list(_notices(ledger, about))
    strikes = _strikes(ledger, policy, about)
    things = {one["notice"] for one in notices} | {one["id"] for one in strikes["strikes"]}
    journal = list(_journal(ledger, about, things))
    charges = [
        entry for entry in ledger.charges(about.customer, about.span.label) if about.concerns(entry.account)
    ]
    files: dict[str, bytes] = {
        "calls.csv": sheet(CALLS, (call_row(call, about.timezone) for call in calls)).encode(),
        "charges.csv": sheet(CHARGES, (charge_row(entry, about.timezone) for entry in charges)).encode(),
        "decisions.json": text_of([decision_row(decision, about.timezone) for decision in decisions]),
        "notices.json": text_of(notices),
        "strikes.json": text_of(strikes),
        "opt_outs.json": text_of([
            entry_row(entry, about.timezone) for entry in journal if entry.kind in (Kind.OPT_OUT, Kind.OPT_IN)
        ]),
        "accounts.json": text_of({
            "accounts": [account_facts(account) for account in about.accounts],
            "history": [
                entry_row(entry, about.timezone) for entry in journal
                if entry.kind in (Kind.ACCOUNT, Kind.STANDING)
            ],
        }),
        "modes.json": text_of([
            mode_facts(setting) for setting in ledger.modes()
            if about.concerns(setting.account) and setting.at < about.span.end
            and (setting.until is None or setting.until > about.span.start)
        ]),
        "usage.json": text_of([
            report(ledger, policy, modes, account, about.now, about.span.label).facts()
            for account in about.accounts
        ]),
        "interruptions.json": text_of(_interruptions(ledger, about)),
    }
    gone = pruned.facts(ledger, about.span)
    if gone:
        files["pruned.json"] = text_of(gone)
    for label, text in packs:
        files[f"policies/{label}.toml"] = text.encode("utf-8", "surrogatepass")
    wanted = {entry.link for entry in journal}
    files[CHAIN] = text_of(_chain(ledger, wanted, {decision.decision_id for decision in decisions}))
    names = sorted([*files, "README.txt"])
    page = read_me(about.words, about.customer, about.span, about.timezone, names)
    return files | {"README.txt": page.encode()}


def _journal(ledger: Ledger, about: Dispute, things: set[str]) -> Iterator[JournalEntry]:
    """The entries that bear on the cycle, by link: those made before it ended, all about these `things`
    (notices and strikes), and its charges."""
    found = {entry.link: entry for entry in ledger.journal(customer=about.customer)}
    if about.account is not None:       # whose customer it was as well
        found |= {entry.link: entry for entry in ledger.journal(account=about.account.id)}
    found |= {entry.link: entry for entry in ledger.journal([Kind.POLICY, Kind.MODE])}
    for _, entry in sorted(found.items()):
        if not about.concerns(entry.account):
            continue
        if entry.kind in _UNTIL_THEN:
            over = entry.body.get("until")      # only modes end by themselves
            if entry.at < about.span.end and (over is None or over > about.span.start):
                yield entry
        elif entry.kind is Kind.CHARGE:
            if entry.body.get("cycle") == about.span.label:
                yield entry
        elif entry.ref in things:
            yield entry


def _notices(ledger: Ledger, about: Dispute) -> Iterator[dict[str, Any]]:
    """The notices given in the cycle, and earlier ones because of which a rule could act in it."""
    for notice in ledger.registers.notices.all(about.customer):
        acted = notice.told_at is not None and notice.acts_until > about.span.start
        in_time = notice.at < about.span.end and (notice.at >= about.span.start or acted)
        if about.concerns(notice.account) and in_time:
            steps = ledger.journal([Kind.NOTICE], ref=notice.id)
            yield notice_row(notice, steps, about.timezone)


def _strikes(ledger: Ledger, policy: Policy, about: Dispute) -> dict[str, Any]:
    """The strikes up to the end of the cycle, and which of them counted then."""
    account = about.account.id if about.account else ""
    then = min(about.now, about.span.end)
    counting = standings(ledger, policy, then, about.customer, account)
    return {
        "at": iso(then, about.timezone),
        "strikes": [
            strike_facts(strike, counting, about.timezone)
            for strike in ledger.registers.strikes.all(about.customer)
            if about.concerns(strike.account) and strike.at < about.span.end
        ],
        "rules": [one.facts() for one in counting],
    }


def _interruptions(ledger: Ledger, about: Dispute) -> dict[str, Any]:
    found = interruptions(
        ledger, about.span.label, about.now, GAP, about.account.id if about.account else "", about.customer
    )
    return {
        "gap_seconds": GAP, "interruptions": [one.facts() for one in interrupted(found)],
        "slowed": [one.facts() for one in slowed(found)],
    }


def in_force(ledger: Ledger, today: Policy, about: Dispute) -> Policy:
    """The policy by which the cycle is settled: that of its beginning; where nobody knows, that of today."""
    day = datetime.fromtimestamp(about.span.start, ZoneInfo(about.timezone)).date()
    then, _ = revisions(ledger).at(about.span.start, day.isoformat())
    return then if then.packs else today


def _packs(ledger: Ledger, policy: Policy, about: Dispute) -> Iterator[tuple[str, str]]:
    """The text of each pack that was in force at any time of the cycle, by label; where the journal does not
    know, those of today. The packs that were there first always were (see `history`)."""
    found: dict[str, str] = {}
    before: dict[str, JournalEntry] = {}
    began: float | None = None
    for entry in ledger.journal([Kind.POLICY]):
        began = entry.at if began is None else began
        since = float("-inf") if entry.at == began else entry.at
        if since <= about.span.start:
            before[entry.body.get("pack") or entry.ref.partition("@")[0]] = entry
        elif since < about.span.end and entry.body.get("text"):
            found[entry.ref] = entry.body["text"]
    found |= {entry.ref: entry.body["text"] for entry in before.values() if entry.body.get("text")}
    yield from sorted((found or {pack.label: pack.text for pack in policy.packs}).items())


def _chain(ledger: Ledger, links: set[int], decisions: set[str]) -> dict[str, Any]:
    """The links of these entries and decisions: what each seals, as text, and its seal."""
    found: list[dict[str, Any]] = []
    before = BEGINNING
    for link in ledger.chain():
        if isinstance(link, Cut):
            before = link.seal
            continue
        mine = link.ref in decisions if link.kind == "decision" else link.number in links
        if mine:
            found.append({
                "link": link.number, "kind": link.kind, "ref": link.ref,
                "sealed": sealed_text(before, *link.parts), "seal": link.seal,
            })
        before = link.seal
    head = ledger.tell()
    return {
        "how": "The SHA-256 of `sealed`, as UTF-8, is `seal`. `sealed` is a JSON list whose first element is "
               "the seal of the link before it.",
        "head": {"link": head.link, "seal": head.seal}, "links": found,
        "older_decisions": sorted(decisions - {link["ref"] for link in found if link["kind"] == "decision"}),
    }
