"""What every command has in common at a terminal: options, tables, JSON, one line for what went wrong.

In: rows, facts, errors. Out: text on stdout and stderr, and exit codes: 0 fine, 1 the check found
something, 2 bad use or bad input and nothing changed.
Refuses to know: what a command does.
"""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from enforcer.control.misuse import misused
from enforcer.control.words import LONGEST_REASON, NOT_EMPTY, shown
from enforcer.errors import BadInput, EnforcerError

if TYPE_CHECKING:
    from rich.console import Console

# All errors of use derive from this one. Where it is defined differs between releases of typer.
_UsageError: Any = typer.BadParameter.__bases__[0]

FOUND = 1               # exit codes
BAD = 2
# Without these a command is about more: empty (a variable that a script did not set) they are an error.
_NARROWING = ("--account", "-a", "--customer", "--rule", "-r", "--switch", "-s")
_REASONS = ("--reason", "--why")
_WIDE = 200             # columns, where there is no terminal to ask: lines for grep, not for a screen


class OneLine(TyperGroup):
    """A group of commands whose errors are one line on stderr."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> Any:
        """Read the words. Raises BadInput where one has bytes that are no text (no ledger can keep them), and
        where an option that narrows a command down is empty."""
        for word in args:
            try:
                word.encode()
            except UnicodeEncodeError:
                raise BadInput("command line", f"{word[:60]!a} is not UTF-8 text") from None
        for word, value in zip(args, [*args[1:], "-"], strict=False):
            if (word in _NARROWING and not value) or (word[-1:] == "=" and word[:-1] in _NARROWING):
                raise BadInput(word.rstrip("="), NOT_EMPTY)
            name, _, joined = word.partition("=")
            if name in _REASONS and len(joined or value) > LONGEST_REASON:
                raise BadInput(name, f"must be at most {LONGEST_REASON} characters long")
        return super().make_context(info_name, args, *more, **extra)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run, and exit with the code of the outcome."""
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
        except EnforcerError as error:
            complain(str(error))
            code = BAD
        except _UsageError as error:
            told = error.format_message()
            if told.startswith("Usage:"):       # no command at all: this is the help
                print(told, file=sys.stderr)
            else:
                complain(misused(error))
            code = BAD
        except typer.Abort:
            complain("stopped")
            code = BAD
        sys.exit(code or 0)


def _config_of(context: typer.Context, param: typer.CallbackParam, value: Path) -> Path:
    """`enforcer --config X mode set` means the same as `enforcer mode set --config X`."""
    source = context.get_parameter_source(param.name or "")
    if source is not None and source.name == "COMMANDLINE":
        context.meta["enforcer.config"] = value
    return Path(context.meta.get("enforcer.config", value))


Config = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="ENFORCER_CONFIG", callback=_config_of, metavar="FILE",
        help="The configuration.",
    ),
]
CONFIG = Path("enforcer.toml")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def complain(line: str) -> None:
    """One line on stderr."""
    print(f"enforcer: {shown(line)}", file=sys.stderr)


def emit(facts: object) -> None:
    """Facts as JSON; ASCII only, so that no terminal or locale stands in the way."""
    print(json.dumps(facts, indent=2))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A plain table on stdout; nothing in a cell is taken for markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = stdout()
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, highlight=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(shown(str(cell))) for cell in row))
    console.print(grid)


def say(line: str = "") -> None:
    """A line on stdout."""
    print(shown(line))


def stdout() -> Console:
    """Standard output; wide where it is no terminal."""
    from rich.console import Console  # large, and most orders need none of it

    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)


def who() -> str:
    """The operating system's user, and the one who became root."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    caller = os.environ.get("SUDO_USER", "")
    return f"{caller} (as {name})" if caller and caller != name else name
