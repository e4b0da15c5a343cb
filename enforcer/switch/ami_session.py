"""One connection to one Asterisk manager: logged in, or closed with a reason.

In: actions. Out: their responses, each within its deadline; and events, to one callback, as they come.
Refuses to know: what events mean, reconnecting, what was asked on an earlier connection.

Nothing is queued: an action on a connection that is down fails at once, so that no stale hang-up is
ever sent to a switch that has forgotten the call. A reader that never waits: the callback is called
from the socket's own callback, and what it raises is counted and logged, not passed on.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from enforcer.errors import LinkError, WireError
from enforcer.wire.ami import Decoder, Message, encode_action
from enforcer.wire.asterisk import WANTED_EVENTS

log = structlog.get_logger("ami")

# Entries of a list that we ask for, and the event that closes it.
LISTED = frozenset({"Status", "StatusComplete", "DBGetTreeResponse", "DBGetTreeComplete"})
# Unread answers of ours. A switch that lets this much pile up (some 10,000 answers) reads nothing any more.
MOST_UNSENT = 1 << 20
MOST_ENTRIES = 200_000      # of one list: every channel of the largest switch we are built for, twice

Headers = Iterable[tuple[str, str]]
OnEvent = Callable[["Session", Message], None]


@dataclass(frozen=True, slots=True)
class Peer:
    """Where the manager listens and who we are there. The secret is never shown."""

    host: str
    port: int
    username: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.username}@{self.host}:{self.port}"


class _Waiting:
    """An action whose response has not come. `entries` collects a list, None where none is expected."""

    __slots__ = ("entries", "future", "name")

    def __init__(self, name: str, future: asyncio.Future[list[Message]], as_list: bool) -> None:
        self.name = name
        self.future = future
        self.entries: list[Message] | None = [] if as_list else None


class Session(asyncio.Protocol):
    """See the module. Made by `open_session`; `lost` is done when the connection is over."""

    def __init__(self, peer: Peer, on_event: OnEvent, clock: Callable[[], float]) -> None:
        self.peer = peer
        self.heard_at = clock()         # when the last byte came
        self.faults = 0                 # events that our own code failed on
        self.refused = 0                # posted actions that the switch answered with an error
        self.decoder = Decoder(WANTED_EVENTS | LISTED)
        self.lost: asyncio.Future[LinkError] = asyncio.get_running_loop().create_future()
        self._on_event = on_event
        self._clock = clock
        self._greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[str, _Waiting] = {}
        self._serial = 0
        self._writable = asyncio.Event()
        self._writable.set()

    # --- what we send

    def post(self, name: str, headers: Headers = ()) -> None:
        """Send an action and wait for nothing. Raises LinkError where the connection is down, and
        WireError for a value that no header can carry."""
        self._write(encode_action(name, headers))

    async def ask(self, name: str, headers: Headers = (), *, within: float) -> Message:
        """Send an action; its response. Raises LinkError where the switch refuses it, does not answer
        `within` seconds, or the connection is lost meanwhile."""
        (response,) = await self._asked(name, headers, within, as_list=False)
        return response

    async def listing(self, name: str, headers: Headers = (), *, within: float) -> list[Message]:
        """Send an action that answers with a list; all entries. Raises LinkError as `ask` does, also
        where the list begins and does not end."""
        return await self._asked(name, headers, within, as_list=True)

    async def drained(self, *, within: float) -> None:
        """Wait until little is left unsent; for those who post many actions. Raises LinkError where
        the switch has not read on `within` seconds, or the connection is lost."""
        try:
            async with asyncio.timeout(within):
                await self._writable.wait()
        except TimeoutError:
            self.close("the switch does not read what we send")
        if self.lost.done():
            raise LinkError(str(self.lost.result()))

    def close(self, problem: str = "closed by us") -> None:
        """End the connection; whatever waits fails with this problem."""
        if not self.lost.done():
            self.lost.set_result(LinkError(f"{self.peer}: {problem}"))
        if self._transport is not None:
            self._transport.abort()
        self._fail_all()

    async def leave(self, *, within: float) -> None:
        """Say good-bye, and wait until the switch has closed the connection: it has done by then all that was
        posted. (Whoever closes first, answers unread, resets the connection, and what the switch has not read
        yet is lost.) One that takes longer than `within` seconds is not waited for."""
        if self._transport is not None and not self.lost.done():
            self.post("Logoff")
            await asyncio.wait((self.lost,), timeout=within)
            self.close()

    async def login(self) -> None:
        """Greeting, challenge, login. Raises LinkError, which never holds the secret.

        The secret itself is not sent: MD5 of the server's challenge and the secret is all AMI offers.
        """
        peer = self.peer
        await self._greeted
        challenge = await self.ask("Challenge", (("AuthType", "MD5"),), within=60)
        text = challenge["Challenge"] + peer.secret
        key = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        headers = (("AuthType", "MD5"), ("Username", peer.username), ("Key", key), ("Events", "on"))
        await self.ask("Login", headers, within=60)

    async def _asked(self, name: str, headers: Headers, within: float, *, as_list: bool) -> list[Message]:
        self._serial += 1
        action_id = str(self._serial)
        data = encode_action(name, headers, action_id)
        waiting = _Waiting(name, asyncio.get_running_loop().create_future(), as_list)
        self._waiting[action_id] = waiting
        try:
            self._write(data)
            async with asyncio.timeout(within):
                return await waiting.future
        except TimeoutError:
            raise LinkError(f"{self.peer}: no answer to {name} within {within:g} s") from None
        finally:
            self._waiting.pop(action_id, None)
            waiting.future.cancel()

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or self.lost.done():
            raise LinkError(f"{self.peer}: not connected")
        if transport.get_write_buffer_size() > MOST_UNSENT:
            self.close("the switch does not read what we send")
            raise LinkError(f"{self.peer}: the switch does not read what we send")
        transport.write(data)

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._clock()
        try:
            messages = self.decoder.feed(data)
        except WireError as problem:
            self.close(f"not AMI: {problem}")
            return
        if self.decoder.banner is not None and not self._greeted.done():
            self._greeted.set_result(None)
        for message in messages:
            if not message.name:
                self._responded(message)
            elif message.name in LISTED:
                self._entry(message)
            else:
                try:
                    self._on_event(self, message)
                except Exception:
                    self.faults += 1
                    log.exception("an event could not be handled", peer=str(self.peer), message=repr(message))

    def connection_lost(self, exc: Exception | None) -> None:
        self.close(f"connection lost: {exc}" if exc else "the switch closed the connection")

    # --- what comes back

    def _responded(self, message: Message) -> None:
        failed = message.get("Response") == "Error"
        waiting = self._waiting.get(message.get("ActionID") or "")
        if waiting is None:
            self.refused += failed
        elif waiting.future.done():
            pass
        elif failed:
            said = (message.get("Message") or "no reason given")[:100]
            waiting.future.set_exception(LinkError(f"{self.peer}: {waiting.name} was refused: {said}"))
        elif waiting.entries is None:
            waiting.future.set_result([message])

    def _entry(self, message: Message) -> None:
        waiting = self._waiting.get(message.get("ActionID") or "")
        if waiting is None or waiting.entries is None or waiting.future.done():
            return
        if message.get("EventList") == "Complete":
            waiting.future.set_result(waiting.entries)
        elif len(waiting.entries) >= MOST_ENTRIES:
            problem = f"{self.peer}: a list of more than {MOST_ENTRIES} entries"
            waiting.future.set_exception(LinkError(problem))
        else:
            waiting.entries.append(message)

    def _fail_all(self) -> None:
        self._writable.set()
        error = self.lost.result()
        for waiting in self._waiting.values():
            if not waiting.future.done():
                waiting.future.set_exception(LinkError(str(error)))
        if not self._greeted.done():
            self._greeted.set_exception(LinkError(str(error)))
            self._greeted.exception()       # looked at here: there may be nobody waiting for it


async def open_session(
    peer: Peer, on_event: OnEvent, clock: Callable[[], float], *, within: float
) -> Session:
    """Connect and log in, all of it `within` seconds. Raises LinkError naming peer and user."""
    loop = asyncio.get_running_loop()
    session: Session | None = None
    try:
        async with asyncio.timeout(within):
            _transport, session = await loop.create_connection(
                lambda: Session(peer, on_event, clock), peer.host, peer.port
            )
            await session.login()
    except BaseException as problem:
        if session is not None:
            session.close("login failed")
        if isinstance(problem, TimeoutError):
            raise LinkError(f"{peer}: no login within {within:g} s") from None
        if isinstance(problem, OSError):
            raise LinkError(f"{peer}: {problem.strerror or problem}") from None
        if isinstance(problem, WireError):
            raise LinkError(f"{peer}: {problem}") from None
        raise
    return session


async def until_lost(session: Session) -> None:
    """Raises LinkError, with the reason, when the connection is over."""
    await asyncio.wait((session.lost,))
    raise session.lost.result()
