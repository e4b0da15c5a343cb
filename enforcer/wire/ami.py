"""The language of Asterisk's manager interface (AMI): bytes to messages, actions to bytes.

In: bytes as they arrive, cut anywhere. Out: `Message`s, whole, in order; and bytes to send.
Refuses to know: what any event means, sockets, time, who is logged in.

A message is lines "Key: value" closed by an empty line, all ended by CR LF. So the stream is cut
into messages as bytes and a value is decoded only when somebody asks for it: a UTF-8 character on
the edge of two reads is never torn, and the events that nobody reads cost one look at their name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from enforcer.errors import WireError
from enforcer.wire.channel_block import PLACES

# The largest event in our recordings is 3.3 KB (an AttendedTransfer with all its channel variables),
# the largest response 5.9 KB; the parts that a caller can stretch are capped by PJSIP at a few hundred
# bytes each. Ten times that is no message of a sound switch.
LARGEST_MESSAGE = 65_536
# "Asterisk Call Manager/11.0.0"; vendors add a name, nobody adds a page.
LONGEST_BANNER = 256
# Asterisk reads an action line, CR LF and a NUL included, into a buffer of 1025 bytes (manager.c, `inbuf`)
# and throws longer lines away.
LONGEST_ACTION_LINE = 1022

_END = b"\r\n\r\n"
_KEYS: dict[str, bytes] = {}        # header names are written in our code, so this stays small


class Message:
    """One event or response. Headers are found and decoded when asked for, each time.

    A header that is missing is None from `get` and an error from `[]`; a header that is there and
    empty is "". Of a repeated header the first counts: Asterisk writes the channel's own headers
    before any text that a dialplan or a caller contributed.
    """

    __slots__ = ("at", "block", "name", "raw")

    def __init__(self, name: str, raw: bytes) -> None:
        self.at: float | None = None        # its own time, once somebody has read it
        self.block: re.Match[bytes] | None = None       # see `channel_block`, once somebody has asked for it
        self.name = name            # of the event; "" for a response
        self.raw = raw              # without the empty line at its end

    def get(self, header: str) -> str | None:
        """The value of the header; "" where it is empty, None where it is missing."""
        if self.block is not None and header in PLACES:
            told: bytes | None = self.block[PLACES[header]]
            return None if told is None else told.decode("utf-8", "replace")
        key = _KEYS.get(header) or _key(header)
        raw = self.raw
        at = raw.find(key)
        if at < 0:
            if not raw.startswith(key[2:]):
                return None
            at = -2                 # the first line has no line break in front of it
        start = at + len(key)
        end = raw.find(b"\r\n", start)
        value = raw[start:] if end < 0 else raw[start:end]
        if value[:1] == b" ":
            value = value[1:]
        return value.decode("utf-8", "replace")

    def __getitem__(self, header: str) -> str:
        """The value of a header that must be there. Raises WireError where it is missing."""
        value = self.get(header)
        if value is None:
            raise WireError(f"{self.name or 'response'} without {header}")
        return value

    def variable(self, name: str, header: str = "ChanVariable") -> str | None:
        """The value in a line "<header>: <name>=value"; None where there is no such line."""
        key = _KEYS.get(header) or _key(header)
        wanted = key + b" " + name.encode() + b"="
        at = self.raw.find(wanted)
        if at < 0:
            return None
        start = at + len(wanted)
        end = self.raw.find(b"\r\n", start)
        return (self.raw[start:] if end < 0 else self.raw[start:end]).decode("utf-8", "replace")

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """All headers in order; a line without a colon is skipped."""
        for line in self.raw.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon:
                yield (
                    name.decode("utf-8", "replace"),
                    value.removeprefix(b" ").decode("utf-8", "replace"),
                )

    def __repr__(self) -> str:
        return f"<{self.name or 'Response'} {len(self.raw)} bytes>"


def _key(header: str) -> bytes:
    key = _KEYS[header] = b"\r\n" + header.encode() + b":"
    return key


class Decoder:
    """Feed it what the socket gives; it returns the messages that have become whole.

    `wanted` names the events to keep; all other events are dropped unread (None keeps all).
    Responses are always kept. After an error the stream is lost: close the connection.
    """

    def __init__(self, wanted: Collection[str] | None = None, *, largest: int = LARGEST_MESSAGE) -> None:
        self._names = None if wanted is None else {name.encode(): name for name in wanted}
        self._largest = largest
        self._rest = bytearray()
        self.banner: str | None = None      # the greeting, once it is here
        self.events_seen = 0                # kept or dropped
        self.events_dropped = 0             # nobody wants them; the server should not send them
        self.strays = 0                     # blocks that were neither event nor response, dropped

    def feed(self, data: bytes) -> list[Message]:
        """The messages completed by these bytes. Raises WireError where this is no AMI."""
        rest = self._rest
        searched = len(rest)
        rest += data
        if self.banner is None:
            if not self._greeted():
                return []
            searched = 0            # what was searched then was the banner
        end = rest.rfind(_END, max(0, searched - 3))
        if end < 0:
            self._check(len(rest) - 3)
            return []
        close = end
        while rest.endswith(b"\r\n", 0, close):      # empty lines too many: the first of them closed it,
            close -= 2                              # however the bytes were cut
        blocks = bytes(rest[:close]).split(_END)
        del rest[: end + 4 - (end - close) % 4]
        self._check(len(rest) - 3)
        return self._messages(blocks)

    def _check(self, size: int) -> None:
        """Also of what nobody reads: an end within these bytes, or in the next ones, is no difference."""
        if size > self._largest:
            raise WireError(f"a message of more than {self._largest} bytes")

    def _greeted(self) -> bool:
        """Takes the banner off the front; False while it is not whole."""
        rest = self._rest
        end = rest.find(b"\r\n", 0, LONGEST_BANNER)
        if end < 0:
            if len(rest) >= LONGEST_BANNER:
                raise WireError("no AMI greeting in the first bytes")
            return False
        banner = bytes(rest[:end])
        if b"Call Manager/" not in banner:
            raise WireError(f"not an AMI greeting: {banner[:40]!r}")
        self.banner = banner.decode("ascii", "replace")
        del rest[: end + 2]
        return True

    def _messages(self, blocks: list[bytes]) -> list[Message]:
        names, largest = self._names, self._largest
        messages: list[Message] = []
        keep = messages.append
        cuttable = False            # the block before was an event, and we kept it
        for block in blocks:
            if len(block) > largest:
                self._check(len(block))
            if block[:2] == b"\r\n":          # some TestEvents end with an empty line too many
                block = block.lstrip(b"\r\n")
            if block[:7] == b"Event: ":
                self.events_seen += 1
                end = block.find(b"\r\n", 7)
                name = block[7:] if end < 0 else block[7:end]
                if names is None:
                    found: str | None = name.decode("utf-8", "replace")
                else:
                    found = names.get(name)
                if found is None:
                    self.events_dropped += 1
                    cuttable = False
                    continue
            elif block[:9] == b"Response:":
                found = ""
            else:
                # Asterisk writes no such thing: a caller cut its own event short (see `channel.whole`),
                # so what came before is not what Asterisk meant to say.
                if block:
                    self.strays += 1
                    if cuttable:
                        messages.pop()
                cuttable = False
                continue
            keep(Message(found, block))
            cuttable = bool(found)
        return messages


def encode_action(name: str, headers: Iterable[tuple[str, str]] = (), action_id: str = "") -> bytes:
    """The bytes of one action. Raises WireError(remote=False) for anything that would not be
    one: CR, LF or NUL in a name or value, a name with a colon, a line that Asterisk throws away.
    """
    lines = [_line("Action", name)]
    if action_id:
        lines.append(_line("ActionID", action_id))
    lines += [_line(key, value) for key, value in headers]
    return b"".join(lines) + b"\r\n"


def _line(key: str, value: str) -> bytes:
    try:
        line = f"{key}: {value}".encode()
    except UnicodeEncodeError:
        raise WireError(f"{key!a}: a value that is not text", remote=False) from None
    if b"\r" in line or b"\n" in line or b"\0" in line:
        raise WireError(f"{key!a}: a value with a line break or NUL in it", remote=False)
    if not key or ":" in key or key != key.strip():
        raise WireError(f"not a header name: {key!a}", remote=False)
    if len(line) > LONGEST_ACTION_LINE:
        raise WireError(f"{key}: longer than Asterisk reads ({LONGEST_ACTION_LINE} bytes)", remote=False)
    return line + b"\r\n"
