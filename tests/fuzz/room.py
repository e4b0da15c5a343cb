"""The control room's orders, by every door, and a broker's topics.

Orders are carried out on a ledger in memory, which is a new one for every so many of them.
"""

from __future__ import annotations

import json
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client import CollectorRegistry

from enforcer.control.acts import Office
from enforcer.control.desk import Desk
from enforcer.control.feed import Feed, Happening
from enforcer.control.mqtt import Mqtt
from enforcer.control.mqtt_topics import Topics
from enforcer.domain.account import Account, AccountType
from enforcer.domain.numbers import NumberPlan
from enforcer.ledger.memory import MemoryLedger
from enforcer.packs import loads
from enforcer.settings_mqtt import MqttSettings
from enforcer.wire.answer import SIP_CODES
from tests.fuzz.files import _place
from tests.fuzz.target import Target
from tests.support.house import one_rule

NOW = 1_795_309_510.0
PACK = one_rule('at = 4, verdict = "block"')
RENEWED = 300           # orders at one desk: what they put on record is kept


class _Desk:
    """A desk, and the ledger behind it; a new one for every so many orders."""

    def __init__(self) -> None:
        self.orders = 0
        self.desk: Desk = cast(Desk, None)

    def at(self) -> Desk:
        if self.orders % RENEWED == 0:
            plan = NumberPlan("US")
            ledger = MemoryLedger(plan.classify, lambda: NOW, plan.canonical)
            ledger.put_accounts([Account(name, "big", AccountType.PBX) for name in ("acme", "solo")])
            policy = loads([("house.toml", PACK)], SIP_CODES)
            ledger.use(policy)
            office = Office(ledger, plan, lambda: policy, ("pbx1",), _stationery(), lambda: "read again")
            self.desk = Desk(office, lambda: NOW, lambda: None)
        self.orders += 1
        return self.desk


@cache
def _stationery() -> Any:
    from enforcer.notices.text import stationery_of
    from enforcer.settings import load

    place = _place("desk.toml")
    place.with_name("house.toml").write_text(PACK)
    place.write_text('site = "lab"\n[policy]\npacks = ["house.toml"]\n')
    return stationery_of(load(place))


DESK = _Desk()
LONGEST_SAID = 6000


def _orders(data: bytes) -> None:
    """Accepted or refused, in one line that can be shown, and by nobody else than who gave it."""
    ack = DESK.at().take(data, "ann", "http", sure=True)
    assert ack.said
    assert not ack.ours, ack.said
    assert len(ack.said) < LONGEST_SAID
    assert ack.who in ("ann", "")
    assert (ack.do + ack.id).isprintable()
    if ack.accepted:
        assert ack.said.isprintable()
    json.dumps(ack.facts())


def _mqtt_of(who: str) -> Mqtt:
    def no(*_: object, **__: object) -> None:
        """Nobody hears of it."""

    return Mqtt(
        MqttSettings(url="mqtt://u@127.0.0.1:1883", who=cast(Any, who), secret_env="FUZZ_SECRET"), "lab",
        cast(Any, SimpleNamespace(
            take_patiently=_patiently, take=lambda *a, **k: DESK.at().take(*a, **k),
        )),
        Feed(), list, lambda _topics: {}, lambda: NOW, CollectorRegistry(), no, no,
    )


async def _patiently(*args: Any, **more: Any) -> Any:
    return DESK.at().take(*args, **more)


@cache
def _mqtts() -> tuple[Mqtt, Mqtt]:
    import os

    os.environ["FUZZ_SECRET"] = "x"
    return _mqtt_of("message"), _mqtt_of("topic")


def _mqtt(data: bytes) -> None:
    """A topic, and in the next lines a message in it: an order is answered, a retained mode compared."""
    head, _, payload = data.partition(b"\n")
    topic = head.decode("utf-8", "replace").replace("\0", "")
    for mqtt in _mqtts():
        work = mqtt._take(cast(Any, SimpleNamespace(topic=topic, payload=payload, retain=False)))
        try:
            work.send(None)
        except StopIteration as stop:
            assert stop.value.said
            assert not stop.value.ours
            json.dumps(stop.value.facts() | {"topic": topic})
        else:
            raise AssertionError("it waits")
    mqtt._compare_one(topic, payload, 0.0)


def _topics(data: bytes) -> None:
    """What happens is told below our own base, whatever it is called."""
    text = data.decode("utf-8", "replace")
    first, _, rest = text.partition("\n")
    topics = Topics("enforcer", first or "x", False)
    modes = {"ceiling": False, "account": text, "rule": rest, "switch": first, "gone": False}
    for happening in (
        Happening(1, "mode", NOW, modes), Happening(2, "switch", NOW, {"switch": text}),
        Happening(3, "decision", NOW, {"account": text}),
    ):
        told = topics.told(happening)
        assert told is not None
        assert told.topic.startswith(f"{topics.base}/")
        assert told.topic.count("/") <= 8
        assert not set(told.topic) & set("+#\0$ \n")
        assert json.loads(told.payload)


def _facts(**facts: object) -> bytes:
    return json.dumps(facts).encode()


_ORDERS = [
    _facts(do="mode.set", mode="block", account="acme", reason="x", **{"for": "1h"}),
    _facts(do="mode.ceiling", mode="tag", reason="y", id="o-1"),
    _facts(do="account.add", account="new", customer="big", type="pbx", timezone="Europe/Berlin"),
    _facts(do="account.set", account="acme", customer="big", type="trunk", channels=7, anchor_day=31),
    _facts(do="account.suspend", account="acme", after="2d", reason="z"),
    _facts(do="account.resume", account="acme"), _facts(do="account.terminate", account="solo"),
    _facts(do="optout.add", number="12025550142", account="acme"),
    _facts(do="optout.remove", number="12025550142", customer="big"),
    _facts(do="strike.add", kind="complaint", account="acme", at="2026-11-20"),
    _facts(do="strike.withdraw", strike="s-1"), _facts(do="notice.ack", notice="n-1"),
    _facts(do="breaker.rearm", reason="looked"), _facts(do="reload"),
]
RETAINED = _facts(mode="block", ceiling=False, account="acme", rule=None, switch=None, who="ann",
                  at="2026-11-22T01:00:00.000Z", why="x", until=None)
WORDS = (
    b"{", b"}", b'"', b":", b",", b"[" * 50, b"null", b"true", b"1e999", b"NaN", b"9" * 30, b"\\ud800",
    b"\\u0000",
    b'"do"', b'"id"', b'"who"', b'"for"', b'"account"', b'"mode"', b"block", b"1h", b"\xff", b"\n",
    b"enforcer/lab/", b"/mode/set", b"ceiling/set", b"by/ann/", b"account/", b"%2B", b"%00", b"+", b"#",
    b"$SYS",
)  # fmt: skip
TARGETS = (
    Target("orders", _orders, lambda: _ORDERS, WORDS),
    Target("mqtt", _mqtt, lambda: [
        *(b"enforcer/lab/order\n" + one for one in _ORDERS[:4]), b"enforcer/lab/mode/set\nblock",
        b"enforcer/lab/by/ann/account/acme/mode/set\n{\"mode\": \"tag\", \"reason\": \"x\"}",
        b"enforcer/lab/account/acme/mode\n" + RETAINED,
    ], WORDS),
    Target("topics", _topics, lambda: [b"acme", b"a/b\n+", b"#\n$SYS", b"\xe2\x82\xac\n\n"],
           (b"/", b"+", b"#", b"$", b"%", b"%00", b"\0", b"\n", b"\xff", b" ")),
)  # fmt: skip
