"""What is old goes, what is needed stays, and the chain proves that nothing else went."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enforcer.domain.account import Account
from enforcer.domain.chain import Fault, Head, What, seal
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.domain.retention import MOST_LIVED, Moment, Terms, checkpoints, held, lived, old_enough
from enforcer.ledger import prunable, pruning
from enforcer.ledger.prunable import Needed
from tests.support.ledgers import DAY, POLICY, Call, talked, tell
from tests.support.pruning import Shop, decision
from tests.support.rules import NOON

WEEK = Terms(7 * DAY, 0)
CALLS = Terms(7 * DAY, 40 * DAY)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    shop.live(0.001)
    yield shop
    shop.close()


def busy(shop: Shop, days: int) -> None:
    """Two decisions a day of each of two accounts, and a mode every third day."""
    for _ in range(days):
        day = round(shop.clock.now // DAY)
        for nth, account in enumerate(("acme", "solo", "acme", "solo")):
            shop.ledger.keep(decision(f"abc123-{4 * day + nth:x}", shop.clock.now + nth, account))
        if day % 3 == 0:
            shop.ledger.flush()
            shop.ledger.put_mode(ModeSetting(Mode.TAG, account="acme", at=shop.clock.now, who="bob"))
        shop.live(1)


def fault(shop: Shop, noted: Head | None = None) -> Fault:
    found = shop.ledger.prove(noted).fault
    assert found is not None
    return found


def test_old_decisions_go_and_the_chain_is_sound_as_before(shop: Shop) -> None:
    busy(shop, 20)
    modes, links = shop.ledger.modes(), shop.ledger.head().link
    outcome = shop.prune(WEEK)
    assert (outcome.decisions, len(shop.ids())) == (4 * 13, 4 * 7)
    assert all(one.at >= shop.clock.now - 7 * DAY for one in shop.ledger.decisions(limit=99))
    proof = shop.ledger.prove()
    assert (proof.broken, proof.pruned, proof.links) == ("", 52, links + 1)
    assert shop.ledger.modes() == modes
    assert shop.ledger.contradictions() == []


def test_pruning_again_and_again_leaves_what_pruning_once_leaves(shop: Shop) -> None:
    for _ in range(10):
        busy(shop, 2)
        shop.prune(WEEK)
    assert len(shop.ids()) == 4 * 7
    assert shop.prune(WEEK).decisions == 0
    assert shop.ledger.prove().broken == ""


def test_what_was_pruned_and_when_is_on_record(shop: Shop) -> None:
    busy(shop, 9)
    gone = shop.ids()[0]
    shop.prune(WEEK)
    (told,) = checkpoints(shop.ledger.journal({Kind.PRUNE}))
    assert (told.at, told.decisions, told.decisions_before) == (
        shop.clock.now, 8, shop.clock.now - 7 * DAY,
    )
    assert gone not in shop.ids()
    assert told.names(gone)
    assert not any(told.names(name) for name in (*shop.ids(), "abc124-1", "acme", "abc123-x"))


def test_a_clock_that_jumps_ahead_prunes_nothing_young(shop: Shop) -> None:
    busy(shop, 5)
    before = shop.ids()
    shop.clock.now += 400 * DAY         # and everything is more than a year old, it says
    shop.live(1)
    assert shop.prune(WEEK).decisions == 0
    busy(shop, 1)
    assert set(before) < set(shop.ids())
    shop.live(7)                        # a day for the jump, and a week that was lived
    assert shop.prune(WEEK).decisions == len(before) + 4


def test_a_clock_that_jumps_to_and_fro_makes_nothing_older_than_it_is_by_more_than_a_day_a_jump(
    shop: Shop
) -> None:
    busy(shop, 1)
    for _ in range(3):
        shop.clock.now += 100 * DAY
        shop.live(0.01)
        shop.clock.now -= 100 * DAY
        shop.live(0.01)
    assert shop.prune(WEEK).decisions == 0
    assert shop.prune(WEEK, trusting=True).decisions == 0


def test_people_may_trust_the_clock(shop: Shop) -> None:
    busy(shop, 2)
    shop.clock.now += 30 * DAY
    assert shop.prune(WEEK).decisions == 0
    assert shop.prune(WEEK, trusting=True).decisions == 8


def test_whoever_is_held_keeps_every_decision_until_the_hold_is_lifted(shop: Shop) -> None:
    busy(shop, 10)
    assert shop.prune(WEEK, Needed(accounts=frozenset({"acme"}))).decisions == 2 * 3
    assert sum(one.account == "acme" for one in shop.ledger.decisions(limit=99)) == 20
    assert shop.ledger.prove().broken == ""
    assert shop.prune(WEEK).decisions == 2 * 3
    proof = shop.ledger.prove()
    assert (proof.broken, proof.pruned) == ("", 12)


def test_holds_are_what_the_journal_says_last() -> None:
    def hold(account: str, on: bool) -> JournalEntry:
        return JournalEntry(Kind.HOLD, NOON, account or "big", "big", account, {"held": on})

    assert list(held([hold("acme", True), hold("", True), hold("acme", False)])) == [("big", "")]


def test_a_round_that_ended_in_the_middle_leaves_a_sound_chain_and_the_next_goes_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BITE", 5)
    busy(shop, 20)

    class Killed(Exception):
        pass

    def killed(_seconds: float) -> None:
        raise Killed

    shop.pause = killed
    with pytest.raises(Killed):
        shop.prune(WEEK)
    assert len(shop.ids()) == 75
    assert shop.ledger.prove().broken == ""
    shop.pause = lambda _: None
    shop.prune(WEEK)
    assert len(shop.ids()) == 4 * 7
    assert len(checkpoints(shop.ledger.journal({Kind.PRUNE}))) == 1


def test_many_decisions_go_by_several_checkpoints(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prunable, "MOST_AT_ONCE", 20)
    busy(shop, 20)
    assert shop.prune(WEEK).decisions == 52
    assert len(checkpoints(shop.ledger.journal({Kind.PRUNE}))) == 3
    assert shop.ledger.prove().broken == ""


def test_a_decision_that_somebody_removed_is_missed_before_and_after_pruning(shop: Shop) -> None:
    busy(shop, 20)
    young, old = shop.ids()[-1], shop.ids()[0]
    shop.edit(f"DELETE FROM decision WHERE decision_id = '{young}'")
    assert fault(shop).what is What.MISSING
    shop.edit(f"DELETE FROM decision WHERE decision_id = '{old}'")
    shop.prune(WEEK)
    assert fault(shop).what is What.MISSING


@pytest.mark.parametrize("statement", [
    "UPDATE pruned SET last = last + 1 WHERE last = (SELECT MAX(last) FROM pruned)",
    "UPDATE pruned SET seal = 'x' || seal WHERE first = (SELECT MIN(first) FROM pruned)",
    "UPDATE pruned SET before = 'x' || before WHERE first = (SELECT MAX(first) FROM pruned)",
    "UPDATE pruned SET checkpoint = 3",
    "DELETE FROM pruned WHERE first = (SELECT MAX(first) FROM pruned)",
    "DELETE FROM journal WHERE kind = 'prune'",
    "UPDATE journal SET body = replace(body, '\"decisions\":52', '\"decisions\":51') WHERE kind = 'prune'",
])
def test_whoever_edits_what_was_pruned_is_found_out(shop: Shop, statement: str) -> None:
    busy(shop, 20)
    shop.prune(WEEK)
    assert shop.ledger.prove().broken == ""
    shop.edit(statement)
    fault(shop)


def test_whoever_removes_a_decision_and_says_that_it_was_pruned_is_found_out(shop: Shop) -> None:
    busy(shop, 20)
    shop.prune(WEEK)
    links = [link for link in shop.ledger.chain() if isinstance(link, tuple) and link.number > 60]
    one, two = links[3], links[4]
    (told,) = checkpoints(shop.ledger.journal({Kind.PRUNE}))
    for checkpoint in (told.link, 0, 10_000):
        shop.edit(
            "INSERT INTO pruned (first, last, before, seal, checkpoint) "
            f"VALUES ({two.number}, {two.number}, '{one.seal}', '{two.seal}', {checkpoint})",
        )
        assert fault(shop).what is What.MISSING
        shop.edit(f"DELETE FROM pruned WHERE first = {two.number}")


def test_an_entry_between_two_cuts_cannot_be_altered_with_its_seal(shop: Shop) -> None:
    busy(shop, 20)
    shop.prune(WEEK)
    entry = next(shop.ledger.journal({Kind.MODE}))
    altered = entry._replace(body={**entry.body, "who": "eve"})
    (before,) = [
        one.seal for one in shop.ledger.chain() if getattr(one, "last", one.number) == entry.link - 1
    ]
    shop.edit(
        f"UPDATE journal SET body = '{altered.text}', seal = '{seal(before, *altered.parts)}' "
        f"WHERE link = {entry.link}"
    )
    assert fault(shop).link == entry.link


def test_an_end_of_the_chain_that_was_told_can_be_proved_for_good(shop: Shop) -> None:
    busy(shop, 2)
    shop.ledger.keep(decision("abc123-77", shop.clock.now))
    shop.ledger.flush()
    told, untold = shop.ledger.tell(), Head(2, "f" * 64)
    busy(shop, 18)
    shop.prune(WEEK)
    assert told.link in {getattr(one, "last", 0) for one in shop.ledger.chain()}
    assert shop.ledger.prove(told).broken == ""
    other = fault(shop, told._replace(seal="f" * 64))
    assert "had another seal when it was noted" in other.words
    assert "was pruned since it was noted" in fault(shop, untold).words


def test_calls_go_unless_somebody_needs_them_and_counters_still_agree(shop: Shop) -> None:
    ledger = shop.ledger
    ledger.put_accounts([Account("acme", "big"), Account("solo", "small")])
    ledger.use(POLICY)
    for day in range(100):
        for account in ("acme", "solo", "stray", ""):
            tell(ledger, *talked(Call(f"{account}-{day}", account, start=shop.clock.now), 60))
        shop.live(1)
    needed = Needed(calling=frozenset({"small"}), callers=frozenset({"solo"}))
    outcome = shop.prune(CALLS, needed)
    assert outcome.calls == 3 * 60
    left = {account: sum(1 for _ in ledger.calls(account)) for account in ("acme", "solo", "stray")}
    assert left == {"acme": 40, "solo": 100, "stray": 40}
    assert ledger.pruned_before("big") == shop.clock.now - 40 * DAY
    assert ledger.pruned_before("small") == float("-inf")
    ledger.use(POLICY)
    assert ledger.verify() == []
    since = shop.clock.now - 50 * DAY
    assert shop.prune(CALLS, Needed(calls_since=since)).calls == 50


def test_a_call_in_progress_is_never_pruned(shop: Shop) -> None:
    tell(shop.ledger, Call("long", "acme", start=shop.clock.now).started())
    tell(shop.ledger, *talked(Call("short", "acme", start=shop.clock.now), 60))
    shop.live(90)
    assert shop.prune(CALLS).calls == 1
    assert [record.call_id for record in shop.ledger.calls()] == ["pbx1/long"]


def test_calls_imported_today_are_not_old_today(shop: Shop) -> None:
    shop.live(60)
    shop.ledger.absorb([Call("1", "acme", start=NOON - 300 * DAY).cdr(30)])
    assert shop.prune(CALLS).calls == 0
    shop.live(41)
    assert shop.prune(CALLS).calls == 1


def test_what_would_go_is_what_goes(shop: Shop) -> None:
    busy(shop, 10)
    for nth in range(3):
        tell(shop.ledger, *talked(Call(f"{nth}", "acme", start=shop.clock.now), 60))
    shop.live(60)
    with shop.pruner() as pruner:
        planned = pruner.plan(CALLS, Needed())
    assert planned == shop.prune(CALLS)
    assert (planned.decisions, planned.calls) == (40, 3)


def test_moments_are_kept_as_long_as_they_are_wanted(shop: Shop) -> None:
    shop.live(60, keep=10 * DAY)
    with shop.pruner() as pruner:
        assert pruner.lived() == 10 * DAY


def test_time_that_was_lived() -> None:
    one = lived(None, 100.0, 1, 1)
    two = lived(one, 160.0, 2, 2)
    jumped = lived(two, 160.0 + 1e9, 3, 3)
    back = lived(jumped, 200.0, 4, 4)
    assert [m.seconds for m in (one, two, jumped, back)] == [0.0, 60.0, 60.0 + MOST_LIVED, 60.0 + MOST_LIVED]
    moments = [one, two, jumped, back]
    assert old_enough(moments, MOST_LIVED) == two
    assert old_enough(moments, MOST_LIVED + 60) == one
    assert old_enough(moments, MOST_LIVED + 61) is None
    assert old_enough(moments, 0) is None
    assert old_enough([], 60) is None
    assert old_enough([Moment(0, 0, 0, 0)], 1) is None
