"""The configuration of one enforcer: read once, complete, frozen. All defaults are on this page.

In: `enforcer.toml`. Out: `Settings`, or BadInput that names file, line and key.
Refuses to know: what policy packs say, and what the settings do.

A path is relative to the file that names it. A secret is never in the file: `secret_env` names an
environment variable, `secret_file` a file, and both are read when the switch is logged in to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    StrictInt,
    field_validator,
    model_validator,
)

from enforcer.domain.call import NumberClass
from enforcer.domain.mode import Mode
from enforcer.domain.numbers import NumberPlan
from enforcer.errors import BadInput
from enforcer.settings_breaker import BreakerSettings, EmergencySettings
from enforcer.settings_doors import DoorSettings, MessageSettings, doorways
from enforcer.settings_fields import Listen, Name
from enforcer.settings_http import HttpSettings
from enforcer.settings_mqtt import MqttSettings
from enforcer.settings_notices import NoticesSettings
from enforcer.settings_retention import RetentionSettings
from enforcer.settings_run import RunSettings
from enforcer.settings_settle import SettleSettings
from enforcer.settings_switch import SwitchSettings
from enforcer.toml_lines import read
from enforcer.toml_models import Table, Wrong, meant, one_of, validated


class LedgerSettings(Table):
    """Where calls, accounts and modes are kept."""

    url: Name = "sqlite:///var/enforcer.db"

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        scheme, separator, rest = url.partition(":///")
        if scheme != "sqlite" or not separator or not rest:
            raise Wrong('must be "sqlite:///FILE"')      # the url itself may hold a password
        return url


class PolicySettings(Table):
    """Which packs are in force, and how far their verdicts go where nobody set a mode."""

    packs: tuple[Name, ...] = ()
    mode: Literal["off", "monitor", "tag", "throttle", "block"] = "monitor"

    @property
    def default_mode(self) -> Mode:
        """The mode where no setting applies."""
        return Mode.of(self.mode)


class NumberSettings(Table):
    """The country whose numbers are dialled, and what it does not know of them."""

    country: Name = "US"
    emergency: tuple[Name, ...] = ()
    classes: dict[NumberClass, tuple[Name, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if NumberClass.CALLBACK in self.classes:
            raise Wrong("is told by an emergency call before it, not by a number", "classes.callback")
        if NumberClass.EMERGENCY in self.classes:
            raise Wrong("belongs under numbers.emergency", "classes.emergency")
        try:
            NumberPlan(self.country, ["0"] if self.emergency else ())
        except ValueError as error:
            raise Wrong(str(error), "country") from None
        for key, patterns in [("emergency", self.emergency), *self.classes.items()]:
            try:
                NumberPlan(self.country, patterns)
            except ValueError as error:
                raise Wrong(str(error), key if key == "emergency" else f"classes.{key}") from None
        plan = NumberPlan(self.country, self.emergency)
        for kind, patterns in self.classes.items():
            for number in patterns:
                if plan.is_emergency(number):
                    raise Wrong(f"{number} is an emergency number, of no other class", f"classes.{kind}")
        return self

    def plan(self) -> NumberPlan:
        """The number plan that these settings describe."""
        return NumberPlan(self.country, self.emergency, self.classes)


class LeaseSettings(Table):
    """When an account may call without asking: for so many seconds, while at least so many further
    attempts surely stay below every level. 0 seconds: never."""

    seconds: Annotated[StrictInt, Field(ge=0, le=3600)] = 60
    headroom: Annotated[StrictInt, Field(ge=1)] = 50


class LogSettings(Table):
    """How lines are written: for people at a terminal, as JSON otherwise."""

    format: Literal["auto", "json", "console"] = "auto"


class MetricsSettings(Table):
    """Where Prometheus may read; "" nowhere."""

    listen: Listen = ""


class Settings(Table):
    """Everything. `base` is the directory that relative paths start from, `path` the file itself."""

    site: Name
    ledger: LedgerSettings = Field(default_factory=LedgerSettings)
    policy: PolicySettings = Field(default_factory=PolicySettings)
    numbers: NumberSettings = Field(default_factory=NumberSettings)
    switches: tuple[SwitchSettings, ...] = Field(default=(), alias="switch")
    lease: LeaseSettings = Field(default_factory=LeaseSettings)
    door: DoorSettings = Field(default_factory=DoorSettings)
    messages: MessageSettings = Field(default_factory=MessageSettings)
    settle: SettleSettings = Field(default_factory=SettleSettings)
    run: RunSettings = Field(default_factory=RunSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    notices: NoticesSettings = Field(default_factory=NoticesSettings)
    breaker: BreakerSettings = Field(default_factory=BreakerSettings)
    emergency: EmergencySettings = Field(default_factory=EmergencySettings)
    log: LogSettings = Field(default_factory=LogSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    mqtt: MqttSettings = Field(default_factory=MqttSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)

    _path: Path = PrivateAttr(default=Path("enforcer.toml"))

    @model_validator(mode="after")
    def _distinct_switches(self) -> Self:
        names = [switch.name for switch in self.switches]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise Wrong(f"another switch is called {name!r} already", f"switch.{index}.name")
        return self

    @model_validator(mode="after")
    def _a_door_each(self) -> Self:
        doorways(self.switches, self.door)
        return self

    @model_validator(mode="after")
    def _help_is_no_test(self) -> Self:
        own = NumberPlan(self.numbers.country, ["0"])       # the country's own, whatever was added
        for index, number in enumerate(self.emergency.tests):
            if own.is_emergency(number):
                where = f"emergency.tests.{index}"
                raise Wrong(f"{number} is an emergency number of {self.numbers.country}, no test", where)
        return self

    @model_validator(mode="after")
    def _gateways_ask_over_http(self) -> Self:
        for index, switch in enumerate(self.switches):
            if switch.kind == "gateway" and not self.http.listen:
                raise Wrong("a gateway asks over HTTP: set listen under [http]", f"switch.{index}.kind")
        return self

    @property
    def linked(self) -> tuple[SwitchSettings, ...]:
        """The switches that we connect to."""
        return tuple(switch for switch in self.switches if switch.kind != "gateway")

    @property
    def path(self) -> Path:
        """The file that these settings were read from."""
        return self._path

    @property
    def channels(self) -> dict[str, int]:
        """How many calls each switch can hold, of those where somebody said so."""
        return {switch.name: switch.channels for switch in self.switches if switch.channels}

    @property
    def ledger_path(self) -> Path:
        """The SQLite file of the ledger."""
        return self._path.parent / self.ledger.url.partition(":///")[2]

    @property
    def pack_paths(self) -> tuple[Path, ...]:
        """The policy packs, in the order of the configuration."""
        return tuple(self._path.parent / pack for pack in self.policy.packs)

    def switch(self, name: str) -> SwitchSettings:
        """The switch of that name. Raises BadInput where there is none."""
        names = [switch.name for switch in self.switches]
        if name not in names:
            known = f"the configuration has {one_of(names)}" if names else "the configuration has none"
            raise BadInput("", f"no such switch: {name!r} ({known}){meant(name, names)}")
        return self.switches[names.index(name)]


def load(path: Path) -> Settings:
    """The settings in a file. Raises BadInput: "file:line", the key, what is wrong, what was meant."""
    try:
        settings = validated(read(path), Settings)
    except BadInput as error:
        if not path.exists():
            raise BadInput(error.where, "no such file; start from enforcer.example.toml, or name another "
                           "with --config or ENFORCER_CONFIG") from None
        raise
    settings._path = path
    settings.notices._base = path.parent
    settings.mqtt._base = path.parent
    settings.http._base = path.parent
    for switch in settings.switches:
        switch._base = path.parent
    return settings
