"""Commands that are imported when they are wanted: a person who pulls the brake waits for no other's modules.

In: where each command is, by name. Out: a group of commands. Refuses to know: what they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer

from enforcer.control.cli_terminal import OneLine


class Later(MutableMapping[str, Any]):
    """Commands by name: those that are made, and those of which only "module:name" is known until somebody
    asks for them."""

    def __init__(self, made: MutableMapping[str, Any], places: Mapping[str, str]) -> None:
        self._made = made
        self._places = places

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _command(name, self._places[name])
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        yield from [name for name in self._made if name not in self._places]
        yield from self._places

    def __len__(self) -> int:
        return len({*self._places, *self._made})


def later(places: Mapping[str, str]) -> type[OneLine]:
    """A group with these commands, besides those that it has already."""
    class Group(OneLine):
        def __init__(self, **told: Any) -> None:
            super().__init__(**told)
            self.commands = Later(self.commands, places)

        def list_commands(self, ctx: Any) -> list[str]:
            return list(self.commands)

    return Group


def _command(name: str, place: str) -> Any:
    """The command of that place, under that name."""
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    alone = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name)(found)
    alone.callback()(_nothing)          # so that one command is still a group with one command in it
    return typer.main.get_group(alone).commands[name]


def _nothing() -> None:
    """Typer asks for a callback."""
