"""A site's directory with the command line in front of it, for tests of commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from enforcer.checkup import Finding
from enforcer.control.cli import Outside, app
from enforcer.control.site import Site
from enforcer.ledger.port import Ledger
from enforcer.settings import Settings

CONFIG = """
site = "lab"
[ledger]
url = "sqlite:///var/enforcer.db"
[policy]
packs = ["pack.toml"]
"""
ACCOUNTS = (
    "account,customer,type,channels,plan,anchor_day,timezone\n"
    "acme,big,pbx,,,1,America/New_York\napex,big,pbx,,,1,America/New_York\nsolo,small,trunk,10,,1,UTC\n"
)


class House:
    """A configuration with one pack, three accounts of two customers, and a command line."""

    def __init__(self, directory: Path, pack: str) -> None:
        self.directory = directory
        self.config = directory / "enforcer.toml"
        self.config.write_text(CONFIG)
        self.file("pack.toml", pack)
        self.ok("account", "import", self.file("accounts.csv", ACCOUNTS))

    @property
    def database(self) -> Path:
        return self.directory / "var" / "enforcer.db"

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        site = Site(self.config)
        with site.ledger(site.policy) as ledger:
            yield ledger

    def run(self, *args: str) -> Result:
        def never(settings: Settings) -> int:
            raise AssertionError(settings)

        def nobody(switch: object, emergency: object) -> list[Finding]:
            return []

        return CliRunner().invoke(app, [*args, "--config", str(self.config)], obj=Outside(never, nobody))

    def ok(self, *args: str) -> str:
        result = self.run(*args)
        assert result.exit_code == 0, (args, result.output, result.exception)
        return result.stdout

    def json(self, *args: str) -> Any:
        return json.loads(self.ok(*args, "--json"))

    def refused(self, *args: str) -> str:
        """The one line of a command that exits 2 and changes nothing."""
        result = self.run(*args)
        assert result.exit_code == 2, (args, result.output, result.exception)
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        return line.removeprefix("enforcer: ")

    def found(self, *args: str) -> str:
        """What a command prints that exits 1."""
        result = self.run(*args)
        assert result.exit_code == 1, (args, result.output, result.exception)
        return result.stdout

    def file(self, name: str, text: str) -> str:
        (self.directory / name).write_text(text)
        return str(self.directory / name)
