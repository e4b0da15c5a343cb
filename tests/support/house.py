"""A site's directory with the command line in front of it, for tests of commands.

In: a configuration, a pack, what else stands in the directory. Out: what commands print, and their exit
codes. Refuses to know: an enforcer that runs (`running`, `lab.enforcer`).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from typer.testing import CliRunner

from enforcer.checkup import Finding
from enforcer.control.cli import Outside, app
from enforcer.control.site import Site
from enforcer.ledger.port import Ledger
from enforcer.settings import Settings

ROOT = Path(__file__).parents[2]
CONFIG = """
site = "lab"
[ledger]
url = "sqlite:///var/enforcer.db"
[policy]
packs = ["pack.toml"]
"""
SWITCH = """
[[switch]]
name = "pbx1"
secret_env = "TEST_AMI_SECRET"
"""
HEADER = "account,customer,type,channels,plan,anchor_day,timezone\n"
ACCOUNTS = (
    f"{HEADER}acme,big,pbx,,,1,America/New_York\n"
    "apex,big,pbx,,,1,America/New_York\nsolo,small,trunk,10,,1,UTC\n"
)


def one_rule(critical: str = 'at = 1, verdict = "block"', *, name: str = "small", clause: str = "1") -> str:
    """A pack that has one rule, `calls`: so many attempts a cycle."""
    return (
        f'[pack]\nname = "{name}"\nrevision = "1"\n'
        f'[[rule]]\nid = "calls"\nkind = "attempts"\nclause = "{clause}"\ncritical = {{ {critical} }}\n'
    )


class Said(NamedTuple):
    """What a command said, and how it ended."""

    exit_code: int
    stdout: str
    stderr: str
    exception: BaseException | None = None

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def process(directory: Path, *args: str, **environment: str) -> Said:
    """A command as a process of its own in this directory, where it finds its configuration. It takes the
    machine thirty times as long as one in this process."""
    told = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **environment}
    told.pop("ENFORCER_CONFIG", None)
    done = subprocess.run(
        [sys.executable, "-m", "enforcer", *args], cwd=directory, capture_output=True, text=True, timeout=60,
        env=told, check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


class Commands:
    """A directory with a configuration, and the command line in it. `files` are further ones, by name."""

    inside = False
    """Whether commands find files there by their bare names: the whole process goes there meanwhile."""

    def __init__(self, directory: Path, config: str, **files: str) -> None:
        self.directory = directory
        self.config = directory / "enforcer.toml"
        self.config.write_text(config)
        for name, text in files.items():
            self.file(name, text)

    def run(self, *args: str) -> Said:
        with contextlib.chdir(self.directory) if self.inside else contextlib.nullcontext():
            done = CliRunner().invoke(app, [*args, "--config", str(self.config)], obj=self.outside())
        return Said(done.exit_code, done.stdout, done.stderr, done.exception)

    def outside(self) -> Outside:
        """What `run` and `doctor` reach: nothing, and no enforcer is to be started."""
        def never(settings: Settings) -> int:
            raise AssertionError(settings)

        def nobody(switch: object, emergency: object) -> list[Finding]:
            return []

        return Outside(never, nobody)

    def coded(self, code: int, *args: str) -> Said:
        """A command that is to exit with this code."""
        result = self.run(*args)
        assert result.exit_code == code, (args, result.output, result.exception)
        return result

    def ok(self, *args: str) -> str:
        return self.coded(0, *args).stdout

    def json(self, *args: str, code: int = 0) -> Any:
        return json.loads(self.coded(code, *args, "--json").stdout)

    def refused(self, *args: str) -> str:
        """The one line of a command that exits 2 and changes nothing."""
        result = self.coded(2, *args)
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        return line.removeprefix("enforcer: ")

    def found(self, *args: str) -> str:
        """What a command prints that exits 1."""
        return self.coded(1, *args).stdout

    def file(self, name: str, text: str) -> str:
        """A file in the directory; its whole name."""
        (self.directory / name).write_text(text, newline="")
        return str(self.directory / name)


class House(Commands):
    """A configuration with one pack, three accounts of two customers, and a command line. `more` stands at
    the end of the configuration."""

    def __init__(self, directory: Path, pack: str, more: str = "") -> None:
        super().__init__(directory, CONFIG + more, **{"pack.toml": pack})
        self.ok("account", "import", self.file("accounts.csv", ACCOUNTS))

    @property
    def database(self) -> Path:
        return self.directory / "var" / "enforcer.db"

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        site = Site(self.config)
        with site.ledger(site.policy) as ledger:
            yield ledger
