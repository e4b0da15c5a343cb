"""STOP and START: what counts as one, and whose opt-out it is."""

from __future__ import annotations

import pytest

from enforcer.admission import Admission
from enforcer.domain.account import Account
from enforcer.domain.actions import GrantLease, WithdrawLease
from enforcer.domain.call import CallAttempt, Direction, Medium
from enforcer.domain.decision import Verdict
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Pack, Policy
from enforcer.domain.rules import Rule
from enforcer.domain.stop_words import StopWords, Wish
from enforcer.hearing import Heard
from enforcer.ledger.memory import MemoryLedger
from tests.support.rules import NOON, rule

PLAN = NumberPlan("US")
PERSON = "+12025550177"


@pytest.mark.parametrize(("text", "wish"), [
    ("STOP", Wish.STOP), ("stop", Wish.STOP), (" Stop! ", Wish.STOP), ('"STOP"', Wish.STOP),
    ("Stop calling me", Wish.STOP), ("STOP.please..Thanks", Wish.STOP), ("stopall", Wish.STOP),
    ("UNSUBSCRIBE", Wish.STOP), ("cancel", Wish.STOP), ("End.", Wish.STOP), ("quit\r\nplease", Wish.STOP),
    ("START", Wish.START), ("unstop", Wish.START), ("Yes", Wish.START), ("yes, please", Wish.START),
    ("", None), ("...", None), ("please stop", None), ("nonstop", None), ("stopping", None), ("STOP1", None),
    ("hello", None), ("\u200b", None),
])  # fmt: skip
def test_wish_is_the_whole_text_or_its_first_word(text: str, wish: Wish | None) -> None:
    assert StopWords.of().wish(text) is wish


def test_words_are_the_sites_own() -> None:
    words = StopWords.of(["Opt out", "ARRÊT"], ["weiter"])
    assert words.wish("opt-out!") is Wish.STOP          # a phrase is a whole text
    assert words.wish("opt out of what?") is None
    assert words.wish("arrêt svp") is Wish.STOP
    assert words.wish("Weiter") is Wish.START
    assert words.wish("STOP") is None


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    assert StopWords.of().wish(" " * 160 + "STOP") is None


class House:
    """An admission that hears, and what was sent on from it."""

    def __init__(self, *rules: Rule) -> None:
        policy = Policy(rules, [Pack("test", "1")])
        self.ledger = MemoryLedger(PLAN.classify, lambda: NOON, PLAN.canonical)
        self.ledger.put_accounts([Account("acme", "co"), Account("acme2", "co"), Account("globex", "other")])
        self.ledger.use(policy)
        self.admission = Admission(
            self.ledger, PLAN, policy, Modes(default=Mode.BLOCK), prefix="t", later=lambda do: do(),
        )
        self.heard: list[Heard] = []
        self.hurried = 0
        self.serial = 0
        self.admission.on_wish = self.heard.append
        self.admission.hurry = self._hurry

    def _hurry(self) -> None:
        self.hurried += 1

    def attempt(
        self, account: str, number: str, direction: Direction, medium: Medium, caller: str = ""
    ) -> CallAttempt:
        self.serial += 1
        return CallAttempt(
            f"pbx1/{self.serial}", "pbx1", account, direction, number, caller, NOON, medium=medium
        )

    def write(self, words: str, account: str = "acme", person: str = PERSON, after: float = 0.25) -> None:
        """A person writes to an account."""
        attempt = self.attempt(account, "12025550101", Direction.INBOUND, Medium.MESSAGE, person)
        self.admission.admit(attempt)
        self.admission.heard(attempt, words, NOON + after)

    def send(self, account: str = "acme", number: str = PERSON, medium: Medium = Medium.MESSAGE) -> bool:
        """Whether the account may write to a number, or call it."""
        attempt = self.attempt(account, number, Direction.OUTBOUND, medium)
        return not self.admission.admit(attempt).refused

    def entries(self) -> list[tuple[str, str, str, str, object]]:
        kinds = (Kind.OPT_OUT, Kind.OPT_IN)
        return [(e.kind.value, e.ref, e.customer, e.account, e.body) for e in self.ledger.journal(kinds)]


def opt_out(scope: Scope = Scope.ACCOUNT) -> Rule:
    return rule("opt_out", 0, measure=Measure(scope, mediums=frozenset(Medium)))


def test_person_opts_out_of_the_sender_that_was_written_to() -> None:
    house = House(opt_out())
    assert house.send()
    house.write("Stop")
    assert not house.send()
    assert not house.send(medium=Medium.CALL)
    assert not house.send(number="2025550177")          # dialled in another way
    assert house.send("acme2")
    assert house.send("globex")
    assert house.send(number="+12025550178")
    assert house.entries() == [
        ("opt-out", PERSON, "co", "acme", {"source": "message", "honoured_in": 0.25}),
    ]


def test_word_to_one_sender_counts_for_all_where_a_rule_says_so() -> None:
    house = House(opt_out(Scope.CUSTOMER))
    house.write("STOP")
    assert not house.send("acme2")
    assert house.send("globex")
    assert house.entries()[0][3] == ""


@pytest.mark.parametrize("scope", list(Scope))
def test_start_takes_it_back(scope: Scope) -> None:
    house = House(opt_out(scope))
    house.write("STOP")
    house.write("start")
    assert house.send()
    assert house.send("acme2")
    assert [entry[0] for entry in house.entries()] == ["opt-out", "opt-in"]


def test_start_to_a_sender_takes_back_a_word_about_all_of_them() -> None:
    house = House(opt_out())
    house.ledger.put([_by_hand("")])
    assert not house.send()
    house.write("YES")
    assert house.send()


def test_start_to_one_sender_leaves_what_was_said_of_another() -> None:
    house = House(opt_out())
    house.write("STOP", "acme")
    house.write("STOP", "acme2")
    house.write("START", "acme")
    assert house.send("acme")
    assert not house.send("acme2")


@pytest.mark.parametrize(("first", "then"), [("STOP", "STOP"), ("hello", "START"), ("STOP", "quit")])
def test_what_is_so_already_is_not_put_on_record_again(first: str, then: str) -> None:
    house = House(opt_out())
    house.write(first)
    before = house.entries()
    house.write(then)
    assert house.entries() == before


@pytest.mark.parametrize("person", ["", "anonymous", "alice@example.org", "+"])
def test_who_has_no_number_cannot_opt_out(person: str) -> None:
    house = House(opt_out())
    house.write("STOP", person=person)
    assert house.entries() == []


def test_outbound_words_are_not_a_persons_wish() -> None:
    house = House(opt_out())
    attempt = house.attempt("acme", PERSON, Direction.OUTBOUND, Medium.MESSAGE, PERSON)
    house.admission.heard(attempt, "STOP", NOON)
    assert house.entries() == []


def test_leases_of_all_the_customers_accounts_end_at_once() -> None:
    house = House(opt_out(), rule("attempts", 1000))
    for account in ("acme", "acme2", "globex"):
        assert house.send(account, medium=Medium.CALL)
    granted = house.admission.round("pbx1", NOON)
    assert {a.account for a in granted if isinstance(a, GrantLease)} == {"acme", "acme2", "globex"}
    house.write("STOP")
    assert house.hurried == 1
    assert sorted(a.account for a in house.admission.urgent("pbx1", NOON + 1)) == ["acme", "acme2"]
    assert all(isinstance(a, WithdrawLease) for a in house.admission.round("pbx1", NOON + 1))


def test_time_it_took_is_told_once_the_answer_is_written() -> None:
    house = House(opt_out())
    house.write("STOP", after=0.75)
    [heard] = house.heard
    assert (heard.wish, heard.account.id, heard.seconds) == (Wish.STOP, "acme", 0.75)


def test_clock_that_ran_backwards_is_no_negative_time() -> None:
    house = House(opt_out())
    house.write("STOP", after=-3.0)
    assert house.heard[0].seconds == 0.0


def test_verdict_names_the_day_and_the_way() -> None:
    house = House(opt_out())
    house.write("STOP")
    attempt = house.attempt("acme", PERSON, Direction.OUTBOUND, Medium.MESSAGE)
    decision = house.admission.admit(attempt)
    assert decision.verdict is Verdict.BLOCK
    assert "by message" in decision.reason


def _by_hand(account: str) -> JournalEntry:
    return JournalEntry(Kind.OPT_OUT, NOON, PERSON, "co", account, {"who": "ada"})
