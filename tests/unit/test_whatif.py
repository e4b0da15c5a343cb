"""What a mode would have done: the arithmetic, against what `decide` itself says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from enforcer.control.whatif import candidates, outcome, whatif
from enforcer.domain.decision import Decision, Finding, Level, Verdict
from enforcer.domain.mode import CEILING, Mode, Modes, ModeSetting

NOW = 1_795_500_000.0


def finding(rule: str, verdict: Verdict) -> Finding:
    return Finding(rule, "clause", Level.CRITICAL, verdict, Verdict.ALLOW, "monitor", "calls", "9", "4")


def decision(
    name: int, *findings: Finding, account: str = "acme", switch: str = "pbx1", exempt: str = ""
) -> Decision:
    return Decision(
        f"d-{name}", NOW - 60, f"pbx1/{name}", switch, account, "2125550123", "outbound", Verdict.ALLOW,
        max((one.verdict for one in findings), default=Verdict.ALLOW), findings=findings, exempt=exempt,
    )


def place(**more: object) -> ModeSetting:
    return ModeSetting(Mode.MONITOR, **more)     # type: ignore[arg-type]


def numbers(
    some: list[Decision], settings: list[ModeSetting], where: ModeSetting
) -> dict[str, tuple[int, int, int]]:
    stands, effects = whatif(some, settings, Mode.MONITOR, candidates(where, NOW), NOW)
    return {
        one.label: (one.verdicts[Verdict.BLOCK], one.verdicts[Verdict.THROTTLE], one.verdicts[Verdict.TAG])
        for one in (stands, *effects)
    }


CALLS = [
    decision(1), decision(2, finding("a", Verdict.TAG)), decision(3, finding("b", Verdict.THROTTLE)),
    decision(4, finding("a", Verdict.BLOCK), finding("b", Verdict.TAG)),
    decision(5, finding("a", Verdict.BLOCK), exempt="emergency call"),
]


def test_each_mode_caps_what_rules_asked_for() -> None:
    assert numbers(CALLS, [], place(account="acme")) == {
        "now": (0, 0, 0), "monitor": (0, 0, 0), "tag": (0, 0, 3), "throttle": (0, 2, 1), "block": (1, 1, 1),
    }


def test_rule_with_a_mode_of_its_own_is_not_moved_by_its_accounts_mode() -> None:
    settings = [ModeSetting(Mode.TAG, "acme", "a", at=1.0)]
    assert numbers(CALLS, settings, place(account="acme"))["block"] == (0, 1, 2)


def test_ceiling_holds_whatever_is_set_below_it() -> None:
    settings = [ModeSetting(Mode.TAG, ceiling=True, at=1.0)]
    assert numbers(CALLS, settings, place(account="acme"))["block"] == (0, 0, 3)
    assert numbers(CALLS, [ModeSetting(Mode.BLOCK, at=1.0)], place(ceiling=True))["monitor"] == (0, 0, 0)


def test_other_accounts_and_switches_are_left_out() -> None:
    some = [*CALLS, decision(6, finding("a", Verdict.BLOCK), account="globex"),
            decision(7, finding("a", Verdict.BLOCK), switch="pbx2")]
    assert numbers(some, [], place(account="globex"))["block"] == (1, 0, 0)
    assert numbers(some, [], place(switch="pbx2"))["block"] == (1, 0, 0)
    assert numbers(some, [], place())["block"] == (3, 1, 1)


def test_people_who_suspended_an_account_are_bound_by_the_ceiling_only() -> None:
    some = [decision(1, finding("standing", Verdict.BLOCK))]
    assert numbers(some, [], place(account="acme"))["monitor"] == (1, 0, 0)
    assert numbers(some, [], place(ceiling=True))["monitor"] == (0, 0, 0)


def test_calls_that_would_fare_otherwise_are_told_by_name_the_latest_first() -> None:
    some = [decision(n, finding("a", Verdict.BLOCK)) for n in range(80)]
    _, effects = whatif(some, [], Mode.MONITOR, candidates(place(account="acme"), NOW), NOW)
    facts = effects[-1].facts("UTC")
    assert (facts["harder"], facts["softer"], facts["refused"], facts["accounts"]) == (80, 0, 80, 1)
    assert [one["call"] for one in facts["calls"][:2]] == ["pbx1/79", "pbx1/78"]
    assert len(facts["calls"]) == 50
    assert facts["rules"] == [{"rule": "a", "calls": 80}]


VERDICTS = st.sampled_from([Verdict.TAG, Verdict.THROTTLE, Verdict.BLOCK])
SETTINGS = st.lists(st.builds(
    ModeSetting, st.sampled_from(Mode), st.sampled_from(["", "acme"]), st.sampled_from(["", "a", "b"]),
    st.sampled_from(["", "pbx1"]), st.booleans(), at=st.floats(0, NOW),
), max_size=6)


@given(st.lists(st.tuples(st.sampled_from("ab"), VERDICTS), max_size=4), SETTINGS)
def test_no_mode_gives_more_than_block_or_less_than_its_weaker_neighbour(
    found: list[tuple[str, Verdict]], settings: list[ModeSetting]
) -> None:
    one = decision(1, *(finding(rule, verdict) for rule, verdict in found))
    verdicts = [
        outcome(one, Modes([*settings, setting], Mode.MONITOR), NOW)[0]
        for setting in candidates(place(account="acme"), NOW)
    ]
    assert verdicts == sorted(verdicts)
    assert max(verdicts) <= one.would_be
    ceiling = Modes(settings).ceiling(NOW)
    if ceiling is not None:
        assert max(verdicts) <= CEILING[ceiling.mode]
