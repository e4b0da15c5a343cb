"""The AMI server of the built-in fake switch: sessions, actions, events. No telephony.

In: actions as Asterisk 22 takes them. Out: the replies and events it would send, as the user `enforcer` of
`docker/asterisk/manager.conf` sees them. Refuses to know what a call is: `Channels` knows that.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Protocol

Headers = Sequence[tuple[str, str]]
Reply = Callable[..., None]
Add = Callable[[Headers], None]

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
MOST_BYTES = 64 * 1024
"""Longest action taken; whoever sends more is hung up on."""


def encode(headers: Headers) -> bytes:
    """One message on the wire. Raises ValueError where a value would break out of its line."""
    for key, value in headers:
        if any(character in key + value for character in "\r\n\0"):
            raise ValueError(f"header {key} holds a line break")
    return ("".join(f"{key}: {value}\r\n" for key, value in headers) + "\r\n").encode()


class Channels(Protocol):
    """The live channels, as far as actions reach them."""

    def set_variable(self, channel: str, name: str, value: str) -> bool:
        """False where there is no such channel; "" sets a global."""

    def variable(self, channel: str, name: str) -> str | None:
        """None where there is no such channel."""

    def hang_up(self, channel: str, cause: int) -> bool:
        """False where there is no such channel."""

    def status(self, variables: Sequence[str]) -> list[Headers]:
        """One Status entry a channel."""

    @property
    def processed(self) -> int:
        """Calls since the start."""


class FakeAmi:
    """The server. `database` is AstDB: "family/key" -> value."""

    def __init__(self, channels: Channels, secret: str, *, username: str = "enforcer") -> None:
        self.port = 0
        self.database: dict[str, str] = {}
        self.actions: list[dict[str, str]] = []
        """Every action taken from a logged-in session, oldest first."""
        self._channels = channels
        self._login = (username, secret)
        self._sessions: set[asyncio.StreamWriter] = set()
        self._challenges: dict[asyncio.StreamWriter, str] = {}
        self._started = time.time()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free loopback port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=MOST_BYTES)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the door and every session."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._sessions):
                writer.close()
            await self._server.wait_closed()
            self._server = None

    @property
    def sessions(self) -> int:
        """How many are logged in."""
        return len(self._sessions)

    def event(self, name: str, privilege: str, headers: Headers) -> None:
        """Tell every session."""
        stamp = ("Timestamp", f"{time.time():.6f}")
        block = encode([("Event", name), ("Privilege", privilege), stamp, ("SystemName", "fake"), *headers])
        for writer in self._sessions:
            writer.write(block)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BANNER)
        try:
            while True:
                block = await reader.readuntil(b"\r\n\r\n")
                action: dict[str, str] = {}
                for line in block.decode("utf-8", "replace").split("\r\n"):
                    key, colon, value = line.partition(":")
                    if colon:
                        action[key.strip().lower()] = value.strip()
                if not self._take(action, writer):
                    break
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # it left, or talks too much
        finally:
            self._sessions.discard(writer)
            self._challenges.pop(writer, None)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _take(self, action: dict[str, str], writer: asyncio.StreamWriter) -> bool:
        """Carry out one action; False where the session ends with it."""
        name = action.get("action", "").lower()
        identity = [("ActionID", action["actionid"])] if "actionid" in action else []

        def reply(response: str, *headers: tuple[str, str]) -> None:
            writer.write(encode([("Response", response), *identity, *headers]))

        if name == "challenge":
            self._challenges[writer] = secrets.token_hex(5)
            reply("Success", ("Challenge", self._challenges[writer]))
            return True
        if name == "login":
            return self._log_in(action, writer, reply)
        if writer not in self._sessions:
            reply("Error", ("Message", "Permission denied"))
            return True
        self.actions.append(action)
        if name == "logoff":
            reply("Goodbye", ("Message", "Thanks for all the fish."))
            return False
        handler: Callable[[dict[str, str], Reply, Add], None] | None
        handler = getattr(self, f"_{name}", None) if name in _ACTIONS else None
        if handler is None:
            reply("Error", ("Message", f"Invalid/unknown command: {name}."))
        else:
            handler(action, reply, lambda headers: writer.write(encode([*headers, *identity])))
        return True

    def _log_in(self, action: dict[str, str], writer: asyncio.StreamWriter, reply: Reply) -> bool:
        username, secret = self._login
        if action.get("authtype", "").lower() == "md5":
            challenge = self._challenges.pop(writer, None)
            # MD5 is AMI's own: it keeps the secret off the wire, no more.
            key = hashlib.md5(f"{challenge}{secret}".encode(), usedforsecurity=False).hexdigest()
            proved = challenge is not None and action.get("key") == key
        else:
            proved = action.get("secret") == secret
        if not proved or action.get("username") != username:
            reply("Error", ("Message", "Authentication failed"))
            return False
        reply("Success", ("Message", "Authentication accepted"))
        self._sessions.add(writer)
        uptime = str(int(time.time() - self._started))
        writer.write(
            encode(
                [
                    *(("Event", "FullyBooted"), ("Privilege", "system,all"), ("Uptime", uptime)),
                    *(("LastReload", uptime), ("Status", "Fully Booted")),
                ]
            )
        )
        return True

    # --- one method an action: what was asked, how to reply, how to add a list's entry

    def _ping(self, action: dict[str, str], reply: Reply, add: Add) -> None:
        reply("Success", ("Ping", "Pong"), ("Timestamp", f"{time.time():.6f}"))

    def _setvar(self, action: dict[str, str], reply: Reply, add: Add) -> None:
        channel, name = action.get("channel", ""), action.get("variable", "")
        done = self._channels.set_variable(channel, name, action.get("value", ""))
        reply("Success" if done else "Error", ("Message", "Variable Set" if done else "No such channel"))

    def _getvar(self, action: dict[str, str], reply: Reply, add: Add) -> None:
        value = self._channels.variable(action.get("channel", ""), action.get("variable", ""))
        if value is None:
            reply("Error", ("Message", "No such channel"))
        else:
            reply("Success", ("Variable", action.get("variable", "")), ("Value", value))

    def _hangup(self, action: dict[str, str], reply: Reply, add: Add) -> None:
        done = self._channels.hang_up(action.get("channel", ""), int(action.get("cause") or 16))
        reply("Success" if done else "Error", ("Message", "Channel Hungup" if done else "No such channel"))

    def _status(self, action: dict[str, str], reply: Reply, add: Add) -> None:
        reply("Success", ("EventList", "start"), ("Message", "Channel status will follow"))
        entries = self._channels.status(_split(action.get("variables", "")))
        for entry in entries:
            add([("Event", "Status"), ("Privilege", "Call"), *entry])
        count = str(len(entries))
        end = [("Event", "StatusComplete"), ("EventList", "Complete"), ("ListItems", count), ("Items", count)]
        add(end)

    def _corestatus(self, action: dict[str, str], reply: Reply, add: Add) -> None:
        date, clock = time.strftime("%F %T", time.gmtime(self._started)).split()
        live = str(len(self._channels.status(())))
        reply(
            "Success",
            *(("CoreStartupDate", date), ("CoreStartupTime", clock), ("CoreReloadDate", date)),
            *(("CoreReloadTime", clock), ("CoreCurrentCalls", live)),
            ("CoreProcessedCalls", str(self._channels.processed)),
        )

    def _dbput(self, action: dict[str, str], reply: Reply, add: Add) -> None:
        self.database[_key(action)] = action.get("val", "")
        reply("Success", ("Message", "Updated database successfully"))

    def _dbget(self, action: dict[str, str], reply: Reply, add: Add) -> None:
        value = self.database.get(_key(action))
        if value is None:
            reply("Error", ("Message", "Database entry not found"))
            return
        reply("Success", ("EventList", "start"), ("Message", "Result will follow"))
        family, key = action.get("family", ""), action.get("key", "")
        add([("Event", "DBGetResponse"), ("Family", family), ("Key", key), ("Val", value)])
        add([("Event", "DBGetComplete"), ("EventList", "Complete"), ("ListItems", "1")])

    def _dbdel(self, action: dict[str, str], reply: Reply, add: Add) -> None:
        if self.database.pop(_key(action), None) is None:
            reply("Error", ("Message", "Database entry could not be deleted"))
        else:
            reply("Success", ("Message", "Key deleted successfully"))

    def _filter(self, action: dict[str, str], reply: Reply, add: Add) -> None:
        reply("Success", ("Message", "Filter added successfully"))


_ACTIONS = frozenset(
    {"ping", "setvar", "getvar", "hangup", "status", "corestatus", "dbput", "dbget", "dbdel", "filter"}
)


def _key(action: dict[str, str]) -> str:
    return f"{action.get('family', '')}/{action.get('key', '')}"


def _split(variables: str) -> list[str]:
    r"""Names separated by commas; a comma inside a name is written `\,`."""
    return [name.replace("\0", ",") for name in variables.replace("\\,", "\0").split(",") if name]
