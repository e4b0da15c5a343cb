"""`python -m tests.support.command_table` writes enforcer/commands.json from the commands themselves."""

from __future__ import annotations

import json
from typing import Any

import typer

from enforcer.completing import TABLE, WORDS
from enforcer.control.cli import app

KINDS = {"account", "customer", "rule", "switch", "config", *WORDS}


def kind_of(parameter: Any) -> str:
    """What kind of value it takes; "" for a flag."""
    if getattr(parameter, "is_flag", False):
        return ""
    if parameter.name == "subject":
        return "account"
    return parameter.name if parameter.name in KINDS else "value"


def described(
    command: Any, words: str, out: dict[str, Any], above: Any = None
) -> dict[str, Any]:
    """The command and all below it."""
    below = getattr(command, "commands", {})
    context = command.make_context(
        words.rpartition(" ")[2] or "enforcer", ["--help"], above, resilient_parsing=True, terminal_width=78,
    )
    out[words] = {
        "text": command.get_help(context),
        "commands": [name for name, one in below.items() if not one.hidden],
        "options": {
            name: kind_of(one) for one in command.params if one.param_type_name == "option"
            for name in one.opts
        } | {"--help": ""},
        "arguments": [kind_of(one) for one in command.params if one.param_type_name == "argument"],
    }
    for name, one in below.items():
        described(one, f"{words} {name}".strip(), out, context)
    return out


def text() -> str:
    """The file."""
    return json.dumps(described(typer.main.get_command(app), "", {}), indent=1) + "\n"


if __name__ == "__main__":
    TABLE.write_text(text())
