"""The other way to hold FreeSWITCH's event socket: greenswitch's InboundESL in a thread with its own hub.

In: commands from an asyncio loop. Out: their answers, and call facts, on that loop.
It does what `enforcer.switch.esl_session` and the reading half of `enforcer.switch.esl` do, hardened in the
same places: a deadline for the login and for every command, a refused login told, whole commands written,
answers in their places, our decoder instead of greenswitch's parser (a caller can write headers into that
one's events), an end that is noticed, an orderly stop. It is here to be measured, no part of the enforcer.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import gevent
from gevent.event import AsyncResult
from greenswitch.esl import InboundESL, NotConnectedError

from enforcer.errors import LinkError, WireError
from enforcer.wire import esl_commands as say
from enforcer.wire.channel import Identity
from enforcer.wire.esl import API, AUTH, DISCONNECT, EVENT, REJECTED, REPLY, Decoder, Message
from enforcer.wire.freeswitch import WANTED_EVENTS, CallBook, Fact
from enforcer.wire.freeswitch_channel import micros

PIECE = 65_536

OnFacts = Callable[[list[Fact]], object]


class DecodedESL(InboundESL):  # type: ignore[misc]
    """greenswitch with our decoder; everything in it runs on the hub of its thread."""

    def __init__(
        self, host: str, port: int, password: str, within: float, heard: Callable[[list[Message]], None]
    ) -> None:
        super().__init__(host, port, password, timeout=within)
        self.problem = "the switch closed the connection"
        self._decoder = Decoder(WANTED_EVENTS | {"CUSTOM"})
        self._heard = heard

    def start_event_handlers(self) -> None:
        """Only the reader: nothing waits between it and the loop."""
        self._receive_events_greenlet = gevent.spawn(self.receive_events)

    def receive_events(self) -> None:
        """Until the connection ends; whatever waits fails then."""
        try:
            while self._run:
                data = self.sock.recv(PIECE)
                if not data:
                    break
                self._take(self._decoder.feed(data))
        except (OSError, WireError) as problem:
            self.problem = str(problem)
        finally:
            self.connected = self._run = False
            for waiting in self._commands_sent:
                if not waiting.ready():
                    waiting.set_exception(LinkError(self.problem))
            self._auth_request_event.set()

    def _take(self, messages: list[Message]) -> None:
        events = []
        for message in messages:
            if message.kind == EVENT:
                events.append(message)
            elif message.kind in (REPLY, API):
                if not self._commands_sent:
                    raise WireError("an answer to nothing that we asked")
                self._commands_sent.pop(0).set(message)
            elif message.kind == AUTH:
                self._auth_request_event.set()
            elif message.kind in (REJECTED, DISCONNECT):
                raise WireError(f"the switch ended the connection: {message.text.strip()[:100]}")
        if events:
            self._heard(events)

    def connect(self) -> None:
        """Raises LinkError where this is not done in time."""
        try:
            with gevent.Timeout(self.timeout):
                super().connect()
        except (gevent.Timeout, NotConnectedError, OSError) as problem:
            raise LinkError(f"no login: {problem}") from None

    def authenticate(self) -> None:
        """Log in, and subscribe."""
        for command in (say.auth(self.password), say.events(sorted(WANTED_EVENTS), ["enforcer::beat"])):
            answer = self.command(command, self.timeout)
            if not answer.accepted:
                raise LinkError(f"refused: {answer.get('Reply-Text')}")

    def command(self, data: bytes, within: float) -> Message:
        """The answer to one command. Raises LinkError where there is none in time."""
        if not self.connected:
            raise LinkError(self.problem)
        waiting = AsyncResult()
        self._commands_sent.append(waiting)
        self.sock.sendall(data)
        try:
            answer: Message = waiting.get(timeout=within)
        except gevent.Timeout:
            raise LinkError(f"no answer within {within:g} s") from None
        return answer


class Bridge:
    """`await start()`, then `await ask(...)`, `await stop()`; facts come to `on_facts`, on the loop."""

    def __init__(
        self, host: str, port: int, password: str, identity: Identity, on_facts: OnFacts, within: float
    ) -> None:
        self.lag = 0.0
        self.malformed = 0
        self.book = CallBook(identity)      # the thread's: nobody else may look into it
        self._address = (host, port, password, within)
        self._on_facts = on_facts
        self._loop = asyncio.get_running_loop()
        self._up: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="greenswitch", daemon=True)
        self._ended = asyncio.Event()

    async def start(self) -> None:
        """Raises LinkError where the login fails."""
        self._thread.start()
        await self._up

    async def ask(self, data: bytes, within: float) -> Message:
        """The answer to one command. Raises LinkError where there is none in time."""
        answer: asyncio.Future[Message] = self._loop.create_future()
        self._hub.loop.run_callback_threadsafe(gevent.spawn, self._carry_out, data, within, answer)
        return await answer

    async def stop(self) -> None:
        """Ends the connection and the thread."""
        self._hub.loop.run_callback_threadsafe(self._leave)
        await self._ended.wait()
        self._thread.join()

    # --- in the thread

    def _run(self) -> None:
        self._hub = gevent.get_hub()
        self._esl = DecodedESL(*self._address, self._heard)
        try:
            self._esl.connect()
        except LinkError as problem:
            self._tell(self._up.set_exception, problem)
        else:
            self._tell(self._up.set_result, None)
            self._esl._receive_events_greenlet.join()
        self._tell(self._ended.set)

    def _leave(self) -> None:
        self._esl._run = False
        self._esl.sock.shutdown(socket.SHUT_RDWR)       # its makefile() keeps the connection from closing
        self._esl.sock_file.close()
        self._esl.sock.close()

    def _tell(self, call: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            self._esl._run = False          # the loop is closed: nobody is there to be told

    def _carry_out(self, data: bytes, within: float, answer: asyncio.Future[Message]) -> None:
        def settle(result: Message | LinkError) -> None:
            if answer.done():
                return
            if isinstance(result, LinkError):
                answer.set_exception(result)
            else:
                answer.set_result(result)

        try:
            self._tell(settle, self._esl.command(data, within))
        except (LinkError, OSError) as problem:
            self._tell(settle, LinkError(str(problem)))

    def _heard(self, messages: list[Message]) -> None:
        """Facts leave the thread once for each piece read, not once for each event."""
        facts: list[Fact] = []
        now = time.time()
        for message in messages:
            told = micros(message, "Event-Date-Timestamp")
            if told is not None:
                self.lag = now - told
            try:
                facts += self.book.read(message, now)
            except WireError:
                self.malformed += 1
        if facts:
            self._tell(self._on_facts, facts)
