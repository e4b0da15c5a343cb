"""What aiomqtt needs: TLS and limits, a client that connects whole, tasks that really end, words for trouble.

In: the settings of a broker, a client, tasks. Out: the client, connected and let go of in order; tasks that
are done. Refuses to know: topics, and what is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from enforcer.control.mqtt_reading import LONGEST_PACKET, Reading
from enforcer.errors import EnforcerError
from enforcer.settings_mqtt import MqttSettings
from enforcer.settings_tls import believing

TROUBLES = (aiomqtt.MqttError, OSError, TimeoutError)      # of the broker, or of the way there


@contextlib.asynccontextmanager
async def whole(client: aiomqtt.Client) -> AsyncIterator[aiomqtt.Client]:
    """The client, connected, and nothing left of it in the end. One that is cancelled while it connects
    leaves a thread behind that opens a connection for nobody: so it connects, or fails, in any case."""
    reading = Reading(client)
    try:
        entering = asyncio.ensure_future(client.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            with contextlib.suppress(aiomqtt.MqttError):
                await entering
                await client.__aexit__(None, None, None)
            raise
        reading.connected()
        try:
            yield client
        finally:
            await client.__aexit__(None, None, None)
    finally:
        reading.close()


async def end(*tasks: asyncio.Future[None]) -> None:
    """Cancel these until they are done: who waits for an acknowledgement that comes at that very moment
    swallows a cancellation (asyncio.wait_for, before Python 3.12)."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.5)
    for task in tasks:
        if not task.cancelled():
            task.exception()


def context(settings: MqttSettings) -> ssl.SSLContext | None:
    """How to speak TLS to it, None where all goes in the clear. Raises BadInput where the file that vouches
    for the broker cannot be used."""
    return believing(settings.ca_path, "mqtt", "ca_file") if settings.broker.tls else None


def limits() -> Properties:
    """What a broker may send us at once."""
    properties = Properties(PacketTypes.CONNECT)        # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = LONGEST_PACKET
    return properties


def as_sent() -> SubscribeOptions:
    """What a subscription asks for under MQTT 5: that a message which is kept there says so the moment it is
    sent, and not only to those who come later."""
    return SubscribeOptions(qos=1, retainAsPublished=True)


def words(problem: BaseException) -> str:
    """What keeps us from the broker; what is none of its troubles is a defect of ours."""
    if not isinstance(problem, (*TROUBLES, EnforcerError)):
        return f"our own fault: {problem!r}"
    return str(problem) or "it did not answer in time"
