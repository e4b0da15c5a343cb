"""Commands start fast: what a command does not need is not imported for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from enforcer.completing import table
from enforcer.control.cli import PLACES, app
from enforcer.control.cli_later import Later

CONFIG = 'site = "lab"\n[policy]\npacks = []\n'
HEAVY = {
    "aiomqtt", "apprise", "fastapi", "jinja2", "prometheus_client", "rich", "starlette", "structlog",
    "uvicorn",
}
MODULES = {name: place.partition(":")[0] for name, place in PLACES.items()}
# Runs a command, and tells what was imported for it.
TELL = """
import gc, sys
sys.argv = ["enforcer", *sys.argv[1:]]
from enforcer.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert gc.isenabled()
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
print(*sorted(name for name in sys.modules if name.startswith("enforcer.")), file=sys.stderr)
"""
ORDERS = {
    ("mode", "set", "tag"): HEAVY,
    ("mode",): HEAVY - {"rich"},                        # which draws the table
    ("account", "add", "acme", "--type", "pbx"): HEAVY,
}


def loaded(directory: Path, *words: str) -> tuple[set[str], set[str]]:
    """The packages, and our own modules, that a command imported."""
    (directory / "enforcer.toml").write_text(CONFIG)
    done = subprocess.run(
        [sys.executable, "-c", TELL, *words], cwd=directory, capture_output=True, text=True, timeout=60,
        check=True,
    )
    packages, ours = done.stderr.splitlines()[-2:]
    return set(packages.split()), set(ours.split())


@pytest.mark.parametrize("words", ORDERS, ids=" ".join)
def test_an_order_imports_nothing_that_it_does_not_need(tmp_path: Path, words: tuple[str, ...]) -> None:
    packages, ours = loaded(tmp_path, *words)
    assert packages & ORDERS[words] == set()
    assert {"typer", "pydantic", "sqlalchemy"} <= packages      # so the list is one of what was imported
    assert "enforcer.packs" not in ours                         # a broken pack keeps nobody from the brake
    assert ours & (set(MODULES.values()) - {MODULES[words[0]]}) == set()


def test_every_command_is_where_it_is_said_to_be() -> None:
    commands = typer.main.get_command(app).commands     # type: ignore[attr-defined]
    assert isinstance(commands, Later)
    assert [name for name in commands if not commands[name].hidden] == table()[""]["commands"]
    for name in commands:
        assert commands[name].name == name
    assert len(commands) == len(list(commands))


def test_no_command_logs_but_those_that_say_where() -> None:
    """structlog, not told otherwise, writes to standard output, which is for answers: who imports it says."""
    wanted = "".join(f"import {module}\n" for module in sorted(set(MODULES.values())))
    code = f"import sys\n{wanted}print('structlog' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"
