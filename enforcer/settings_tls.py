"""Whom we believe where TLS is spoken: the authorities in a file, or the system's own.

In: the file's path, and what the configuration calls it. Out: a context that verifies certificate and name,
always; or BadInput. Refuses to know: with whom it is spoken.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from enforcer.errors import BadInput


def believing(path: Path | None, where: str, key: str) -> ssl.SSLContext:
    """Authorities in a file (PEM), None the system's. Raises BadInput where the file cannot be used."""
    try:
        return ssl.create_default_context(cafile=path)      # TLS 1.2 at the least, names compared
    except ssl.SSLError:
        raise BadInput(where, f"{key} {path}: holds no certificate (PEM)") from None
    except OSError as error:
        raise BadInput(where, f"{key} {path}: {error.strerror}") from None
