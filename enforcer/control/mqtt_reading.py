"""What a broker sends, read by us: so much of it a second, in packets of a length that means something.

In: a client of aiomqtt, and the bytes on its connection. Out: packets, handed to paho below it; a connection
that is let go of whole once anything is wrong with it.
Refuses to know: topics, and what packets say.

Anybody may answer at a broker's address. Left alone, paho (2.2) takes in a packet of 256 MB; keeps an answer
to each ping for one who reads none of them; and leaves a packet that it cannot decode where it is, so that
the event loop is told without end that there is something to read. aiomqtt (2.5) leaves that connection open
when it gives up, and goes on for ever where TLS always has some more. Both speak where we would write a log
line for each packet. So the connection is read here, and what they keep private is touched nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import aiomqtt
from paho.mqtt.enums import MQTTErrorCode

LONGEST_PACKET = 65_536         # bytes
MOST_A_SECOND = 2_000           # packets, some 0.2 s of work; further ones wait where they are
# Answers that a broker has not taken yet, and messages of which it has not said the end (QoS 2).
MOST_UNSENT, MOST_UNFINISHED = 1_000, 100

SILENT = logging.getLogger("enforcer.mqtt")     # what it says of a broker, our own fault says as well
SILENT.disabled = True


class Reading:
    """See the module. Begun before the client connects; belongs to the event loop that runs then."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = cast(Any, client)    # in parts that have no types
        self._paho = self._client._client
        self._loop = asyncio.get_running_loop()
        self._longest_silence: int = self._client._keepalive
        self._trouble = ""
        self._second, self._count = 0.0, 0
        self._paho.connect_timeout = client.timeout     # also of a TLS handshake, in a thread
        self._receive = self._paho._sock_recv
        self._paho._sock_recv = self._received
        self._paho.on_socket_open = self._opened

    def connected(self) -> None:
        """A broker says how long nobody may be silent. Not for longer than we want to wait, nor for ever.
        Raises MqttError where it is gone already."""
        if self._trouble:
            raise aiomqtt.MqttError(self._trouble)
        self._paho._keepalive = min(self._paho._keepalive or self._longest_silence, self._longest_silence)

    def close(self) -> None:
        """Nothing of the connection is left, whatever became of it."""
        self._paho._sock_close()
        for known in (self._client._connected, self._client._disconnected):
            if known.done() and not known.cancelled():
                known.exception()           # told already, or not worth telling

    def _opened(self, _client: Any, _data: Any, sock: Any) -> None:
        """In the thread that connects."""
        self._loop.call_soon_threadsafe(self._begin, sock)

    def _begin(self, sock: Any) -> None:
        if self._paho.socket() is sock:
            self._client._misc_task = self._loop.create_task(self._client._misc_loop())
            self._go_on(sock)

    def _go_on(self, sock: Any) -> None:
        if self._paho.socket() is sock:
            self._loop.add_reader(sock.fileno(), self._read, sock)
            self._read_more(sock)

    def _read(self, sock: Any) -> None:
        """One packet, or what is there of it."""
        if self._paho.socket() is not sock or self._enough(sock):
            return
        try:
            failed = self._paho.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS
        except Exception as problem:        # of whatever kind: it was made up to hurt
            self._over(f"it sends what is no MQTT: {problem!r}"[:200])
            self._paho._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
            return
        if failed:
            self._over("it hung up, or what it sends is no MQTT")
        else:
            self._read_more(sock)

    def _read_more(self, sock: Any) -> None:
        """TLS may hold what the event loop does not see; others have their turn first."""
        if self._paho.socket() is sock and hasattr(sock, "pending") and sock.pending():
            self._loop.call_soon(self._read, sock)

    def _enough(self, sock: Any) -> bool:
        """Whether the rest has to wait for the next second."""
        now = self._loop.time()
        if now >= self._second + 1:
            self._second, self._count = now, 0
        self._count += 1
        if self._count <= MOST_A_SECOND:
            return False
        if self._loop.remove_reader(sock.fileno()):
            self._loop.call_at(self._second + 1, self._go_on, sock)
        return True

    def _received(self, most: int) -> bytes:
        """As paho reads: one byte at a time at first, then the rest of a packet."""
        if most > LONGEST_PACKET:
            trouble = f"it sends a packet of {most} bytes, where {LONGEST_PACKET} are the most"
        elif len(self._paho._out_packet) > MOST_UNSENT:
            trouble = "it asks without end, and takes no answers"
        elif len(self._paho._in_messages) > MOST_UNFINISHED:
            trouble = "it begins messages without end"
        else:
            data: bytes = self._receive(most)
            return data
        self._over(trouble)
        raise OSError(trouble)          # paho lets go of the connection

    def _over(self, trouble: str) -> None:
        """Whoever waits for the broker, or for what it sends, hears what is wrong with it."""
        self._trouble = self._trouble or trouble
        waiting = self._client._disconnected if self._client._connected.done() else self._client._connected
        if not waiting.done():
            waiting.set_exception(aiomqtt.MqttError(self._trouble))
