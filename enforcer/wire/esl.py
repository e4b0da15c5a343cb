"""The language of FreeSWITCH's event socket: bytes to messages.

In: bytes as they arrive, cut anywhere. Out: `Message`s, whole, in order.
Refuses to know: what any event means, sockets, time, who is logged in; what we send is in `esl_commands`.

A message is lines "Name: value" closed by an empty line, and as many bytes more as Content-Length says.
Those bytes of an event are lines of the same kind, closed by an empty line, and perhaps a text behind it:

    Content-Length: 811                             the frame
    Content-Type: text/event-plain

    Event-Name: CHANNEL_CREATE                      the event
    Channel-Name: sofia/lab/acct1%40127.0.0.1%3A5072

FreeSWITCH percent-encodes the values. A caller can have an encoded line break in most of his (it is
passed on as it came), so lines are split first and a value is decoded afterwards, once, and only when
somebody asks for it. The decoded value may hold that line break.

What is larger than it should be is passed over, not an error: the callers of a switch can stretch what it
says of them, and none of them shall be able to cut the connection for all the others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from urllib.parse import unquote_to_bytes

from enforcer.errors import WireError

# The largest event in our recordings is 12 KB. A caller can stretch it: what he writes into a UDP packet (64
# KB at the most) comes back in half a dozen headers, percent-encoded, which may triple it.
LARGEST_EVENT = 2 * 1024 * 1024
# `show channels as json` takes 900 bytes a channel, so this is 37,000 channels.
LARGEST_REPLY = 32 * 1024 * 1024
# Notices, log lines, refusals: a sentence or two.
LARGEST_NOTICE = 65_536
# A frame's head is two or three lines; that of a `connect` is a whole channel.
LARGEST_HEAD = LARGEST_EVENT

EVENT, REPLY, API = "text/event-plain", "command/reply", "api/response"
AUTH, DISCONNECT, REJECTED = "auth/request", "text/disconnect-notice", "text/rude-rejection"
LOG = "log/data"
_EVENTS = (EVENT, "text/event-json", "text/event-xml")
_LARGEST = {
    **dict.fromkeys(_EVENTS, LARGEST_EVENT),
    API: LARGEST_REPLY, REPLY: LARGEST_NOTICE, AUTH: LARGEST_NOTICE, DISCONNECT: LARGEST_NOTICE,
    REJECTED: LARGEST_NOTICE, LOG: LARGEST_NOTICE,
}  # fmt: skip

_NAMED = b"Event-Name: "
_BODIED = b"\nContent-Length: "
_EVENT_HEAD = re.compile(rb"Content-Length: (\d{1,9})\nContent-Type: text/event-plain")
_LENGTH = re.compile(rb"\d{1,9}")
_LINE_ENDS = re.compile(rb"\n*")
_KEYS: dict[str, bytes] = {}        # header names are written in our code, so this stays small


class Message:
    """One thing that FreeSWITCH said. Headers are found and decoded when asked for, each time.

    `kind` is its Content-Type. Of an event, `name` is the event's, and headers and body are the event's
    own; of everything else they are the frame's. A header that is missing is None from `get` and an
    error from `[]`. Of a repeated header the first counts, which is the one that FreeSWITCH itself wrote.
    """

    __slots__ = ("body", "kind", "name", "raw")

    def __init__(self, kind: str, name: str, raw: bytes, body: bytes = b"") -> None:
        self.kind = kind
        self.name = name            # "" where it is no event
        self.raw = raw              # the headers, without the empty line behind them
        self.body = body

    def get(self, header: str) -> str | None:
        """The value, decoded; "" where it is empty, None where there is no such header."""
        value = find(self.raw, _KEYS.get(header) or _key(header))
        if value is None:
            return None
        if b"%" in value:
            value = unquote_to_bytes(value)
        return value.decode("utf-8", "replace")

    def __getitem__(self, header: str) -> str:
        """The value of a header that must be there. Raises WireError where it is missing."""
        value = self.get(header)
        if value is None:
            raise WireError(f"{self.name or self.kind} without {header}")
        return value

    def variable(self, name: str) -> str | None:
        """The channel variable of that name; None where it is not set."""
        return self.get("variable_" + name)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """All headers in order, decoded."""
        for line in self.raw.split(b"\n"):
            name, colon, value = line.partition(b": ")
            if colon:
                yield name.decode("utf-8", "replace"), unquote_to_bytes(value).decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 become U+FFFD."""
        return self.body.decode("utf-8", "replace")

    @property
    def accepted(self) -> bool:
        """Whether this is a reply that says +OK. An outbound `connect` has its reply encoded, others not."""
        return (self.get("Reply-Text") or "").startswith("+OK")

    def __repr__(self) -> str:
        return f"<{self.name or self.kind} {len(self.raw)}+{len(self.body)} bytes>"


def _key(header: str) -> bytes:
    key = _KEYS[header] = b"\n" + header.encode() + b": "
    return key


def find(raw: bytes, key: bytes) -> bytes | None:
    """The value, as it stands, of the first line that begins with `key`: line break, name, colon, blank."""
    if raw.startswith(key[1:]):
        at = -1                     # the first line has no line break in front of it
    elif (at := raw.find(key)) < 0:
        return None
    start = at + len(key)
    end = raw.find(b"\n", start)
    return raw[start:] if end < 0 else raw[start:end]


def event(raw: bytes) -> Message:
    """An event from its bytes: the body of a frame, or what `api uuid_dump` answers.

    Raises WireError where it has no name.
    """
    # An event has a text only where it says of how many bytes. (No caller can write that line, nor an empty
    # one: his line breaks are encoded. Looking for empty lines is what would take longest here.)
    if _BODIED in raw:
        end = raw.find(b"\n\n")
        head, body = (raw, b"") if end < 0 else (raw[:end], raw[end + 2 :])
    else:
        head, body = raw.removesuffix(b"\n\n"), b""
    name = find(head, b"\n" + _NAMED)
    if not name:
        raise WireError(f"not an event: {raw[:40]!r}")
    return Message(EVENT, name.decode("utf-8", "replace"), head, body)


def _line_ends(data: bytearray, at: int) -> int:
    """Where the line ends are over that begin here: a million of them shall cost nobody a moment."""
    match = _LINE_ENDS.match(data, at)
    return match.end() if match else at


class Decoder:
    """Feed it what the socket gives; it returns the messages that have become whole.

    `wanted` names the events to keep; all other events are dropped unread (None keeps all).
    Everything else is always kept. An event that is too large is dropped as well, any other message
    that is too large comes without its body; `oversized` counts both.
    After an error the stream is lost: close the connection.
    """

    def __init__(self, wanted: Collection[str] | None = None, *, largest_reply: int = LARGEST_REPLY) -> None:
        self._names = None if wanted is None else {name.encode(): name for name in wanted}
        self._largest = {**_LARGEST, API: largest_reply}
        self._rest = bytearray()
        self._searched = 0                  # no end of a frame's head begins in front of this
        self._open: tuple[str, bytes, int] | None = None    # kind, head, length of a frame whose body is due
        self._skip = 0                      # bytes that are still to be passed over
        self.oversized = 0
        self.events_seen = 0                # kept or dropped
        self.events_dropped = 0             # nobody wants them; the server should not send them

    def feed(self, data: bytes) -> list[Message]:
        """The messages completed by these bytes. Raises WireError where this is no event socket."""
        rest = self._rest
        rest += data
        at = 0
        messages: list[Message] = []
        while True:
            passed = min(self._skip, len(rest) - at)
            at += passed
            self._skip -= passed
            if self._skip:
                break
            if self._open is None:
                if rest.startswith(b"\n", at):          # some replies end with an empty line too many
                    at = _line_ends(rest, at)
                end = rest.find(b"\n\n", max(at, self._searched))
                if end - at > LARGEST_HEAD or (end < 0 and len(rest) - at > LARGEST_HEAD):
                    raise WireError(f"a frame with a head of more than {LARGEST_HEAD} bytes")
                if end < 0:
                    break
                self._open = self._opened(bytes(rest[at:end]))
                self._searched = 0
                at = end + 2
            kind, head, length = self._open
            if length > self._largest[kind]:
                self.oversized += 1
                self._skip = length
                self._open = (kind, head, 0) if kind not in _EVENTS else None
                continue
            if len(rest) - at < length:
                break
            if kind == EVENT:
                self._event(rest, at, length, messages)
            else:
                name = find(head, b"\n" + _NAMED) if kind == REPLY else None
                told = (name or b"").decode("utf-8", "replace")
                messages.append(Message(kind, told, head, bytes(rest[at : at + length])))
            at += length
            self._open = None
        del rest[:at]
        self._searched = max(0, len(rest) - 1) if self._open is None else 0
        return messages

    def _opened(self, head: bytes) -> tuple[str, bytes, int]:
        """What kind of frame begins with this head, and how many bytes belong to it."""
        match = _EVENT_HEAD.fullmatch(head)
        if match is not None:
            kind, length = EVENT, int(match[1])
        else:
            told = find(head, b"\nContent-Type: ") or b""
            kind = told.decode("utf-8", "replace")
            if kind not in self._largest:
                raise WireError(f"not a message of the event socket: {head[:60]!r}")
            size = find(head, _BODIED)
            if size is not None and not _LENGTH.fullmatch(size):
                raise WireError(f"{kind} of {size[:20]!r} bytes")
            length = int(size or 0)
        return kind, head, length

    def _event(self, rest: bytearray, at: int, length: int, messages: list[Message]) -> None:
        """Keeps the event, or drops it having read no more than its name."""
        self.events_seen += 1
        if self._names is not None and rest.startswith(_NAMED, at, at + length):
            start = at + len(_NAMED)
            end = rest.find(b"\n", start, at + length)
            name = self._names.get(bytes(rest[start : end if end >= 0 else at + length]))
            if name is None:
                self.events_dropped += 1
                return
            # The usual event, which has no text: copied once, without its empty line.
            if rest.endswith(b"\n\n", at, at + length) and rest.find(_BODIED, at, at + length) < 0:
                with memoryview(rest) as view:
                    messages.append(Message(EVENT, name, bytes(view[at : at + length - 2])))
                return
        message = event(bytes(rest[at : at + length]))
        if self._names is not None and message.name.encode() not in self._names:
            self.events_dropped += 1
            return
        messages.append(message)
