"""What is written on a FreeSWITCH, command by command."""

from __future__ import annotations

import pytest

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

UUID = "c03e2ee0-8baa-4a9d-85b4-b30a36945051"


@pytest.mark.parametrize(
    ("order", "command"),
    [
        (GrantLease("acme", 1795000060), "api hash insert/enf/lease.acme/1795000060"),
        (WithdrawLease("acme"), "api hash delete/enf/lease.acme"),
        (RememberWord("a.b@c", "block:21:0:0:standing:", 1795000900),
         "api hash insert/enf/word.a.b@c/1795000900:block:21:0:0:standing:"),
        (SetBrake("acme", 10, 0, 1795086400), "api hash insert/enf/brake.acme/1795086400:10:0"),
        (SetBrake("acme", 0, 0, 1795086400), "api hash delete/enf/brake.acme"),
        (HangUp("fs1/x", UUID, 21), f"api uuid_kill {UUID} CALL_REJECTED"),
        (LimitDuration("fs1/x", UUID, 600), f"api sched_hangup +600 {UUID}"),
        (LimitDuration("fs1/x", UUID, 0), f"api sched_hangup +1 {UUID}"),
    ],
)  # fmt: skip
def test_each_order_is_one_command(order: Order, command: str) -> None:
    assert actions.command_for(order, answered=True) == f"{command}\n\n".encode()


@pytest.mark.parametrize(
    ("cause", "name"),
    [(21, "OUTGOING_CALL_BARRED"), (16, "CALL_REJECTED"), (42, "SWITCH_CONGESTION"), (17, "USER_BUSY")],
)
def test_a_call_that_still_rings_is_refused_with_the_code_that_was_meant(cause: int, name: str) -> None:
    command = actions.command_for(HangUp("fs1/x", UUID, cause), answered=False)
    assert command == f"api uuid_kill {UUID} {name}\n\n".encode()


@pytest.mark.parametrize(
    "order",
    [
        GrantLease("acme/x", 1), GrantLease("", 1), GrantLease("a" * 81, 1), GrantLease("a b", 1),
        GrantLease("acme\n\napi", 1), GrantLease("acme", -1), RememberWord("acme", "block", 1),
        RememberWord("acme", "allow:0:0:0::d/x", 1), SetBrake("acme", -1, 0, 1),
        HangUp("x", "a b", 21), HangUp("x", UUID, 999), LimitDuration("x", "", 3),
        LimitDuration("x", UUID, -3),
    ],
)  # fmt: skip
def test_what_is_no_name_number_or_line_is_not_sent(order: Order) -> None:
    with pytest.raises(WireError) as caught:
        actions.command_for(order, answered=False)
    assert not caught.value.remote


def test_the_heartbeat_is_whole_seconds_and_can_be_taken_away() -> None:
    assert actions.heartbeat(1795000000.9) == b"api hash insert/enf/hb/1795000006\n\n"
    assert actions.farewell() == b"api hash delete/enf/hb\n\n"


def test_the_brakes_are_found_among_what_stands_in_mod_hash() -> None:
    dump = "D/enf_hb/1795000000\nD/enf_brake.acme/1:2:3\nD/site_enf_brake.x/1\nD/enf_lease.brake.b/7\n"
    assert actions.limits_left(dump + "D/enf_brake.bad name/1\n") == ["brake.acme"]


def test_a_beat_is_an_event_of_our_own() -> None:
    assert actions.beat("a1-7") == (
        b"sendevent CUSTOM\nEvent-Subclass: enforcer::beat\nEnforcer-Beat: a1-7\n\n"
    )
