"""Where notices go and how often they are tried: the table `[notices]` of the configuration.

In: its TOML table. Out: addresses with their secrets filled in, when somebody wants to send. A secret is
never in the file: an address says `${NAME}` for a variable of the environment, or stands in `ops_file`.
Refuses to know: how an address is reached, and what a notice says.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, field_validator

from enforcer.settings_fields import Name, Seconds
from enforcer.settings_secrets import from_environment, located, text_of
from enforcer.toml_models import Table, Wrong

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")
_SENDER = re.compile(r"(?:[^<>\r\n]+ )?<[^@\s<>]+@[^@\s<>]+>|[^@\s<>]+@[^@\s<>]+")


class NoticesSettings(Table):
    """See the module. Times are in seconds.

    `ops` are the addresses of the operator's own people, as Apprise writes them; `ops_file` has more of them,
    one a line. Plain e-mail addresses, of customers or of ops, go by way of the server `mail`, written
    "mailto://user:${PASSWORD}@host", and come `from` this sender. `contact` is whom a customer calls, where
    the policy pack says nothing of it. `templates` is a directory of texts that replace ours.

    The n-th retry waits as long as `retry` says in its n-th place; the last wait is repeated for as long as
    it takes. `deadline` is how long one address may take. `sweep` is how often an account that calls is
    looked at besides its calls.
    """

    ops: tuple[Name, ...] = ()
    ops_file: str = ""
    mail: str = ""
    sender: str = Field(default="", alias="from")
    contact: str = ""
    templates: str = ""
    retry: Annotated[tuple[Seconds, ...], Field(min_length=1)] = (60.0, 300.0, 1800.0, 7200.0)
    deadline: Seconds = 20.0
    sweep: Seconds = 10.0

    _base: Path = PrivateAttr(default=Path())

    @field_validator("ops")
    @classmethod
    def _no_literal_secrets(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            _check_address(url)
        return urls

    @field_validator("mail")
    @classmethod
    def _mail_server(cls, url: str) -> str:
        if url:
            if not url.startswith(("mailto://", "mailtos://")):
                raise Wrong('must be "mailto://HOST" or "mailtos://HOST"')
            _check_address(url)
        return url

    @field_validator("sender")
    @classmethod
    def _an_address(cls, sender: str) -> str:
        if sender and not _SENDER.fullmatch(sender):
            raise Wrong('must be an e-mail address, such as "Fair use <fair-use@example.com>"')
        return sender

    @property
    def ops_path(self) -> Path | None:
        """The file with more addresses of ops."""
        return located(self._base, self.ops_file) if self.ops_file else None

    @property
    def template_path(self) -> Path | None:
        """The directory of one's own texts."""
        return self._base / self.templates if self.templates else None

    def ops_addresses(self) -> tuple[str, ...]:
        """All addresses of ops, secrets filled in. Raises BadInput that quotes none of them."""
        found = [filled(url, "notices.ops") for url in self.ops]
        if self.ops_path is not None:
            lines = text_of(self.ops_path, "notices.ops_file").splitlines()
            found += [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        return tuple(found)

    def mail_server(self) -> str:
        """The server for plain e-mail addresses, secrets filled in; "" none. Raises BadInput."""
        return filled(self.mail, "notices.mail")


def filled(url: str, where: str) -> str:
    """An address with its `${NAME}` replaced by variables of the environment. Raises BadInput."""
    def value(match: re.Match[str]) -> str:
        return from_environment(match[1], where)

    return _VARIABLE.sub(value, url)


def plain_mail(address: str) -> bool:
    """Whether an address is an e-mail address and nothing else."""
    return _ADDRESS.fullmatch(address) is not None and "://" not in address


def _check_address(url: str) -> None:
    """No secret may stand in the file. Raises Wrong, which quotes nothing of it."""
    if plain_mail(url):
        return
    if "://" not in url:
        raise Wrong('an address is a URL such as "mailto://host" or "json://host/path", or an e-mail address')
    try:
        password = urlsplit(_VARIABLE.sub("", url)).password
    except ValueError:
        raise Wrong("an address in it is no URL") from None
    if password:
        raise Wrong(
            "a password does not belong in this file; put it into the environment and name the variable in "
            'its place: "mailto://user:${ENFORCER_SMTP_PASSWORD}@host"'
        )
