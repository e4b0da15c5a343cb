"""`enforcer completion`: what a shell needs for Tab to complete commands, accounts, rules, modes, switches.

In: the name of a shell. Out: a few lines for it. Refuses to know: what is offered (`completing`).
"""

from __future__ import annotations

from typing import Annotated

import typer

from enforcer.completing import SCRIPTS
from enforcer.errors import BadInput
from enforcer.toml_models import meant


def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print what makes Tab complete. Into ~/.bashrc goes: source <(enforcer completion bash)"""
    if shell not in SCRIPTS:
        raise BadInput("SHELL", f"no completion for {shell!r} (one of bash, zsh, fish)"
                       f"{meant(shell, list(SCRIPTS))}")
    print(SCRIPTS[shell], end="")
