"""The files of a dialplan: one, and those that it includes.

In: what a file says that it includes. Out: paths, in the order in which a switch reads them.
Refuses to know: what stands in a file.
"""

from __future__ import annotations

from pathlib import Path

from enforcer.errors import BadInput

DEEPEST = 20            # includes within includes
MOST = 5000             # files, each counted as often as it is included; FusionPBX has some hundred


class Files:
    """What is left to be read of a dialplan."""

    def __init__(self) -> None:
        self._read = 0

    def enter(self, path: Path, depth: int) -> None:
        """A file is going to be read. Raises BadInput where it includes itself, or goes on for ever."""
        self._read += 1
        if depth > DEEPEST:
            raise BadInput(str(path), "includes itself")
        if self._read > MOST:
            raise BadInput(str(path), f"is file {self._read} of a dialplan, and {MOST} are read")


def included(path: Path, names: str) -> list[Path]:
    """The files that a file means by these names. Raises BadInput where they can be no files'."""
    if not names.strip():
        return []
    try:
        return [Path(names)] if Path(names).is_absolute() else sorted(path.parent.glob(names))
    except (ValueError, IndexError, NotImplementedError, OSError):       # IndexError: of "."
        raise BadInput(str(path), f"includes {names[:60]!a}, which names no files") from None
