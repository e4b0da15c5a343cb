"""A channel of the built-in fake switch, as events, listings and the FastAGI door are told of it.

In: what happens to it. Out: its headers, its variables. Refuses to know the hook, and what becomes of a call.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

RINGING, UP = "4", "6"


@dataclass(slots=True)
class Channel:
    """One channel, from its creation to its hang-up."""

    name: str
    uniqueid: str
    account: str
    number: str
    started: float
    state: str = RINGING
    answered: float = 0.0
    cause: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def about(self) -> list[tuple[str, str]]:
        """The headers by which every event names it."""
        return [
            ("Channel", self.name),
            ("ChannelState", self.state),
            ("ChannelStateDesc", "Up" if self.state == UP else "Ring"),
            ("CallerIDNum", self.account),
            ("CallerIDName", "<unknown>"),
            ("ConnectedLineNum", "<unknown>"),
            ("ConnectedLineName", "<unknown>"),
            ("Language", "en"),
            ("AccountCode", self.account),
            ("Context", "from-accounts"),
            ("Exten", self.number),
            ("Priority", "1"),
            ("Uniqueid", self.uniqueid),
            ("Linkedid", self.uniqueid),
        ]

    def told_of(self, name: str) -> str:
        """What a Status list says of one variable."""
        known = {
            "CDR(start,u)": f"{self.started:.6f}",
            "CDR(answer,u)": f"{self.answered:.6f}",
            "CDR(dcontext)": "from-accounts",
            "CDR(dst)": self.number,
        }
        return known.get(name) or self.variables.get(name, "")


async def ask_agi(door: str, channel: Channel) -> None:
    """One FastAGI dialogue with the door at "host:port": our header, then its commands until it closes.
    Raises OSError."""
    host, _, port = door.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        header = {
            "network": "yes",
            "request": f"agi://{door}/ask",
            "channel": channel.name,
            "uniqueid": channel.uniqueid,
            "callerid": channel.account,
            "context": "enforcer",
            "extension": "agi",
            "accountcode": channel.account,
            "arg_1": channel.account,
            "arg_2": "outbound",
            "arg_3": channel.number,
            "arg_4": channel.uniqueid,
        }
        writer.write(("".join(f"agi_{key}: {value}\n" for key, value in header.items()) + "\n").encode())
        while line := await reader.readline():
            command = line.decode("utf-8", "replace").strip()
            if command.upper().startswith("SET VARIABLE "):
                name, _, value = command[len("SET VARIABLE ") :].partition(" ")
                channel.variables[name] = value.strip('"')
                writer.write(b"200 result=1\n")
            else:
                writer.write(b"510 Invalid or unknown command\n")
    finally:
        writer.close()
