"""After a gap the book is brought level with what FreeSWITCH lists (recorded with calls in progress)."""

from __future__ import annotations

import json
import re

import pytest

from enforcer.domain.call import CallEvent, Direction, Phase, Source
from enforcer.errors import WireError
from enforcer.wire.channel import Identity
from enforcer.wire.esl import API, Message
from enforcer.wire.freeswitch import CallBook
from enforcer.wire.freeswitch_status import Channel, channels, dump, resync, to_dump
from tests.support.esl import RECORDED

IDENTITY = Identity("fs1", outbound_contexts=("lab",))
BRIDGED, RINGING, CONFERENCE = (
    "c03e2ee0-8baa-4a9d-85b4-b30a36945051",
    "55b92bda-f106-4a17-a41b-489105af47ac",
    "f9e194a0-f06f-4216-8005-0da00779b2c0",
)
LEG = "ca94d7b6-7e04-4ee9-b1e3-7148282ca8b0"
LOST, NOW = 1795313600.0, 1795313660.0


def answers() -> dict[str, bytes]:
    """The recorded answers by their command; of one that was given twice the first."""
    data = (RECORDED / "resync.api.txt").read_bytes()
    found: dict[str, bytes] = {}
    for match in re.finditer(rb"^>>> api (.+)  \((\d+) bytes, .*\n", data, re.MULTILINE):
        found.setdefault(match[1].decode(), data[match.end() : match.end() + int(match[2])])
    return found


@pytest.fixture
def listing() -> list[Channel]:
    return channels(answers()["show channels as json"].decode())


@pytest.fixture
def bridged() -> Message:
    found = dump(Message(API, "", b"", answers()[f"uuid_dump {BRIDGED}"]))
    assert found is not None
    return found


def test_the_listing_names_every_channel(listing: list[Channel]) -> None:
    assert listing[0] == Channel(
        BRIDGED, True, False, True, "", "lab", "r-5551234", "acct1", "acct1", 1795313651.0
    )
    assert listing[1][:5] == (LEG, False, False, True, BRIDGED)
    assert [row.up for row in listing] == [True, True, False, True, False]


def test_new_calls_are_told_with_their_answers(listing: list[Channel], bridged: Message) -> None:
    book = CallBook(IDENTITY)
    assert to_dump(book, listing) == [BRIDGED, RINGING, CONFERENCE]
    facts = resync(book, listing, {BRIDGED: bridged}, book.known_legs(), LOST, NOW)
    assert [(fact.phase, fact.attempt.call_id.removeprefix("fs1/"), fact.at) for fact in facts] == [
        (Phase.STARTED, BRIDGED, 1795313651.489611),
        (Phase.ANSWERED, BRIDGED, 1795313651.529619),
        (Phase.STARTED, RINGING, 1795313651.0),         # no dump came: whole seconds
        (Phase.STARTED, CONFERENCE, 1795313651.0),
        (Phase.ANSWERED, CONFERENCE, NOW),
    ]
    begun = facts[0].attempt
    assert (begun.account, begun.number, begun.direction) == ("acct1", "r-5551234", Direction.OUTBOUND)
    assert to_dump(book, listing) == []
    assert book.live_calls == 3
    assert book.legs == 5, "the legs dialled are known as well"


def test_a_listing_read_twice_tells_nothing_twice(listing: list[Channel], bridged: Message) -> None:
    book = CallBook(IDENTITY)
    resync(book, listing, {BRIDGED: bridged}, book.known_legs(), LOST, NOW)
    assert resync(book, listing, {}, book.known_legs(), LOST, NOW) == []


def test_calls_that_are_gone_end_when_the_switch_was_last_heard(listing: list[Channel]) -> None:
    book = CallBook(IDENTITY)
    resync(book, listing, {}, [], LOST, NOW)
    endings = resync(book, [], {}, book.known_legs(), NOW + 60, NOW + 90)
    ids = {ending.attempt.channel for ending in endings}
    assert ids == {BRIDGED, RINGING, CONFERENCE}
    assert {(ending.phase, ending.at, ending.source) for ending in endings} == {
        (Phase.ENDED, NOW + 60, Source.INFERRED)
    }
    assert book.legs == 0


def test_what_began_while_the_listing_was_on_its_way_is_not_gone(listing: list[Channel]) -> None:
    book = CallBook(IDENTITY)
    known = book.known_legs()
    resync(book, listing, {}, [], LOST, NOW)
    assert resync(book, [], {}, known, LOST, NOW) == []
    assert book.live_calls == 3


def test_a_call_whose_answer_was_missed_is_asked_for_again(listing: list[Channel], bridged: Message) -> None:
    book = CallBook(IDENTITY)
    ringing = [row._replace(up=False) for row in listing]
    resync(book, ringing, {}, [], LOST, NOW)
    assert to_dump(book, listing) == [BRIDGED, CONFERENCE]
    facts = resync(book, listing, {BRIDGED: bridged}, book.known_legs(), LOST, NOW)
    assert [(fact.phase, fact.at) for fact in facts if isinstance(fact, CallEvent)] == [
        (Phase.ANSWERED, 1795313651.529619), (Phase.ANSWERED, NOW),
    ]  # fmt: skip


def test_calls_of_contexts_listed_nowhere_are_left_alone(listing: list[Channel]) -> None:
    book = CallBook(Identity("fs1"))
    assert resync(book, listing, {}, [], LOST, NOW) == []


def test_no_channels_is_a_listing() -> None:
    assert channels('{"row_count":0}') == []


def test_names_that_are_no_utf8_do_not_stop_a_listing() -> None:
    data = (RECORDED / "nonascii_latin1.show_channels.json").read_bytes()
    rows = channels(Message(API, "", b"", data).text)
    assert [(row.inbound, row.account) for row in rows] == [(True, "acct1"), (False, "")]
    assert {row.caller for row in rows} == {"acct1"}


@pytest.mark.parametrize(
    "text",
    ["", "-ERR", "[", "[]", '{"rows":1}', '{"rows":[1]}', '{"rows":[{}]}', "[" * 100_000,
     json.dumps({"rows": [{"uuid": "x" * 200}]})],
)  # fmt: skip
def test_what_is_no_listing_is_a_wire_error(text: str) -> None:
    with pytest.raises(WireError):
        channels(text)


def test_a_channel_that_is_gone_has_no_dump() -> None:
    assert dump(Message(API, "", b"", b"-ERR No such channel!\n")) is None
    with pytest.raises(WireError):
        dump(Message(API, "", b"", b"nonsense"))
