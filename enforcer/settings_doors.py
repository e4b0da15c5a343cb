"""The settings of doors, at which others ask, and of what is heard in text messages.

In: tables of `enforcer.toml`. Out: values as the code uses them; which switch asks at which door.
Refuses to know: who listens there.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Annotated, NamedTuple, Protocol, Self

from pydantic import Field, StrictBool, StrictInt, field_validator, model_validator

from enforcer.domain.stop_words import START_WORDS, STOP_WORDS, StopWords, plain_words
from enforcer.settings_fields import Name, Network, Port, Seconds
from enforcer.toml_models import Table, Wrong


class AgiDoorSettings(Table):
    """The FastAGI door: who may ask there, how many at once, and how long a question may take to read."""

    enabled: StrictBool = False
    host: Name = "127.0.0.1"
    port: Port = 4573
    allow: tuple[Network, ...] = ("127.0.0.0/8",)
    max_connections: Annotated[StrictInt, Field(ge=1, le=65535)] = 1000
    read_deadline: Seconds = 2.0

    @field_validator("host")
    @classmethod
    def _address(cls, host: str) -> str:
        try:
            ip_address(host)
        except ValueError:
            if host != "localhost":
                raise Wrong(f"{host!r} is no IP address to listen on") from None
        return host


class EslDoorSettings(AgiDoorSettings):
    """The event socket door: the same, for FreeSWITCH's `socket` application."""

    port: Port = 8084


class HttpDoorSettings(AgiDoorSettings):
    """The HTTP door: the same, for FreeSWITCH's mod_curl."""

    port: Port = 8090


class MessageDoorSettings(AgiDoorSettings):
    """The door for other sources of text messages. A connection stays open, silent for `read_deadline`
    seconds at the most."""

    port: Port = 4575
    max_connections: Annotated[StrictInt, Field(ge=1, le=65535)] = 100
    read_deadline: Seconds = 30.0


class DoorSettings(Table):
    """The doors at which switches and others ask."""

    agi: AgiDoorSettings = Field(default_factory=AgiDoorSettings)
    esl: EslDoorSettings = Field(default_factory=EslDoorSettings)
    http: HttpDoorSettings = Field(default_factory=HttpDoorSettings)
    messages: MessageDoorSettings = Field(default_factory=MessageDoorSettings)


class Asks(Protocol):
    """A switch, as far as its door is concerned."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def listener_only(self) -> bool: ...
    @property
    def door_port(self) -> int: ...
    @property
    def door_http_port(self) -> int: ...
    @property
    def door_allow(self) -> tuple[str, ...]: ...


class Doorway(NamedTuple):
    """A door for the calls of one switch. What is not said here is said in its table under [door]."""

    table: str
    switch: str
    port: int
    allow: tuple[str, ...]


TABLES = {"agi": "asterisk", "esl": "freeswitch", "http": "freeswitch"}
"""Door for calls, by its table under [door] -> kind of switch that asks there."""


def doorways(switches: Sequence[Asks], doors: DoorSettings) -> tuple[Doorway, ...]:
    """Which switch asks where. A question does not say where it comes from, so each switch has a port of its
    own: its `door_port` (over HTTP its `door_http_port`), or the one in the door's table for one switch that
    names none.

    Raises Wrong, with the key of the switch: a port of a door that is not enabled, or of another door, or
    none for a FreeSWITCH whose calls would ask (an Asterisk asks by AMI unless told otherwise).
    """
    found: list[Doorway] = []
    taken = {doors.messages.port: "[door.messages]"} if doors.messages.enabled else {}
    for name, kind in TABLES.items():
        table: AgiDoorSettings = getattr(doors, name)
        asking = [(f"switch.{number}.{key_of(name)}", one, _named(one, name))
                  for number, one in enumerate(switches) if one.kind == kind]
        unnamed = [one for _, one, port in asking if not port]
        first = next((one for one in unnamed if not one.listener_only), next(iter(unnamed), None))
        for key, switch, named in asking:
            if not table.enabled:
                if named:
                    raise Wrong(f"[door.{name}] is not enabled: nobody listens there", key)
                continue
            port = named or (table.port if switch is first else 0)
            if port in taken:
                raise Wrong(f"{taken[port]} has port {port} already: a door belongs to one switch", key)
            if port:
                taken[port] = f"the door of {switch.name}"
                found.append(Doorway(name, switch.name, port, switch.door_allow or table.allow))
    _everybody_asks(switches, doors, found)
    return tuple(found)


def _everybody_asks(switches: Sequence[Asks], doors: DoorSettings, found: Sequence[Doorway]) -> None:
    """No FreeSWITCH whose calls would ask is without a door, and nobody is let in where there is none."""
    with_door = {place.switch for place in found}
    for number, switch in enumerate(switches):
        if switch.name in with_door:
            continue
        mine = [name for name, kind in TABLES.items() if kind == switch.kind]
        opened = next((name for name in mine if getattr(doors, name).enabled), "")
        if opened and switch.kind == "freeswitch" and not switch.listener_only:
            first = next(place.switch for place in found if place.table == opened)
            told = "its enf_door" if opened == "esl" else "in its enf_ask"
            raise Wrong(f"[door.{opened}] serves {first}: give {switch.name} a port of its own, "
                        f"which is {told}", f"switch.{number}.{key_of(opened)}")
        if switch.door_allow and not opened:
            key = f"switch.{number}.door_port"
            raise Wrong(f"[door.{mine[0]}] is not enabled: nobody listens there", key)


def key_of(table: str) -> str:
    """Where a switch says which port of this door is its own."""
    return "door_http_port" if table == "http" else "door_port"


def _named(switch: Asks, table: str) -> int:
    return switch.door_http_port if table == "http" else switch.door_port


class MessageSettings(Table):
    """What people write to an account to hear no more of it, and to hear of it again."""

    stop_words: tuple[Name, ...] = STOP_WORDS
    start_words: tuple[Name, ...] = START_WORDS

    @field_validator("stop_words", "start_words")
    @classmethod
    def _words(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            if not plain_words(word):
                raise Wrong(f"{word!r} holds no letter or digit")
        return words

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        both = StopWords.of(self.stop_words, self.start_words)
        if twice := sorted(both.stop & both.start):
            raise Wrong(f"{twice[0]!r} is among the stop_words already", "start_words")
        return self

    @property
    def words(self) -> StopWords:
        """Both, as texts are compared with them."""
        return StopWords.of(self.stop_words, self.start_words)
