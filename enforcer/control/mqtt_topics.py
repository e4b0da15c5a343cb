"""The topics of the control room: where what is told, and which order a message in which topic is.

In: what happens, and messages from the broker. Out: messages to publish, and orders as the desk takes them.
All are below "<prefix>/<site>"; asyncapi.yaml, beside this file, describes each.
Refuses to know: connections, and whether an order can be carried out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from enforcer.control.feed import Happening
from enforcer.control.requests import decoded
from enforcer.control.words import iso
from enforcer.errors import BadInput, WireError
from enforcer.wire.mqtt_topic import level, name_of

# What happens, and in which topic below "event/" it is told; other kinds are told as states.
EVENTS = {
    "decision": "decision", "order": "order", "fault": "fault", "notice": "notice", "level": "level",
    "breaker": "breaker", "gap": "gap", "record": "record",
}
LONGEST_WHO = 80
PLACES = ("account", "rule", "switch")      # what a mode can be set for, in the order in which topics name it


class Told(NamedTuple):
    """A message to publish. An empty payload takes a retained one away."""

    topic: str
    payload: str
    retain: bool = False


class Ordered(NamedTuple):
    """An order from the broker: what the desk takes, and who gave it as far as the topic says so, else ""."""

    facts: Mapping[str, Any]
    who: str


class Topics:
    """See the module. `by_topic`: orders are taken only below "by/<who>/"."""

    def __init__(self, prefix: str, site: str, by_topic: bool) -> None:
        self.base = f"{prefix}/{level(site)}"
        self._by_topic = by_topic

    @property
    def status(self) -> str:
        """"online" or "offline", retained: the broker says the latter for us."""
        return f"{self.base}/status"

    @property
    def reply(self) -> str:
        """Where every order is answered."""
        return f"{self.base}/reply"

    @property
    def orders(self) -> list[str]:
        """Where orders are taken."""
        first = f"{self.base}/by/+" if self._by_topic else self.base
        ends = ["order", "mode/set", "ceiling/set", "+/+/mode/set", "account/+/rule/+/mode/set"]
        return [f"{first}/{end}" for end in ends]

    @property
    def states(self) -> list[str]:
        """Where modes are retained."""
        return [f"{self.base}/{end}" for end in ("mode", "ceiling", "+/+/mode", "account/+/rule/+/mode")]

    def mode(self, facts: Mapping[str, Any]) -> str:
        """The topic of a mode setting (see `mode_facts`)."""
        if facts["ceiling"]:
            return f"{self.base}/ceiling"
        named = [f"{place}/{level(facts[place])}/" for place in PLACES if facts[place]]
        return f"{self.base}/{''.join(named)}mode"

    def told(self, happening: Happening) -> Told | None:
        """What to publish of something that happened, None where it is nobody's business here."""
        facts = happening.facts
        if happening.kind == "mode":
            payload = "" if facts["gone"] else _json({k: v for k, v in facts.items() if k != "gone"})
            return Told(self.mode(facts), payload, retain=True)
        if happening.kind == "switch":
            return Told(f"{self.base}/switch/{level(facts['switch'])}/state", _json(facts), retain=True)
        topic = EVENTS.get(happening.kind)
        if topic is None:
            return None
        body = {"number": happening.number, "at": iso(happening.at)} | dict(facts)
        return Told(f"{self.base}/event/{topic}", _json(body))

    def ordered(self, topic: str, payload: bytes) -> Ordered:
        """The order that a message is. Raises BadInput where it is none; then nothing is done."""
        try:
            return self._ordered(topic, payload)
        except WireError as problem:
            raise BadInput("topic", str(problem)) from None

    def _ordered(self, topic: str, payload: bytes) -> Ordered:
        levels = topic.removeprefix(f"{self.base}/").split("/")
        who = ""
        if levels[0] == "by" and len(levels) > 2:
            who = name_of(levels[1])
            if not who.isprintable() or len(who) > LONGEST_WHO:
                raise BadInput("topic", "who gives the order is no name: characters that can be printed, "
                                        f"{LONGEST_WHO} at most")
            levels = levels[2:]
        if levels == ["order"]:
            return Ordered(decoded(payload), who)
        place: dict[str, str] = {}
        match levels:
            case ["mode", "set"]:
                do = "mode.set"
            case ["ceiling", "set"]:
                do = "mode.ceiling"
            case [("account" | "rule" | "switch") as kind, name, "mode", "set"]:
                do, place = "mode.set", {kind: name_of(name)}
            case ["account", account, "rule", rule, "mode", "set"]:
                do, place = "mode.set", {"account": name_of(account), "rule": name_of(rule)}
            case _:
                raise BadInput("", "no order is taken in this topic")
        return Ordered({**_mode_of(payload), **place, "do": do}, who)


def retained(payload: bytes) -> dict[str, Any]:
    """A mode as we retain it. Raises BadInput for anything else."""
    facts = decoded(payload)
    keys = ("mode", "ceiling", "account", "rule", "switch", "who", "at", "why", "until")
    if any(key not in facts for key in keys) or not isinstance(facts["ceiling"], bool):
        raise BadInput("", "this is no mode as the enforcer retains it")
    for key in keys:
        if key != "ceiling" and not isinstance(facts[key], str | None):
            raise BadInput(key, "must be a string")
    return facts


def _mode_of(payload: bytes) -> dict[str, Any]:
    """`block`, or {"mode": "block", "reason": "..."}."""
    word = payload.strip()
    if word[:1] == b"{":
        facts = decoded(payload)
        for key in ("do", *PLACES):
            if key in facts:
                raise BadInput("", f"key {key!r} is said by the topic here")
        return facts
    try:
        return {"mode": word.decode("ascii")}
    except UnicodeDecodeError:
        raise BadInput("", 'say a mode, such as block, or {"mode": "block", "reason": "..."}') from None


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
