"""The dialogues recorded from a FreeSWITCH, read as the enforcer reads them; bytes of events made up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from enforcer.wire.channel import Identity
from enforcer.wire.esl import Decoder, Message
from enforcer.wire.freeswitch import WANTED_EVENTS, CallBook, Fact

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


def event_bytes(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> bytes:
    """An event's lines, values encoded as FreeSWITCH does."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [f"{name}: {quote(value, safe='/,.!()$?', errors='surrogatepass')}" for name, value in pairs]
    return "\n".join(lines).encode() + b"\n\n"


def frame(body: bytes, kind: str = "text/event-plain") -> bytes:
    """The body as the event socket sends it."""
    return f"Content-Length: {len(body)}\nContent-Type: {kind}\n\n".encode() + body


def event(name: str, **headers: str) -> Message:
    """An event of that name; "_" in a header stands for "-", but not in variables."""
    named = {key if key.startswith("variable_") else key.replace("_", "-"): v for key, v in headers.items()}
    (message,) = Decoder().feed(frame(event_bytes({"Event-Name": name, **named})))
    return message
