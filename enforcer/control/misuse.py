"""A command line that cannot be understood, in one line that says what to do next.

In: what the parser of the command line complains of. Out: our words for it. Refuses to know: commands.

What the parser's errors carry differs between its releases, so of each only the message is relied on.
"""

from __future__ import annotations

import re
from typing import Any

from enforcer.completing import WORDS

FEW = 12                # commands that are listed; more are in the help

_MISSING = re.compile(r"Missing \w+ '([^']+)'.*?(?:Choose from: (.+))?$")
_NO_COMMAND = re.compile(r"No such command '(.*?)'(?:\. Did you mean (.+?)\??)?$")
_NO_OPTION = re.compile(r"No such option:? '?([^' ]+)'?(?:.*?(--?[\w-]+))?")
_NO_VALUE = re.compile(r"Option '([^']+)' requires an argument")
_INVALID = re.compile(r"Invalid value for '([^']+)'.*?: (?:Value error, )?(.+)$")
_CHOICE = re.compile(r"(?<=[ ,])'([a-z]+)'(?=,|$)")
_EXTRA = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)$")
_NUMBER = {
    "Input should be a valid integer": "must be a whole number",
    "Input should be a valid number": "must be a number",
}


def misused(error: Any, hint: bool = True) -> str:
    """What is wrong with the words, and, with `hint`, what shows the right ones."""
    told = " ".join(str(error.format_message()).split()).rstrip(".")
    context = getattr(error, "ctx", None)
    path = " ".join(["enforcer", *getattr(context, "command_path", "").split()[1:]])
    see = f"; see `{path} --help`" if hint and context is not None else ""
    if found := _MISSING.match(told):
        name, some = found.groups()
        return f"{name} is missing{f': one of {some}' if some else ''}{see}"
    if found := _NO_COMMAND.match(told):
        word, near = found.groups()
        return _no_command(word, near, context, path, see)
    if found := _NO_OPTION.match(told):
        name, near = found.groups()
        return f"no such option: {name}" + (f"; did you mean {near}?" if near else see)
    if found := _NO_VALUE.match(told):
        return f"{found[1]}: its value is missing{see}"
    if found := _INVALID.match(told):
        problem = next((ours for theirs, ours in _NUMBER.items() if found[2].startswith(theirs)), found[2])
        plain = _CHOICE.sub(r"\1", problem)
        return f"{found[1]}: {plain}"
    if found := _EXTRA.match(told):
        return f"too many words: {found[1]}{see}"
    return told


def _no_command(word: str, near: str | None, context: Any, path: str, see: str) -> str:
    said = f"no such command: {word!r}"
    if path == "enforcer mode" and word in WORDS["mode"]:
        return f"{said}; did you mean `enforcer mode set {word}`?"
    if near:
        return f"{said}; did you mean {near}?"
    group = getattr(context, "command", None)
    commands = getattr(group, "commands", {})
    names = list(commands) if len(commands) <= FEW else []
    return f"{said}; there is {' and '.join(names)}" if names else f"{said}{see}"
