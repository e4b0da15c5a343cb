"""The API commands of the fake FreeSWITCH, its mod_hash and its scheduler.

In: a command and its arguments. Out: what 1.11 answers.
Written after its mod_commands, mod_hash and switch_scheduler.c.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lab import fs_dialplan
from lab.fs_causes import NUMBER_OF
from lab.fs_channel import Channel


class Commands:
    """What a client asks for, and `${name(arguments)}` of a dialplan."""

    globals: dict[str, str]
    channels: dict[str, Channel]
    clock: Callable[[], float]
    second: float
    hang_up: Callable[[str, int], bool]
    dump: Callable[[Channel], str]
    listing: Callable[[], str]

    def __init__(self) -> None:
        self.curl: Callable[[str, str], str] = lambda url, posted: ""       # nobody answers
        self.hash: dict[str, str] = {}          # "realm_key" -> value
        self.held: dict[str, set[str]] = {}     # `limit`: "realm_id" -> the channels that count
        self.rates: dict[str, tuple[int, int]] = {}     # the same, by rate: second, how many in it
        self.tasks: dict[int, asyncio.TimerHandle] = {}
        self.dues: dict[int, Callable[[], None]] = {}
        self.groups: dict[int, str] = {}
        self.sessions = 0                       # channels since the start

    @staticmethod
    def set_variable(channel: Channel, pair: str) -> None:
        """"name=value"; an empty value takes the variable away."""
        name, _, value = pair.partition("=")
        if value:
            channel.variables[name] = value
        else:
            channel.variables.pop(name, None)

    def too_many(self, channel: Channel, backend: str, realm: str, what: str, most: str) -> bool:
        """`limit`, which counts and compares in one step: whether this channel is one too many."""
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
        if not over:
            held.add(channel.uuid)
            channel.variables[f"limit_usage_{key}"] = str(len(held))
            channel.variables[f"limit_rate_{key}"] = str(self.rates.get(key, (0, 0))[1])
        return over

    # --- the scheduler

    def later(self, when: str, group: str, act: Callable[[], object]) -> int:
        number = max(self.groups, default=0) + 1
        loop = asyncio.get_running_loop()

        def due() -> None:
            self.tasks.pop(number, None)
            act()

        self.tasks[number] = loop.call_later(int(when.lstrip("+")) * self.second, due)
        self.groups[number], self.dues[number] = group, due
        return number

    def time_passes(self, seconds: float) -> None:
        """What the scheduler would do in that time, it does now."""
        then = asyncio.get_running_loop().time() + seconds * self.second
        for number, handle in sorted(self.tasks.items(), key=lambda one: one[1].when()):
            if number in self.tasks and handle.when() <= then:
                handle.cancel()
                self.dues[number]()

    def forget(self, group: str) -> int:
        numbers = [number for number in self.tasks if self.groups[number] == group]
        for number in numbers:
            self.tasks.pop(number).cancel()
        return len(numbers)

    # --- API commands

    def api(self, command: str, arguments: str) -> str:
        """What a command answers; one that is not known here is one that is not loaded."""
        run = getattr(self, f"_api_{command}", None)
        return f"-ERR {command} Command not found!\n" if run is None else str(run(arguments))

    def _api_strepoch(self, _arguments: str) -> int:
        return int(self.clock())

    def _api_cond(self, arguments: str) -> str:
        return fs_dialplan.cond(arguments)

    def _api_hash(self, arguments: str) -> str:
        """Cut at slashes as mod_hash does: a key with one would lose its second half."""
        verb, realm, key, *value = arguments.split("/", 3)
        name = f"{realm}_{key}"
        if verb == "select":
            return self.hash.get(name, "")
        if verb == "insert":
            self.hash[name] = value[0]
            return "+OK\n"
        if verb == "insert_ifempty":
            if name in self.hash:
                return "-ERR key already exists\n"
            self.hash[name] = value[0]
            return "+OK\n"
        assert verb == "delete", verb
        return "+OK\n" if self.hash.pop(name, None) is not None else "-ERR Not found\n"

    def _api_curl(self, arguments: str) -> str:
        """mod_curl posts the last word; "" where nothing is answered."""
        url, _, rest = arguments.partition(" ")
        return self.curl(url, rest.partition(" post ")[2])

    def _api_hash_dump(self, _arguments: str) -> str:
        return "".join(f"D/{name}/{value}\n" for name, value in self.hash.items())

    def _api_sched_api(self, arguments: str) -> str:
        when, group, command = arguments.split(" ", 2)
        name, _, rest = command.partition(" ")
        return f"+OK Added: {self.later(when, group, lambda: self.api(name, rest))}\n"

    def _api_sched_del(self, arguments: str) -> str:
        return f"+OK Deleted: {self.forget(arguments)}\n"

    def _api_sched_hangup(self, arguments: str) -> str:
        when, uuid, *cause = arguments.split()
        if uuid not in self.channels:
            return "-ERR No such channel!\n"
        self.later(when, uuid, lambda: self.hang_up(uuid, NUMBER_OF[(cause or ["ALLOTTED_TIMEOUT"])[0]]))
        return "+OK\n"

    def _api_uuid_transfer(self, arguments: str) -> str:
        uuid, destination, _dialplan, context = arguments.split()
        if (channel := self.channels.get(uuid)) is None:
            return "-ERR No such channel!\n"
        channel.transfer = (destination, context)
        channel.stir()
        return "+OK\n"

    def _api_uuid_break(self, arguments: str) -> str:
        if (channel := self.channels.get(arguments)) is None:
            return "-ERR No such channel!\n"
        channel.again = True
        channel.stir()
        return "+OK\n"

    def _api_uuid_kill(self, arguments: str) -> str:
        uuid, *cause = arguments.split()
        killed = self.hang_up(uuid, NUMBER_OF[(cause or ["NORMAL_CLEARING"])[0]])
        return "+OK\n" if killed else "-ERR No such channel!\n"

    def _api_uuid_exists(self, arguments: str) -> str:
        return "true" if arguments in self.channels else "false"

    def _api_uuid_setvar(self, arguments: str) -> str:
        uuid, name, *value = arguments.split(" ", 2)
        if (channel := self.channels.get(uuid)) is None:
            return "-ERR No such channel!\n"
        self.set_variable(channel, f"{name}={''.join(value)}")
        return "+OK\n"

    def _api_uuid_setvar_multi(self, arguments: str) -> str:
        uuid, _, pairs = arguments.partition(" ")
        if (channel := self.channels.get(uuid)) is None:
            return "-ERR No such channel!\n"
        for pair in pairs.split(";"):
            self.set_variable(channel, pair)
        return "+OK\n"

    def _api_uuid_getvar(self, arguments: str) -> str:
        uuid, name = arguments.split()
        channel = self.channels.get(uuid)
        return "-ERR No such channel!\n" if channel is None else channel.variables.get(name, "_undef_")

    def _api_uuid_dump(self, arguments: str) -> str:
        channel = self.channels.get(arguments.split()[0])
        return "-ERR No such channel!\n" if channel is None else self.dump(channel)

    def _api_show(self, arguments: str) -> str:
        assert arguments == "channels as json", arguments
        return self.listing()

    def _api_limit_usage(self, arguments: str) -> int:
        _backend, realm, what = arguments.split()
        return len(self.held.get(f"{realm}_{what}", ()))

    def _api_uuid_limit(self, arguments: str) -> str:
        uuid, *counted = arguments.split()
        if (channel := self.channels.get(uuid)) is None:
            return f"-ERR Cannot find session with uuid {uuid}\n"
        assert not self.too_many(channel, *counted), "what is done then is not written here"
        return "+OK"

    def _api_uuid_limit_release(self, arguments: str) -> str:
        uuid, _backend, realm, what = arguments.split()
        if uuid not in self.channels:
            return f"-ERR Cannot find session with uuid {uuid}\n"
        self.held.get(f"{realm}_{what}", set()).discard(uuid)
        return "+OK"

    def _api_global_setvar(self, arguments: str) -> str:
        name, _, value = arguments.partition("=")
        self.globals[name] = value
        return "+OK\n"

    def _api_status(self, _arguments: str) -> str:
        return (
            "UP 0 years, 0 days, 0 hours, 5 minutes, 6 seconds, 387 milliseconds, 345 microseconds\n"
            f"FreeSWITCH (Version 1.11.3-dev  64bit) is ready\n{self.sessions} session(s) since startup\n"
            f"{len(self.channels)} session(s) - peak {self.sessions}, last 5min {self.sessions} \n"
        )

    def _api_module_exists(self, _arguments: str) -> str:
        return "true"

    def _api_version(self, _arguments: str) -> str:
        return "FreeSWITCH Version 1.11.3-dev~64bit (fake)\n"
