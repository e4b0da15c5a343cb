"""MQTT at a real Mosquitto: modes are retained, orders answered, and a broker comes and goes at no cost."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from prometheus_client import CollectorRegistry

from enforcer import app, settings
from enforcer.control.facts import mode_facts
from enforcer.control.mqtt_topics import Topics
from enforcer.control.requests import MODELS
from enforcer.domain.call import CallAttempt, Direction
from enforcer.domain.decision import Verdict
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.errors import LedgerError
from enforcer.telemetry import Telemetry
from lab.process import run_apart
from lab.provision import Provisioned
from tests.support import asyncapi
from tests.support.broker import Broker
from tests.support.certificates import certificate
from tests.support.house import House
from tests.support.parts import provided

BASE = "enforcer/lab"
PACK = """
[pack]
name = "small"
revision = "1"
[[rule]]
id = "calls"
kind = "attempts"
clause = "1"
critical = { at = 1, verdict = "block" }
"""


@pytest.fixture(scope="session")
def mosquitto() -> Mapping[str, Provisioned]:
    return provided("mosquitto")


AUTHORITY = certificate()


@pytest.fixture
def broker(mosquitto: Mapping[str, Provisioned], tmp_path: Path) -> Iterator[Broker]:
    directory = tmp_path / "tls"
    directory.mkdir()
    (tmp_path / "authority.pem").write_text(AUTHORITY.public)
    (tmp_path / "other.pem").write_text(certificate().public)
    server = certificate("127.0.0.1", by=AUTHORITY)
    (directory / "server.pem").write_text(server.public)
    (directory / "server.key").write_text(server.private)
    found = Broker(mosquitto, directory)
    run_apart(found.start())
    yield found
    found.close()


class Control:
    """An enforcer's control room at a broker."""

    def __init__(self, built: app.House, retries: asyncio.Queue[float]) -> None:
        self.house = built
        self.retries = retries

    def call(self, number: int, account: str = "acme") -> Verdict:
        return self.house.admission.admit(CallAttempt(
            call_id=f"pbx1/{number}", account=account, number="2125550123", caller="", at=time.time(),
            direction=Direction.OUTBOUND, switch="pbx1",
        )).verdict

    async def alone(self) -> None:
        """Until it has noticed that its broker is gone."""
        while self.metric("enforcer_mqtt_up") != 0:
            await self.retries.get()

    def metric(self, name: str, **labels: str) -> float | None:
        return self.house.telemetry.registry.get_sample_value(name, labels)


Open = Callable[..., Any]


@pytest.fixture
def control(tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")
    monkeypatch.setenv("TEST_MQTT_SECRET", "s3cret-of-the-broker")
    site = House(tmp_path, PACK)

    @asynccontextmanager
    async def opened(**more: str) -> AsyncIterator[Control]:
        told = {"url": f"mqtt://enforcer@127.0.0.1:{broker.port}", "secret_env": "TEST_MQTT_SECRET"} | more
        site.config.write_text(
            'site = "lab"\n[policy]\npacks = ["pack.toml"]\n[[switch]]\nname = "pbx1"\n'
            'secret_env = "TEST_AMI_SECRET"\n[mqtt]\n' + "".join(
                f"{k} = {v}\n" if v in ("true", "false") else f'{k} = "{v}"\n' for k, v in told.items()
            )
        )
        built = app.build(
            settings.load(site.config), Telemetry(CollectorRegistry()), asyncio.get_running_loop().call_soon
        )
        retries: asyncio.Queue[float] = asyncio.Queue()
        assert built.room.mqtt is not None
        built.room.mqtt.sleep = lambda seconds: _pause(retries, seconds)
        task = asyncio.ensure_future(built.room.run())
        try:
            yield Control(built, retries)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            built.ledger.close()

    return opened


async def _pause(retries: asyncio.Queue[float], seconds: float) -> None:
    """Instead of waiting for long: note how long it would have been."""
    retries.put_nowait(seconds)
    await asyncio.sleep(0.01)


class Ear:
    """A client that hears everything and remembers it, so that no test waits for what has come already."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.heard: list[tuple[str, str]] = []
        self.unused: list[tuple[str, str]] = []

    async def until(self, fits: Callable[[str, str], bool]) -> str:
        """The payload of the first message that fits, and was not asked for before."""
        for place, (topic, payload) in enumerate(self.unused):
            if fits(topic, payload):
                del self.unused[place]
                return payload
        async with asyncio.timeout(10):
            async for message in self.client.messages:
                assert isinstance(message.payload, bytes)
                topic, payload = str(message.topic), message.payload.decode()
                self.heard.append((topic, payload))
                if not topic.endswith(("/set", "/order")):
                    assert asyncapi.problems(topic, payload) == []
                if fits(topic, payload):
                    return payload
                self.unused.append((topic, payload))
        raise AssertionError("the broker is gone")

    async def on(self, end: str, **facts: Any) -> dict[str, Any]:
        """The first message in that topic that says these."""
        def fits(topic: str, payload: str) -> bool:
            if topic != f"{BASE}/{end}" or not payload.startswith("{"):
                return False
            return facts.items() <= json.loads(payload).items()

        found: dict[str, Any] = json.loads(await self.until(fits))
        return found

    async def online(self) -> None:
        await self.until(lambda topic, payload: (topic, payload) == (f"{BASE}/status", "online"))

    async def order(self, end: str, payload: str | dict[str, Any], **more: Any) -> dict[str, Any]:
        """Give an order and wait for its answer."""
        topic = f"{BASE}/{end}"
        text = payload if isinstance(payload, str) else json.dumps(payload)
        await self.client.publish(topic, text, 1, **more)
        return await self.on("reply", topic=topic)


@pytest.fixture
def ear(broker: Broker) -> Callable[..., Any]:
    @asynccontextmanager
    async def opened(user: str = "ann") -> AsyncIterator[Ear]:
        async with broker.client(user) as client:
            await client.subscribe("#", 1)
            yield Ear(client)

    return opened


Hear = Callable[..., Any]


async def test_who_comes_later_finds_modes_and_states_retained(control: Open, ear: Hear) -> None:
    async with ear() as first, control():
        await first.online()
        async with ear() as late:
            mode = await late.on("mode")
            assert (mode["mode"], mode["who"], mode["why"]) == ("monitor", None, "configuration")
            state = await late.on("switch/pbx1/state")
            assert (state["switch"], state["connected"]) == ("pbx1", False)
            await late.online()


async def test_the_broker_says_that_we_are_gone(broker: Broker, control: Open, ear: Hear) -> None:
    async with ear() as someone:
        async with control():
            await someone.online()
        await someone.until(lambda topic, payload: (topic, payload) == (f"{BASE}/status", "offline"))


async def test_a_mode_ordered_in_its_topic_holds_for_the_next_call(control: Open, ear: Hear) -> None:
    async with ear() as someone, control() as enforcer:
        await someone.online()
        enforcer.call(1)
        assert enforcer.call(2) is Verdict.ALLOW
        told = {"mode": "block", "reason": "4711", "who": "ann"}
        answer = await someone.order("account/acme/mode/set", told)
        assert (answer["accepted"], answer["said"], answer["who"]) == (True, "account acme: block", "ann")
        assert enforcer.call(3) is Verdict.BLOCK
        state = await someone.on("account/acme/mode", mode="block")
        assert (state["who"], state["why"], state["account"]) == ("ann", "4711", "acme")
        refused = await someone.on("event/decision", verdict="block")
        assert (refused["account"], refused["sip_code"], refused["rule"]) == ("acme", 403, "calls")


async def test_a_plain_word_is_an_order_too(control: Open, ear: Hear) -> None:
    async with ear() as someone, control() as enforcer:
        await someone.online()
        assert (await someone.order("mode/set", "tag"))["said"] == "default: tag"
        assert (await someone.order("ceiling/set", "monitor"))["said"] == "site ceiling: monitor"
        assert (await someone.order("rule/calls/mode/set", "off"))["said"] == "rule calls: off"
        said = (await someone.order("account/acme/rule/calls/mode/set", "block"))["said"]
        assert said == "account acme, rule calls: block"
        assert (await someone.order("switch/pbx1/mode/set", "throttle"))["said"] == "switch pbx1: throttle"
        assert len(enforcer.house.ledger.modes()) == 5


REFUSED: list[tuple[str, str | dict[str, Any], str]] = [
    ("mode/set", "blok", "mode must be off, monitor, tag, throttle or block; did you mean 'block'?"),
    ("mode/set", "", "mode must be off, monitor, tag, throttle or block"),
    ("mode/set", {"mode": "tag", "account": "acme"}, "key 'account' is said by the topic here"),
    ("account/acne/mode/set", "tag", "no such account: 'acne'; did you mean 'acme'?"),
    ("account/%2B%23/mode/set", "tag", "no such account: '+#'"),
    ("order", "{", "the request is no JSON"),
    ("order", {"do": "mode.sett"}, "do: no such order: 'mode.sett'; did you mean 'mode.set'?"),
    ("order", "x" * 20_000, "the request has 20000 bytes, 16384 at most"),
]


async def test_every_order_is_answered_and_what_is_wrong_is_named(control: Open, ear: Hear) -> None:
    async with ear() as someone, control() as enforcer:
        await someone.online()
        for end, payload, problem in REFUSED:
            answer = await someone.order(end, payload)
            assert (answer["accepted"], answer["said"][: len(problem)]) == (False, problem)
        assert enforcer.house.ledger.modes() == []
        assert enforcer.metric("enforcer_mqtt_messages_total", outcome="refused") == len(REFUSED)


async def test_an_order_given_twice_under_one_name_is_carried_out_once(control: Open, ear: Hear) -> None:
    told = {"do": "strike.add", "kind": "spam", "customer": "big", "id": "t-1"}
    async with ear() as someone:
        async with control():
            await someone.online()
            assert not (await someone.order("order", told))["repeated"]
            assert (await someone.order("order", told))["repeated"]
        async with control() as again:              # and not after a restart either
            await someone.online()
            assert (await someone.order("order", told))["repeated"]
            assert len(again.house.ledger.registers.strikes.all()) == 1


async def test_the_answer_comes_where_whoever_asks_wants_it(control: Open, ear: Hear) -> None:
    async with ear() as someone, control():
        await someone.online()
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic, properties.CorrelationData = "enforcer/elsewhere/reply", b"7"
        await someone.client.publish(f"{BASE}/mode/set", "tag", 1, properties=properties)
        payload = await someone.until(lambda topic, payload: topic == "enforcer/elsewhere/reply")
        assert json.loads(payload)["accepted"]
        properties.ResponseTopic = f"{BASE}/mode/set"       # never where it would be taken for an order
        await someone.client.publish(f"{BASE}/mode/set", "tag", 1, properties=properties)
        await someone.on("reply")
        await someone.order("ceiling/set", "block")
        assert [topic for topic, _ in someone.heard].count(f"{BASE}/reply") == 3


async def test_who_gives_an_order_is_the_one_whom_the_broker_asked_for_a_password(
    control: Open, ear: Hear
) -> None:
    async with ear() as ann, control(who="topic") as enforcer:
        await ann.online()
        await ann.client.publish(f"{BASE}/mode/set", "block", 1)            # nobody listens there
        answer = await ann.order("by/ann/mode/set", {"mode": "tag", "who": "the boss"})
        assert (answer["accepted"], answer["who"]) == (True, "ann")
        (setting,) = enforcer.house.ledger.modes()
        assert (setting.mode, setting.who) == (Mode.TAG, "ann")


async def test_a_retained_order_is_refused_and_never_carried_out_at_the_next_start(
    control: Open, ear: Hear
) -> None:
    async with ear() as someone:
        await someone.client.publish(f"{BASE}/mode/set", "block", 1, retain=True)
        async with control() as enforcer:
            answer = await someone.on("reply")
            assert answer["accepted"] is False
            assert answer["said"].startswith("a retained order is never carried out")
            assert enforcer.house.ledger.modes() == []


async def test_an_order_that_is_to_be_kept_is_refused_also_the_moment_it_is_sent(
    control: Open, ear: Hear
) -> None:
    async with ear() as someone, control() as enforcer:
        await someone.online()
        await someone.client.publish(f"{BASE}/ceiling/set", "off", 1, retain=True)
        answer = await someone.on("reply")
        assert (answer["accepted"], enforcer.house.ledger.modes()) == (False, [])
        assert answer["said"].startswith("a retained order is never carried out")


async def test_a_mode_that_ends_by_itself_is_told_and_its_topic_emptied(control: Open, ear: Hear) -> None:
    async with ear() as someone, control():
        await someone.online()
        await someone.order("account/acme/mode/set", {"mode": "block", "for": "3s"})
        await someone.on("account/acme/mode", mode="block")
        await someone.until(lambda topic, payload: (topic, payload) == (f"{BASE}/account/acme/mode", ""))


def stale(setting: ModeSetting) -> str:
    return json.dumps(mode_facts(setting))


@pytest.mark.parametrize("orders", ["true", "false"])
async def test_a_mode_that_ended_while_we_were_away_is_taken_off_the_broker(
    control: Open, ear: Hear, orders: str
) -> None:
    now = time.time()
    over = ModeSetting(Mode.BLOCK, "acme", who="ann", at=now - 100, until=now - 50)
    async with ear() as someone:
        await someone.client.publish(f"{BASE}/account/acme/mode", stale(over), 1, retain=True)
        async with control(orders=orders) as enforcer:
            enforcer.house.ledger.put_mode(over)
            await someone.until(lambda topic, payload: (topic, payload) == (f"{BASE}/account/acme/mode", ""))
            assert len(enforcer.house.ledger.modes()) == 1


async def test_a_mode_that_ended_while_the_broker_was_away_is_taken_off_it(
    broker: Broker, control: Open, ear: Hear
) -> None:
    async with control() as enforcer:
        async with ear() as someone:
            await someone.online()
            await someone.order("account/acme/mode/set", "block")
            await someone.on("account/acme/mode", mode="block")
        waits, back = asyncio.Event(), asyncio.Event()

        async def until_back(seconds: float) -> None:
            waits.set()
            await back.wait()

        enforcer.house.room.mqtt.sleep = until_back
        await broker.stop()             # it keeps what is retained
        await waits.wait()
        enforcer.house.admission.steer(Modes(), time.time())
        enforcer.house.room.look()      # told to nobody
        await broker.start()
        async with ear() as again:
            await again.on("account/acme/mode", mode="block")
            back.set()
            await again.until(lambda topic, payload: (topic, payload) == (f"{BASE}/account/acme/mode", ""))


async def test_who_has_no_name_that_can_be_written_gives_no_orders(control: Open, ear: Hear) -> None:
    async with ear() as ann, control(who="topic") as enforcer:
        await ann.online()
        for who in ("%ED%A0%80", "a%0Ab", "x" * 81):
            answer = await ann.order(f"by/{who}/mode/set", "block")
            assert (answer["accepted"], answer["who"]) == (False, None)
            assert answer["said"].startswith("topic: who gives the order is no name")
        assert (await ann.order("by/ann/mode/set", "tag"))["accepted"]
        assert [setting.who for setting in enforcer.house.ledger.modes()] == ["ann"]


async def test_a_defect_costs_the_broker_a_connection_and_nothing_else(control: Open, ear: Hear) -> None:
    async with ear() as someone, control() as enforcer:
        mqtt, calls = enforcer.house.room.mqtt, iter([LedgerError("disk I/O error"), KeyError("ours")])
        found = mqtt._settled

        def settled(topics: Topics) -> dict[str, float]:
            if (problem := next(calls, None)) is not None:
                raise problem
            modes: dict[str, float] = found(topics)
            return modes

        mqtt._settled = settled
        await someone.online()
        faults = [one.facts["problem"] for one in enforcer.house.room.feed.since(0) if one.kind == "fault"]
        assert faults == ["disk I/O error", "our own fault: KeyError('ours')"]
        assert (await someone.order("mode/set", "block"))["accepted"]


async def test_of_a_retained_mode_and_the_ledgers_the_later_one_wins(
    tmp_path: Path, control: Open, ear: Hear
) -> None:
    async with ear() as someone:
        async with control():
            await someone.online()
            await someone.order("account/acme/mode/set", {"mode": "block", "reason": "fraud", "who": "ann"})
            await someone.on("account/acme/mode", mode="block")
            await someone.order("ceiling/set", {"mode": "throttle"})
            await someone.on("ceiling", mode="throttle")
        for path in (tmp_path / "var").glob("enforcer.db*"):        # the ledger is lost
            path.unlink()
        House(tmp_path, PACK)
        async with control() as enforcer:
            await someone.online()
            found = {setting.subject: setting for setting in enforcer.house.ledger.modes()}
            assert found["account acme"].mode is Mode.BLOCK
            assert found["account acme"].who == "ann (retained by MQTT)"
            assert found["site ceiling"].mode is Mode.THROTTLE
            enforcer.house.ledger.put_mode(ModeSetting(Mode.TAG, "acme", who="cli", at=2e9))
        async with control() as enforcer:                           # now the ledger's is the later one
            await someone.online()
            last = enforcer.house.ledger.modes()[-1]
            assert (last.mode, last.who) == (Mode.TAG, "cli")
            assert (await someone.on("account/acme/mode", mode="tag"))["who"] == "cli"


async def test_a_broker_that_comes_and_goes_costs_a_metric_and_no_call(
    broker: Broker, control: Open, ear: Hear
) -> None:
    async with control() as enforcer:
        async with ear() as someone:
            await someone.online()
        broker.kill()
        await enforcer.alone()
        enforcer.call(1)
        assert enforcer.call(2) is Verdict.ALLOW
        assert enforcer.house.room.desk.take({"do": "mode.set", "mode": "block"}, "ann", "cli").accepted
        assert enforcer.call(3) is Verdict.BLOCK
        waits = [await enforcer.retries.get() for _ in range(6)]
        assert waits[-1] > waits[0]                         # it is not asked again and again without a pause
        await broker.start()
        async with ear() as again:
            assert (await again.on("mode"))["mode"] == "block"
            await again.online()
        assert enforcer.metric("enforcer_mqtt_up") == 1


async def test_whoever_answers_in_its_place_costs_no_call_and_the_broker_is_found_again(
    broker: Broker, control: Open, ear: Hear
) -> None:
    async def welcomes_and_floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x20\x03\x00\x00\x00")
        with contextlib.suppress(OSError):
            while not writer.is_closing():
                writer.write(b"A\x41" * 10_000)
                await writer.drain()
        writer.transport.abort()

    async with control() as enforcer:
        async with ear() as someone:
            await someone.online()
        broker.kill()
        await enforcer.alone()
        async with await asyncio.start_server(welcomes_and_floods, "127.0.0.1", broker.port):
            while not any("no MQTT" in fault["problem"] for fault in enforcer.house.room.faults):
                await enforcer.retries.get()
            assert enforcer.call(1) is Verdict.ALLOW
            assert enforcer.metric("enforcer_mqtt_up") == 0
        await broker.start()
        async with ear() as again:
            await again.online()
        assert enforcer.metric("enforcer_mqtt_up") == 1


async def test_a_broker_that_proves_who_it_is_is_believed(broker: Broker, control: Open, ear: Hear) -> None:
    async with ear() as someone, control(
        url=f"mqtts://enforcer@127.0.0.1:{broker.tls_port}", ca_file="authority.pem"
    ):
        await someone.online()
        assert (await someone.order("mode/set", "tag"))["accepted"]


# paho leaves the socket of a refused handshake to the garbage collector, which says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_broker_that_nobody_vouches_for_is_told_nothing(broker: Broker, control: Open) -> None:
    url = f"mqtts://enforcer@127.0.0.1:{broker.tls_port}"
    async with control(url=url, ca_file="other.pem") as enforcer:
        await enforcer.retries.get()
        (fault,) = enforcer.house.room.faults
        assert "certificate" in fault["problem"].lower()
        assert enforcer.metric("enforcer_mqtt_up") == 0
    gc.collect()


async def test_a_wrong_password_is_one_line_and_tried_again(
    control: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_MQTT_SECRET", "wrong")
    async with control() as enforcer:
        await enforcer.retries.get()
        await enforcer.retries.get()
        (fault,) = enforcer.house.room.faults
        assert fault["fault"] == "mqtt"
        assert "ot authori" in fault["problem"].lower() or "bad user" in fault["problem"].lower()
        assert "wrong" not in json.dumps(list(enforcer.house.room.faults))



def test_the_document_names_every_order_and_every_key_of_a_mode() -> None:
    schemas = asyncapi.document()["components"]["schemas"]
    assert schemas["anyOrder"]["properties"]["do"]["enum"] == list(MODELS)
    assert asyncapi.problems(f"{BASE}/mode", '{"mode": "tag"}') != []
    assert asyncapi.problems(f"{BASE}/mode", '"tag"') != []
    assert asyncapi.problems(f"{BASE}/elsewhere", "{}") == [f"no channel has the topic {BASE}/elsewhere"]
