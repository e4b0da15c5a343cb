"""How a text reaches an address: Apprise, in a thread of its own, for no longer than a deadline.

In: an address as Apprise writes it, or a plain e-mail address and the mail server to reach it by; a text.
Out: "" where it was taken, else why not. An address may hold a password: nothing that leaves here shows one.
Refuses to know: who is told, and what.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from urllib.parse import quote, urlsplit

from enforcer.settings import Settings
from enforcer.settings_notices import plain_mail

# Of these schemes the host is a host, and may be shown; of others it may be a token.
HOSTED = frozenset({"mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms", "http", "https"})
MARGIN = 5.0                # seconds between the deadline of a connection and the one for all of it
MOST_OF_A_PROBLEM = 300     # characters
_ERRNO = re.compile(r"\[Errno -?\d+\] [^()\"'\[\]]+")
_PARTS = re.compile(r"[^A-Za-z0-9._-]+")


def carrier_of(settings: Settings) -> AppriseCarrier:
    """How the notices of a site travel. Raises BadInput where a secret is missing."""
    terms = settings.notices
    return AppriseCarrier(terms.mail_server(), terms.sender, terms.deadline)


class AppriseCarrier:
    """`mail` is the URL of the mail server for plain e-mail addresses ("" none), `sender` whom they are from.
    One address may take `deadline` seconds for each thing that it waits for, and a little more for all."""

    def __init__(self, mail: str = "", sender: str = "", deadline: float = 20.0) -> None:
        self._mail = mail
        self._sender = sender
        self._deadline = deadline

    def shown(self, address: str) -> str:
        """The address without anything secret."""
        return shown(address)

    def url(self, address: str) -> str:
        """The address as Apprise takes it, secrets and all; "" for an e-mail address without a server."""
        if not plain_mail(address) or not self._mail:
            return "" if plain_mail(address) else address
        more = f"from={quote(self._sender)}&" if self._sender else ""
        return f"{self._mail}{'&' if '?' in self._mail else '?'}{more}to={quote(address)}"

    async def carry(self, address: str, subject: str, text: str) -> str:
        """Send it. A thread that does not come back in time is left alone, and nobody waits for it."""
        url = self.url(address)
        if not url:
            return "no mail server is configured: set `mail` under [notices]"
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()

        def settle(problem: str) -> None:
            if not done.done():
                done.set_result(problem)

        def work() -> None:
            problem = _sent(url, subject, text, self._deadline)
            try:
                loop.call_soon_threadsafe(settle, problem)
            except RuntimeError:        # the loop is gone: what is not on record is tried again
                return

        threading.Thread(target=work, name="notice", daemon=True).start()
        allowed = self._deadline + MARGIN
        try:
            async with asyncio.timeout(allowed):
                return await done
        except TimeoutError:
            return f"no answer within {allowed:g} s"


def shown(address: str) -> str:
    """An address as people may see it: a plain e-mail address whole, of a URL no more than its host.

    >>> shown("mailto://user:secret@mail.example.com?to=a@example.com"), shown("slack://T1/A2/x3")
    ('mailto://mail.example.com', 'slack://...')
    """
    if plain_mail(address):
        return address
    scheme, found, _ = address.partition("://")
    if not found or not scheme.isalnum():
        return "..."
    try:
        host = urlsplit(address).hostname if scheme in HOSTED else None
    except ValueError:
        host = None
    return f"{scheme}://{host or '...'}"


def usable(address: str) -> str:
    """Why an address cannot be used, without quoting it; "" where it can."""
    if plain_mail(address):
        return ""
    import apprise

    with _Ears() as ears:
        try:
            known = apprise.Apprise.instantiate(address) is not None
        except Exception:               # a plugin's own idea of a bad address
            known = False
    if known:
        return ""
    if ears.first and not ears.first.startswith(("Unparseable", "Unsupported")):
        return f"Apprise cannot use it: {without_secrets(ears.first, address)}"
    return "it is neither an e-mail address nor a URL that Apprise knows, such as mailto://, json://, slack://"


def _sent(url: str, subject: str, text: str, deadline: float) -> str:
    """Send, and wait for it; why it failed, or "". Never raises: this is a thread's whole work."""
    import apprise

    with _Ears() as ears:
        try:
            service = apprise.Apprise.instantiate(url)
            if service is None:
                return ears.problem(url) or "this is no address that can be used"
            service.socket_connect_timeout = service.socket_read_timeout = deadline
            taken = service.notify(body=text, title=subject, body_format=apprise.NotifyFormat.TEXT)
        except Exception as problem:    # whatever a plugin thinks of
            return f"{type(problem).__name__}: {without_secrets(str(problem), url)}"
    return "" if taken else ears.problem(url) or "it was not taken, and nothing was said of why"


class _Ears(logging.Handler):
    """What Apprise says in this thread, which it tells its log only."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._thread = threading.get_ident()
        self._said: list[str] = []
        self._errno = ""

    def __enter__(self) -> _Ears:
        log = logging.getLogger("apprise")
        log.propagate = False           # its lines may hold what must not be in ours
        log.setLevel(logging.DEBUG)
        log.addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger("apprise").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep warnings, and of all else only what the operating system said."""
        if record.thread != self._thread:
            return
        said = record.getMessage()
        if record.levelno >= logging.WARNING:
            self._said.append(said)
        elif (found := _ERRNO.search(said)) is not None:
            self._errno = found[0].strip()

    @property
    def first(self) -> str:
        """The first warning as it was: it may quote an address."""
        return self._said[0] if self._said else ""

    def problem(self, url: str) -> str:
        """The last warning, without anything secret of this address."""
        said = " ".join(part for part in (self._said[-1] if self._said else "", self._errno) if part)
        return without_secrets(said, url)


def without_secrets(said: str, url: str) -> str:
    """Whatever the address has besides its scheme and a host that may be shown is left out."""
    one = " ".join(said.split())
    may = {url.partition("://")[0], *_PARTS.split(shown(url))}
    for part in sorted({*_PARTS.split(url), url} - may, key=len, reverse=True):
        if len(part) >= 4:
            one = one.replace(part, "***")
    return one[:MOST_OF_A_PROBLEM]
