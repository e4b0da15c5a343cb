"""The broker at which the enforcer tells what happens and takes orders: the table `[mqtt]`.

In: its TOML table. Out: `MqttSettings`. Refuses to know: topics, and what is said in them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, PrivateAttr, StrictBool, StrictInt, field_validator, model_validator

from enforcer.settings_secrets import from_environment, from_file, located
from enforcer.toml_models import Table, Wrong


class Broker(NamedTuple):
    """Where the broker is, and as whom we come."""

    host: str
    port: int
    tls: bool
    username: str


class MqttSettings(Table):
    """`url` is mqtt://user@host:1883 or mqtts://user@host:8883, "" for no broker; the password comes from
    `secret_env` or `secret_file`. `ca_file` vouches for the broker, else the system's authorities do.

    `prefix`/<site> is where all topics begin. `orders`: whether orders are taken there. `who`: whether the
    one who gives an order stands in its topic, as the broker has made sure, or in the message, which anybody
    can write. `events`: how many are told a second at the most.
    """

    url: str = ""
    secret_env: str = ""
    secret_file: str = ""
    ca_file: str = ""
    prefix: str = "enforcer"
    orders: StrictBool = True
    who: Literal["message", "topic"] = "message"
    protocol: Literal["5", "3.1.1"] = "5"
    events: Annotated[StrictInt, Field(ge=0, le=10_000)] = 200

    _base: Path = PrivateAttr(default=Path())

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as problem:
            raise Wrong(f"is no address of a broker: {problem}") from None
        if not url:
            return url
        if parts.password is not None:
            raise Wrong("a password does not belong in this file; put it into the environment and name the "
                        'variable: secret_env = "ENFORCER_MQTT_SECRET"')
        beyond = parts.path.strip("/") or parts.query or parts.fragment
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or port == 0 or beyond:
            raise Wrong("is no address of a broker, such as mqtt://enforcer@127.0.0.1:1883, or mqtts://...")
        return url

    @field_validator("prefix")
    @classmethod
    def _levels(cls, prefix: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", prefix):
            raise Wrong(f"{prefix!r} begins no topic: letters, digits, '_', '.', '-', and '/' between them")
        return prefix

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.secret_env and self.secret_file:
            raise Wrong("give either secret_env or secret_file, not both", "secret_file")
        if self.ca_file and not self.url.startswith("mqtts:"):
            raise Wrong("only counts with an address that begins with mqtts://", "ca_file")
        return self

    @property
    def broker(self) -> Broker:
        """The address in parts."""
        parts = urlsplit(self.url)
        tls = parts.scheme == "mqtts"
        port = parts.port or (8883 if tls else 1883)
        return Broker(parts.hostname or "", port, tls, unquote(parts.username or ""))

    @property
    def ca_path(self) -> Path | None:
        """The file that vouches for the broker, None for the system's authorities."""
        return self._base / self.ca_file if self.ca_file else None

    @property
    def secret_path(self) -> Path | None:
        """The file that holds the password, None where a variable does, or there is none."""
        return located(self._base, self.secret_file) if self.secret_file else None

    def secret(self) -> str:
        """The password, read now; "" where none was named. Raises BadInput."""
        if self.secret_env:
            return from_environment(self.secret_env, "mqtt")
        return "" if self.secret_path is None else from_file(self.secret_path, "mqtt")
