"""A channel of the small FreeSWITCH, as its events and listings tell of it.

In: what happens to it. Out: headers and rows, as 1.11 has them, less those that nobody reads.
Refuses to know the dialplan, and how long things take.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from dataclasses import dataclass, field

from lab.fs_causes import NAME_OF


@dataclass(slots=True, eq=False)
class Channel:
    """A channel; a call's first has the direction inbound."""

    name: str
    destination: str
    context: str
    caller: str
    direction: str = "inbound"
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    variables: dict[str, str] = field(default_factory=dict)
    started: float = 0.0
    answered: float = 0.0
    ended_at: float = 0.0
    cause: int = 0
    code: int = 0
    phrase: str = ""
    talk: float = 0.1
    ring: float = 0.0
    transfer: tuple[str, str] | None = None
    again: bool = False                 # uuid_break
    parked: bool = False                # waits for the other side of a `socket`
    reset: bool = False                 # a late answer has torn a live call from what it was doing
    ended: bool = False
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    legs: list[dict[str, str]] = field(default_factory=list)
    hunting: list[tuple[str, str]] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether its dialplan goes on."""
        return not self.ended and self.transfer is None

    def stir(self) -> None:
        """Wake whatever waits on it."""
        self.stirred.set()

    async def stirred_within(self, seconds: float) -> None:
        """Wait so long, or until somebody breaks, transfers or ends it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.ready and not self.again:
                    self.stirred.clear()
                    await self.stirred.wait()
        self.again = False

    def told(self) -> dict[str, str]:
        """What an event says about it."""
        up = "answered" if self.answered else "ringing"
        times = {"Created": self.started, "Answered": self.answered, "Hangup": self.ended_at}
        parent = self.variables.get("originator", "")
        headers = {
            "Channel-State": "CS_HANGUP" if self.ended else "CS_EXECUTE", "Channel-Name": self.name,
            "Unique-ID": self.uuid, "Call-Direction": self.direction,
            "Channel-Call-UUID": parent or self.uuid, "Answer-State": "hangup" if self.ended else up,
            "Caller-Direction": self.direction, "Caller-Caller-ID-Number": self.caller,
            "Caller-Orig-Caller-ID-Number": self.caller, "Caller-Dialplan": "XML",
            "Caller-Destination-Number": self.destination, "Caller-Unique-ID": self.uuid,
            "Caller-Context": self.context, "Caller-Channel-Name": self.name,
            **{f"Caller-Channel-{name}-Time": str(int(at * 1e6)) for name, at in times.items()},
        }  # fmt: skip
        if self.ended:
            headers["Hangup-Cause"] = NAME_OF.get(self.cause, "NORMAL_CLEARING")
        return {**headers, **{f"variable_{name}": value for name, value in self.variables.items()}}

    def row(self) -> dict[str, str]:
        """It in the list of channels."""
        return {
            "uuid": self.uuid, "direction": self.direction, "created_epoch": str(int(self.started)),
            "name": self.name, "state": "CS_EXECUTE", "cid_name": self.caller, "cid_num": self.caller,
            "dest": self.destination, "dialplan": "XML", "context": self.context,
            "accountcode": self.variables.get("accountcode", ""),
            "callstate": "ACTIVE" if self.answered else "RINGING",
            "call_uuid": self.variables.get("originator") or self.uuid,
            "initial_dest": self.destination, "initial_context": self.context,
        }  # fmt: skip
