"""The doors of one enforcer: which are open, where, and whose calls ask there.

In: settings. Out: doors, put together and not yet open. Refuses to know: what is decided, and links.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable, Mapping

from enforcer.admission import Admission
from enforcer.domain.call import CallAttempt
from enforcer.errors import BadInput
from enforcer.settings import Settings
from enforcer.settings_doors import TABLES, AgiDoorSettings, doorways
from enforcer.switch.agi import AgiDoor
from enforcer.switch.door import BACKLOG, Door
from enforcer.switch.esl_door import EslDoor
from enforcer.switch.http_door import HttpDoor
from enforcer.switch.message_door import MessageDoor
from enforcer.switch.visit import CallDoor
from enforcer.telemetry import Telemetry

KINDS: dict[str, type[CallDoor]] = {"agi": AgiDoor, "esl": EslDoor, "http": HttpDoor}
OTHER_FILES = 256       # the ledger, links, the log, notices on their way, scrapers


def make_room(doors: Iterable[Door], telemetry: Telemetry, more: int = 0) -> None:
    """A file for every connection that may be open, and for those that come in one rush before they are
    looked at: without it, whoever connects often enough keeps everybody else out. `more` are those of HTTP.
    Many systems give a process 1024, and more where it asks."""
    needed = sum(door.most + BACKLOG for door in doors) + more + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited or soft >= needed:
        return
    granted = needed if hard == unlimited else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    if granted < needed:
        telemetry.fault("too few files", allowed=granted, needed=needed)


def doors_of(
    settings: Settings,
    admission: Admission,
    telemetry: Telemetry,
    clock: Callable[[], float],
    asked: Mapping[str, Callable[[CallAttempt], object]],
    runs: Callable[[], Mapping[str, str]] = dict,
) -> tuple[Door, ...]:
    """A door for calls belongs to one switch: a question does not say where it comes from.
    Of some switches, by name, the link wants to know what was `asked`: the question names the account.
    `runs` has, of those that are known, which run of which switch it is, by the switch's name.

    Raises BadInput where there is no switch for a door.
    """
    def could_not(problem: Exception) -> None:
        telemetry.fault("door could not decide", problem=repr(problem))

    def others(switch: str) -> Callable[[str], str]:
        def whose(run: str) -> str:
            known = runs()
            if not run or known.get(switch) == run:
                return ""
            return next((name for name, one in known.items() if one == run), "")

        return whose

    doors: list[Door] = []
    places = doorways(settings.switches, settings.door)
    for name, opened in KINDS.items():
        table: AgiDoorSettings = getattr(settings.door, name)
        mine = [place for place in places if place.table == name]
        if table.enabled and not mine:
            raise BadInput(f"door.{name}", f"no [[switch]] with kind = '{TABLES[name]}' asks there")
        for place in mine:
            door = opened(
                admission, place.switch, clock=clock, host=table.host, port=place.port, peers=place.allow,
                deadline=table.read_deadline, most=table.max_connections, on_fault=could_not,
                asked=asked.get(place.switch),
            )
            if isinstance(door, EslDoor):
                door.whose = others(place.switch)
            if isinstance(door, HttpDoor):
                door.token = settings.switch(place.switch).door_token()
                door.known = {switch.name for switch in settings.switches}
            doors.append(door)
    messages = settings.door.messages
    if messages.enabled:
        doors.append(MessageDoor(
            admission, clock=clock, host=messages.host, port=messages.port, peers=messages.allow,
            deadline=messages.read_deadline, most=messages.max_connections, on_fault=could_not,
        ))
    return tuple(doors)
