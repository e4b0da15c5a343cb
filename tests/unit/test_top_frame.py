"""`enforcer top`: a frame fits its terminal whatever it shows, and shows what matters first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.control.top_frame import BAR, ORDERS, Look, frame

AT = 1_795_309_510.0
MINUTE = dict.fromkeys(("allow", "tag", "throttle", "block", "exempt"), 0)


def view(**more: Any) -> dict[str, Any]:
    return {
        "site": "lab", "at": "2026-11-22T01:05:10.000+00:00", "policy": "small@1", "mode": "monitor",
        "ceiling": None, "modes": [], "decisions_per_second": 2.5, "degraded": "", "faults": [],
        "decisions": [{"minute": 60 * n} | MINUTE | {"allow": n % 5, "block": n % 3} for n in range(60)],
        "switches": [{
            "switch": "pbx1", "kind": "asterisk", "connected": True, "level": True, "problem": "",
            "lag": 0.01, "clock_offset": 0.0, "live_calls": 12, "answers": 3, "connects": 1, "restarts": 0,
        }],
        "nearest": [near("zeta", used="1.2", level="critical"), near("acme"), near("bell", used="0.2")],
    } | more


def near(account: str, **more: Any) -> dict[str, Any]:
    return {
        "account": account, "customer": "big", "rule": "calls", "value": "7/2 = 3.5", "limit": "4",
        "used": "0.875", "level": "fine", "passed": "2026-11-23T10:00:00.000+00:00",
    } | more


def happening(kind: str, **facts: Any) -> dict[str, Any]:
    return {"number": 1, "kind": kind, "at": AT, "facts": facts}


BLOCKED = happening(
    "decision", verdict="allow", would_be="block", account="acme", number="2125550123", rule="calls",
    decision="d1-2f",
)


def shown(seen: dict[str, Any], *happened: dict[str, Any], **look: Any) -> str:
    return "\n".join(line.plain for line in frame(seen, happened, Look(**look)))


def test_a_frame_says_what_holds_who_is_near_and_what_happens() -> None:
    ceiling = {"mode": "tag", "who": "ann", "why": "drill", "until": "2026-11-22T02:00:00.000+00:00"}
    seen = shown(view(ceiling=ceiling, degraded="disk is full"), BLOCKED, keys="q quit")
    assert "enforcer lab  mode monitor  ceiling tag until 02:00:00" in seen
    assert "by ann: drill" in seen
    assert "! ledger: disk is full" in seen
    assert "12 live calls" in seen
    assert "zeta" in seen
    assert "120%" in seen
    assert "3.5 of 4      11-23 10:00" in seen
    assert "allow (block mode: block) acme -> 2125550123  calls  d1-2f" in seen
    assert seen.splitlines()[-1] == " q quit"


def test_accounts_stand_in_the_order_that_was_asked_for() -> None:
    def order(by: str) -> list[str]:
        lines = shown(view(), order=by).splitlines()
        return [line.split()[0] for line in lines if line.startswith(("zeta", "acme", "bell"))]

    assert order("nearest") == ["zeta", "acme", "bell"]
    assert order("account") == ["acme", "bell", "zeta"]


@pytest.mark.parametrize("used", ["-9999999999.75", "-0.5", "9999999999", "1e300"])
def test_no_share_is_wider_than_its_bar(used: str) -> None:
    """Whoever answers at the window of an enforcer may say anything."""
    seen = shown(view(nearest=[near("acme", used=used)]), width=200)
    (line,) = (line for line in seen.splitlines() if "acme" in line)
    assert sum(line.count(mark) for mark in BAR) == 10


def test_each_kind_of_happening_is_a_line_that_says_what() -> None:
    told = shown(
        view(nearest=[]),
        happening("mode", subject="site ceiling", mode="tag", gone=False, who="ann"),
        happening("switch", switch="pbx1", connected=False, problem="no login"),
        happening("order", who="ann", door="mqtt", accepted=False, said="no such rule"),
        happening("fault", fault="disk", problem="full"),
        happening("level", cleared=False, level="warning", account="acme", customer="big", rule="calls"),
        happening("notice", stage="delivered", audience="ops", subject="acme is near", notice="n-1"),
        happening("something new", word="x"),
        height=40,
    )
    for words in (
        "mode: site ceiling is tag by ann", "switch pbx1 down: no login",
        "order by ann over mqtt: REFUSED: no such rule", "fault: disk  problem=full", "acme warning: calls",
        "notice delivered to ops: acme is near", "something new: word=x",
    ):
        assert words in told


def test_without_unicode_nothing_is_shown_that_a_terminal_may_not_have() -> None:
    assert shown(view(), BLOCKED, ascii=True, width=60).isascii()


@given(
    st.integers(1, 200), st.integers(1, 60), st.sampled_from(list(ORDERS)), st.booleans(), st.integers(0, 40),
    st.text(max_size=300), st.sampled_from(["", "q quit"]),
)
def test_a_frame_fits_whatever_it_shows(
    width: int, height: int, order: str, ascii: bool, many: int, words: str, keys: str
) -> None:
    seen = view(
        site=words, policy=words, degraded=words, nearest=[near(words, rule=words)] * many,
        ceiling={"mode": "tag", "who": words, "why": words, "until": None},
    )
    seen["switches"] = seen["switches"] * (1 + many // 10)
    seen["switches"][0] = seen["switches"][0] | {"problem": words, "switch": words}
    happened = [happening("fault", fault=words), happening("switch", switch=words, connected=True)]
    lines = frame(seen, happened * many, Look(width, height, order, ascii, keys))
    assert len(lines) == height if keys else len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    assert all(line.plain.isprintable() for line in lines)
