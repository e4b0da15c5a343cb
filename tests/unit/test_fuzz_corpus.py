"""The kept corpus of hostile inputs, and some new ones: what is read there is read as it was promised."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from tests.fuzz.corpus import KEPT, kept
from tests.fuzz.mutate import LONGEST, inputs
from tests.fuzz.targets import ALL

NEW = 40        # of each target; `python -m tests.fuzz` runs as many as one likes


@pytest.mark.parametrize("name", ALL)
def test_kept_and_new_inputs_break_no_promise(name: str) -> None:
    target = ALL[name]
    seeds = [*target.seeds(), *kept(name)]
    for data in seeds:
        target.run(data)
    for data in islice(inputs(seeds, target.words, random.Random(name)), NEW):
        target.run(data)


def test_every_target_has_its_corpus_and_no_corpus_is_without_its_target() -> None:
    assert {path.stem for path in KEPT.glob("*.txt")} == set(ALL)
    assert all(kept(name) for name in ALL)


def test_mutations_are_the_same_each_time_and_never_too_long() -> None:
    seeds = [b"agi_arg_1: acme\n\n", b"x" * LONGEST]
    first, second = (list(islice(inputs(seeds, (b"\n",), random.Random(7)), 200)) for _ in range(2))
    assert first == second
    assert max(map(len, first)) == LONGEST
    assert len(set(first)) > 150
