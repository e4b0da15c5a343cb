"""The doors of one enforcer: which are open, where, and whose calls ask there.

In: settings. Out: doors, put together and not yet open. Refuses to know: what is decided, and links.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from enforcer.admission import Admission
from enforcer.domain.call import CallAttempt
from enforcer.errors import BadInput
from enforcer.settings import Settings
from enforcer.settings_doors import AgiDoorSettings
from enforcer.switch.agi import AgiDoor
from enforcer.switch.door import Door
from enforcer.switch.esl_door import EslDoor
from enforcer.switch.http_door import HttpDoor
from enforcer.switch.message_door import MessageDoor
from enforcer.switch.visit import CallDoor
from enforcer.telemetry import Telemetry


def doors_of(
    settings: Settings,
    admission: Admission,
    telemetry: Telemetry,
    clock: Callable[[], float],
    asked: Mapping[str, Callable[[CallAttempt], object]],
) -> tuple[Door, ...]:
    """A door for calls belongs to the first switch of its kind: a question does not say where it comes from.
    Of some switches, by name, the link wants to know what was `asked`: the question names the account.

    Raises BadInput where there is no such switch.
    """
    def could_not(problem: Exception) -> None:
        telemetry.fault("door could not decide", problem=repr(problem))

    doors: list[Door] = []
    kinds: tuple[tuple[str, AgiDoorSettings, type[CallDoor]], ...] = (
        ("asterisk", settings.door.agi, AgiDoor), ("freeswitch", settings.door.esl, EslDoor),
        ("freeswitch", settings.door.http, HttpDoor),
    )
    for kind, door, opened in kinds:
        if door.enabled:
            switch = next((one.name for one in settings.switches if one.kind == kind), None)
            if switch is None:
                raise BadInput(f"door.{opened.label}", f"no [[switch]] with kind = '{kind}' asks there")
            doors.append(opened(
                admission, switch, clock=clock, host=door.host, port=door.port, peers=door.allow,
                deadline=door.read_deadline, most=door.max_connections, on_fault=could_not,
                asked=asked.get(switch),
            ))
    door = settings.door.messages
    if door.enabled:
        doors.append(MessageDoor(
            admission, clock=clock, host=door.host, port=door.port, peers=door.allow,
            deadline=door.read_deadline, most=door.max_connections, on_fault=could_not,
        ))
    return tuple(doors)
