"""Gaps that nothing fills do not become ever more: neighbours are put together, and nothing is forgotten."""

from __future__ import annotations

from enforcer.domain.gap import MOST_ACCOUNTS, NO_NAME, SEVERAL, Ended, Gap, Room
from enforcer.domain.open_gaps import MOST_OPEN, Gaps
from tests.support.rules import NOON


def gap(since: float, seconds: float = 10.0, unseen: int | None = 1, **more: object) -> Gap:
    return Gap("pbx1", NOON + since, NOON + since + seconds, "connection lost", unseen, **more)  # type: ignore[arg-type]


def taken(*gaps: Gap, most: int = MOST_OPEN) -> Gaps:
    found = Gaps(most)
    for one in gaps:
        found.take(one.opened(one.until))
    return found


def test_a_link_lost_for_ever_and_ever_leaves_as_many_gaps_as_are_allowed() -> None:
    gaps = taken(*(gap(number * 60, ended={f"a{number}": Ended(1, 0, 500)}) for number in range(600)))
    assert len(gaps.open("pbx1")) == MOST_OPEN
    assert sum(one.parts for one in gaps.open()) == 600
    assert gaps.words("solo").startswith("6000 s of pbx1 unheard: up to 600 attempts, up to 600 answered")
    assert all(len(one.ended) <= MOST_ACCOUNTS + 1 for one in gaps.open())


def test_each_switch_has_its_own_gaps() -> None:
    gaps = taken(*(gap(number * 60)._replace(switch=f"pbx{number}") for number in range(6)), most=2)
    assert len(gaps.open()) == 6


def test_gap_put_together_allows_what_its_parts_did() -> None:
    first = gap(0, 10, 3, ended={"acme": Ended(1, 1, 700)})
    second = gap(60, 30, 2, ended={"acme": Ended(2, 0, 9)})
    both = first.with_next(second)
    assert (both.id, both.parts, both.seconds, both.at_once) == (
        f"pbx1@{NOON:.3f}..{NOON + 90:.3f}", 2, 40.0, 30.0)
    assert both.room("acme") == Room(5, 6, 5 * 30_000 + 709)
    assert first._replace(cause="restart").with_next(second).cause == SEVERAL


def test_unknown_count_stays_unknown_and_is_bounded_by_what_the_switch_can_hold() -> None:
    counted, unknown = gap(0, 10, 50, channels=10), gap(60, 30, None, channels=10)
    assert counted.with_next(unknown).room("acme") == Room(None, None, 50 * 40_000)
    assert counted.with_next(unknown._replace(channels=0)).room("acme") == Room(None, None, None)
    assert unknown.with_next(unknown).room("acme") == Room(None, None, 10 * 60_000)


def test_a_count_is_not_given_up_where_others_can_be_put_together() -> None:
    gaps = taken(*(gap(n * 60, unseen=n % 3 or None) for n in range(40)), most=20)
    assert any(one.parts > 1 and one.unseen is not None for one in gaps.open())
    assert all(one.parts == 1 or one.unseen is not None for one in gaps.open()[1:])


def test_the_newest_stay_as_they_are_and_can_still_be_counted_and_grow() -> None:
    gaps = taken(*(gap(number * 60, unseen=None) for number in range(10)), most=4)
    *_, last = gaps.open()
    gaps.take(last.counted(3, NOON))
    assert gaps.open()[-1].unseen == 3
    gaps.take(last._replace(until=last.until + 5, unseen=4).opened(NOON))
    assert (len(gaps.open()), gaps.open()[-1].until, gaps.open()[-1].unseen) == (4, last.until + 5, 4)


def test_what_fills_or_counts_a_part_changes_nothing_of_the_whole() -> None:
    parts = [gap(number * 60) for number in range(4)]
    gaps = taken(*parts, most=3)
    whole = gaps.open()[0]
    for entry in (parts[0].counted(0, NOON), parts[0].closed("CDRs", NOON), parts[1].closed("CDRs", NOON)):
        gaps.take(entry)
        assert gaps.open()[0] == whole
    gaps.take(whole.closed("CDRs", NOON))
    assert [one.parts for one in gaps.open()] == [1, 1]


def test_accounts_too_many_for_one_gap_are_anybodys() -> None:
    def many(which: str) -> dict[str, Ended]:
        return {f"{which}{number}": Ended(1, 0, 10) for number in range(MOST_ACCOUNTS)}

    both = gap(0, ended=many("a")).with_next(gap(60, ended=many("b")))
    assert both.ended[NO_NAME] == Ended(MOST_ACCOUNTS, 0, MOST_ACCOUNTS * 10)
    assert both.room("b7").msec == 2 * 10_000 + MOST_ACCOUNTS * 10
