"""One switch: how to reach it, how to read what it tells, and where its calls ask.

In: a table `[[switch]]` of the configuration. Out: `SwitchSettings`. Refuses to know: other switches, links.
"""

from __future__ import annotations

import re
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

from enforcer.errors import BadInput
from enforcer.settings_fields import Context, Name, Network, Port, Seconds, Zone
from enforcer.settings_secrets import from_environment, from_file, located
from enforcer.toml_models import Table, Wrong

# An Asterisk that writes CDRs in batches writes one after 300 s at the latest, unless told otherwise.
LATEST_ROW = 330.0
LITERAL_SECRETS = ("secret", "password", "passwd", "pass", "token")


class SwitchSettings(Table):
    """One switch: how to reach it, and how to read what it tells. The secret of a FreeSWITCH is the password
    of its event socket, where `username` means nothing; to read its CDRs none is needed.

    Deadlines are in seconds. With a ping every 2 s, a deadline of 4 s tells a silent switch from a busy
    one before its dialplan takes us for dead, after 6. `cdr_file` is where it writes its call records, if
    that can be read from here: they are followed; `cdr_delay` is how long after the end of a call its row may
    still come, at the most: `time` of an Asterisk's cdr.conf with batch = yes, and a little more.
    `listener_only`: its dialplan does not ask. `dialplan` are files of it that `enforcer check` reads, for
    where emergency numbers go. `messages`: it asks about text messages too; on an Asterisk those of one
    enter a context whose name is `message_contexts` and the account's. `door_port` (over HTTP
    `door_http_port`), `door_allow`: where its calls ask, and who may, where the door's table does not say it.
    What `door_token_env` names or `door_token_file` holds its questions over HTTP have to bring, as in
    enf_ask=http://HOST:PORT/NAME/TOKEN. With `tls` its manager proves who it is: `tls_ca` (else the system's
    authorities) vouches for its certificate, made out to `tls_name` or the host.

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
    cdr_delay: Seconds = LATEST_ROW
    listener_only: StrictBool = False
    dialplan: tuple[Name, ...] = ()
    messages: StrictBool = False
    message_contexts: Context = "messages-"
    door_port: Annotated[StrictInt, Field(ge=0, le=65535)] = 0
    door_http_port: Annotated[StrictInt, Field(ge=0, le=65535)] = 0
    door_allow: tuple[Network, ...] = ()
    door_token_env: str = ""
    door_token_file: str = ""
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
        if self.door_token_env and self.door_token_file:
            raise Wrong("give either door_token_env or door_token_file, not both", "door_token_file")
        for key in ("door_token_env", "door_token_file"):
            if getattr(self, key) and self.kind != "freeswitch":
                raise Wrong("only a FreeSWITCH asks over HTTP with a token", key)
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

    @property
    def door_token_path(self) -> Path | None:
        """The file that holds the token of its HTTP door, None where there is none."""
        return located(self._base, self.door_token_file) if self.door_token_file else None

    def door_token(self) -> str:
        """What its questions over HTTP have to bring, "" nothing, read now. Raises BadInput."""
        where = f"switch {self.name}"
        if self.door_token_path is not None:
            token = from_file(self.door_token_path, where)
        elif self.door_token_env:
            token = from_environment(self.door_token_env, where)
        else:
            return ""
        if not re.fullmatch(r"[A-Za-z0-9._-]{16,100}", token):     # what the dialplan lets an address hold
            raise BadInput(where, "the token of its HTTP door must be 16 to 100 of letters, digits, '._-'")
        return token

    def secret(self) -> str:
        """The secret, read now. Raises BadInput that says where it was looked for."""
        where = f"switch {self.name}"
        if self.secret_path is not None:
            return from_file(self.secret_path, where)
        if not self.secret_env:
            hint = 'secret_env = "ENFORCER_ESL_SECRET"'
            raise BadInput(where, f"no secret: name an environment variable, {hint}")
        return from_environment(self.secret_env, where)
