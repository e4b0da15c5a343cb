"""The language of Asterisk's gateway interface (AGI), as far as one question and one answer need it.

In: bytes as they arrive, cut anywhere. Out: one `AgiRequest`, its `CallAttempt`, one command, one `AgiReply`.
Refuses to know: sockets, deadlines, and what is decided.

A dialogue, `>` from Asterisk:

    > agi_request: agi://127.0.0.1:4573/ask          about 27 such lines, then an empty one
    > agi_uniqueid: pbx1-1795309504.425
    > agi_arg_1: acme
    >
      SET VARIABLE ENF_ANSWER "allow:0:0:0::d1-2f"
    > 200 result=1

The answer is one line and has to leave in one piece: half a line, then silence, keeps a thread of Asterisk
spinning until the connection closes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from enforcer.domain.call import CallAttempt
from enforcer.errors import WireError
from enforcer.wire.channel import account_name, direction_of, sip_call_id

# A request of Asterisk 22 with our four arguments is 700 to 900 bytes. A caller can stretch the caller id's
# name and number and the dialled number, each of which PJSIP cuts below 100 bytes.
LARGEST_REQUEST = 8192
MOST_LINES = 64
# "200 result=1 (some value)"; Asterisk answers a syntax error with some lines of usage.
LONGEST_REPLY = 2048
# Asterisk reads a command into a buffer of 2048 bytes.
LONGEST_COMMAND = 1024

_KEY = re.compile(rb"agi_[a-z0-9_]{1,60}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}", re.ASCII)
_UNQUOTABLE = re.compile(r'[^\x20-\x7e]|["\\$]')
_REPLY = re.compile(rb"(\d{3}) (?:result=(-?\d+))?")
_UNKNOWN = "unknown"    # what Asterisk writes for a caller id that is not there


@dataclass(frozen=True, slots=True)
class AgiRequest:
    """What Asterisk said about the call. `fields` have their `agi_` prefix cut off; "" where empty."""

    fields: Mapping[str, str]

    def get(self, name: str) -> str | None:
        """The value; "" where it is empty, None where it is missing."""
        return self.fields.get(name)

    def __getitem__(self, name: str) -> str:
        value = self.fields.get(name)
        if value is None:
            raise WireError(f"AGI request without agi_{name}")
        return value


class AgiReply(NamedTuple):
    """Asterisk's word on one command. `code` 200 with `result` 1 is success for SET VARIABLE."""

    code: int
    result: int | None

    @property
    def taken(self) -> bool:
        """True where the variable was set."""
        return self.code == 200 and self.result == 1


class AgiReader:
    """One dialogue, read. Keeps no more than the largest request or reply, whatever is sent."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._asked = False

    def feed(self, data: bytes) -> AgiRequest | AgiReply | None:
        """The request once it is complete, after that the reply once it is; None: not yet.

        Raises WireError where the bytes cannot become either.
        """
        self._buffer += data
        if self._asked:
            return self._reply()
        return self._request()

    def _request(self) -> AgiRequest | None:
        buffer = self._buffer
        end = buffer.find(b"\n\n", max(0, self._searched - 1), LARGEST_REQUEST)
        if end < 0:
            if len(buffer) >= LARGEST_REQUEST:
                raise WireError("AGI request without an end")
            # Refuse early what is no AGI at all: binary, HTTP, a scanner's greeting.
            if not buffer.startswith(b"agi_"[: len(buffer)]):
                raise WireError("not an AGI request")
            self._searched = len(buffer)
            return None
        block = bytes(buffer[:end])
        self._buffer = buffer[end + 2 : end + 2 + LONGEST_REPLY + 1]     # and no more of what nobody reads
        self._asked = True
        return AgiRequest(_fields(block))

    def _reply(self) -> AgiReply | None:
        end = self._buffer.find(b"\n", 0, LONGEST_REPLY + 1)
        if end < 0:
            if len(self._buffer) > LONGEST_REPLY:
                raise WireError("AGI reply without an end")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if line == b"HANGUP":           # the caller is gone; no reply will come to be read
            return AgiReply(0, None)
        match = _REPLY.match(line)
        if match is None:
            if re.match(rb"\d{3}-", line):      # the first of several lines of usage
                return AgiReply(int(line[:3]), None)
            raise WireError(f"not an AGI reply: {line[:40]!r}")
        result = match[2]
        return AgiReply(int(match[1]), int(result[:9]) if result is not None else None)


def _fields(block: bytes) -> dict[str, str]:
    """The lines of a request. Decoded one value at a time: no byte of a value can become a new line."""
    lines = block.split(b"\n")
    if len(lines) > MOST_LINES:
        raise WireError(f"AGI request of {len(lines)} lines")
    fields: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(b":")
        if not colon or not _KEY.fullmatch(key):
            raise WireError(f"not a line of an AGI request: {line[:40]!r}")
        name = key[4:].decode("ascii")
        if name in fields:
            # Asterisk writes each once; a second one would be somebody's attempt to speak in its place.
            raise WireError(f"AGI request with two lines agi_{name}")
        fields[name] = value.removeprefix(b" ").decode("utf-8", "replace")
    return fields


def attempt_of(request: AgiRequest, switch: str, at: float) -> CallAttempt:
    """The attempt that a request of our dialplan asks about; `at` is Unix seconds.

    Arguments are account, direction, number, linked id and, where there are any, the route and the SIP
    Call-ID, in this order (`dialplan/asterisk/enforcer.conf`).
    Raises WireError where one is missing or the direction is none.
    """
    direction = direction_of(request["arg_2"])
    if direction is None:
        raise WireError(f"agi_arg_2: no direction: {request['arg_2'][:20]!r}")
    caller = request.get("callerid") or ""
    return CallAttempt(
        call_id=f"{switch}/{request['arg_4'] or request['uniqueid']}",
        switch=switch,
        account=account_name(request["arg_1"]),
        direction=direction,
        number=request["arg_3"],
        caller="" if caller == _UNKNOWN else caller,
        at=at,
        channel=request["channel"],
        route=account_name(request.get("arg_5")),
        sip_call_id=sip_call_id(request.get("arg_6")) if request["channel"].startswith("PJSIP/") else "",
    )


def set_variable(name: str, value: str) -> bytes:
    """The command that sets a channel variable, to be written in one piece.

    Raises WireError (ours) where name or value could end the line, its quotes, or be more than text.
    """
    if not _NAME.fullmatch(name) or _UNQUOTABLE.search(value):
        raise WireError(f"{name}: not a value for AGI: {value[:60]!r}", remote=False)
    command = f'SET VARIABLE {name} "{value}"\n'.encode("ascii")
    if len(command) > LONGEST_COMMAND:
        raise WireError(f"{name}: {len(command)} bytes are too long for AGI", remote=False)
    return command
