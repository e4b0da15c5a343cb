"""The journal and what follows from it, whichever adapter keeps it; and what tampering with a file shows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from enforcer.domain.account import Account, Customer, Standing
from enforcer.domain.chain import BEGINNING, Fault, Head, What, seal
from enforcer.domain.charge import Claim
from enforcer.domain.decision import Decision, Level, Verdict
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.domain.notice import About, Audience, Notice, Stage, created, notice_id, step
from enforcer.errors import LedgerError
from enforcer.ledger.port import Ledger, Proof
from enforcer.ledger.sqlite import SqliteLedger
from tests.support.ledgers import PATIENCE, POLICY, Clock, classify
from tests.support.rules import NOON

NUMBER = "+12025550123"


def opt_out(number: str = NUMBER, account: str = "", at: float = NOON) -> JournalEntry:
    return JournalEntry(Kind.OPT_OUT, at, number, "big", account, {"who": "bob"})


def strike(name: str, kind: str = "copyright", at: float = NOON) -> JournalEntry:
    return JournalEntry(Kind.STRIKE, at, name, "big", "acme", {"kind": kind, "at": at})


def decision(name: str, account: str = "acme", at: float = NOON) -> Decision:
    return Decision(name, at, "pbx1/1", "pbx1", account, "1", "outbound", Verdict.BLOCK, Verdict.BLOCK)


# On every adapter ------------------------------------------------------------------------------------


def test_what_is_put_on_record_comes_back_whole_with_its_place_and_seal(ledger: Ledger) -> None:
    written = ledger.put([opt_out(), strike("s1")])
    assert [entry.link for entry in written] == [1, 2]
    assert written[0].seal == seal(BEGINNING, *opt_out().parts)
    assert written[1].seal == seal(written[0].seal, *strike("s1").parts)
    assert list(ledger.journal()) == written
    assert ledger.head() == Head(2, written[1].seal)


def test_a_body_of_any_text_and_number_is_kept_as_it_was(ledger: Ledger) -> None:
    body = {"why": "„é“ 'x' \"y\" \x00 😀", "at": 0.1 + 0.2, "list": [1, None, True], "": {}}
    (written,) = ledger.put([JournalEntry(Kind.REQUEST, NOON, "x", body=body)])
    assert list(ledger.journal()) == [written]
    assert ledger.prove().broken == ""


def test_entries_are_found_by_kind_customer_account_and_what_they_are_about(ledger: Ledger) -> None:
    ledger.put([opt_out(), opt_out(account="acme"), strike("s1"), strike("s2")])
    ledger.put([JournalEntry(Kind.PARDON, NOON, "s1", "big", "acme", {"why": "x"})])

    def links(**wanted: str) -> list[int]:
        return [entry.link for entry in ledger.journal(**wanted)]   # type: ignore[arg-type]

    assert links() == [1, 2, 3, 4, 5]
    assert [e.link for e in ledger.journal([Kind.STRIKE, Kind.PARDON])] == [3, 4, 5]
    assert [e.link for e in ledger.journal([Kind.STRIKE], ref="s2")] == [4]
    assert links(account="acme") == [2, 3, 4, 5]
    assert links(customer="big", ref=NUMBER) == [1, 2]
    assert links(customer="nobody") == []


def test_notes_are_known_at_once_and_keep_their_order(ledger: Ledger) -> None:
    for n in range(50):
        ledger.note(strike(f"s{n}"))
    assert len(ledger.registers.strikes.all("big")) == 50
    assert [entry.ref for entry in ledger.journal()] == [f"s{n}" for n in range(50)]
    assert ledger.prove().links == 50


def test_decisions_and_entries_make_one_chain(ledger: Ledger) -> None:
    ledger.put([opt_out()])
    ledger.keep(decision("d1"))
    ledger.flush()
    ledger.put([strike("s1")])
    assert [(link.number, link.kind, link.ref) for link in ledger.chain()] == [
        (1, "opt-out", NUMBER), (2, "decision", "d1"), (3, "strike", "s1"),
    ]
    proof = ledger.prove()
    assert (proof.links, proof.fault, proof.head) == (3, None, ledger.head())


def test_what_people_enter_and_what_is_charged_is_on_record(ledger: Ledger) -> None:
    ledger.put_accounts([Account("acme", "big")])
    ledger.put_accounts([Account("acme", "big")])           # says the same: nothing to record
    ledger.put_accounts([Account("acme", "big", standing=Standing.SUSPENDED, standing_reason="why")])
    ledger.put_customers([Customer("big", "Big Ltd", ("mailto://user:secret@host", "ops@big.example"))])
    ledger.put_mode(ModeSetting(Mode.BLOCK, account="acme", who="bob", at=NOON))
    ledger.charge([Claim("big", "", "asr", "2026-10", "p@1", Decimal("20.005"), "USD")], NOON)
    told = [(entry.kind, entry.ref, entry.body) for entry in ledger.journal()]
    assert [one[:2] for one in told] == [
        (Kind.ACCOUNT, "acme"), (Kind.ACCOUNT, "acme"), (Kind.CUSTOMER, "big"),
        (Kind.MODE, "account acme"), (Kind.CHARGE, "asr 2026-10"),
    ]
    assert told[1][2]["standing"] == "suspended"
    assert told[2][2] == {"name": "Big Ltd", "contacts": ["mailto", "mailto"]}      # never the address
    assert told[4][2]["amount"] == "20.005"
    assert ledger.contradictions() == []


def test_registers_say_what_the_journal_comes_to(ledger: Ledger) -> None:
    ledger.put([opt_out(), opt_out(account="acme"), strike("s1"), strike("s2", "spam")])
    registers = ledger.registers
    assert registers.opt_outs.found(NUMBER, "big", "apex") is not None
    assert len(registers.strikes.of("big", "acme", frozenset({"spam"}), NOON)) == 1
    ledger.put([
        JournalEntry(Kind.OPT_IN, NOON + 1, NUMBER, "big", "acme"),
        JournalEntry(Kind.PARDON, NOON + 1, "s2", "big", "acme", {"why": "mistaken"}),
    ])
    assert registers.opt_outs.found(NUMBER, "big", "apex") is None     # the same object follows
    assert registers.strikes.of("big", "acme", frozenset(), NOON) == [registers.strikes.get("s1")]


def test_a_head_that_was_noted_lies_on_the_chain_for_ever(ledger: Ledger) -> None:
    heads = [ledger.head()]
    for n in range(4):
        ledger.put([strike(f"s{n}")])
        heads.append(ledger.head())
    for noted in heads:
        assert ledger.prove(noted).broken == ""


def test_a_head_of_another_chain_is_found_out(ledger: Ledger) -> None:
    ledger.put([strike("s1"), strike("s2")])
    other = ledger.prove(Head(1, "f" * 64)).fault
    assert other == Fault(
        What.HEAD, "link 1 had another seal when it was noted: the chain was made anew", 1, "strike", NOON,
        "s1",
    )
    later = ledger.prove(Head(4, "f" * 64)).fault
    assert later == Fault(What.MISSING, "links 3 to 4 are missing: link 4 was noted as the head", 3)
    assert ledger.prove(Head(0, "f" * 64)).fault is not None


def test_an_empty_ledger_has_a_chain_without_links(ledger: Ledger) -> None:
    assert (ledger.head(), ledger.prove(), ledger.contradictions()) == (Head(), Proof(0, Head()), [])


# On a disk -------------------------------------------------------------------------------------------


class Site:
    """A ledger's file: opened by as many processes as a test likes, and edited behind their backs."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self.clock = Clock()
        self._stack = stack

    def open(self) -> SqliteLedger:
        ledger = SqliteLedger(self.path, classify, self.clock, PATIENCE)
        self._stack.callback(ledger.close)
        return ledger

    def edit(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as database:
            for statement in statements:
                assert database.execute(statement).rowcount > 0, statement
            database.commit()

    def fault(self, *statements: str, noted: Head | None = None) -> Fault:
        """What is found first after these edits."""
        self.edit(*statements)
        fault = self.open().prove(noted).fault
        assert fault is not None
        return fault

    def contradiction(self, *statements: str) -> Fault:
        self.edit(*statements)
        (fault,) = self.open().contradictions()
        return fault


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path / "ledger.db", stack)


@pytest.fixture
def full(site: Site) -> Site:
    """Eight links: account, decisions d1 and d2, mode, charge, strikes s1 and s2, opt-out."""
    ledger = site.open()
    ledger.put_accounts([Account("acme", "big")])
    ledger.keep(decision("d1", at=NOON + 1))
    ledger.keep(decision("d2", at=NOON + 2))
    ledger.flush()
    ledger.put_mode(ModeSetting(Mode.BLOCK, account="acme", who="bob", at=NOON + 3))
    ledger.charge([Claim("big", "", "asr", "2026-10", "p@1", Decimal("20.005"), "USD")], NOON + 4)
    ledger.put([strike("s1", at=NOON + 5), strike("s2", at=NOON + 6), opt_out(at=NOON + 7)])
    assert ledger.head().link == 8
    assert ledger.prove().broken == ""
    return site


def test_registers_outlast_a_restart(site: Site) -> None:
    first = site.open()
    told = notice_id(Audience.CUSTOMER, About.LEVEL, "big", "", "asr", Level.CRITICAL, "2026-11")
    first.put([opt_out(), strike("s1")])
    first.note(strike("s2"))
    notice = Notice(
        told, Audience.CUSTOMER, About.LEVEL, "big", "", "asr", Level.CRITICAL, "2026-11", NOON, 60.0, 600.0,
    )
    first.note(created(notice))
    first.note(step(notice, Stage.DELIVERED, NOON + 1))
    first.close()
    registers = site.open().registers
    assert registers.opt_outs.found(NUMBER, "big", "acme") is not None
    assert [one.id for one in registers.strikes.all()] == ["s1", "s2"]
    assert [notice.stage for notice in registers.notices.all()] == [Stage.DELIVERED]
    assert registers.notices.gate("asr", "big", "").open(NOON + 61)


def test_what_another_process_puts_on_record_is_known_at_the_next_look(site: Site) -> None:
    daemon, cli = site.open(), site.open()
    daemon.use(POLICY)
    while daemon.changed_elsewhere():
        pass
    cli.put([opt_out(), strike("s1")])
    assert daemon.registers.strikes.all() == []
    assert daemon.changed_elsewhere()
    assert [one.id for one in daemon.registers.strikes.all()] == ["s1"]
    assert daemon.registers.opt_outs.found(NUMBER, "big", "acme") is not None
    assert not daemon.changed_elsewhere()
    daemon.put([strike("s2")])
    daemon.note(strike("s3"))
    daemon.flush()
    assert not daemon.changed_elsewhere()           # our own is no news
    assert len(daemon.registers.strikes.all()) == 3


def test_two_processes_write_one_chain(site: Site) -> None:
    one, two = site.open(), site.open()
    for n in range(20):
        one.note(strike(f"a{n}"))
        two.keep(decision(f"d{n}"))
        two.note(strike(f"b{n}"))
    one.flush()
    two.flush()
    assert one.prove() == Proof(60, one.head())
    assert one.head() == two.head()


@pytest.mark.parametrize(("edit", "what", "link", "kind", "ref", "words"), [
    ("UPDATE decision SET body = replace(body, 'pbx1', 'pbx2') WHERE decision_id = 'd2'",
     What.ALTERED, 3, "decision", "d2", "the content of link 3 (decision d2) was altered"),
    ("UPDATE decision SET account = 'apex' WHERE decision_id = 'd1'",
     What.ALTERED, 2, "decision", "d1", "the content of link 2 (decision d1) was altered"),
    ("UPDATE journal SET at = at + 1 WHERE ref = 's1'",
     What.ALTERED, 6, "strike", "s1", "the content of link 6 (strike s1) was altered"),
    ("UPDATE journal SET body = 'x' WHERE link = 8",
     What.ALTERED, 8, "opt-out", NUMBER, f"the content of link 8 (opt-out {NUMBER}) was altered"),
    ("UPDATE journal SET seal = 'x' WHERE link = 7",
     What.SEAL, 7, "strike", "s2", "the seal of link 7 (strike s2) was altered"),
    ("DELETE FROM journal WHERE link = 6",
     What.MISSING, 6, "", "", "link 6 is missing: the next one is link 7 (strike s2)"),
    ("DELETE FROM decision",
     What.MISSING, 2, "", "", "links 2 to 3 are missing: the next one is link 4 (mode "),
    ("DELETE FROM journal WHERE link = 1",
     What.MISSING, 1, "", "", "link 1 is missing: the next one is link 2"),
    ("DELETE FROM journal WHERE link > 6",
     What.MISSING, 7, "", "", "links 7 to 8 are missing: the chain went to link 8"),
    ("UPDATE chain SET seal = 'x'", What.HEAD, 8, "", "", "the head has another seal than link 8"),
    ("UPDATE chain SET link = 5",
     What.HEAD, 5, "", "", "the head says that the chain ends at link 5, and it goes to link 8"),
    ("UPDATE decision SET link = 0 WHERE decision_id = 'd1'",
     What.MISSING, 2, "", "", "link 2 is missing: the next one is link 3 (decision d2)"),
    ("INSERT INTO journal SELECT 2, kind, at, ref, customer, account, body, seal, 1 FROM journal "
     "WHERE link = 6",
     What.ORDER, 2, "strike", "s1", "link 2 (strike s1) stands in a place that is taken"),
])
def test_the_first_link_that_does_not_fit_is_named(
    full: Site, edit: str, what: What, link: int, kind: str, ref: str, words: str
) -> None:
    fault = full.fault(edit)
    assert (fault.what, fault.link, fault.kind, fault.ref) == (what, link, kind, ref)
    assert fault.words.startswith(words)
    if kind:
        assert fault.at is not None


def test_entries_that_changed_places_are_found_out(full: Site) -> None:
    fault = full.fault(
        "UPDATE journal SET link = 100 WHERE link = 6", "UPDATE journal SET link = 6 WHERE link = 8",
        "UPDATE journal SET link = 8 WHERE link = 100",
    )
    assert (fault.what, fault.link, fault.ref) == (What.ORDER, 6, NUMBER)
    assert fault.words == f"link 6 (opt-out {NUMBER}) was moved: it belongs after link 7 (strike s2)"


def test_contents_that_changed_places_are_found_out(full: Site) -> None:
    columns = "kind, at, ref, customer, account, body"
    fault = full.fault(
        f"UPDATE journal SET ({columns}) = (SELECT {columns} FROM journal WHERE link = 8) WHERE link = 6",
    )
    assert (fault.what, fault.link) == (What.ORDER, 6)
    assert fault.words == f"link 6 (opt-out {NUMBER}) has the content of link 8"


def test_a_tail_cut_off_together_with_the_head_shows_by_a_head_noted_earlier(full: Site) -> None:
    noted = full.open().head()
    full.edit(
        "DELETE FROM journal WHERE link > 6",
        "UPDATE chain SET link = 6, seal = (SELECT seal FROM journal WHERE link = 6)",
    )
    assert full.open().prove().broken == ""
    fault = full.open().prove(noted).fault
    assert fault == Fault(What.MISSING, "links 7 to 8 are missing: link 8 was noted as the head", 7)


def test_a_chain_made_anew_shows_by_a_head_noted_earlier(full: Site) -> None:
    noted = full.open().head()
    links = list(full.open().chain())
    with closing(sqlite3.connect(full.path)) as database:
        before = BEGINNING
        database.execute("UPDATE decision SET body = '{}' WHERE decision_id = 'd2'")
        for link in links:
            parts = (*link.parts[:-1], "{}") if link.ref == "d2" else link.parts
            before = seal(before, *parts)
            for table in ("journal", "decision"):
                database.execute(f"UPDATE {table} SET seal = ? WHERE link = ?", (before, link.number))
        database.execute("UPDATE chain SET seal = ?", (before,))
        database.commit()
    assert full.open().prove().broken == ""
    fault = full.open().prove(noted).fault
    assert fault is not None
    assert (fault.what, fault.link) == (What.HEAD, 8)


@pytest.mark.parametrize(("edit", "link", "kind", "words"), [
    ("UPDATE charge SET amount = '2.005'", 5, "charge",
     "link 5 (charge asr 2026-10): the book of charges says amount '2.005' instead of '20.005'"),
    ("DELETE FROM charge", 5, "charge", "link 5 (charge asr 2026-10) is not in the book of charges"),
    ("INSERT INTO charge SELECT customer, account, rule, cycle, policy, 2, '1', currency, at, clause, words, "
     "0, 2 FROM charge", 0, "charge",
     "charge asr 2026-10 stands in the book of charges and not in the journal"),
    ("UPDATE mode_setting SET mode = 'off'", 4, "mode",
     "link 4 (mode account acme): the table of modes says mode 'off' instead of 'block'"),
    ("DELETE FROM mode_setting", 4, "mode", "link 4 (mode account acme) is not in the table of modes"),
    ("UPDATE account SET standing = 'terminated'", 1, "account",
     "link 1 (account acme): the register of accounts says standing 'terminated' instead of 'active'"),
    ("DELETE FROM account", 1, "account", "link 1 (account acme) is not in the register of accounts"),
    ("INSERT INTO account SELECT 'new', customer, type, channels, plan, anchor_day, timezone, standing, "
     "standing_reason, 1 FROM account", 0, "account",
     "account new stands in the register of accounts and not in the journal"),
    ("INSERT INTO decision SELECT 'd3', at, call_id, account, body, 0, '', '' FROM decision "
     "WHERE decision_id = 'd1'", 0, "decision", "1 decisions stand outside the chain; there were 0 when it"),
])
def test_a_table_that_says_otherwise_than_the_journal_is_named(
    full: Site, edit: str, link: int, kind: str, words: str
) -> None:
    fault = full.contradiction(edit)
    assert (fault.what, fault.link, fault.kind) == (What.TABLE, link, kind)
    assert fault.words.startswith(words)
    assert full.open().prove().broken == ""


def test_an_entry_that_cannot_be_read_is_named(full: Site) -> None:
    full.edit("UPDATE journal SET body = '{' WHERE link = 6")
    with pytest.raises(LedgerError, match="link 6 of the journal cannot be read: see `enforcer verify`"):
        full.open().use(POLICY)
    with pytest.raises(LedgerError, match="link 6 of the journal cannot be read"):
        list(full.open().journal())


def test_what_a_ledger_of_the_first_release_holds_needs_no_journal(site: Site) -> None:
    recorded = Path(__file__).parents[1] / "recorded" / "ledger" / "schema2.sql"
    with closing(sqlite3.connect(site.path)) as database:
        database.executescript(recorded.read_text())
    ledger = site.open()
    assert (ledger.prove().broken, ledger.contradictions()) == ("", [])
    (acme,) = ledger.accounts("big")
    ledger.put_accounts([replace(acme, plan="gold")])
    ledger.put_mode(ModeSetting(Mode.OFF, at=NOON))
    ledger.charge([Claim("big", "", "asr", "2026-09", "p@1", Decimal("1"), "USD")], NOON)
    ledger.keep(decision("new"))
    assert ledger.contradictions() == []
    assert ledger.prove().links == 4
    fault = site.contradiction("UPDATE account SET plan = 'tin'")
    assert fault.words.endswith("the register of accounts says plan 'tin' instead of 'gold'")
