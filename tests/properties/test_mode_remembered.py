"""A remembered mode never differs from one looked up afresh, whatever the order of time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.mode import Mode, Modes, ModeSetting

names = st.sampled_from(["", "a", "b"])
times = st.integers(0, 12).map(float)
settings = st.builds(
    ModeSetting, st.sampled_from(Mode), account=names, rule=names, switch=names, ceiling=st.booleans(),
    at=times, until=st.none() | times,
)
questions = st.tuples(st.sampled_from("ab"), st.sampled_from("ab"), st.sampled_from("ab"), times)


@given(st.lists(settings | questions, max_size=30))
def test_remembered_and_fresh_answers_are_the_same(
    steps: list[ModeSetting | tuple[str, str, str, float]]
) -> None:
    modes = Modes(default=Mode.TAG)
    made: list[ModeSetting] = []
    for step in steps:
        if isinstance(step, ModeSetting):
            made.append(step)
            modes.put(step)
        else:
            assert modes.resolve(*step) == Modes(made, default=Mode.TAG).resolve(*step)
            modes.settings(step[3])     # looking at them changes nothing


@given(st.lists(settings, max_size=10, unique_by=lambda s: (s.place, s.at)), st.data(), questions)
def test_the_order_in_which_settings_are_read_does_not_matter(
    made: list[ModeSetting], data: st.DataObject, question: tuple[str, str, str, float]
) -> None:
    shuffled = data.draw(st.permutations(made))
    assert Modes(shuffled).resolve(*question) == Modes(made).resolve(*question)


@given(st.lists(settings, max_size=10), questions)
def test_no_mode_is_above_the_ceiling_in_force(
    made: list[ModeSetting], question: tuple[str, str, str, float]
) -> None:
    modes = Modes(made, default=Mode.BLOCK)
    ceiling = modes.ceiling(question[3])
    assert ceiling is None or modes.resolve(*question).mode <= ceiling.mode
