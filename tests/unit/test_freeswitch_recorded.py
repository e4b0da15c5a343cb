"""Every dialogue recorded from a real FreeSWITCH yields exactly the calls that took place on the wire."""

from __future__ import annotations

import pytest

from enforcer.domain.call import CallEvent, Phase
from enforcer.wire.channel import Identity
from enforcer.wire.esl import EVENT, Decoder, Message
from tests.support.esl import DIALOGUES, RECORDED, event_bytes, facts, frame, recorded
from tests.support.wire_trace import expected, joined

TRAILING = frame(event_bytes({"Event-Name": "HEARTBEAT", "X": "1"}))


def test_every_recording_says_what_it_is_a_recording_of() -> None:
    assert {path.name.removesuffix(".plain.esl") for path in RECORDED.glob("*.plain.esl")} == set(DIALOGUES)


@pytest.mark.parametrize("name", DIALOGUES)
def test_every_recorded_dialogue_yields_the_calls_of_its_wire_trace(name: str) -> None:
    told, book = facts(recorded(name))
    found = joined(told, legs=True)
    for call in found:
        phases = call.pop("phases")
        assert phases == sorted(set(phases)), "each phase once, in order"
        assert phases[-1] is Phase.ENDED
    assert found == expected(RECORDED, name)
    assert book.legs == 0, "ended calls leave no trace"


def parts(messages: list[Message]) -> list[tuple[str, str, bytes, bytes]]:
    return [(message.kind, message.name, message.raw, message.body) for message in messages]


@pytest.mark.parametrize("name", DIALOGUES)
@pytest.mark.parametrize(("chunk", "of"), [(1, 40_000), (1021, None)])
def test_messages_do_not_depend_on_how_the_bytes_were_cut(name: str, chunk: int, of: int | None) -> None:
    data = recorded(name)[:of]
    decoder, cut = Decoder(), []
    for start in range(0, len(data), chunk):
        cut += decoder.feed(data[start : start + chunk])
    assert parts(cut) == parts(Decoder().feed(data))


@pytest.mark.parametrize("name", DIALOGUES)
def test_bytes_behind_a_dialogue_wait_for_the_rest_of_their_message(name: str) -> None:
    data = recorded(name)
    decoder = Decoder()
    assert parts(decoder.feed(data + TRAILING[:60])) == parts(Decoder().feed(data))
    (late,) = decoder.feed(TRAILING[60:])
    assert (late.name, late["X"]) == ("HEARTBEAT", "1")


@pytest.mark.parametrize("chunk", [7, 1500])
def test_facts_do_not_depend_on_how_the_bytes_were_cut(chunk: int) -> None:
    data = recorded("attended_xfer")
    assert facts(data, chunk=chunk)[0] == facts(data, chunk=len(data))[0]


def test_calls_are_told_apart_by_the_id_of_their_first_channel() -> None:
    told, _book = facts(recorded("attended_xfer"))
    ids = {event.attempt.call_id for event in told if isinstance(event, CallEvent)}
    assert ids == {
        "fs1/26718628-43cd-4a75-9a71-b6df063c8cb9",
        "fs1/a5ec7ce5-afa1-4ce4-b587-ecac2d936299",
    }


def test_the_account_is_found_by_code_or_number() -> None:
    identity = Identity("fs1", ("lab",), account_from="caller")
    (call,) = joined(facts(recorded("answered_caller_bye"), identity)[0], legs=True)
    assert call["account"] == "acct1"
    (victim,) = joined(facts(recorded("injection"), identity)[0], legs=True)
    assert victim["account"] == "", "a number with a line break in it is nobody's name"


def test_a_call_in_a_context_listed_nowhere_is_not_counted_but_named() -> None:
    told, book = facts(recorded("answered_caller_bye"), Identity("fs1"))
    assert told == []
    assert book.unlisted == {"lab": 1}
    assert book.legs == 0


def test_a_call_that_the_switch_placed_outside_our_contexts_is_nobodys() -> None:
    told, book = facts(recorded("originate_esl"), Identity("fs1", outbound_contexts=("lab",)))
    assert told == []
    assert book.legs == 0


FORGED = ("victim", "victim2", "victim4", "victim5", "accountcode")


def test_no_fact_takes_anything_from_headers_that_a_caller_forged() -> None:
    data = recorded("injection")
    assert b"%0Avariable_accountcode" in data, "the attack is in the recording"
    told, _book = facts(data)
    assert [event.phase for event in told if isinstance(event, CallEvent)] == [1, 2, 3]
    assert not [fact for fact in told if any(word in repr(fact) for word in FORGED)]
    for message in Decoder().feed(data):
        assert (message.variable("accountcode") or "acct1") == "acct1"
        assert message.get("Caller-Destination-Number") in (None, "p-5551234", "5551234")


@pytest.mark.parametrize(
    ("name", "display"), [("nonascii_latin1", "Zo\ufffd"), ("nonascii_utf8", "Zoë 你好")]
)
def test_names_that_are_not_ascii_are_read_whole(name: str, display: str) -> None:
    messages = Decoder(["CHANNEL_CREATE"]).feed(recorded(name))
    assert [m.get("Caller-Caller-ID-Name") for m in messages if m.kind == EVENT] == [display, display]


def test_json_frames_are_kept_as_they_are() -> None:
    messages = Decoder().feed((RECORDED / "nonascii_latin1.json.esl").read_bytes())
    assert {m.kind for m in messages} == {"auth/request", "command/reply", "text/event-json"}
    assert sum(m.body.startswith(b'{"Event-Name":') for m in messages) == 48
