"""The week of the campaign, a small one: all happens that happens in the large one, and nothing grows."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from tests.campaigns import week
from tests.campaigns.week import Week


def test_a_week_ends_with_a_pruned_ledger_that_can_be_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(week, "STEP", 1800.0)
    one = Week(tmp_path, calls=2800, accounts=24, seed=3)
    first = weakref.ref(one.house.ledger)
    quarters = one.run(say=False)
    one.close()
    gc.collect()
    assert first() is None                  # nothing holds on to what ran before a restart
    assert one.wrong == []
    half, end = quarters[1], quarters[3]
    assert one.cycles > 100
    assert one.imported > 0
    assert one.notices > 0
    assert end.rows["decision"] <= 1.5 * half.rows["decision"] < 1200
    assert end.rows["call"] <= 1.5 * half.rows["call"] < 2000
    assert end.rows["lived"] <= 12
    assert end.file <= 1.5 * half.file
