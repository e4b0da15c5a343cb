"""Where the enforcer answers over HTTP: the table `[http]`.

In: its TOML table. Out: `HttpSettings`. Refuses to know: routes, and who may use them.
"""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, StrictInt, model_validator

from enforcer.errors import BadInput
from enforcer.settings_fields import Listen, Network, Seconds
from enforcer.toml_models import Table, Wrong

BACKLOG = 128           # connections that may come in one rush before they are looked at


class HttpSettings(Table):
    """`listen` is "host:port", "" for no HTTP. Other machines may only ask over TLS, `tls_cert` and `tls_key`
    (PEM), or from a network that `allow` lists: there, tokens go over the wire for all to read.

    `metrics`: who may read /metrics, everybody who can connect ("public"), or who has a token.
    `max_connections` at once, of which `max_streams` may wait for events; a request has `read_deadline`
    seconds to arrive, and its reader as many to take what it is sent. A file to be imported may have
    `max_import` MB.
    """

    listen: Listen = ""
    allow: tuple[Network, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""
    metrics: Literal["public", "token"] = "token"
    max_connections: Annotated[StrictInt, Field(ge=10, le=10_000)] = 200
    max_streams: Annotated[StrictInt, Field(ge=1, le=1000)] = 50
    read_deadline: Seconds = 10.0
    max_import: Annotated[StrictInt, Field(ge=1, le=10_000)] = 100

    _base: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _nothing_in_the_clear(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            missing = "tls_key" if self.tls_cert else "tls_cert"
            raise Wrong("is missing: TLS takes both tls_cert and tls_key", missing)
        if not self.listen:
            return self
        host = self.address[0]
        if host != "localhost":
            try:
                ip_address(host)
            except ValueError:
                raise Wrong(f"{host!r} is no IP address to listen on", "listen") from None
        if not self.loopback and not self.tls_cert and not self.allow:
            raise Wrong(
                f"other machines can reach {host}, and tokens would go over the wire in the clear: listen on "
                '127.0.0.1, or give tls_cert and tls_key, or name who may ask: allow = ["10.0.0.0/8"]',
                "listen",
            )
        return self

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port of `listen`."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def files(self) -> int:
        """How many files its connections take at the most."""
        return self.max_connections + BACKLOG if self.listen else 0

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        host = self.address[0]
        return host == "localhost" or ip_address(host).is_loopback

    @property
    def key_path(self) -> Path | None:
        """The file of the key, None without TLS."""
        return self._base / self.tls_key if self.tls_key else None

    def tls(self) -> ssl.SSLContext | None:
        """What TLS needs, read now; None without. Raises BadInput that names the file."""
        if not self.tls_cert:
            return None
        cert, key = self._base / self.tls_cert, self._base / self.tls_key
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        for name, path in (("tls_cert", cert), ("tls_key", key)):
            try:
                path.open("rb").close()
            except OSError as error:
                raise BadInput("http", f"{name} {path}: {error.strerror}") from None
        try:
            context.load_cert_chain(cert, key, password=_nobody_types)
        except (ssl.SSLError, ValueError):
            raise BadInput(
                "http", f"tls_cert {cert} and tls_key {key} are no certificate (PEM) and its unlocked key"
            ) from None
        return context


def _nobody_types() -> str:
    """A key with a pass phrase is refused: there is nobody at the keyboard."""
    return ""
