"""The dialogues recorded from a FreeSWITCH, read as the enforcer reads them; bytes of events made up."""

from __future__ import annotations

from pathlib import Path

from enforcer.wire.channel import Identity
from enforcer.wire.esl import Decoder, Message
from enforcer.wire.freeswitch import WANTED_EVENTS, CallBook, Fact
from lab.fake_esl import event_bytes, frame

__all__ = ["DIALOGUES", "IDENTITY", "RECORDED", "event", "event_bytes", "facts", "frame", "recorded"]

RECORDED = Path(__file__).parents[1] / "recorded" / "freeswitch"
DIALOGUES = sorted(path.name.removesuffix(".facts.toml") for path in RECORDED.glob("*.facts.toml"))
# "default" is where a call placed by the switch stands that runs no dialplan.
IDENTITY = Identity("fs1", outbound_contexts=("lab", "default"))


def recorded(name: str) -> bytes:
    """Everything that FreeSWITCH said in one dialogue."""
    return (RECORDED / f"{name}.plain.esl").read_bytes()


def facts(
    data: bytes, identity: Identity = IDENTITY, chunk: int = 4096
) -> tuple[list[Fact], CallBook]:
    """The facts in the bytes, cut into pieces of `chunk` bytes, and the book that told them."""
    decoder, book, told = Decoder(WANTED_EVENTS), CallBook(identity), []
    for start in range(0, len(data), chunk):
        for message in decoder.feed(data[start : start + chunk]):
            told += book.read(message, 0.0)
    return told, book


def event(name: str, **headers: str) -> Message:
    """An event of that name; "_" in a header stands for "-", but not in variables."""
    named = {key if key.startswith("variable_") else key.replace("_", "-"): v for key, v in headers.items()}
    (message,) = Decoder().feed(frame(event_bytes({"Event-Name": name, **named})))
    return message
