"""Where a secret comes from: a variable of the environment, or a file; never from the configuration itself.

In: the name of one or the other. Out: the secret, or BadInput that says where it was looked for and
holds nothing of it. Refuses to know: what the secret opens.

A file is looked for among the credentials that a service manager hands over ($CREDENTIALS_DIRECTORY,
see packaging/systemd), then beside the configuration. One that others can read is used and complained of, not
refused as ssh would: no enforcement is worse than a file mode, and a mounted secret's mode is not ours.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from enforcer.errors import BadInput


def located(base: Path, name: str) -> Path:
    """The file that a setting names: the credential of that name where one was handed over, else the one
    in `base`."""
    handed_over = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if handed_over and "/" not in name:
        credential = Path(handed_over) / name
        try:
            found = credential.is_file()
        except PermissionError:     # it may be there: whoever reads it says that this cannot be
            found = True
        if found:
            return credential
    return base / name


def from_environment(name: str, where: str) -> str:
    """The value of a variable. Raises BadInput where it is not set, or empty."""
    found = os.environ.get(name, "")
    if not found:
        raise BadInput(where, f"environment variable {name} is not set: set it before `enforcer` starts")
    return found


def text_of(path: Path, where: str, what: str = "") -> str:
    """A file's text. Raises BadInput, which quotes nothing of it."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise BadInput(where, f"{what}{path}: {reason}") from None


def from_file(path: Path, where: str) -> str:
    """What a file holds, without the blanks around it. Raises BadInput where it is not there or empty."""
    found = text_of(path, where, "secret_file ").strip()
    if not found:
        raise BadInput(where, f"secret_file {path} is empty: write the secret into it")
    return found


def open_to_others(path: Path) -> str:
    """What is wrong with the mode of a file that is nobody else's to read; "" where nothing is, or no file is
    there. Credentials are the service manager's: their mode shows the mask of an ACL."""
    if str(path.parent) == os.environ.get("CREDENTIALS_DIRECTORY"):
        return ""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{path} can be written by others"
    return f"{path} can be read by others" if mode & (stat.S_IRGRP | stat.S_IROTH) else ""
