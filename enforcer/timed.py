"""Stopwatches: how long decisions take, and answers from door to door.

In: admission, links and doors. Out: the same, with buckets that their times go into.
Refuses to know: how a decision comes about. `Admission` itself knows no clock but the one it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import perf_counter

from enforcer.admission import Admission
from enforcer.buckets import Buckets
from enforcer.domain.call import CallAttempt
from enforcer.domain.decision import Decision
from enforcer.settings import Settings
from enforcer.switch.door import Door
from enforcer.switch.link import Link
from enforcer.switch.message_door import SOURCE, MessageDoor
from enforcer.switch.visit import CallDoor
from enforcer.telemetry import Telemetry

# Where a link is asked itself: an Asterisk's calls over AMI, a FreeSWITCH's messages over its event socket.
ASKED = {"asterisk": "ami", "freeswitch": "esl-link"}


class TimedAdmission(Admission):
    """See the module. `buckets` has those of each switch, and of the message door; others are not timed."""

    buckets: Mapping[str, Buckets] = {}

    def admit(self, attempt: CallAttempt) -> Decision:
        """As `Admission.admit`."""
        began = perf_counter()
        decision = super().admit(attempt)
        took = perf_counter() - began
        buckets = self.buckets.get(attempt.switch)
        if buckets is not None:
            buckets.add(took)
        return decision


def stopwatches(
    settings: Settings, admission: TimedAdmission, links: Iterable[Link], doors: Iterable[Door],
    telemetry: Telemetry,
) -> None:
    """Have everything timed from now on."""
    sources = [switch.name for switch in settings.switches]
    for switch, link in zip(settings.linked, links, strict=True):
        link.took = telemetry.answered.of(switch.name, ASKED[switch.kind]).add
    for door in doors:
        if isinstance(door, CallDoor):
            door.took = telemetry.answered.of(door.switch, door.label).add
        elif isinstance(door, MessageDoor):
            sources.append(SOURCE)
            door.took = telemetry.answered.of(SOURCE, door.label).add
    admission.buckets = {source: telemetry.decided.of(source) for source in sources}
