"""The link to each switch, put together from its settings.

In: settings, the switch's secret, admission. Out: a link, not yet connected. Refuses to know: protocols.
"""

from __future__ import annotations

from collections.abc import Callable

from enforcer.admission import Admission
from enforcer.settings_switch import SwitchSettings
from enforcer.switch import ami_session, esl_session
from enforcer.switch.ami import AmiLink
from enforcer.switch.esl import EslLink
from enforcer.switch.gathering import ACTING
from enforcer.switch.link import Deadlines, Link
from enforcer.switch.tls import context_of
from enforcer.wire.channel import Identity


def going_on(clock: Callable[[], float], steady: Callable[[], float]) -> Callable[[], float]:
    """The wall clock as it goes on from now, whoever sets it, by `steady`, which nobody sets.

    A link knows by how much the switch's clock is ahead of its own, and asks again at each beat only. Were
    its own set, all that it writes for the switch in between would be of another hour, and over already.
    """
    began = clock() - steady()
    return lambda: began + steady()


def link_to(
    switch: SwitchSettings, secret: str, admission: Admission, wall: Callable[[], float],
    steady: Callable[[], float],
) -> Link:
    """The link to a switch, not yet connected. Raises BadInput where its certificates cannot be used."""
    clock = going_on(wall, steady)
    identity = Identity(
        switch.name, tuple(switch.outbound_contexts), tuple(switch.inbound_contexts),
        tuple(switch.internal_contexts), switch.account_from,
    )
    deadlines = Deadlines(
        login=switch.login_deadline, pong=switch.ping_deadline, action=switch.action_deadline
    )
    if switch.kind == "freeswitch":
        socket = esl_session.Peer(switch.host, switch.port, secret)
        return _told(EslLink(
            socket, identity, admission, deadlines=deadlines, messages=switch.messages, clock=clock
        ), switch, wall)
    secured = context_of(switch)
    peer = ami_session.Peer(switch.host, switch.port, switch.username, secret, secured, switch.tls_name)
    messages = switch.message_contexts if switch.messages else None
    ami = AmiLink(peer, identity, admission, deadlines=deadlines, messages=messages, clock=clock)
    return _told(ami, switch, wall)


def _told(link: AmiLink | EslLink, switch: SwitchSettings, wall: Callable[[], float]) -> Link:
    """What clock others see. Where the dialplan does not ask, the first event of a call stands for the
    question."""
    link.wall = wall
    if switch.listener_only:
        link.gathers = 0.0 if switch.kind == "freeswitch" and switch.messages else ACTING
    return link
