"""Stock greenswitch as a program of its own: it runs on gevent, which shall not share a process with asyncio.

    greenswitch_client listen PORT PASSWORD COUNT   tells so many events
    greenswitch_client kill PORT PASSWORD           kills the first call that is answered
    greenswitch_client door                         answers, at a port that it says first

In: a server's port. Out: JSON lines of what greenswitch made of it. Nothing of greenswitch is changed.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import gevent
from greenswitch import InboundESL, OutboundESLServer

PATIENCE = 20
SHOWN = ("Event-Name", "Unique-ID", "Caller-Destination-Number", "variable_accountcode", "Hangup-Cause")
ANSWER = "^^;ENF_ANSWER=block:21:0:0:minutes:d1-2f"


def say(what: object) -> None:
    print(json.dumps(what), flush=True)


def shown(event: Any) -> list[str | None]:
    return [event.headers.get(name) for name in SHOWN]


def listen(port: int, password: str, count: int) -> None:
    """Whatever it has queued it forgets when the server closes, so the server does not."""
    client = InboundESL("127.0.0.1", port, password)
    heard: list[Any] = []
    client.register_handle("*", heard.append)
    client.connect()
    client.send("event plain ALL")
    with gevent.Timeout(PATIENCE, False):
        while len(heard) < count:
            gevent.sleep(0.01)
    for event in heard:
        say(shown(event))


def kill(port: int, password: str) -> None:
    client = InboundESL("127.0.0.1", port, password)
    over = gevent.event.Event()

    def answered(event: Any) -> None:
        if event.headers["Call-Direction"] == "inbound":
            say(json.loads(client.send("api show channels as json").data))
            say(client.send(f"api uuid_kill {event.headers['Unique-ID']} CALL_REJECTED").data)

    def ended(event: Any) -> None:
        if event.headers["Call-Direction"] == "inbound":
            say(shown(event))
            over.set()

    client.register_handle("CHANNEL_ANSWER", answered)
    client.register_handle("CHANNEL_HANGUP_COMPLETE", ended)
    client.connect()
    client.send("event plain CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE")
    say(client.send("api hash insert/enf/lease.acme/17").data)
    say(client.send("api hash select/enf/lease.acme").data)
    say("ready")
    with gevent.Timeout(PATIENCE):
        over.wait()
    client.stop()


def door() -> None:
    class Answers:
        def __init__(self, session: Any) -> None:
            self.session = session

        def run(self) -> None:
            data = self.session.session_data
            say([data.get("Unique-ID"), data.get("variable_enforcer_number")])
            self.session.call_command("multiset", ANSWER)
            self.session.stop()

    server = OutboundESLServer("127.0.0.1", list(range(36101, 36200)), Answers)
    running = gevent.spawn(server.listen)
    with gevent.Timeout(PATIENCE):
        while not server.bound_port:
            gevent.sleep(0.01)
    say(server.bound_port)
    running.join(PATIENCE)


if __name__ == "__main__":
    what, *where = sys.argv[1:]
    if what == "listen":
        listen(int(where[0]), where[1], int(where[2]))
    elif what == "kill":
        kill(int(where[0]), where[1])
    else:
        door()
