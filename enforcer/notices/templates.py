"""The texts of notices as files: ours, and those that an operator puts in their place.

In: a directory, or none. Out: templates that name only what there is to name, or BadInput that says which
file and line. Refuses to know: where the words come from that fill them in.

A template begins with "Subject: ..." and an empty line. `$name` stands for a word of `FIELDS`, `$$` for "$".
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from enforcer.errors import BadInput
from enforcer.toml_models import meant, one_of

NAMES = (
    "customer-warning", "customer-critical", "customer-cleared", "customer-standing",
    "ops-level", "ops-cleared", "ops-standing", "ops-proposal", "ops-trouble", "ops-breaker",
    "test",
)
FIELDS = frozenset({
    "about_notice",         # in `ops-trouble`: the notice that has not reached anybody
    "account",              # "" where it is about all accounts of a customer
    "account_or_any",       # an account that it is about, for use in a command
    "at",                   # when it was written, in local time
    "clause", "clause_text",
    "contact",              # whom to call
    "customer", "customer_name",
    "cycle", "cycle_end", "cycle_start",
    "grace",                # how long a rule waits after delivery
    "last_limit",           # where the critical level begins
    "level",
    "limit",                # where the level that was reached begins
    "metric", "mode",
    "next",                 # what happens next, and when: a few lines
    "notice", "policy",
    "reason",               # why people decided so
    "rule", "site",
    "standing",             # "suspended" or "terminated"
    "subject",              # "account acme" or "customer acme-inc"
    "told",                 # in `ops-level`: whether the customer is told
    "trouble",              # in `ops-trouble` and `ops-breaker`: what is wrong
    "value",
    "window",               # the stretch of time that was counted, as a sentence with its edges
})
_SUBJECT = "Subject:"
MOST_OF_A_SUBJECT = 150         # characters; what takes no subject puts it into the text


class Templates:
    """All templates. `folder` may have files of the same names, which replace ours. Raises BadInput."""

    def __init__(self, folder: Path | None = None) -> None:
        own = files("enforcer.notices") / "texts"
        self._texts = {name: (own / f"{name}.txt").read_text("utf-8") for name in NAMES}
        if folder is not None:
            self._texts |= _replaced(folder)

    def fill(self, name: str, words: Mapping[str, str]) -> tuple[str, str]:
        """Subject and text; what `words` does not have is empty. The subject is one line."""
        told = dict.fromkeys(FIELDS, "") | dict(words)
        head, _, body = Template(self._texts[name]).substitute(told).partition("\n")
        subject = " ".join(head.removeprefix(_SUBJECT).split())
        lines = [line.rstrip() for line in body.strip().splitlines()]
        kept = [line for n, line in enumerate(lines) if line or (n and lines[n - 1])]
        return subject[:MOST_OF_A_SUBJECT], "\n".join(kept) + "\n"


def _replaced(folder: Path) -> dict[str, str]:
    """The operator's own texts. Raises BadInput for what would never be used, or cannot be filled in."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".txt")
    except OSError as error:
        raise BadInput("notices.templates", f"{folder}: {error.strerror}") from None
    found = {}
    for path in paths:
        if path.stem not in NAMES:
            there = one_of(f"{name}.txt" for name in NAMES)
            raise BadInput(str(path), f"no notice has this text: there is {there}{meant(path.stem, NAMES)}")
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise BadInput(str(path), str(reason)) from None
        _check(path, text)
        found[path.stem] = text
    return found


def _check(path: Path, text: str) -> None:
    lines = text.splitlines()
    if not lines or not lines[0].startswith(_SUBJECT) or not lines[0].removeprefix(_SUBJECT).strip():
        raise BadInput(f"{path}:1", 'the first line must be "Subject: ..."')
    if len(lines) < 2 or lines[1].strip():
        raise BadInput(f"{path}:2", "the second line must be empty")
    if not any(line.strip() for line in lines[2:]):
        raise BadInput(f"{path}:3", "there is no text")
    for number, line in enumerate(lines, 1):
        for match in Template.pattern.finditer(line):
            if match["invalid"] is not None:
                raise BadInput(f"{path}:{number}", 'a "$" that stands for nothing must be written "$$"')
            name = match["named"] or match["braced"]
            if name is not None and name not in FIELDS:
                raise BadInput(f"{path}:{number}", f"unknown placeholder ${name}{meant(name, FIELDS)}")
