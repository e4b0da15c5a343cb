"""`python -m tests.bench.esl_replay`: an event socket in a process of its own that replays recordings.

In: a connection; it understands what a link says, and `api flood COUNT` and `api pace COUNT RATE`. Out: the
events of `tests/recorded/freeswitch` that the enforcer subscribes to, stamped with the moment they are sent;
then the call "last". Prints its port, and how many events there are.
"""

from __future__ import annotations

import re
import socket
import time

from enforcer.wire.esl import EVENT, Decoder
from enforcer.wire.freeswitch import WANTED_EVENTS
from tests.support.esl import DIALOGUES, event_bytes, frame, recorded

_STAMP = re.compile(rb"Event-Date-Timestamp: \d{16}")
_BEAT = re.compile(r"Enforcer-Beat: (\S+)")


def events() -> list[bytes]:
    """Each as it comes on the wire."""
    messages = Decoder(WANTED_EVENTS).feed(b"".join(map(recorded, DIALOGUES)))
    return [frame(m.raw + b"\n\n" + m.body) for m in messages if m.kind == EVENT and m.name != "SHUTDOWN"]


def stamped(data: bytes) -> bytes:
    """As if it happened now."""
    return _STAMP.sub(b"Event-Date-Timestamp: %d" % (time.time() * 1e6), data)


def call(uuid: str) -> bytes:
    """A call that begins now."""
    now = str(int(time.time() * 1e6))
    return frame(event_bytes({
        "Event-Name": "CHANNEL_CREATE", "Event-Date-Timestamp": now, "Core-UUID": "bench",
        "Channel-Name": "sofia/bench", "Unique-ID": uuid, "Call-Direction": "inbound",
        "Caller-Context": "lab", "Caller-Destination-Number": "12025550142",
        "Caller-Channel-Created-Time": now,
    }))    # fmt: skip


def answer(connection: socket.socket, command: str, replayed: list[bytes]) -> None:
    """What a FreeSWITCH would say to it."""
    reply = b"Content-Type: command/reply\nReply-Text: +OK\n\n"
    words = command.split()
    if words[0] == "sendevent":
        beat = _BEAT.search(command)
        own = {"Event-Name": "CUSTOM", "Core-UUID": "bench", "Enforcer-Beat": beat[1] if beat else ""}
        connection.sendall(reply + frame(event_bytes(
            {**own, "Event-Date-Timestamp": str(int(time.time() * 1e6))}
        )))    # fmt: skip
    elif words[0] != "api":
        connection.sendall(reply)
    elif words[1] == "flood":
        connection.sendall(frame(b"+OK\n", "api/response"))
        # The events of a recording lie apart in its time, so one stamp for all that leave in one go.
        whole = b"".join(replayed)
        for _ in range(int(words[2]) // len(replayed)):
            connection.sendall(stamped(whole))
        connection.sendall(call("last"))
    elif words[1] == "pace":
        connection.sendall(frame(b"+OK\n", "api/response"))
        begin = time.monotonic()
        for number in range(int(words[2])):
            time.sleep(max(0.0, begin + number / float(words[3]) - time.monotonic()))
            connection.sendall(call(f"paced-{number}"))
        connection.sendall(call("last"))
    else:
        body = b'{"row_count": 0}\n' if words[1] == "show" else b"+OK\n"
        connection.sendall(frame(body, "api/response"))


def main() -> None:
    """Serve one connection after the other until killed."""
    replayed = events()
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], len(replayed), flush=True)
        while True:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                connection.sendall(b"Content-Type: auth/request\n\n")
                rest = b""
                while data := connection.recv(65_536):
                    *commands, rest = (rest + data).split(b"\n\n")
                    for command in commands:
                        answer(connection, command.decode(), replayed)
            except OSError:
                pass            # it left
            finally:
                connection.close()


if __name__ == "__main__":
    main()
