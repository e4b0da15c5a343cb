"""The few errors of this project. Each docstring says what went wrong in one sentence."""

from __future__ import annotations


class EnforcerError(Exception):
    """Something that a person has to put right; its text is one clear line."""


class BadInput(EnforcerError):
    """A file, option or value that a person gave cannot be used; says which, and where.

    `where` is "file:line" or the name of the option; the text never holds a secret.
    """

    def __init__(self, where: str, problem: str) -> None:
        self.where = where
        self.problem = problem
        super().__init__(f"{where}: {problem}" if where else problem)


class WireError(EnforcerError):
    """The peer broke the protocol, or a value of ours would have.

    `remote` is True where the peer is to blame (its connection is closed and counted).
    """

    def __init__(self, problem: str, *, remote: bool = True) -> None:
        self.remote = remote
        super().__init__(problem)


class LinkError(EnforcerError):
    """A switch could not be reached, refused our login, or went silent."""


class LedgerError(EnforcerError):
    """The ledger could not be opened, read or written; says which file and why."""
