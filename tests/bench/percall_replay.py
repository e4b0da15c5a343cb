"""`python -m tests.bench.percall_replay asterisk|freeswitch [asked]`: a manager or event socket with calls.

In: a connection, on which it says yes to whatever a link wants; lines "COUNT RATE" on standard input.
Out: the events of so many answered calls at so many a second, as the real switch sends them to our user; its
port, and a line each time that the last of them is sent. Refuses to know: what is made of them.
"""

from __future__ import annotations

import heapq
import re
import select
import socket
import sys
import time

from enforcer.wire.esl import EVENT, Decoder
from enforcer.wire.freeswitch import WANTED_EVENTS
from tests.support.esl import event_bytes, frame, recorded

# s after its beginning: what happens in the bench's usual call, which talks for a tenth of a second.
CREATED, DIALLED, UP, OVER = 0.0, 0.004, 0.012, 0.115
_STAMP = re.compile(rb"\d{16}")

# As Asterisk 22.10 with `docker/asterisk` says it.
_CHANNEL = """\
Event: {event}\r
Privilege: {privilege},all\r
Timestamp: {{now:.6f}}\r
Channel: PJSIP/{who}-{{serial:08x}}\r
ChannelState: {state}\r
ChannelStateDesc: {words}\r
CallerIDNum: {caller}\r
CallerIDName: <unknown>\r
ConnectedLineNum: {other}\r
ConnectedLineName: <unknown>\r
Language: en\r
AccountCode: {account}\r
Context: {context}\r
Exten: {exten}\r
Priority: {priority}\r
Uniqueid: {{began}}.{{serial}}\r
Linkedid: {{began}}.{{leader}}\r
ChanVariable: ENF_VERDICT=\r
ChanVariable: ENF_DECISION=\r
"""
_A = {"who": "acme", "caller": "acme", "account": "acme", "context": "from-accounts", "exten": "12025550142"}
_B = {"who": "carrier", "account": "acme", "context": "from-trunk"}
_UP = {"event": "Newstate", "privilege": "call", "state": 6, "words": "Up"}
_END = {**_UP, "event": "Hangup"}
_CAUSE = "Cause: 16\r\nCause-txt: Normal Clearing\r\n"
_ASKED = "UserEvent: EnfAsk\r\nAccount: acme\r\nDirection: outbound\r\nNumber: 12025550142\r\nRoute: \r\n"


def _of_asterisk(asked: bool) -> list[tuple[float, int, str]]:
    """When, of which leg, what."""

    def channel(leg: dict[str, object], more: str = "", **told: object) -> str:
        known = {"exten": "", "priority": 1, "caller": "12025550142", "other": "<unknown>", **leg, **told}
        return _CHANNEL.format(**known) + more + "\r\n"

    ring = {"privilege": "call", "state": 4, "words": "Ring"}
    question = channel(_A, _ASKED, **{**ring, "event": "UserEvent", "privilege": "user", "priority": 4})
    return [
        (CREATED, 0, channel(_A, event="Newchannel", **ring)),
        *([(CREATED, 0, question)] if asked else []),
        (DIALLED, 1, channel(_B, event="Newchannel", privilege="call", state=0, words="Down")),
        (UP, 1, channel(_B, other="acme", **_UP)),
        (UP, 0, channel(_A, priority=2, other="12025550142", **_UP)),
        (OVER, 0, channel(_A, _CAUSE, priority=2, other="12025550142", **_END)),
        (OVER, 1, channel(_B, _CAUSE, other="acme", **_END)),
    ]


class Manager:
    """Asterisk's side of it."""

    banner, end = b"Asterisk Call Manager/11.0.0\r\n", b"\r\n\r\n"

    def __init__(self, asked: bool) -> None:
        self._script = _of_asterisk(asked)
        self.steps = [at for at, _, _ in self._script]

    def event(self, call: int, began: float, step: int) -> bytes:
        """What is to be said now."""
        _, leg, text = self._script[step]
        told = {"serial": 2 * call + leg, "leader": 2 * call, "began": int(began)}
        return text.format(now=time.time(), **told).encode()

    @staticmethod
    def answer(block: bytes) -> bytes:
        """To one action."""
        action = dict(line.partition(": ")[::2] for line in block.decode().split("\r\n"))
        name = action.get("Action")
        told = f"ActionID: {action['ActionID']}\r\n" if "ActionID" in action else ""
        yes = f"Response: Success\r\n{told}"
        if name == "Ping":
            return f"{yes}Ping: Pong\r\nTimestamp: {time.time():.6f}\r\n\r\n".encode()
        if name == "Challenge":
            return f"{yes}Challenge: 1\r\n\r\n".encode()
        if name == "CoreStatus":
            return f"{yes}CoreStartupDate: 2026-01-01\r\nCoreStartupTime: 00:00:00\r\n\r\n".encode()
        if name == "Status":
            done = f"Event: StatusComplete\r\n{told}EventList: Complete\r\nListItems: 0\r\nItems: 0\r\n\r\n"
            return f"{yes}EventList: start\r\n\r\n{done}".encode()
        return f"{yes}Message: well\r\n\r\n".encode()


class EventSocket:
    """FreeSWITCH's side of it: one call of the recordings, told again and again with other ids."""

    banner, end = b"Content-Type: auth/request\n\n", b"\n\n"
    steps = (CREATED, DIALLED, UP, UP, OVER, OVER)

    def __init__(self, _asked: bool) -> None:
        told = [m for m in Decoder(WANTED_EVENTS).feed(recorded("answered_caller_bye")) if m.kind == EVENT]
        # As the bench's own directory has it: the account is known as the call begins.
        known = b"\nCaller-Context: from-accounts\nvariable_accountcode: acme"
        self._legs = [m["Unique-ID"].encode() for m in told[:2]]
        self._script = [
            re.sub(rb"\nvariable_accountcode: [^\n]*", b"", m.raw).replace(b"\nCaller-Context: lab", known)
            + b"\n\n" for m in told
        ]

    def event(self, call: int, began: float, step: int) -> bytes:
        """What is to be said now."""
        raw, now = self._script[step], b"%d" % (time.time() * 1e6)
        for leg, uuid in enumerate(self._legs):
            raw = raw.replace(uuid, b"%08x-%04d" % (call, leg) + uuid[13:])
        return frame(_STAMP.sub(now, raw))

    @staticmethod
    def answer(block: bytes) -> bytes:
        """To one command."""
        words = block.decode().split()
        if words[:1] == ["sendevent"]:
            beat = re.search(rb"Enforcer-Beat: (\S+)", block)
            return b"Content-Type: command/reply\nReply-Text: +OK\n\n" + frame(event_bytes({
                "Event-Name": "CUSTOM", "Core-UUID": "a8200edd-6298-479b-9719-520dac79234d",
                "Enforcer-Beat": beat[1].decode() if beat else "",
                "Event-Date-Timestamp": str(int(time.time() * 1e6)),
            }))    # fmt: skip
        if words[:1] != ["api"]:
            return b"Content-Type: command/reply\nReply-Text: +OK\n\n"
        return frame(b'{"row_count": 0}\n' if words[1] == "show" else b"+OK\n", "api/response")


def main(kind: str, asked: bool) -> None:
    """Serve one connection until it ends."""
    switch = Manager(asked) if kind == "asterisk" else EventSocket(asked)
    due: list[tuple[float, int, int, float]] = []
    first = 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(switch.banner)
    rest = b""
    while True:
        wait = max(0.0, due[0][0] - time.time()) if due else None
        ready, _, _ = select.select([connection, sys.stdin], [], [], wait)
        if connection in ready:
            data = connection.recv(65_536)
            if not data:
                return
            *blocks, rest = (rest + data).split(switch.end)
            connection.sendall(b"".join(switch.answer(block) for block in blocks if block.strip()))
        if sys.stdin in ready:
            count, rate = map(int, sys.stdin.readline().split())
            start = time.time()
            for call in range(first, first + count):
                began = start + (call - first) / rate
                for step, after in enumerate(switch.steps):
                    heapq.heappush(due, (began + after, call, step, began))
            first += count
        had = bool(due)
        while due and due[0][0] <= time.time():
            _, call, step, began = heapq.heappop(due)
            connection.sendall(switch.event(call, began, step))
        if had and not due:
            print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], "asked" in sys.argv[2:])
