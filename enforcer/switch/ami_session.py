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
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from enforcer.errors import LinkError, WireError
from enforcer.switch.session import UNREAD, Connection, opened
from enforcer.wire.ami import Decoder, Message, encode_action
from enforcer.wire.asterisk import WANTED_EVENTS

# Entries of a list that we ask for, and the event that closes it.
LISTED = frozenset({"Status", "StatusComplete", "DBGetTreeResponse", "DBGetTreeComplete"})
# What a question of the dialplan begins with. So many seconds after one others may come, to be read at once;
# other events are held until one comes, or for a moment: many at a time cost less (see `gathering`). Where a
# switch asks less often, the first question may wait that moment.
QUESTION = b"UserEvent"
ASKING = 60.0
AT_ONCE = 65_536            # bytes; where more came in one read, more is waiting
MOST_ENTRIES = 200_000      # of one list: every channel of the largest switch we are built for, twice

Headers = Iterable[tuple[str, str]]
OnEvent = Callable[["Session", Message], None]


@dataclass(frozen=True, slots=True)
class Peer:
    """Where the manager listens and who we are there. The secret is never shown. `tls` is how its
    certificate is verified, None where all goes in the clear; `tls_name` whom it is made out to, if not to
    the host."""

    host: str
    port: int
    username: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    tls_name: str = ""

    def __str__(self) -> str:
        return f"{self.username}@{self.host}:{self.port}"


class _Waiting:
    """An action whose response has not come. `entries` collects a list, None where none is expected."""

    __slots__ = ("entries", "future", "name")

    def __init__(self, name: str, future: asyncio.Future[list[Message]], as_list: bool) -> None:
        self.name = name
        self.future = future
        self.entries: list[Message] | None = [] if as_list else None


class Session(Connection, asyncio.Protocol):
    """See the module. Made by `open_session`; `lost` is done when the connection is over."""

    def __init__(self, peer: Peer, on_event: OnEvent, clock: Callable[[], float]) -> None:
        super().__init__(peer, clock)
        self.peer = peer
        self.decoder = Decoder(WANTED_EVENTS | LISTED)
        self._on_event = on_event
        self._waiting: dict[str, _Waiting] = {}
        self._serial = 0
        self._held = bytearray()
        self._asked_at = float("-inf")
        self._cut = False               # what was read last ends within a message
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def events_dropped(self) -> int:
        """Events that the switch sent although nobody reads them."""
        return self.decoder.events_dropped

    # --- what we send

    def post(self, name: str, headers: Headers = ()) -> None:
        """Send an action and wait for nothing. Raises LinkError where the connection is down, and
        WireError for a value that no header can carry."""
        self._open().write(encode_action(name, headers))

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
            self.close(UNREAD)
        if self.lost.done():
            raise LinkError(str(self.lost.result()))

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
            self._open().write(data)
            self._gathering.prompt()
            async with asyncio.timeout(within):
                return await waiting.future
        except TimeoutError:
            raise LinkError(f"{self.peer}: no answer to {name} within {within:g} s") from None
        finally:
            self._waiting.pop(action_id, None)
            waiting.future.cancel()

    # --- what asyncio calls

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        held = self._held
        if held or self._asking:
            searched = max(0, len(held) - len(QUESTION))
            held += data
            urgent = self._prompt or self._cut or held.find(QUESTION, searched) >= 0
            if self._asking and not urgent and len(held) < AT_ONCE:
                self._gathering.hold(self._read_held)
                return
            data = bytes(held)
            held.clear()
        self._read(data)
        if len(data) < AT_ONCE and not self._prompt and not self._asking:
            self._gathering.read(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._read_held()
        super().connection_lost(exc)

    @property
    def _asking(self) -> bool:
        """Whether the dialplan asked lately."""
        return self._clock() - self._asked_at < ASKING

    @property
    def _prompt(self) -> bool:
        """Whether somebody waits for what comes next."""
        return bool(self._waiting) or not self._greeted.done()

    def _read_held(self) -> None:
        if self._held and not self.lost.done():
            data = bytes(self._held)
            self._held.clear()
            self._read(data)

    def _read(self, data: bytes) -> None:
        self.heard_at = self._clock()
        self._cut = not data.endswith(b"\r\n\r\n")
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
                if message.name == "UserEvent":
                    self._asked_at = self.heard_at
                self._hand_over(self._on_event, message)
                if self.lost.done():
                    return

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

    def _say_goodbye(self) -> None:
        self.post("Logoff")

    def _waiters(self) -> Iterable[asyncio.Future[list[Message]]]:
        return [waiting.future for waiting in self._waiting.values()]

    def _fail_all(self) -> None:
        self._writable.set()
        super()._fail_all()


async def open_session(
    peer: Peer, on_event: OnEvent, clock: Callable[[], float], *, within: float
) -> Session:
    """Connect and log in, all of it `within` seconds. Raises LinkError naming peer and user."""
    return await opened(
        lambda: Session(peer, on_event, clock), peer.host, peer.port, Session.login, peer=peer, within=within,
        secured=peer.tls, certified=peer.tls_name,
    )
