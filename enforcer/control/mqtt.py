"""MQTT: what happens is told at a broker, and orders are taken there.

In: the feed, the desk, a broker that comes and goes. Out: retained modes and states, events, an answer to
every order. Refuses to know: topics and payloads (`mqtt_topics`), and what orders do.

A broker that is away costs a metric: what happens meanwhile is not kept for it, but modes and states are told
anew when it is back. On the first connection after a start, modes retained there are compared with those of
the ledger, and the later one of each wins: a ledger that was lost or restored does not silently undo what
people ordered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from secrets import token_hex
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from prometheus_client import CollectorRegistry, Counter, Gauge

from enforcer.control.desk import Ack, Desk
from enforcer.control.feed import Feed, Happening, Subscriber
from enforcer.control.mqtt_client import as_sent, context, end, limits, whole, words
from enforcer.control.mqtt_reading import SILENT
from enforcer.control.mqtt_topics import Ordered, Topics, retained
from enforcer.control.requests import LONGEST_REQUEST
from enforcer.errors import BadInput
from enforcer.settings_mqtt import MqttSettings

KEEPALIVE = 20              # s: a broker that went silent is noticed after one and a half of these
PATIENCE = 5.0              # s: for each answer of a broker
FIRST_RETRY, LONGEST_RETRY = 0.5, 15.0
SYNC_SECONDS = 3.0          # how long retained modes may take to come
MOST_RETAINED = 10_000      # modes that are compared; we set one for each setting in force
SKEW_SECONDS = 60.0         # a retained mode from further ahead than clocks differ was not set by anybody
TOLD_ONE_BY_ONE = 10        # of those that say nothing we could compare
DOOR = "mqtt"


class Mqtt:
    """See the module. `now` gives what holds at this moment as happenings (modes, switches); `settled` when
    each mode was last set in the ledger (Unix seconds), by topic; `note` and `fault` tell people."""

    def __init__(
        self,
        settings: MqttSettings,
        site: str,
        desk: Desk,
        feed: Feed,
        now: Callable[[], list[Happening]],
        settled: Callable[[Topics], dict[str, float]],
        clock: Callable[[], float],
        registry: CollectorRegistry,
        note: Callable[..., None],
        fault: Callable[..., None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._broker = settings.broker
        self._site = site
        self.topics = Topics(settings.prefix, site, settings.who == "topic")
        self._secret = settings.secret()
        self._tls = context(settings)
        self._desk = desk
        self._feed = feed
        self._now = now
        self._settled = settled
        self._clock = clock
        self._note = note
        self._fault = fault
        self.sleep = sleep
        self._compared = False
        self._retained: set[str] = set()        # topics in which something of ours is kept there
        self._second, self._told = 0, 0
        self.up = Gauge("enforcer_mqtt_up", "1 while the broker has us.", registry=registry)
        self.messages = Counter(
            "enforcer_mqtt_messages_total", "Messages by what became of them.", ["outcome"], registry=registry
        )

    async def run(self) -> None:
        """Be connected, until cancelled."""
        work = asyncio.ensure_future(self._again_and_again())
        try:
            await asyncio.wait([work])
            work.result()
        finally:
            await end(work)

    async def _again_and_again(self) -> None:
        failures, told = 0, ""
        while True:
            began = self._clock()
            try:
                await self._connected()
            except Exception as problem:        # a defect of ours must not take the enforcer with it
                leaving = asyncio.current_task()
                if leaving is not None and leaving.cancelling():    # it ended no connection: it let go of one
                    raise asyncio.CancelledError from None
                failures = 0 if self._clock() - began > LONGEST_RETRY else failures + 1
                trouble = words(problem)
                if trouble != told:         # the same trouble again and again is told once
                    self._fault("mqtt", broker=f"{self._broker.host}:{self._broker.port}", problem=trouble)
                told = trouble
            finally:
                self.up.set(0)
            await self.sleep(min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(failures, 10)))

    async def _connected(self) -> None:
        five = self._settings.protocol == "5"
        topics = self.topics
        async with whole(aiomqtt.Client(
            self._broker.host, self._broker.port, username=self._broker.username or None,
            password=self._secret or None, identifier=f"enforcer-{self._site}-{token_hex(3)}",
            protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
            will=aiomqtt.Will(topics.status, "offline", 1, True), keepalive=KEEPALIVE, timeout=PATIENCE,
            max_queued_incoming_messages=1000, max_queued_outgoing_messages=2000,
            properties=limits() if five else None, tls_context=self._tls, logger=SILENT,
        )) as client:
            with self._feed.subscribed() as subscriber:
                if not self._compared:
                    await self._compare(client)
                    self._compared = True
                try:
                    await self._serve(client, subscriber)
                finally:
                    with contextlib.suppress(aiomqtt.MqttError, TimeoutError):      # a will is for the dead
                        await client.publish(topics.status, "offline", 1, True, timeout=2)

    async def _serve(self, client: aiomqtt.Client, subscriber: Subscriber) -> None:
        """Tell what holds and what happens, and take orders, for as long as the broker has us."""
        now = self._now()
        told = {one.topic for one in map(self.topics.told, now) if one is not None}
        for topic in sorted(self._retained - told):     # it ended while the broker, or we, were away
            await client.publish(topic, b"", 1, True)
            self._retained.discard(topic)
        for happening in now:
            await self._publish(client, happening)
        options = as_sent() if self._settings.protocol == "5" else None
        if self._settings.orders:
            for topic in self.topics.orders:
                await client.subscribe(topic, 0 if options else 1, options)      # they say 1 too
        await client.publish(self.topics.status, "online", 1, True)     # whoever hears it may order
        self.up.set(1)
        self._note("mqtt connected", broker=f"{self._broker.host}:{self._broker.port}")
        both = [
            asyncio.ensure_future(self._listen(client)),
            asyncio.ensure_future(self._tell(client, subscriber)),
        ]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            await end(*both)

    async def _tell(self, client: aiomqtt.Client, subscriber: Subscriber) -> None:
        """What happens, as it happens."""
        while True:
            happening = await subscriber.get()
            if subscriber.missed:
                self.messages.labels("missed").inc(subscriber.missed)
                subscriber.missed = 0
            await self._publish(client, happening)

    async def _listen(self, client: aiomqtt.Client) -> None:
        """Orders, one after the other, each answered."""
        async for message in client.messages:
            ack = await self._take(message)
            self.messages.labels("accepted" if ack.accepted else "refused").inc()
            await self._answer(client, message, ack)
        raise aiomqtt.MqttError("the broker sends no more")

    async def _take(self, message: aiomqtt.Message) -> Ack:
        topic = str(message.topic)
        payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
        at = self._clock()
        if message.retain:      # it would come again with every connection, and nobody knows how old it is
            said = "a retained order is never carried out: send it without the retain flag"
            return Ack(False, said, door=DOOR, at=at)
        try:
            ordered: Ordered = self.topics.ordered(topic, payload)
        except BadInput as problem:
            return Ack(False, str(problem), door=DOOR, at=at)
        who = ordered.who or "somebody"
        return await self._desk.take_patiently(ordered.facts, who, DOOR, sure=bool(ordered.who))

    async def _answer(self, client: aiomqtt.Client, message: aiomqtt.Message, ack: Ack) -> None:
        """In the topic for answers, and where whoever asked wants it; but never where we ourselves would take
        the answer for something."""
        text = json.dumps(ack.facts() | {"topic": str(message.topic)}, ensure_ascii=False)
        await client.publish(self.topics.reply, text, 1)
        asked: Any = message.properties
        wanted = getattr(asked, "ResponseTopic", "") if asked is not None else ""
        if not wanted or wanted.startswith(f"{self.topics.base}/") or any(c in wanted for c in "+#\0"):
            return
        properties = Properties(PacketTypes.PUBLISH)    # type: ignore[no-untyped-call]
        if (correlation := getattr(asked, "CorrelationData", None)) is not None:
            properties.CorrelationData = correlation
        await client.publish(wanted, text, 1, properties=properties)

    async def _publish(self, client: aiomqtt.Client, happening: Happening) -> None:
        told = self.topics.told(happening)
        if told is None:
            return
        if not told.retain:
            second = int(self._clock())
            if second != self._second:
                self._second, self._told = second, 0
            self._told += 1
            if self._told > self._settings.events:
                self.messages.labels("missed").inc()
                return
        await client.publish(told.topic, told.payload, 1 if told.retain else 0, told.retain)
        if told.retain:
            (self._retained.add if told.payload else self._retained.discard)(told.topic)
        self.messages.labels("told").inc()

    async def _compare(self, client: aiomqtt.Client) -> None:
        """Modes retained at the broker against the ledger's: the later one of each wins, and it is said."""
        end = f"{self.topics.base}/sync"
        nonce = token_hex(8).encode()
        for topic in [*self.topics.states, end]:
            await client.subscribe(topic, 1)
        await client.publish(end, nonce, 1)         # it comes after everything that is retained
        found: dict[str, bytes] = {}
        try:
            async with asyncio.timeout(SYNC_SECONDS):
                async for message in client.messages:
                    topic, payload = str(message.topic), message.payload
                    if topic == end and payload == nonce:
                        break
                    if not message.retain or not isinstance(payload, bytes) or not payload:
                        continue
                    a_mode = any(message.topic.matches(one) for one in self.topics.states)
                    if a_mode and len(found) < MOST_RETAINED:
                        found[topic] = payload[:LONGEST_REQUEST]
        except TimeoutError:
            self._note("mqtt: retained modes did not come in time, the ledger's stand")
        for topic in [*self.topics.states, end]:
            await client.unsubscribe(topic)
        self._retained |= found.keys()          # what is not in force is taken away in a moment
        ours = self._settled(self.topics) if self._settings.orders else {}
        useless = 0
        for topic, payload in sorted(found.items()) if self._settings.orders else ():
            problem = self._compare_one(topic, payload, ours.get(topic, 0.0))
            useless += bool(problem)
            if problem and useless <= TOLD_ONE_BY_ONE:
                self._fault("mqtt: retained mode", topic=topic, problem=problem)
            await asyncio.sleep(0)              # calls have their turn
        if useless > TOLD_ONE_BY_ONE:
            self._fault("mqtt: retained modes", problem=f"{useless} say nothing that could be compared")

    def _compare_one(self, topic: str, payload: bytes, ours: float) -> str:
        """What is wrong with it, "" nothing."""
        try:
            facts = retained(payload)
            if facts["at"] is None:
                return ""                           # the default of a configuration
            if topic != self.topics.mode(facts):
                raise BadInput("", "it speaks of something else than its topic")
            at = datetime.fromisoformat(facts["at"]).timestamp()
            until = None if facts["until"] is None else datetime.fromisoformat(facts["until"]).timestamp()
        except (BadInput, ValueError, OverflowError) as problem:
            return str(problem)
        now = self._clock()
        if at <= ours + 0.001 or (until is not None and until <= now):      # told to the millisecond
            if at + 0.001 < ours:
                self._note("mqtt: a retained mode is older than the ledger's, which stands", topic=topic)
            return ""
        if at > now + SKEW_SECONDS:
            return "it was set in the future"
        order = {
            "do": "mode.ceiling" if facts["ceiling"] else "mode.set", "mode": facts["mode"],
            "reason": (facts["why"] or "as retained by MQTT")[:500],
        } | {key: facts[key] for key in ("account", "rule", "switch") if facts[key]}
        if until is not None:
            order["for"] = f"{max(1, round(until - now))}s"
        ack = self._desk.take(order, f"{facts['who'] or 'somebody'} (retained by MQTT)", DOOR, sure=True)
        self._note("mqtt: a retained mode is later than the ledger's", topic=topic, accepted=ack.accepted,
                   said=ack.said)
        return ""
