"""What Asterisk's dialplan says about text messages, and what it is told."""

from __future__ import annotations

import pytest

from enforcer.domain.call import Direction, Medium, Refusal
from enforcer.errors import WireError
from enforcer.wire.ami import Message, encode_action
from enforcer.wire.asterisk_messages import (
    account_of_key,
    closing,
    is_message,
    message_answer,
    note_closed,
    note_opened,
    opening,
    read_message,
)

EVENT = {
    "Privilege": "user,all", "Timestamp": "1795646428.021249", "Channel": "Message/ast_msg_queue",
    "ChannelState": "6", "CallerIDNum": "<unknown>", "AccountCode": "", "Context": "enforcer-messages",
    "Exten": "message", "Priority": "9", "Uniqueid": "lab-1795646428.0", "Linkedid": "lab-1795646428.0",
    "UserEvent": "EnfMessage", "Serial": "1795646428.020984", "Account": "acme", "Direction": "outbound",
    "Number": "12025550142", "Sender": "acme", "Route": "carrier", "Ask": "yes", "Verdict": "none",
    "Text": "",
}


def event(extra: str = "", **changes: str | None) -> Message:
    """A question as Asterisk 22 wrote it, with some headers changed, or left out where None."""
    headers = {**EVENT, **changes}
    lines = ["Event: UserEvent", *(f"{k}: {v}" for k, v in headers.items() if v is not None)]
    return Message("UserEvent", ("\r\n".join(lines) + extra).encode())


def test_question_becomes_an_attempt_of_the_medium_message() -> None:
    fact = read_message(event(), "pbx1", 0.0)
    attempt = fact.attempt
    assert (attempt.call_id, attempt.switch, attempt.account) == (
        "pbx1/message-1795646428.020984", "pbx1", "acme",
    )  # fmt: skip
    assert (attempt.number, attempt.caller, attempt.direction) == ("12025550142", "acme", Direction.OUTBOUND)
    assert (attempt.medium, attempt.route, attempt.at) == (Medium.MESSAGE, "carrier", 1795646428.021249)
    assert (fact.serial, fact.refusal, fact.text) == ("1795646428.020984", Refusal.NONE, "")


def test_time_of_receipt_stands_in_where_the_switch_tells_none() -> None:
    assert read_message(event(Timestamp=None), "pbx1", 12.5).attempt.at == 12.5


@pytest.mark.parametrize(("verdict", "refusal"), [("allow", Refusal.WENT), ("block", Refusal.BLOCKED)])
def test_message_that_went_its_way_unasked_is_told_as_over(verdict: str, refusal: Refusal) -> None:
    fact = read_message(event(Ask="no", Verdict=verdict), "pbx1", 0.0)
    assert (fact.serial, fact.refusal) == ("", refusal)
    assert fact.attempt.call_id == "pbx1/message-1795646428.020984"     # the same, had it asked before


def test_text_is_read_of_inbound_messages_only_and_never_more_than_160_signs() -> None:
    assert read_message(event(Text="STOP"), "pbx1", 0.0).text == ""
    inbound = read_message(event(Direction="inbound", Sender="+12025550177", Text="STOP" * 100), "pbx1", 0.0)
    assert inbound.text == "STOP" * 40
    assert inbound.attempt.caller == "+12025550177"
    assert read_message(event(Direction="inbound", Text=None), "pbx1", 0.0).text == ""


@pytest.mark.parametrize("account", ["", "a b", "ac,me", "x" * 81])
def test_account_that_is_no_name_is_no_account(account: str) -> None:
    assert read_message(event(Account=account), "pbx1", 0.0).attempt.account == ""


@pytest.mark.parametrize("changes", [
    {"Serial": None}, {"Serial": ""}, {"Serial": "1795646428"}, {"Serial": "1.2/../3"},
    {"Direction": "sideways"}, {"Number": "1202;x"}, {"Number": None}, {"Sender": "a b"}, {"Ask": None},
    {"Account": None}, {"Verdict": None}, {"Channel": None},
])
def test_event_that_our_dialplan_would_not_write_is_refused(changes: dict[str, str | None]) -> None:
    with pytest.raises(WireError):
        read_message(event(**changes), "pbx1", 0.0)


@pytest.mark.parametrize("extra", ["\r\nAccount: globex", "\r\nSerial: 1795646428.020985", "\r\nAsk: no"])
def test_event_that_somebody_wrote_into_is_refused(extra: str) -> None:
    with pytest.raises(WireError, match="2 times"):
        read_message(event(extra, Direction="inbound"), "pbx1", 0.0)


def test_only_its_own_events_are_taken_for_messages() -> None:
    assert is_message(event())
    assert not is_message(event(UserEvent="EnfAsk"))
    assert not is_message(Message("Hangup", b"Event: Hangup\r\nUserEvent: EnfMessage"))


def test_answer_is_a_global_variable_that_begins_with_the_serial() -> None:
    name, headers = message_answer("1795646428.020984", "allow:0:0:0::d1-1")
    assert name == "Setvar"
    assert dict(headers) == {
        "Variable": "ENF_MESSAGE_ANSWER", "Value": "1795646428.020984:allow:0:0:0::d1-1",
    }  # fmt: skip


def test_closing_and_opening_name_the_accounts_own_context() -> None:
    assert closing("messages-", "acme") == (
        "DialplanExtensionRemove", (("Context", "messages-acme"), ("Extension", "_[0-9+*#].")),
    )  # fmt: skip
    (name, headers), (_, second) = opening("sms-", "acme")
    told = dict(headers)
    assert (name, told["Context"], told["Application"]) == ("DialplanExtensionAdd", "sms-acme", "Gosub")
    assert told["ApplicationData"] == "enforcer-messages,outbound,1(acme,${EXTEN})"
    assert (dict(second)["Priority"], dict(second)["Application"]) == ("2", "Hangup")


@pytest.mark.parametrize(
    "account", ["", "a b", "acme,1)\r\nx", "${SHELL(id)}", "acme\r\nAction: Logoff", "é"]
)
def test_name_that_no_context_can_have_is_neither_closed_nor_opened(account: str) -> None:
    assert closing("messages-", account) is None
    assert opening("messages-", account) == []


def test_what_is_closed_is_noted_under_a_key_that_reads_back() -> None:
    name, headers = note_closed("a@b+c")
    assert (name, dict(headers)["Key"]) == ("DBPut", "closed/a@b+c")
    assert dict(note_opened("a@b+c")[1])["Key"] == "closed/a@b+c"
    assert account_of_key("/enforcer/closed/a@b+c") == "a@b+c"
    assert account_of_key("/enforcer/lease/acme") == ""
    encode_action(name, headers)
