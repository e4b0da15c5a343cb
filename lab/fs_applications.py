"""The applications of the fake FreeSWITCH, as far as our dialplan uses them.

In: a channel, an application and its data. Out: what 1.11 does with them. Others are errors of the test.
Written after its mod_dptools, switch_core_session.c, mod_hash (`limit`), mod_event_socket (`socket`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from lab import fs_dialplan
from lab.fake_esl import goodbye, headers_of, reply
from lab.fs_causes import NUMBER_OF
from lab.fs_channel import Channel
from lab.fs_commands import Commands
from lab.fs_dialplan import Application

# `respond` ends the call with the cause that FreeSWITCH maps a SIP code to (seen on 1.11).
CAUSE_OF = {403: 21, 404: 1, 408: 102, 410: 22, 480: 18, 484: 28, 486: 17, 488: 88, 500: 41, 503: 41, 603: 21}


class Applications(Commands):
    """What a dialplan runs."""

    plan: fs_dialplan.Dialplan
    tell: Callable[[str, Channel], None]

    def __init__(self) -> None:
        super().__init__()
        self.rates: dict[str, tuple[int, int]] = {}     # second, how many in it
        self.listeners: set[asyncio.Task[None]] = set()

    # --- running a dialplan

    def _hunt(self, channel: Channel, context: str, destination: str) -> list[Application] | None:
        fields = {"destination_number": destination, "context": context, "dialplan": "XML",
                  "caller_id_number": channel.caller}
        channel.hunting.append((destination, context))
        try:
            return self.plan.hunt(
                context, fields, lambda text: self.expand(channel, text),
                lambda name, data: self._inline(channel, name, data),
            )
        finally:
            channel.hunting.pop()

    async def run(self, channel: Channel, applications: list[Application]) -> None:
        """One after the other, as long as the channel is there for it."""
        for name, data in applications:
            if not channel.ready:
                return
            if name == "execute_extension":
                destination, _dialplan, context = self.expand(channel, data).split()
                await self.run(channel, self._hunt(channel, context, destination) or [])
            elif name in fs_dialplan.INLINE:
                self._inline(channel, name, data)
            else:
                await getattr(self, f"_app_{name}")(channel, self.expand(channel, data))

    def expand(self, channel: Channel, text: str) -> str:
        """`${...}` as this channel has it."""
        return fs_dialplan.expand(text, lambda name: self._variable(channel, name), self.api)

    def _variable(self, channel: Channel, name: str) -> str:
        destination, context = [(channel.destination, channel.context), *channel.hunting][-1]
        fields = {"destination_number": destination, "context": context, "caller_id_number": channel.caller}
        return channel.variables.get(name) or fields.get(name) or self.globals.get(name, "")

    def _inline(self, channel: Channel, name: str, data: str) -> None:
        data = self.expand(channel, data)
        if name == "multiset":
            delimiter, pairs = (data[2], data[3:]) if data.startswith("^^") else (" ", data)
            for pair in pairs.split(delimiter):
                self.set_variable(channel, pair)
        elif name == "unset":
            channel.variables.pop(data, None)
        elif name == "export":
            self.set_variable(channel, data)
            exported = channel.variables.get("export_vars", "")
            if (variable := data.partition("=")[0]) not in exported.split(","):
                channel.variables["export_vars"] = f"{exported},{variable}".strip(",")
        elif name == "set":
            self.set_variable(channel, data)

    @staticmethod
    def exported(channel: Channel) -> dict[str, str]:
        """What a leg dialled by the channel is given: its exports, and the caller's own X- headers."""
        names = channel.variables.get("export_vars", "").split(",")
        told = {name.removeprefix("nolocal:"): channel.variables.get(name, "") for name in names if name}
        headers = {n: v for n, v in channel.variables.items() if n.startswith("sip_h_X-")}
        return {**headers, **{name: value for name, value in told.items() if value}}

    # --- applications

    async def _app_bridge(self, channel: Channel, data: str) -> None:
        kind, _, rest = data.partition("/")
        if kind == "user":      # its phone is told the number dialled; the leg has what its directory says
            user = rest.partition("@")[0]
            await self.dial(channel, channel.destination, dialed_user=user, accountcode=user)
        else:
            await self.dial(channel, data.rpartition("/")[2], sip_gateway_name=rest.split("/")[1])

    async def dial(self, channel: Channel, number: str, **about: str) -> None:
        """Dial one leg for the channel."""
        raise NotImplementedError

    async def _app_sleep(self, channel: Channel, data: str) -> None:
        await channel.stirred_within(int(data) / 1000 * self.second)

    async def _app_respond(self, channel: Channel, data: str) -> None:
        code, _, channel.phrase = data.partition(" ")
        channel.code = int(code)
        channel.variables |= {"last_app": "respond", "last_arg": data}
        if not channel.answered:
            self.hang_up(channel.uuid, CAUSE_OF.get(channel.code, 16))

    async def _app_hangup(self, channel: Channel, data: str) -> None:
        self.hang_up(channel.uuid, int(data) if data.isdecimal() else NUMBER_OF[data])

    async def _app_sched_hangup(self, channel: Channel, data: str) -> None:
        when, cause = data.split()
        self.later(when, channel.uuid, lambda: self.hang_up(channel.uuid, NUMBER_OF[cause]))

    async def _app_sched_cancel(self, channel: Channel, data: str) -> None:
        self.forget(channel.uuid)

    async def _app_limit(self, channel: Channel, data: str) -> None:
        backend, realm, what, most, *away = data.split()
        assert backend == "hash"
        key, (limit, _, interval) = f"{realm}_{what}", most.partition("/")
        held = self.held.setdefault(key, set())
        if interval:
            second, times = self.rates.get(key, (0, 0))
            now = int(self.clock())
            times = times + 1 if second > now - int(interval) else 1
            self.rates[key] = (second if times > 1 else now, times)
            over = times > int(limit)
        else:
            over = 0 <= int(limit) < len(held | {channel.uuid})
        if over:
            channel.transfer = (away[0], away[2])
        else:
            held.add(channel.uuid)

    def let_go(self, channel: Channel) -> None:
        """What a channel held ends with it."""
        for held in self.held.values():
            held.discard(channel.uuid)
        self.forget(channel.uuid)

    async def _app_socket(self, channel: Channel, data: str) -> None:
        """Async only: the channel waits, and what the other side sends is done by a listener of its own."""
        address, mode = data.split()
        assert mode == "async"
        host, _, port = address.rpartition(":")
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return
        over = asyncio.Event()
        listener = asyncio.ensure_future(self._listen(channel, reader, writer, over))
        self.listeners.add(listener)
        listener.add_done_callback(self.listeners.discard)
        channel.parked = True
        while channel.ready and not over.is_set():
            channel.stirred.clear()
            await channel.stirred.wait()
        channel.parked = False
        if over.is_set() and channel.ready and channel.variables.get("socket_resume") != "true":
            await channel.stirred_within(1e9)       # CS_EXECUTE for ever

    async def _listen(
        self, channel: Channel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        over: asyncio.Event,
    ) -> None:
        """The commands on an outbound socket, until it is closed."""
        try:
            while True:
                lines = (await reader.readuntil(b"\n\n")).decode().strip("\n").split("\n")
                if lines[0] == "connect":
                    head = self.dump(channel)[:-1] if not channel.ended else ""
                    writer.write(f"{head}Content-Type: command/reply\nReply-Text: %2BOK%0A\n".encode()
                                 + b"Socket-Mode: async\nControl: limited\n\n")  # fmt: skip
                elif lines[0] == "sendmsg":
                    told = headers_of(lines[1:])
                    if not channel.ended:
                        self._inline(channel, told["execute-app-name"], told["execute-app-arg"])
                    writer.write(reply("+OK"))
                else:
                    writer.write(reply("+OK bye") if lines[0] == "exit" else reply("-ERR command not found"))
                    if lines[0] == "exit":
                        writer.write(goodbye(channel.uuid))
                        break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            # Where the channel waits for us the application takes this back; a live call it tears apart.
            resume = channel.variables.get("socket_resume") == "true"
            channel.reset = channel.reset or (channel.ready and resume and not channel.parked)
            over.set()
            channel.stir()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
