"""The desk of a running enforcer: what MQTT, HTTP and the live page order is taken here, and answered.

In: a request as JSON, who gives it, and at which door. Out: an answer, always: accepted and what was done, or
refused and why; whoever follows orders hears of every answer.
Refuses to know: protocols. It never raises: a door has nobody to raise to.

A request with an `id` that was carried out before is answered as it was then, and nothing is done: whoever is
not sure that an order arrived may give it again, also after a restart. Another order of that `id`, such as
the same one for another account, is refused: nobody is told that it was done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from secrets import token_hex
from typing import Any

from enforcer.control.acts import AddStrike, Office, carry_out
from enforcer.control.requests import Request, decoded, request_of
from enforcer.control.words import iso
from enforcer.domain.journal import JournalEntry, Kind
from enforcer.errors import BadInput, EnforcerError, LedgerError

PAUSES = (0.05, 0.1, 0.25, 0.5)         # s before an order is tried again; each try may wait for a lock


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to a request. `said` is one line: what was done, or why nothing was."""

    accepted: bool
    said: str
    do: str = ""
    id: str = ""
    who: str = ""
    door: str = ""
    at: float = 0.0
    repeated: bool = False
    ours: bool = False          # True where it was refused for a fault of ours and may be tried again

    def facts(self) -> dict[str, Any]:
        """For programs: the keys of the answer topic, and of HTTP's answers."""
        return {
            "accepted": self.accepted, "said": self.said, "do": self.do or None, "id": self.id or None,
            "who": self.who or None, "door": self.door or None, "at": iso(self.at), "repeated": self.repeated,
        }


class Desk:
    """See the module. `changed` is called after each order that was carried out: what it changed is in force
    when that returns."""

    def __init__(self, office: Office, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        self._office = office
        self._clock = clock
        self._changed = changed
        self.on_ack: list[Callable[[Ack], None]] = []

    def take(self, told: bytes | str | Mapping[str, Any], who: str, door: str, sure: bool = False) -> Ack:
        """Take a request. `who` is what the door knows of who asks; where it is `sure`, the request cannot
        say otherwise."""
        return self._told(self._take(told, who, door, sure))

    async def take_patiently(
        self, told: bytes | str | Mapping[str, Any], who: str, door: str, sure: bool = False
    ) -> Ack:
        """The same, tried again for a second or so where the ledger cannot write just now: another process
        may hold it. Calls go on meanwhile."""
        ack = self._take(told, who, door, sure)
        for pause in PAUSES:
            if not ack.ours:
                break
            await asyncio.sleep(pause)
            ack = self._take(told, who, door, sure)
        return self._told(ack)

    def heard(self, do: str, who: str, door: str, said: str) -> None:
        """Something was carried out beside the desk, by the clerk: it is put on record, and told."""
        at, name = self._clock(), f"{do}-{token_hex(6)}"
        body = {"do": do, "who": who, "door": door, "said": said}
        self._office.ledger.note(JournalEntry(Kind.COMMAND, at, name, body=body))
        self._told(Ack(True, said, do, "", who, door, at))

    def _told(self, ack: Ack) -> Ack:
        for tell in self.on_ack:
            tell(ack)
        return ack

    def _take(self, told: bytes | str | Mapping[str, Any], who: str, door: str, sure: bool) -> Ack:
        at = self._clock()
        do, name = "", ""
        try:
            facts = told if isinstance(told, Mapping) else decoded(told)
            do, name = _word(facts.get("do")), _word(facts.get("id"))
            request = request_of(facts, who, sure)
            return self._answered(request, door, at) or self._done(request, door, at)
        except BadInput as problem:
            return Ack(False, str(problem), do, name, who, door, at)
        except EnforcerError as problem:
            return Ack(False, str(problem), do, name, who, door, at, ours=True)

    def _done(self, request: Request, door: str, at: float) -> Ack:
        order = request.order
        if isinstance(order, AddStrike) and request.id:
            order = replace(order, name=f"s-{request.id}")
        said = carry_out(order, self._office, at)
        ack = Ack(True, said, request.do, request.id, request.who, door, at)
        self._changed()
        if request.id:
            entry = JournalEntry(
                Kind.COMMAND, at, request.id,
                body={
                    "do": request.do, "who": request.who, "door": door, "said": said, "mark": _mark(request),
                },
            )
            try:
                self._office.ledger.put([entry])
            except LedgerError:     # it was done, and must not be answered as if it had not been
                self._office.ledger.note(entry)
        return ack

    def _answered(self, request: Request, door: str, at: float) -> Ack | None:
        """The answer given before to a request of this name. Raises BadInput where that was another order."""
        if not request.id:
            return None
        before = self._office.ledger.registers.commands.get(request.id)
        if before is None:
            return None
        was, said = before.body["do"], before.body["said"]
        if was != request.do:
            raise BadInput("id", f"{request.id!r} was the name of another order, {was}")
        if before.body.get("mark", _mark(request)) != _mark(request):       # older entries have none
            said = f"{request.id!r} was the name of another order ({said}): give this one its own"
            raise BadInput("id", said)
        return Ack(True, said, request.do, request.id, request.who, door, at, repeated=True)


def _mark(request: Request) -> str:
    """What tells this order from others of its kind, whoever gives it and why: it may come again by another
    door."""
    facts = {key: value for key, value in asdict(request.order).items() if key not in ("who", "why")}
    return sha256(repr(sorted(facts.items())).encode()).hexdigest()[:16]


def _word(value: object) -> str:
    """A word to answer with, as far as it is one."""
    return value[:80] if isinstance(value, str) and value.isprintable() else ""
