"""Whatever somebody writes or is called: no action to the switch holds more than we meant."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.stop_words import StopWords
from enforcer.errors import WireError
from enforcer.wire.ami import Message, encode_action
from enforcer.wire.answer import answer_line, parse_answer
from enforcer.wire.asterisk_messages import (
    closing,
    message_answer,
    note_closed,
    opening,
    read_message,
    resuming,
    stopping,
)
from enforcer.wire.message_line import LONGEST_LINE, LineReader, MessageQuestion, message_answer_line

HEADERS = ("Serial", "Account", "Direction", "Number", "Sender", "Ask", "Verdict", "Text")
NASTY = st.sampled_from([
    "acme", "1795646428.020984", "outbound", "inbound", "12025550142", "yes", "no", "none", "STOP",
    "a\r\nAction: Logoff", "x,Account: globex", "${SHELL(id)}", "$[1]", "acme,1)", "é", "\0", "\u2028", ":",
    "",
])  # fmt: skip
WORDS = st.one_of(NASTY, st.text(max_size=40))


def lines(name: str, headers: tuple[tuple[str, str], ...]) -> list[bytes]:
    """The lines of an action as the switch reads them."""
    sent = encode_action(name, headers)
    assert sent.endswith(b"\r\n\r\n")
    assert sent.count(b"\r\n\r\n") == 1
    return sent[:-4].split(b"\r\n")


@given(st.fixed_dictionaries(dict.fromkeys(HEADERS, WORDS)), WORDS, WORDS)
def test_event_is_refused_or_answered_with_one_variable(told: dict[str, str], tag: str, name: str) -> None:
    raw = "Event: UserEvent\r\nChannel: Message/q\r\nUniqueid: x-1.0\r\nUserEvent: EnfMessage\r\n"
    raw += "\r\n".join(f"{key}: {value}" for key, value in told.items())
    try:
        fact = read_message(Message("UserEvent", raw.encode("utf-8", "surrogatepass")), "pbx1", 1.0)
    except WireError:
        return
    attempt = fact.attempt
    assert attempt.call_id.startswith("pbx1/message-1")
    assert all(char in "0123456789+*#" for char in attempt.number)
    assert "\r" not in attempt.caller + attempt.account
    if not fact.serial:
        return
    decision = Decision(
        name, 1.0, attempt.call_id, "pbx1", attempt.account, attempt.number, "outbound", Verdict.BLOCK,
        Verdict.BLOCK, sip_code=403, tags=(tag,),
    )  # fmt: skip
    [action, variable, value] = lines(*message_answer(fact.serial, answer_line(decision)))
    assert (action, variable) == (b"Action: Setvar", b"Variable: ENF_MESSAGE_ANSWER")
    serial, _, line = value.decode().removeprefix("Value: ").partition(":")
    assert serial == fact.serial
    assert parse_answer(line).verdict is Verdict.BLOCK


@given(WORDS)
def test_account_name_is_a_context_or_nothing(account: str) -> None:
    shut = closing("messages-", account)
    opened = opening("messages-", account)
    if shut is None:
        assert opened == []
        return
    for command, count in ((shut, 3), *zip(opened, (6, 5), strict=True)):
        sent = lines(*command)
        assert len(sent) == count
        assert sent[1] == f"Context: messages-{account}".encode()
        if count == 6:
            assert sent[-1] == f"ApplicationData: enforcer-messages,outbound,1({account},${{EXTEN}})".encode()
            assert sent[-1].count(b",") == 3
    assert len(lines(*note_closed(account))) == 4
    for command in (*stopping(account, 1e9), *resuming(account, 1e9)):
        sent = lines(*command)
        assert len(sent) in (3, 6)
        assert re.fullmatch(rb"Extension: [0-9a-f]{32}", sent[2])


@given(st.binary(max_size=6000), st.integers(1, 700))
def test_bytes_at_the_door_are_questions_or_refused_however_they_are_cut(data: bytes, size: int) -> None:
    def read(step: int) -> tuple[list[MessageQuestion], bool]:
        reader, found = LineReader(), []
        try:
            for start in range(0, len(data), step):
                for question in reader.feed(data[start : start + step]):
                    found.append(question)      # noqa: PERF402 - what was yielded before an error
        except WireError:
            return found, True
        return found, False

    whole, refused = read(len(data) or 1)
    assert read(size)[0] == whole
    assert refused or data.rpartition(b"\n")[2].__len__() <= LONGEST_LINE


@given(
    st.from_regex(r"[A-Za-z0-9_.:@+=-]{1,100}", fullmatch=True), st.text(max_size=700),
    st.sampled_from(Verdict),
)
def test_answer_at_the_door_is_one_line(name: str, reason: str, verdict: Verdict) -> None:
    [question] = LineReader().feed(f'{{"id": "{name}", "account": "a", "to": "1"}}\n'.encode())
    decision = Decision(reason, 1.0, "", "", "a", "1", "outbound", verdict, verdict, exempt=reason)
    answer = message_answer_line(question, decision)
    assert answer.count(b"\n") == 1
    assert answer.isascii()
    assert len(answer) < 8 * LONGEST_LINE


@given(st.text(max_size=300))
def test_any_text_has_a_wish_or_none(text: str) -> None:
    StopWords.of().wish(text)
