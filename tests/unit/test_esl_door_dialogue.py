"""A call that asks through the `socket` application: one attempt, one write, whatever comes in what order."""

from __future__ import annotations

from itertools import permutations

import pytest

from enforcer.domain.call import CallAttempt, Direction
from enforcer.errors import WireError
from enforcer.wire.esl_door import CONNECT, Dialogue, State
from tests.support.esl import RECORDED, event_bytes

NOW = 1795313700.5
LINE = "throttle:0:0.350:0:cps:d1-31"
TRAILER = b"Content-Type: command/reply\nReply-Text: %2BOK%0A\nSocket-Mode: async\nControl: full\n\n"
OK = b"Content-Type: command/reply\nReply-Text: +OK\n\n"
BYE = b"Content-Type: command/reply\nReply-Text: +OK bye\n\n"
NO = b"Content-Type: command/reply\nReply-Text: -ERR no such application\n\n"
NOTICE = (
    b"Content-Type: text/disconnect-notice\nControlled-Session-UUID: u\nContent-Disposition: disconnect\n"
    b"Content-Length: 23\n\nDisconnected, goodbye.\n"
)
STRAY = b"Content-Length: 24\nContent-Type: text/event-plain\n\nEvent-Name: CHANNEL_EXE\n"
ASKS = {
    "enforcer_account": "acme", "enforcer_direction": "outbound", "enforcer_number": "2025550142",
    "enforcer_route": "telco",
}  # fmt: skip


def channel(**variables: str) -> bytes:
    """The answer to `connect`: a channel as a real FreeSWITCH dumps it, with what our dialplan has set."""
    data = (RECORDED / "resync.api.txt").read_bytes()
    start = data.index(b"Event-Name: CHANNEL_DATA")
    dumped = data[start : data.index(b"\n\n", start) + 1]
    named = event_bytes({f"variable_{name}": value for name, value in variables.items()})[:-1]
    return dumped + named + TRAILER


def asked(**variables: str) -> tuple[Dialogue, CallAttempt | None]:
    dialogue = Dialogue("fs1")
    return dialogue, dialogue.feed(channel(**{**ASKS, **variables}), NOW)


def test_a_channel_is_one_attempt() -> None:
    dialogue, attempt = asked()
    uuid = "c03e2ee0-8baa-4a9d-85b4-b30a36945051"
    assert attempt == CallAttempt(
        f"fs1/{uuid}", "fs1", "acme", Direction.OUTBOUND, "2025550142", "acct1", NOW, uuid, "telco",
        sip_call_id="176038cb90bb@lab",
    )
    assert dialogue.state is State.HEARD


def test_a_caller_with_a_very_long_name_is_asked_about_all_the_same() -> None:
    _dialogue, attempt = asked(sip_from_display="ü" * 60_000)
    assert attempt == asked()[1]


@pytest.mark.parametrize("chunk", [1, 100, 1448])
def test_the_attempt_does_not_depend_on_how_the_channel_was_cut(chunk: int) -> None:
    data, dialogue = channel(**ASKS), Dialogue("fs1")
    found = [dialogue.feed(data[i : i + chunk], NOW) for i in range(0, len(data), chunk)]
    assert [attempt for attempt in found if attempt] == [asked()[1]]
    assert found[-1] is not None


def test_the_answer_leaves_in_one_write_with_the_way_out() -> None:
    dialogue, _attempt = asked()
    assert CONNECT == b"connect\n\n"
    assert dialogue.answer(LINE) == (
        b"sendmsg\ncall-command: execute\nexecute-app-name: multiset\n"
        b"execute-app-arg: ^^;ENF_ANSWER=throttle:0:0.350:0:cps:d1-31\n\nexit\n\n"
    )
    assert dialogue.answer(LINE) == b"", "once"


REPLIES = {"ok": OK, "bye": BYE, "notice": NOTICE, "stray": STRAY}


@pytest.mark.parametrize("order", list(permutations(REPLIES)))
@pytest.mark.parametrize("heard", range(5))
def test_in_every_order_of_replies_and_closes_the_dialogue_ends(order: tuple[str, ...], heard: int) -> None:
    dialogue, _attempt = asked()
    dialogue.answer(LINE)
    for name in order[:heard]:
        assert dialogue.feed(REPLIES[name], NOW) is None
        assert dialogue.state is State.ANSWERED
    dialogue.close()
    assert dialogue.state is State.OVER
    assert dialogue.taken is (True if "ok" in order[:heard] else None)
    assert dialogue.gone is ("notice" in order[:heard])
    assert dialogue.answer(LINE) == b""
    assert dialogue.feed(OK, NOW) is None


def test_a_switch_that_refuses_the_answer_has_not_taken_it() -> None:
    dialogue, _attempt = asked()
    dialogue.answer(LINE)
    dialogue.feed(NO + BYE, NOW)
    assert dialogue.taken is False


@pytest.mark.parametrize("close_at", ["asking", "heard", "answered"])
def test_a_caller_that_hangs_up_ends_it_anywhere(close_at: str) -> None:
    dialogue = Dialogue("fs1")
    if close_at != "asking":
        dialogue.feed(channel(**ASKS) + NOTICE, NOW)
        assert dialogue.gone
    if close_at == "answered":
        assert dialogue.answer(LINE), "written all the same: the notice may concern the channel only"
    dialogue.close()
    assert dialogue.state is State.OVER
    assert dialogue.taken is None


def test_a_switch_without_a_channel_ends_it() -> None:
    dialogue = Dialogue("fs1")
    assert dialogue.feed(NO, NOW) is None
    assert dialogue.state is State.OVER


def test_a_leg_that_asks_again_asks_for_its_call() -> None:
    _dialogue, attempt = asked(enforcer_call="first-1")
    assert attempt is not None
    assert (attempt.call_id, attempt.channel) == ("fs1/first-1", "c03e2ee0-8baa-4a9d-85b4-b30a36945051")


def test_without_an_account_of_its_own_the_account_code_stands() -> None:
    dialogue = Dialogue("fs1")
    attempt = dialogue.feed(channel(enforcer_direction="inbound", enforcer_number="911"), NOW)
    assert attempt is not None
    assert (attempt.account, attempt.direction) == ("acct1", Direction.INBOUND)


@pytest.mark.parametrize(
    "account", ["", "two words", "x\nvariable_accountcode: victim", "${hash(x)}", "x" * 81]
)
def test_an_account_that_can_be_nobodys_name_is_none(account: str) -> None:
    _dialogue, attempt = asked(enforcer_account=account)
    assert attempt is not None
    assert attempt.account == ""


@pytest.mark.parametrize(
    "variables",
    [
        {"enforcer_direction": "sideways"}, {"enforcer_direction": "outbound\n"}, {"enforcer_number": ""},
        {"enforcer_number": "1\n2"}, {"enforcer_number": "911 "}, {"enforcer_number": "${x}"},
        {"enforcer_number": "1" * 65}, {"enforcer_call": "a b"},
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_a_wire_error(variables: dict[str, str]) -> None:
    with pytest.raises(WireError):
        asked(**variables)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\n\n", OK, b"Content-Type: auth/request\n\n", b"\0" * 3_000_000, b"\n" * 3_000_000,
        b"Content-Type: api/response\nContent-Length: 3\n\n+OK", STRAY * 50_000,
    ],
)  # fmt: skip
def test_what_is_no_call_is_a_wire_error(data: bytes) -> None:
    with pytest.raises(WireError):
        Dialogue("fs1").feed(data, NOW)


@pytest.mark.parametrize("line", ["", "a\nb", "a;b|c~d!e#f", "${x}", "a'b", "x" * 5000])
def test_a_line_that_could_be_more_than_a_value_is_refused_as_our_own_fault(line: str) -> None:
    dialogue, _attempt = asked()
    if line:
        with pytest.raises(WireError) as caught:
            dialogue.answer(line)
        assert not caught.value.remote
    else:
        assert b"ENF_ANSWER=\n" in dialogue.answer(line)


@pytest.mark.parametrize("chunk", [1, 1448, 20_000])
def test_a_leg_that_is_up_and_was_transferred_asks_about_the_call_that_it_belongs_to(chunk: int) -> None:
    """Recorded from a FreeSWITCH 1.11.3: after a REFER, the callee's leg goes through the dialplan anew."""
    data = (RECORDED / "transferred.door.esl").read_bytes()
    end = data.index(b"Control: single-channel\n\n") + len(b"Control: single-channel\n\n")
    dialogue = Dialogue("fs1")
    heard = (dialogue.feed(data[at : min(at + chunk, end)], NOW) for at in range(0, end, chunk))
    [attempt] = filter(None, heard)
    assert attempt.call_id == "fs1/337ce925-ac92-449b-a510-f5f922c54149", "of the caller, who is gone by now"
    assert attempt.channel == "7a28ecf6-deaa-4b2b-9f7c-bfdad417d932"
    assert (attempt.number, attempt.direction) == ("12025550199", Direction.OUTBOUND)
    assert dialogue.answer(LINE)
    for at in range(end, len(data), chunk):
        assert dialogue.feed(data[at : at + chunk], NOW) is None
    assert (dialogue.taken, dialogue.gone) == (True, True)
