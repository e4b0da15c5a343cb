"""Which mode applies, who said so, and until when."""

from __future__ import annotations

import itertools

import pytest

from enforcer.domain.mode import CEILING, Mode, Modes, ModeSetting
from tests.support.rules import NOON

# The most specific first: account and rule, account, rule, switch, default.
LADDER = [
    ModeSetting(Mode.OFF, account="acme", rule="asr", switch="pbx1", at=1),
    ModeSetting(Mode.TAG, account="acme", rule="asr", at=1),
    ModeSetting(Mode.BLOCK, account="acme", switch="pbx1", at=1),
    ModeSetting(Mode.THROTTLE, account="acme", at=1),
    ModeSetting(Mode.MONITOR, rule="asr", switch="pbx1", at=1),
    ModeSetting(Mode.BLOCK, rule="asr", at=1),
    ModeSetting(Mode.TAG, switch="pbx1", at=1),
    ModeSetting(Mode.THROTTLE, at=1),
]


@pytest.mark.parametrize("first", range(len(LADDER)))
def test_the_most_specific_setting_decides(first: int) -> None:
    modes = Modes(reversed(LADDER[first:]))
    assert modes.resolve("acme", "asr", "pbx1", NOON) is LADDER[first]


def test_a_setting_for_somebody_else_does_not_apply() -> None:
    modes = Modes(LADDER[:-1], default=Mode.MONITOR)
    assert modes.resolve("globex", "cps", "pbx2", NOON).mode is Mode.MONITOR
    assert modes.resolve("globex", "cps", "pbx2", NOON).why == "configuration"


@pytest.mark.parametrize(("chosen", "ceiling"), list(itertools.product(Mode, Mode)))
def test_the_site_ceiling_is_never_exceeded(chosen: Mode, ceiling: Mode) -> None:
    modes = Modes([ModeSetting(chosen, account="acme", rule="asr"), ModeSetting(ceiling, ceiling=True)])
    found = modes.resolve("acme", "asr", "pbx1", NOON)
    assert found.mode is min(chosen, ceiling)
    assert found.ceiling is (ceiling < chosen)
    told = modes.ceiling(NOON)
    assert told is not None
    assert told.mode is ceiling


def test_a_ceiling_is_the_sites_whatever_else_it_names() -> None:
    modes = Modes([ModeSetting(Mode.TAG, ceiling=True, account="acme")], default=Mode.BLOCK)
    assert modes.resolve("globex", "asr", "pbx1", NOON).mode is Mode.TAG


def test_a_later_setting_replaces_an_older_one_in_whatever_order_they_come() -> None:
    older, later = ModeSetting(Mode.BLOCK, account="acme", at=1), ModeSetting(Mode.TAG, account="acme", at=2)
    for order in ([older, later], [later, older]):
        modes = Modes(order)
        assert modes.resolve("acme", "asr", "pbx1", NOON) is later
        assert modes.settings(NOON) == [later]


def test_a_setting_made_between_two_calls_is_in_force_from_the_second_on() -> None:
    modes = Modes(default=Mode.MONITOR)
    assert modes.resolve("acme", "asr", "pbx1", NOON).mode is Mode.MONITOR
    modes.put(ModeSetting(Mode.BLOCK, account="acme", at=NOON))
    assert modes.resolve("acme", "asr", "pbx1", NOON).mode is Mode.BLOCK


@pytest.mark.parametrize(("at", "mode"), [
    (NOON, Mode.MONITOR), (NOON + 99.999, Mode.MONITOR), (NOON + 100, Mode.TAG), (NOON + 1e6, Mode.TAG),
])
def test_a_temporary_setting_ends_by_itself_and_the_one_before_is_back(at: float, mode: Mode) -> None:
    standing = ModeSetting(Mode.TAG, ceiling=True, at=1)
    panic = ModeSetting(Mode.MONITOR, ceiling=True, at=2, until=NOON + 100)
    modes = Modes([standing, panic], default=Mode.BLOCK)
    assert modes.resolve("acme", "asr", "pbx1", NOON).mode is Mode.MONITOR
    assert modes.resolve("acme", "asr", "pbx1", at).mode is mode
    assert [setting.mode for setting in modes.settings(at)] == [mode]


def test_a_lasting_setting_ends_the_temporary_one_before_it() -> None:
    modes = Modes([
        ModeSetting(Mode.MONITOR, account="acme", at=2, until=NOON + 100),
        ModeSetting(Mode.BLOCK, account="acme", at=3),
    ])
    assert modes.resolve("acme", "asr", "pbx1", NOON).mode is Mode.BLOCK


def test_a_call_whose_clock_lags_meets_the_mode_of_its_own_time() -> None:
    modes = Modes([ModeSetting(Mode.TAG, at=1, until=NOON)], default=Mode.BLOCK)
    assert modes.resolve("acme", "asr", "pbx1", NOON).mode is Mode.BLOCK
    assert modes.resolve("acme", "asr", "pbx1", NOON - 0.5).mode is Mode.TAG


def test_settings_are_listed_the_broadest_first_with_their_subject() -> None:
    modes = Modes([*LADDER, ModeSetting(Mode.TAG, ceiling=True)])
    assert [setting.subject for setting in modes.settings(NOON)] == [
        "site ceiling", "default", "switch pbx1", "rule asr", "rule asr, switch pbx1", "account acme",
        "account acme, switch pbx1", "account acme, rule asr", "account acme, rule asr, switch pbx1",
    ]


def test_modes_are_read_as_people_write_them() -> None:
    assert [Mode.of(word) for word in ("off", "Monitor", "TAG", "throttle", "block")] == list(Mode)
    assert [mode.word for mode in CEILING] == ["off", "monitor", "tag", "throttle", "block"]
    with pytest.raises(ValueError, match="'blok'"):
        Mode.of("blok")
