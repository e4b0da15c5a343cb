"""The week of the campaign, a small one: all happens that happens in the large one, and nothing grows."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from tests.campaigns import week
from tests.campaigns.week import Week
from tests.support.memory import held


def test_a_week_ends_with_a_pruned_ledger_that_can_be_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(week, "STEP", 1800.0)
    one = Week(tmp_path, calls=2800, accounts=24, seed=3)
    first = weakref.ref(one.house.ledger)
    stands = one.run(say=False)
    one.close()
    gc.collect()
    assert first() is None                  # nothing holds on to what ran before a restart
    assert one.wrong == []
    half, end = stands[1], stands[3]
    assert one.cycles > 100
    assert one.imported > 0
    assert one.notices > 0
    assert end.rows["decision"] <= 1.5 * half.rows["decision"] < 1200
    assert end.rows["call"] <= 1.5 * half.rows["call"] < 2000
    assert end.rows["lived"] <= 12
    assert end.file <= 1.5 * half.file


def stand(live: float, resident: float, file: float = 10.0) -> week.Stand:
    return week.Stand(0, 0, resident, 10.0, live, file, {}, 0.0)


@pytest.mark.parametrize(("stands", "what"), [
    ([(80, 100), (80, 100), (80, 120), (80, 120)], ""),             # a start left holes in the heap
    ([(70, 90), (80, 100), (81, 102), (83, 103)], ""),
    ([(80, 100), (80, 100), (80, 100), (80, 120)], "resident memory grew from 90.0 to 110.0 MB"),
    ([(80, 100), (80, 100), (83, 103), (86, 106)], "what is in use grew from 70.0 to 76.0 MB"),
])
def test_a_step_is_no_growth_and_growth_is_found(stands: list[tuple[float, float]], what: str) -> None:
    found = week.grown([stand(*one) for one in stands])
    assert [one.split(",")[0] for one in found] == ([what] if what else [])


def test_what_is_kept_of_each_call_is_found_in_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(week, "STEP", 1800.0)
    before = held().live                    # of all the tests that ran here
    one = Week(tmp_path, calls=1200, accounts=24, seed=3, leak=20_000)
    stands = [stand._replace(live=stand.live - before) for stand in one.run(say=False)]
    one.close()
    assert any("what is in use grew" in said for said in week.grown(stands))
