"""Packages of one suite of Debian, for an ordinary user, without a trace on the machine's own packages.

In: the machine's mirror and keys, names of packages. Out: their archives, and those of all that they need.
Refuses to know what is in them. Standard library only.

apt gets a private state with that suite alone, and resolves against an empty machine.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
_CODENAMES = {"bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable"}


class LabUnavailable(Exception):
    """The lab's programs can't be had on this machine; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where this machine gets Debian's packages, and the keys that they are checked with."""

    mirror: str
    keyring: Path


def source_here(*, native: bool) -> Source:
    """Where packages come from on this machine; `native`: their programs are to run on it. Raises
    LabUnavailable."""
    if native and (sys.platform != "linux" or platform.machine() != "x86_64"):
        raise LabUnavailable(
            f"the lab's programs are amd64 Linux ones, this machine is {platform.machine()} {sys.platform}"
        )
    for tool in ("apt-get", "apt-config", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise LabUnavailable(f"the lab's programs come from Debian's packages, and {tool} is not here")
    keyring = next(
        (path for name in _KEYRINGS if (path := Path("/usr/share/keyrings") / name).exists()), None
    )
    if keyring is None:
        raise LabUnavailable("Debian's archive keyring is not here (package debian-archive-keyring)")
    mirror = os.environ.get("ENFORCER_DEBIAN_MIRROR") or debian_mirror(_apt_sources())
    if mirror is None:
        raise LabUnavailable("no Debian mirror among apt's sources (name one in ENFORCER_DEBIAN_MIRROR)")
    return Source(mirror, keyring)


def _apt_sources() -> list[tuple[str, str]]:
    """(kind, text) of each of the machine's apt source files; kind is "list" or "sources"."""
    found = []
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources"):
            with contextlib.suppress(OSError):
                found.append((path.suffix[1:], path.read_text(errors="replace")))
    return found


def debian_mirror(sources: Sequence[tuple[str, str]]) -> str | None:
    """The first mirror of a Debian release among apt's sources: one-line ("list") or deb822 ("sources").

    Security, updates and other people's repositories name other suites and so do not match.
    """
    for kind, text in sources:
        entries = _one_line(text) if kind == "list" else _deb822(text)
        for uri, suites, components in entries:
            if "main" in components and _CODENAMES.intersection(suites):
                return uri
    return None


def _one_line(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", " ", line.split("#", 1)[0]).split()
        if len(words) >= 4 and words[0] == "deb":
            yield words[1], [words[2]], words[3:]


def _deb822(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    without_comments = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", without_comments):
        unfolded = re.sub(r"\n[ \t]+", " ", stanza)
        fields = {
            key.strip().lower(): value.split()
            for key, colon, value in (line.partition(":") for line in unfolded.splitlines())
            if colon
        }
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        for uri in fields.get("uris", [])[:1]:
            yield uri, fields.get("suites", []), fields.get("components", [])


class Apt:
    """apt with a state of its own: it sees an empty machine and one suite of Debian."""

    def __init__(self, home: Path, suite: str, source: Source) -> None:
        self._archives = home / "cache" / "archives"
        (home / "state" / "lists" / "partial").mkdir(parents=True)
        (self._archives / "partial").mkdir(parents=True)
        (home / "status").touch()
        (home / "sources.list").write_text(f"deb [signed-by={source.keyring}] {source.mirror} {suite} main\n")
        settings = {
            "Dir::Etc::parts": os.devnull,
            "Dir::Etc::main": os.devnull,
            "Dir::Etc::sourcelist": home / "sources.list",
            "Dir::Etc::sourceparts": os.devnull,
            "Dir::Etc::preferences": os.devnull,
            "Dir::Etc::preferencesparts": os.devnull,
            "Dir::State": home / "state",
            "Dir::State::status": home / "status",
            "Dir::Cache": home / "cache",
            "Dir::Log": home,
            "APT::Architecture": "amd64",
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "0",
            "APT::Update::Error-Mode": "any",  # else apt-get update exits 0 without network
            "Debug::NoLocking": "1",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "30",
            "Acquire::https::Timeout": "30",
        }
        own = [f'{key} "{value}";' for key, value in settings.items()]
        conf = home / "apt.conf"
        conf.write_text("\n".join([*self._machine_settings(), 'Acquire::Languages "none";', *own]) + "\n")
        self._environment = {**os.environ, "APT_CONFIG": str(conf), "LC_ALL": "C.UTF-8"}
        self._suite = suite

    @staticmethod
    def _machine_settings() -> list[str]:
        """How this machine reaches its mirror (proxies, checks of dates); none of its hooks."""
        dump = run(["apt-config", "dump"], "cannot read apt's settings")
        return [
            line
            for line in dump.splitlines()
            if line.startswith("Acquire::") and not re.match(r"Acquire::(IndexTargets|Languages)\b", line)
        ]

    def update(self) -> None:
        """Fetch the suite's list of packages. Raises LabUnavailable without network."""
        failed = f"cannot reach a Debian mirror for {self._suite}"
        run(["apt-get", "-q", "update"], failed, self._environment)

    def download(self, packages: Sequence[str]) -> list[Path]:
        """The archives of these packages and of all they need, as on an empty machine."""
        for old in self._archives.glob("*.deb"):
            old.unlink()
        command = ["apt-get", "-qy", "install", "--no-install-recommends", "--download-only", *packages]
        run(command, f"cannot download {', '.join(packages)}", self._environment)
        return sorted(self._archives.glob("*.deb"))


def run(command: Sequence[str], failed: str, environment: dict[str, str] | None = None) -> str:
    """What a program prints. Raises LabUnavailable, which says what `failed` and the program's own reason."""
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(("E:", "Err:", "dpkg"))] or lines
        raise LabUnavailable(f"{failed}: {errors[0].strip()[:200] if errors else 'no reason given'}")
    return done.stdout
