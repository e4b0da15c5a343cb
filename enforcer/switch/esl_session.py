"""One connection to one FreeSWITCH's event socket: logged in and subscribed, or closed with a reason.

In: commands. Out: their answers, each within its deadline; and events, to one callback, as they come.
Refuses to know: what events mean, reconnecting, what was asked on an earlier connection.

FreeSWITCH answers one command after the other, and says nothing of which command an answer belongs to. So
every command has its place in a row, also one whose deadline passed: a late answer is never taken for that
of the next. It reads a command only when all events that wait for us have been written (seen in its source,
1.11), so an answer may be long in coming from a switch that is well: a deadline counts from the last byte
heard, and only `MOST_DEADLINES` of them are waited for at all.

Nothing is queued: a command on a connection that is down fails at once, so that no stale hang-up is ever
sent to a switch that has forgotten the call. A reader that never waits: the callback is called from the
socket's own callback, and what it raises is counted and logged, not passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from enforcer.errors import LinkError, WireError
from enforcer.switch.gathering import WIDE
from enforcer.switch.session import Connection, opened
from enforcer.wire import esl_commands as say
from enforcer.wire.esl import API, AUTH, DISCONNECT, EVENT, REJECTED, REPLY, Decoder, Message
from enforcer.wire.freeswitch import WANTED_EVENTS
from enforcer.wire.freeswitch_actions import BEAT

OURS = "CUSTOM"                 # what an event of our own is called
MOST_UNANSWERED = 20_000
MOST_DEADLINES = 5
# Bytes read before others get a turn: some 15 events, less than a millisecond. (asyncio would read four times
# as much at once, and a caller at the door waits as long.)
PIECE = 65_536

OnEvent = Callable[["Session", Message], object]


@dataclass(frozen=True, slots=True)
class Peer:
    """Where the event socket listens, and its password, which is never shown."""

    host: str
    port: int
    password: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _Place:
    """A command in the row of those that are not answered. `future` is None where nobody waits."""

    __slots__ = ("future", "name")

    def __init__(self, data: bytes, future: asyncio.Future[Message] | None) -> None:
        # Enough to find the command by in a log; never the password.
        words = data[:80].decode("ascii", "replace").split()
        self.name = " ".join(words[:2]) if words[0] == "api" else words[0]
        self.future = future


class Session(Connection, asyncio.BufferedProtocol):
    """See the module. Made by `open_session`; `lost` is done when the connection is over."""

    def __init__(
        self, peer: Peer, on_event: OnEvent, clock: Callable[[], float], more: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(peer, clock)
        self.peer = peer
        self._wanted = WANTED_EVENTS | more
        self.decoder = Decoder(self._wanted | {OURS})
        self._on_event = on_event
        self._piece = memoryview(bytearray(PIECE))
        self._reads = 0
        # The sender of a text message waits for an answer to its event.
        self._gathering.seconds = 0.0 if more else WIDE
        self._row: deque[_Place] = deque()
        self._settled = asyncio.Event()     # everything is written and answered
        self._settled.set()
        self._waiting: set[asyncio.Future[Message]] = set()

    @property
    def events_dropped(self) -> int:
        """Events that the switch sent although nobody reads them."""
        return self.decoder.events_dropped

    # --- what we send

    def post(self, data: bytes) -> None:
        """Send a command and wait for nothing. Raises LinkError where the connection is down."""
        self._write(data, None)

    async def said(self, data: bytes, *, within: float) -> Message:
        """Send a command; whatever is answered. Raises LinkError where nothing is, `within` seconds after
        the last byte heard, or where the connection is lost meanwhile."""
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        place = self._write(data, future)
        return await self.hear(future, within, f"no answer to {place.name}")

    async def ask(self, data: bytes, *, within: float) -> Message:
        """The same, and LinkError where the switch refuses it as well."""
        answer = await self.said(data, within=within)
        if _refused(answer):
            name = _Place(data, None).name
            said = (answer.text if answer.kind == API else answer.get("Reply-Text") or "").strip()
            raise LinkError(f"{self.peer}: {name} was refused: {said.removeprefix('-ERR ')[:100]}")
        return answer

    async def hear(self, future: asyncio.Future[Message], within: float, problem: str) -> Message:
        """Wait for something that is to come on this connection, as long as anything comes."""
        self._waiting.add(future)
        self._gathering.prompt()
        try:
            for _ in range(MOST_DEADLINES):
                reads = self._reads
                await asyncio.wait((future,), timeout=within)
                if future.done():
                    return future.result()
                if self.lost.done():
                    raise LinkError(str(self.lost.result()))
                if self._reads == reads:
                    break
            raise LinkError(f"{self.peer}: {problem} within {within:g} s")
        finally:
            self._waiting.discard(future)
            future.cancel()

    async def settled(self, *, within: float) -> None:
        """Wait until everything is answered; for those who post many commands. Raises LinkError where nothing
        has been heard for `within` seconds, or the connection is lost."""
        self._gathering.prompt()
        for _ in range(MOST_DEADLINES):
            reads = self._reads
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._settled.wait()
            if self._settled.is_set() or self._reads == reads:
                break
        if not self._settled.is_set():
            self.close("the switch does not answer what we send")
        if self.lost.done():
            raise LinkError(str(self.lost.result()))

    async def login(self, *, within: float) -> None:
        """Greeting, password, subscription. Raises LinkError, which never holds the password."""
        await self._greeted
        await self.ask(say.auth(self.peer.password), within=within)
        await self.ask(say.events(sorted(self._wanted), [BEAT]), within=within)

    def _write(self, data: bytes, future: asyncio.Future[Message] | None) -> _Place:
        transport = self._open(full=len(self._row) >= MOST_UNANSWERED)
        place = _Place(data, future)
        self._row.append(place)
        self._settled.clear()
        transport.write(data)
        return place

    # --- what asyncio calls

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        self.heard_at = self._clock()
        self._reads += 1
        try:
            for message in self.decoder.feed(bytes(self._piece[:nbytes])):
                self._heard(message)
                if self.lost.done():
                    return
        except WireError as problem:
            self.close(f"not an event socket: {problem}")
            return
        # A piece that is full is not all there is.
        if nbytes < PIECE and not self._row and not self._waiting and self._greeted.done():
            self._gathering.read(self._transport)

    # --- what comes back

    def _heard(self, message: Message) -> None:
        kind = message.kind
        if kind == EVENT:
            self._hand_over(self._on_event, message)
        elif kind in (REPLY, API):
            self._answered(message)
        elif kind == AUTH:
            if not self._greeted.done():
                self._greeted.set_result(None)
        elif kind == REJECTED:
            self.close(f"the switch refuses our address: {_one_line(message.text)}")
        elif kind == DISCONNECT:
            self.close(f"the switch ended the connection: {_one_line(message.text)}")

    def _answered(self, message: Message) -> None:
        """An answer belongs to the first command in the row. Raises WireError where that cannot be."""
        place = self._row.popleft() if self._row else None
        if place is None:
            raise WireError("an answer to nothing that we asked")
        if message.kind == API and not place.name.startswith("api "):
            raise WireError(f"api/response to {place.name}")
        if not self._row:
            self._settled.set()
        if place.future is None:
            self.refused += _refused(message)
        elif not place.future.done():
            place.future.set_result(message)

    def _say_goodbye(self) -> None:
        self.post(say.leave())

    def _waiters(self) -> Iterable[asyncio.Future[Message]]:
        return self._waiting

    def _fail_all(self) -> None:
        self._settled.set()
        super()._fail_all()


def _refused(answer: Message) -> bool:
    if answer.kind == API:
        return answer.body.startswith((b"-ERR", b"-USAGE"))
    return not answer.accepted


def _one_line(text: str) -> str:
    """What the switch says for people, fit for a log."""
    line = next((line for line in text.splitlines() if line.strip()), "no reason given")
    return "".join(one if one.isprintable() else " " for one in line.strip())[:100]


async def open_session(
    peer: Peer, on_event: OnEvent, clock: Callable[[], float], *, within: float,
    more: frozenset[str] = frozenset(),
) -> Session:
    """Connect, log in and subscribe, to `more` events than those of calls too, all of it `within` seconds.
    Raises LinkError naming the peer."""
    return await opened(
        lambda: Session(peer, on_event, clock, more), peer.host, peer.port,
        lambda session: session.login(within=2 * within), peer=peer, within=within,
    )
