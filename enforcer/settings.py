"""The configuration of one enforcer: read once, complete, frozen. All defaults are on this page.

In: `enforcer.toml`. Out: `Settings`, or BadInput that names file, line and key.
Refuses to know: what policy packs say, and what the settings do.

A path is relative to the file that names it. A secret is never in the file: `secret_env` names an
environment variable, `secret_file` a file, and both are read when the switch is logged in to.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    StrictBool,
    StrictInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from enforcer.domain.call import NumberClass
from enforcer.domain.mode import Mode
from enforcer.domain.numbers import NumberPlan
from enforcer.errors import BadInput
from enforcer.settings_breaker import BreakerSettings, EmergencySettings
from enforcer.settings_doors import DoorSettings, MessageSettings, doorways
from enforcer.settings_fields import Context, Listen, Name, Network, Port, Seconds, Zone
from enforcer.settings_http import HttpSettings
from enforcer.settings_mqtt import MqttSettings
from enforcer.settings_notices import NoticesSettings
from enforcer.settings_retention import RetentionSettings
from enforcer.settings_secrets import from_environment, from_file, located
from enforcer.settings_settle import SettleSettings
from enforcer.toml_lines import read
from enforcer.toml_models import Table, Wrong, meant, one_of, validated

LITERAL_SECRETS = ("secret", "password", "passwd", "pass", "token")


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
            NumberPlan(self.country)
        except ValueError as error:
            raise Wrong(str(error), "country") from None
        for key, patterns in [("emergency", self.emergency), *self.classes.items()]:
            try:
                NumberPlan(self.country, patterns)
            except ValueError as error:
                raise Wrong(str(error), key if key == "emergency" else f"classes.{key}") from None
        return self

    def plan(self) -> NumberPlan:
        """The number plan that these settings describe."""
        return NumberPlan(self.country, self.emergency, self.classes)


class SwitchSettings(Table):
    """One switch: how to reach it, and how to read what it tells. The secret of a FreeSWITCH is the password
    of its event socket, where `username` means nothing; to read its CDRs none is needed.

    Deadlines are in seconds. With a ping every 2 s, a deadline of 4 s tells a silent switch from a busy
    one before its dialplan takes us for dead, after 6. `cdr_file` is where it writes its call records, if
    that can be read from here: they are followed. `listener_only`: its dialplan does not ask.
    `dialplan` are files of it that `enforcer check` reads, for where emergency numbers go.
    `messages`: it asks about text messages too; on an Asterisk those of an account enter a context whose name
    is `message_contexts` and the account's. `door_port` (over HTTP `door_http_port`), `door_allow`: where its
    calls ask, and who may, where the door's table does not say it. With `tls` its manager proves who it is:
    `tls_ca` (else the system's authorities) vouches for its certificate, made out to `tls_name` or the host.

    A "gateway" is neither: it asks over HTTP and is not connected to.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    kind: Literal["asterisk", "freeswitch", "gateway"] = "asterisk"
    host: Name = "127.0.0.1"
    port: Port = 5038
    username: Name = "enforcer"
    secret_env: str = ""
    secret_file: str = ""
    tls: StrictBool = False
    tls_ca: str = ""
    tls_name: str = ""
    account_from: Literal["accountcode", "endpoint", "caller"] = "accountcode"
    outbound_contexts: Annotated[tuple[Name, ...], Field(min_length=1)] = ("from-accounts", "from-internal")
    inbound_contexts: tuple[Name, ...] = ("from-trunk", "from-pstn")
    internal_contexts: tuple[Name, ...] = ()
    timezone: Zone = "UTC"
    channels: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 0
    cdr_file: str = ""
    listener_only: StrictBool = False
    dialplan: tuple[Name, ...] = ()
    messages: StrictBool = False
    message_contexts: Context = "messages-"
    door_port: Annotated[StrictInt, Field(ge=0, le=65535)] = 0
    door_http_port: Annotated[StrictInt, Field(ge=0, le=65535)] = 0
    door_allow: tuple[Network, ...] = ()
    login_deadline: Seconds = 5.0
    action_deadline: Seconds = 5.0
    ping_deadline: Seconds = 4.0

    _base: Path = PrivateAttr(default=Path())

    @model_validator(mode="before")
    @classmethod
    def _no_literal_secret(cls, table: Any) -> Any:
        for key in table if isinstance(table, dict) else ():
            if key not in cls.model_fields and get_close_matches(key, LITERAL_SECRETS, cutoff=0.85):
                raise Wrong(
                    "a secret does not belong in this file; put it into the environment "
                    'and name the variable: secret_env = "ENFORCER_AMI_SECRET"', key,
                )
        return table

    @model_validator(mode="before")
    @classmethod
    def _as_freeswitch_comes(cls, table: Any) -> Any:
        if isinstance(table, dict) and table.get("kind") == "freeswitch":
            return {"port": 8021, "outbound_contexts": ["default"], "inbound_contexts": ["public"], **table}
        if isinstance(table, dict) and table.get("tls") is True:
            return {"port": 5039, **table}
        return table

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not all(char.isalnum() or char in "_.-" for char in name) or not name.isascii():
            raise Wrong("may hold letters, digits, '_', '.' and '-' only (it is the first part of call ids)")
        return name

    @model_validator(mode="after")
    def _one_direction_a_context(self) -> Self:
        if self.secret_env and self.secret_file:
            raise Wrong("give either secret_env or secret_file, not both", "secret_file")
        if not self.secret_env and not self.secret_file and self.kind == "asterisk":
            raise Wrong('no secret: name an environment variable, secret_env = "ENFORCER_AMI_SECRET"')
        if self.tls and self.kind != "asterisk":
            raise Wrong("an event socket speaks no TLS: leave it on the loopback, or tunnel it", "tls")
        for key in ("tls_ca", "tls_name"):
            if getattr(self, key) and not self.tls:
                raise Wrong("means nothing without tls = true", key)
        seen: dict[str, str] = {}
        for key in ("outbound_contexts", "inbound_contexts", "internal_contexts"):
            for context in getattr(self, key):
                if seen.setdefault(context, key) != key:
                    raise Wrong(f"context {context!r} is among the {seen[context]} already", key)
        return self

    @property
    def cdr_path(self) -> Path | None:
        """The file that the switch writes its call records into, None where it cannot be read from here."""
        return self._base / self.cdr_file if self.cdr_file else None

    @property
    def secret_path(self) -> Path | None:
        """The file that holds the secret, None where a variable does."""
        return located(self._base, self.secret_file) if self.secret_file else None

    @property
    def tls_path(self) -> Path | None:
        """The file with the authorities that may vouch for the switch, None for the system's own."""
        return self._base / self.tls_ca if self.tls_ca else None

    def secret(self) -> str:
        """The secret, read now. Raises BadInput that says where it was looked for."""
        where = f"switch {self.name}"
        if self.secret_path is not None:
            return from_file(self.secret_path, where)
        if not self.secret_env:
            hint = 'secret_env = "ENFORCER_ESL_SECRET"'
            raise BadInput(where, f"no secret: name an environment variable, {hint}")
        return from_environment(self.secret_env, where)


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
