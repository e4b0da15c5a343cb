"""What was in force when: revisions of packs on record, and accounts as they were registered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enforcer import history
from enforcer.control.settlement import settlement
from enforcer.domain.account import Account, AccountType
from enforcer.domain.calendars import Calendars
from enforcer.domain.cycle import BillingCycle
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.past import Past
from enforcer.domain.policy import Policy
from enforcer.errors import BadInput
from enforcer.ledger.memory import MemoryLedger
from enforcer.packs import loads
from tests.support.ledgers import DAY, Call
from tests.support.rules import NOON

OCTOBER = 1_790_812_800.0       # 2026-10-01 00:00:00 UTC
ACME = Account("acme", "acme-inc", AccountType.PBX)


def pack(revision: str, limit: int = 10, name: str = "house", effective: str = "", rule: str = "") -> str:
    since = f"effective = {effective}\n" if effective else ""
    return (
        f'[pack]\nname = "{name}"\nrevision = "{revision}"\n{since}\n[[rule]]\nid = "{rule or name}"\n'
        f'kind = "attempts"\nclause = "1"\ncritical = {{ at = {limit}, verdict = "tag" }}\n'
    )


class House:
    """A ledger into which packs come one after the other."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger(NumberPlan("US").classify, lambda: NOON)

    def loads(self, at: float, *texts: str) -> list[JournalEntry]:
        policy = loads([(f"{n}.toml", text) for n, text in enumerate(texts)], ())
        return self.ledger.put(history.news(self.ledger, policy, at))

    def at(self, moment: float) -> Policy:
        day = datetime.fromtimestamp(moment, UTC).date().isoformat()
        return history.revisions(self.ledger).at(moment, day)[0]

    def notes(self, moment: float) -> list[str]:
        return history.revisions(self.ledger).at(moment, "2026-10-01")[1]


@pytest.fixture
def house() -> House:
    return House()


def test_a_pack_comes_into_force_once(house: House) -> None:
    (entry,) = house.loads(OCTOBER, pack("1"))
    assert (entry.kind, entry.ref, entry.body["text"]) == (Kind.POLICY, "house@1", pack("1"))
    assert house.loads(OCTOBER + 1, pack("1")) == []


def test_the_first_pack_counts_for_the_time_before_it_was_loaded_too(house: House) -> None:
    house.loads(NOON, pack("1"))
    assert house.at(OCTOBER).label == "house@1"
    assert house.at(OCTOBER).rules[0].spec.critical.at == 10


def test_a_new_revision_counts_from_when_it_was_loaded(house: House) -> None:
    house.loads(OCTOBER, pack("1"))
    house.loads(OCTOBER + DAY, pack("2", 20))
    assert [house.at(OCTOBER + day * DAY).label for day in (0, 0.9, 1)] == ["house@1", "house@1", "house@2"]
    assert house.at(OCTOBER + DAY).rules[0].spec.critical.at == 20
    assert house.notes(OCTOBER) == [
        "house@2 came into force on 2026-10-02 00:00:00 UTC: cycles that began before are settled by house@1"
    ]


def test_a_new_revision_counts_no_sooner_than_it_is_effective(house: House) -> None:
    house.loads(OCTOBER, pack("1"))
    house.loads(OCTOBER + DAY, pack("2", effective="2026-10-05"))
    assert house.at(OCTOBER + 3.9 * DAY).label == "house@1"
    assert house.at(OCTOBER + 4 * DAY).label == "house@2"


def test_an_effective_date_in_the_past_reaches_back_for_nothing_but_the_first(house: House) -> None:
    house.loads(OCTOBER, pack("1"))
    house.loads(OCTOBER + DAY, pack("2", effective="2026-01-01"))
    assert house.at(OCTOBER).label == "house@1"


def test_the_first_pack_says_itself_how_far_back_it_counts(house: House) -> None:
    house.loads(NOON, pack("1", effective="2026-10-02"))
    assert house.at(OCTOBER).label == ""
    assert house.notes(OCTOBER) == [
        "house@1 is effective from 2026-10-02: it settles no cycle that began before"
    ]
    assert house.at(OCTOBER + DAY).label == "house@1"


def test_a_pack_that_is_added_later_says_nothing_of_what_was_before(house: House) -> None:
    house.loads(OCTOBER, pack("1"))
    house.loads(NOON, pack("1"), pack("1", name="other"))
    assert house.at(OCTOBER).label == "house@1"
    assert house.at(NOON).label == "house@1+other@1"
    assert house.notes(OCTOBER) == [
        "other@1 came into force on 2026-11-22 12:00:00 UTC: it settles no cycle that began before"
    ]


def test_a_pack_that_is_withdrawn_settles_what_began_before(house: House) -> None:
    house.loads(OCTOBER, pack("1"), pack("1", name="other"))
    (gone,) = house.loads(OCTOBER + DAY, pack("1"))
    assert (gone.ref, gone.body["withdrawn"]) == ("other@1", True)
    assert house.loads(OCTOBER + DAY, pack("1")) == []
    assert house.at(OCTOBER).label == "house@1+other@1"
    assert house.at(OCTOBER + DAY).label == "house@1"
    house.loads(OCTOBER + 2 * DAY, pack("1"), pack("1", name="other"))
    assert house.at(OCTOBER + 2 * DAY).label == "house@1+other@1"


def test_going_back_to_an_old_revision_is_a_change_like_any_other(house: House) -> None:
    for at, revision in enumerate("121"):
        house.loads(OCTOBER + at * DAY, pack(revision))
    assert [house.at(OCTOBER + at * DAY).label for at in range(3)] == ["house@1", "house@2", "house@1"]


def test_the_same_revision_with_another_text_is_refused_whenever_it_was_in_force(house: House) -> None:
    house.loads(OCTOBER, pack("1"))
    house.loads(OCTOBER + DAY, pack("2"))
    links = house.ledger.prove().links
    with pytest.raises(BadInput) as caught:
        house.loads(NOON, pack("1", 20))
    assert str(caught.value) == (
        "house@1: house@1 is on record with another text since 2026-10-01 00:00:00 UTC: "
        "a changed pack needs a new revision"
    )
    assert house.ledger.prove().links == links
    changed = loads([("x", pack("1", 20))], ())
    with pytest.raises(BadInput, match=r"etc/house\.toml:3: house@1 is on record with another text"):
        history.news(house.ledger, changed, NOON, [Path("etc/house.toml")])


def test_where_a_rule_went_from_one_pack_to_another_the_later_one_stands(house: House) -> None:
    house.loads(OCTOBER, pack("1", rule="calls"))
    house.loads(OCTOBER + DAY, pack("2", effective="2026-12-01"), pack("1", 20, "other", rule="calls"))
    (rule,) = house.at(OCTOBER + DAY).rules
    assert (rule.spec.policy, rule.spec.critical.at) == ("other@1", 20)


def test_a_pack_that_changes_leaves_the_rows_of_an_old_cycle_as_they_were(house: House) -> None:
    ledger = house.ledger
    ledger.put_accounts([ACME])
    ledger.absorb([Call(str(n), start=OCTOBER + n).cdr(0) for n in range(15)])
    house.loads(OCTOBER, pack("1"))
    before = settlement(ledger, history.revisions(ledger), "2026-10", NOON)
    house.loads(NOON, pack("2", 20), pack("1", name="other"))
    after = settlement(ledger, history.revisions(ledger), "2026-10", NOON)
    assert [(row.rule.spec.policy, row.settled) for row in after.rows] == [
        (row.rule.spec.policy, row.settled) for row in before.rows
    ]
    assert [row.settled.breached for row in after.rows] == [True]


def test_accounts_of_before_the_journal_are_put_on_record_once(house: House) -> None:
    house.ledger.put_accounts([ACME])
    assert history.unrecorded(house.ledger, NOON) == []
    old = Account("old", "old-inc")
    house.ledger._books.register([old])      # as a ledger of the first release has it
    (entry,) = history.unrecorded(house.ledger, NOON)
    house.ledger.put([entry])
    assert history.unrecorded(house.ledger, NOON) == []
    assert history.past(house.ledger).account("old", OCTOBER) == old


TRUNK = replace(ACME, type=AccountType.TRUNK, channels=4)


def test_an_account_is_what_it_was() -> None:
    past = Past([(OCTOBER, ACME), (OCTOBER + DAY, TRUNK), (OCTOBER + 2 * DAY, ACME)])
    moments = (0, OCTOBER + DAY, OCTOBER + DAY + 1, OCTOBER + 2 * DAY, NOON)
    assert [past.account("acme", at) for at in moments] == [ACME, ACME, TRUNK, TRUNK, ACME]
    assert past.account("other", NOON) is None


def test_what_was_registered_after_the_first_day_was_not_there_before() -> None:
    late = replace(ACME, id="late")
    past = Past([(OCTOBER, ACME), (OCTOBER + DAY + 1, late)])
    assert past.account("late", OCTOBER + DAY + 1) is None
    assert past.account("late", OCTOBER + DAY + 2) == late


def test_a_customer_has_the_calendar_of_its_first_account_of_the_time() -> None:
    first = replace(ACME, id="aaa", anchor_day=15)
    past = Past([(OCTOBER, ACME), (OCTOBER + 5 * DAY, first)])
    span = past.customer_calendars("acme-inc").named("2026-10")
    assert span is not None
    assert (span.start, span.end) == (OCTOBER, BillingCycle(15).named("2026-11").start)
    assert past.customer_calendars("nobody").named("2026-10") == BillingCycle().named("2026-10")


def test_an_account_that_called_before_it_was_registered_had_the_calendar_of_anybody() -> None:
    late = replace(ACME, id="late", anchor_day=15)
    entered = [(OCTOBER, ACME), (OCTOBER + 10 * DAY, late)]
    quiet = Past(entered).calendars("late")
    loud = Past(entered, lambda _account, _at: True).calendars("late")
    assert quiet.named("2026-10") == BillingCycle(15).named("2026-10")
    assert loud.named("2026-09") == BillingCycle().named("2026-09")
    assert loud.named("2026-11") == BillingCycle(15).named("2026-11")


def test_an_account_that_goes_elsewhere_and_back_leaves_its_trace() -> None:
    past = Past([(OCTOBER, ACME), (NOON, replace(ACME, customer="other")), (NOON + DAY, ACME)])
    assert past.left("acme-inc")
    assert past.left("other")
    assert past.of_customer("acme", "other", NOON + 2 * DAY).customer == "other"
    assert past.accounts_of("other") == ["acme"]
    assert past.customers == ["acme-inc", "other"]


def test_a_calendar_counts_from_the_end_of_the_cycle_in_which_it_was_entered() -> None:
    calendars = Calendars([(0, BillingCycle(1)), (OCTOBER + 19 * DAY, BillingCycle(15))])
    assert calendars.named("2026-09") == BillingCycle(1).named("2026-09")
    october = calendars.named("2026-10")
    assert october is not None
    assert (october.start, october.end) == (OCTOBER, BillingCycle(15).named("2026-11").start)
    assert calendars.named("2026-11") == BillingCycle(15).named("2026-11")
    with pytest.raises(ValueError, match="unconverted data"):
        calendars.named("2026-13")


def test_a_calendar_that_is_put_right_at_once_changes_nothing() -> None:
    calendars = Calendars([
        (0, BillingCycle(1)), (OCTOBER + DAY, BillingCycle(15)), (OCTOBER + 2 * DAY, BillingCycle(1)),
    ])
    for label in ("2026-09", "2026-10", "2026-11"):
        assert calendars.named(label) == BillingCycle(1).named(label)


def test_a_change_across_the_date_line_may_leave_no_cycle_of_a_name() -> None:
    # From the 31st of December on, the new calendar's January begins after the old one's is over.
    january = BillingCycle(31, "Pacific/Pago_Pago").named("2026-12")
    calendars = Calendars([
        (0, BillingCycle(31, "Pacific/Pago_Pago")), (january.start, BillingCycle(1, "Pacific/Kiritimati")),
    ])
    assert calendars.named("2027-01") is None
    following = calendars.named("2027-02")
    assert following is not None
    assert following.start == january.end
