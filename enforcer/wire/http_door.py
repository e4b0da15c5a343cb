"""One question over HTTP: how FreeSWITCH's mod_curl asks from within its dialplan.

In: bytes from the switch, cut anywhere. Out: the `CallAttempt` asked about; the bytes of the answer.
Refuses to know: sockets, deadlines, and what is decided.

    > POST /fs1/8a1f09c2d4e6b7a3 HTTP/1.1
    > Host: 127.0.0.1:8090
    > Content-Length: 83
    >
    > outbound;acme;12025550142;9c1f4cfe-...;9c1f4cfe-...;carrier;12025550101;a84b4c76e66710
      HTTP/1.1 200 OK
      Content-Length: 19

      allow:0:0:0::d1-2f

The question is one line: direction, account, number, the channel's id, the id of the channel that the call
began with ("" the same), route, caller, SIP Call-ID (older dialplans leave it out). The path says who asks:
the switch's name, and its token where it has one; a switch that is alone at its door need not say anything.
Whatever else comes is no question: the connection is closed, and the dialplan goes on as if nobody answered.
"""

from __future__ import annotations

import re

from enforcer.domain.call import CallAttempt
from enforcer.errors import WireError
from enforcer.wire.answer import parse_answer
from enforcer.wire.channel import account_name, direction_of, sip_call_id

# mod_curl writes five lines, some 150 bytes.
LARGEST_HEAD = 4096
LARGEST_BODY = 1024

_REQUEST = re.compile(rb"POST /([!-~]{0,200}) HTTP/1\.[01]\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,4}) *\r\n", re.IGNORECASE)
_QUESTION = re.compile(
    r"(?P<direction>[a-z]{1,16});(?P<account>[^;]{0,80});(?P<number>[0-9A-Za-z+*#._-]{1,64});"
    r"(?P<channel>[!-:<-~]{1,128});(?P<call>[!-:<-~]{0,128});(?P<route>[^;]{0,80});"
    r"(?P<caller>[0-9A-Za-z+*#._-]{0,64})(?:;(?P<sip>[!-:<-~]{0,200}))?",
    re.ASCII,
)


class QuestionReader:
    """One request, read. Keeps no more than the largest one, whatever is sent."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._body: tuple[int, int] | None = None       # where it begins and ends
        self.path = ""

    def feed(self, data: bytes) -> str | None:
        """The question, once, when all of it is there. Raises WireError where it cannot become one."""
        rest = self._rest
        rest += data
        if self._body is None:
            end = rest.find(b"\r\n\r\n", 0, LARGEST_HEAD)
            if end < 0:
                if len(rest) >= LARGEST_HEAD or not rest.startswith(b"POST /"[: len(rest)]):
                    raise WireError("not a question over HTTP")
                return None
            head = bytes(rest[: end + 2])
            lengths = _LENGTH.findall(head)
            request = _REQUEST.match(head)
            if request is None or len(lengths) != 1 or int(lengths[0]) > LARGEST_BODY:
                raise WireError("not a question over HTTP")     # a token may be in what it is
            self.path = request[1].decode("ascii")
            self._body = end + 4, end + 4 + int(lengths[0])
        start, end = self._body
        if len(rest) < end:
            return None
        if len(rest) > end:
            raise WireError("more than one question over HTTP")
        return rest[start:end].decode("utf-8", "replace")


def claimed(path: str) -> tuple[str, str]:
    """Who asks, by the path: its name and its token, "" where it says neither.

    >>> claimed("fs1/8a1f09c2d4e6b7a3")
    ('fs1', '8a1f09c2d4e6b7a3')
    """
    name, _, token = path.removesuffix("/").partition("/")
    return name, token


def attempt_of(question: str, switch: str, at: float) -> CallAttempt:
    """The attempt that a line asks about; `at` is Unix seconds. An account that can be no account's name is
    none ("" is judged as such). Raises WireError where it is no question.

    >>> attempt_of("outbound;acme;911;c-1;;;101", "fs1", 7.5).call_id
    'fs1/c-1'
    """
    match = _QUESTION.fullmatch(question)
    direction = direction_of(match["direction"]) if match else None
    if match is None or direction is None:
        raise WireError(f"not a question: {question[:60]!a}")
    return CallAttempt(
        call_id=f"{switch}/{match['call'] or match['channel']}",
        switch=switch,
        account=account_name(match["account"]),
        direction=direction,
        number=match["number"],
        caller=match["caller"],
        at=at,
        channel=match["channel"],
        route=account_name(match["route"]),
        sip_call_id=sip_call_id(match["sip"]),
    )


def response(line: str) -> bytes:
    """The answer line as an answer over HTTP, for one write. Raises WireError (ours) where it is none."""
    parse_answer(line)
    body = line.encode("ascii")
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body
