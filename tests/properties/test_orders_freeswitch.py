"""Whatever an order holds, one command is sent, about that account or call, or none."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from enforcer.domain.actions import (
    GrantLease,
    HangUp,
    LimitDuration,
    Order,
    RememberWord,
    SetBrake,
    WithdrawLease,
)
from enforcer.errors import WireError
from enforcer.wire import freeswitch_actions as actions

TEXTS = st.text(max_size=30) | st.from_regex(r"[A-Za-z0-9_.@+-]{1,80}", fullmatch=True) | st.sampled_from(
    ["a\n\napi shutdown", "a/../b", "a b", "${hash(x)}", "a\r\n", "\ud800", "all", "-ERR", "'a'", "a\\/b",
     "allow:0:0:0::d1", "allow:0:0:0::d1/\n"]
)  # fmt: skip
NUMBERS = st.integers(-5, 2_000_000_000) | st.integers()
ORDERS: st.SearchStrategy[Order] = st.one_of(
    st.builds(GrantLease, TEXTS, NUMBERS),
    st.builds(WithdrawLease, TEXTS),
    st.builds(RememberWord, TEXTS, TEXTS, NUMBERS),
    st.builds(SetBrake, TEXTS, NUMBERS, NUMBERS, NUMBERS),
    st.builds(HangUp, TEXTS, TEXTS, NUMBERS),
    st.builds(LimitDuration, TEXTS, TEXTS, NUMBERS),
)


@given(ORDERS, st.booleans())
@example(GrantLease("acme\n", 1), True)
def test_an_order_is_one_command_about_its_own_account_or_nothing(order: Order, answered: bool) -> None:
    try:
        data = actions.command_for(order, answered)
    except WireError as problem:
        assert not problem.remote  # noqa: PT017 - ours to answer for, and not to be asked for
        return
    text = data.decode("ascii")
    assert text.endswith("\n\n")
    assert text.count("\n") == 2
    command = text.removesuffix("\n\n")
    assert command.isprintable()
    words = command.split(" ")
    if isinstance(order, HangUp):
        assert words[:3] == ["api", "uuid_kill", order.channel]
        assert len(words) == 4
    elif isinstance(order, LimitDuration):
        assert words == ["api", "sched_hangup", f"+{max(1, order.seconds)}", order.channel]
    else:
        assert len(words) == 3
        verb, realm, key, *value = words[2].split("/", 3)
        assert (words[:2], realm) == (["api", "hash"], "enf")
        assert key.partition(".")[2] == order.account
        assert verb == ("insert" if value else "delete")
        assert "/" not in "".join(value)


@given(st.lists(TEXTS))
def test_of_what_stands_in_mod_hash_only_our_own_keys_are_named(lines: list[str]) -> None:
    for key in actions.limits_left("\n".join(lines + [f"D/enf_brake.{line}/1" for line in lines])):
        assert actions.forget(key) == f"api hash delete/enf/{key}\n\n".encode()
