"""htmx, as a package of our dependencies brings it, and nothing that only looks like it.

In: the installed `django-js-lib-htmx`, which has files and no code that runs. Out: the bytes of htmx 2.0.3,
with the hash that the htmx project published for them. Refuses to know: Django, and how files are served.

The package's own `ext/sse.js` is not used: it is the extension for htmx 1 and calls what htmx 2 has no more.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from enforcer.errors import EnforcerError

NAME = "htmx.min.js"
PACKAGE, PLACE = "js_lib_htmx", ("static", "htmx", NAME)
# As published with htmx 2.0.3, for its dist/htmx.min.js: the tarball at npm has the same bytes.
SHA384 = "0895/pl2MU10Hqc6jd4RvrthNlDiE9U1tWmX7WRESftEDRosgxNsQG/Ze9YMRzHq"


class NoHtmx(EnforcerError):
    """htmx is not there, or is another than it should be."""


def htmx() -> bytes:
    """The script. Raises NoHtmx."""
    again = "`pip install --force-reinstall django-js-lib-htmx==2.0.3.1` puts it right"
    try:
        data = files(PACKAGE).joinpath(*PLACE).read_bytes()
    except (ModuleNotFoundError, OSError) as problem:
        raise NoHtmx(f"htmx cannot be read ({problem}): {again}") from None
    if sha384(data) != SHA384:
        raise NoHtmx(f"the {NAME} that is installed is not htmx 2.0.3: its hash is {sha384(data)}; {again}")
    return data


def sha384(data: bytes) -> str:
    """The hash of a file as an `integrity` attribute has it, without its name."""
    return base64.b64encode(hashlib.sha384(data).digest()).decode()
