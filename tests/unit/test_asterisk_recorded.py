"""Every dialogue recorded from a real Asterisk yields exactly the calls that took place on the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from enforcer.domain.call import CallEvent, Phase, Refusal
from enforcer.wire.ami import Decoder
from enforcer.wire.asterisk import WANTED_EVENTS, CallBook, Fact
from enforcer.wire.channel import Identity
from tests.support.wire_trace import expected, joined

RECORDED = Path(__file__).parents[1] / "recorded" / "asterisk"
DIALOGUES = sorted(path.name.removesuffix(".facts.toml") for path in RECORDED.glob("*.facts.toml"))
KEPT = (Refusal.BLOCKED, Refusal.SHED)
IDENTITY = Identity("pbx1", outbound_contexts=("from-customer",), inbound_contexts=("from-carrier",))


def facts(path: Path, identity: Identity = IDENTITY, chunk: int = 4096) -> tuple[list[Fact], CallBook]:
    decoder, book, told = Decoder(WANTED_EVENTS), CallBook(identity), []
    data = path.read_bytes()
    for start in range(0, len(data), chunk):
        for message in decoder.feed(data[start : start + chunk]):
            told += book.read(message, 0.0)
    return told, book


@pytest.mark.parametrize("name", DIALOGUES)
def test_every_recorded_dialogue_yields_the_calls_of_its_wire_trace(name: str) -> None:
    told, book = facts(RECORDED / f"{name}.ami")
    found = joined(told, refusals=KEPT)
    for call in found:
        phases = call.pop("phases")
        assert phases == sorted(set(phases)), "each phase once, in order"
        assert phases[-1] is Phase.ENDED
    assert found == expected(RECORDED, name)
    assert book.legs == 0, "ended calls leave no trace"


@pytest.mark.parametrize("name", [name for name in DIALOGUES if (RECORDED / f"{name}.enf.ami").exists()])
def test_a_stream_without_answers_still_yields_every_attempt_and_its_end(name: str) -> None:
    told, book = facts(RECORDED / f"{name}.enf.ami")
    found = joined(told, refusals=KEPT)
    for call in found:
        assert call.pop("phases") in ([Phase.STARTED, Phase.ENDED], [Phase.STARTED])
    wanted = expected(RECORDED, name)
    if name == "15_originate":
        wanted = []         # nobody told us that the leg came up, so nothing says it was a call
    assert found == [{k: v for k, v in call.items() if k != "answered"} for call in wanted]
    assert book.legs == 0


@pytest.mark.parametrize("chunk", [1, 7, 1500])
def test_facts_do_not_depend_on_how_the_bytes_were_cut(chunk: int) -> None:
    path = RECORDED / "09_attended_xfer_by_caller.ami"
    assert facts(path, chunk=chunk)[0] == facts(path)[0]


def test_calls_are_told_apart_by_the_id_of_their_first_channel() -> None:
    told, _book = facts(RECORDED / "09_attended_xfer_by_caller.ami")
    ids = {event.attempt.call_id for event in told if isinstance(event, CallEvent)}
    assert ids == {"pbx1/lab1-1795309526.462", "pbx1/lab1-1795309526.464"}


@pytest.mark.parametrize(
    ("account_from", "outbound", "inbound"),
    [("accountcode", "acme", "globex"), ("endpoint", "acme", "globex"), ("caller", "acme", "4930123")],
)
def test_the_account_is_found_by_code_endpoint_or_number(
    account_from: Any, outbound: str, inbound: str
) -> None:
    identity = Identity("pbx1", ("from-customer",), ("from-carrier",), account_from=account_from)
    (out,) = joined(facts(RECORDED / "01_answered_caller_bye.ami", identity)[0], refusals=KEPT)
    (into,) = joined(facts(RECORDED / "14_inbound.ami", identity)[0], refusals=KEPT)
    assert (out["account"], into["account"]) == (outbound, inbound)


def test_a_call_in_a_context_listed_nowhere_is_not_counted_but_named() -> None:
    told, book = facts(RECORDED / "01_answered_caller_bye.ami", Identity("pbx1"))
    assert joined(told, refusals=KEPT) == []
    assert book.unlisted == {"from-customer": 1}
    assert book.legs == 0


def test_no_caller_chooses_who_it_is() -> None:
    told, _book = facts(RECORDED / "inject.ami")
    assert {event.attempt.account for event in told if isinstance(event, CallEvent)} == {"acme"}
