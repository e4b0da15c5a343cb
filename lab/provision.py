"""Real telephony programs from Debian's packages, as an ordinary user, nothing installed on the machine.

In: the names of bundles (`BUNDLES`). Out: one self-contained directory a bundle, kept in `.lab/`: programs,
plugins, the shared libraries they need, and the dynamic loader those libraries came with.
Refuses to know how the programs are configured or run. Standard library only: it works before any set-up.

The way: apt gets a private state with one suite of Debian, resolves against an empty machine and downloads;
`dpkg-deb -x` unpacks; the unpacked loader's own `--list` says which libraries are needed; the rest goes.
The loader is kept because a newer suite wants a newer glibc than the machine's, so programs must be started
through it (`Bundle directory/lib/ld-linux-x86-64.so.2 --library-path ...`, see `Provisioned.command`).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOADER = "ld-linux-x86-64.so.2"
CANNOT = 3
"""Exit code where the parts can't be had on this machine (2 is bad use, 1 a defect of ours)."""

_MULTIARCH = "usr/lib/x86_64-linux-gnu"
_RECIPE = 1  # raise it when the way of unpacking changes, so that old caches are made anew
_KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
_CHROMIUM = (
    "icudtl.dat", "v8_context_snapshot.bin", "snapshot_blob.bin", "resources.pak", "chrome_100_percent.pak",
    "chrome_200_percent.pak", "headless_lib_data.pak", "headless_lib_strings.pak",
    "headless_command_resources.pak", "locales",
)
_CODENAMES = {"bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable"}


class LabUnavailable(Exception):
    """The lab's programs can't be had on this machine; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What to take from which suite. Paths and patterns are relative to the unpacked packages' root."""

    suite: str
    packages: tuple[str, ...]
    programs: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    """Shared objects opened at run time; each must exist. They land in `plugins/`."""
    data: tuple[str, ...] = ()
    """Further files or directories, kept under `share/` by their last name."""

    def fingerprint(self) -> str:
        """Changes whenever the recipe does."""
        text = json.dumps([_RECIPE, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A bundle that is there, ready to run."""

    path: Path

    @property
    def plugins(self) -> Path:
        return self.path / "plugins"

    @property
    def share(self) -> Path:
        return self.path / "share"

    def command(self, program: str) -> list[str]:
        """The beginning of the command line that starts `program` with its own loader and libraries."""
        lib = self.path / "lib"
        return [str(lib / LOADER), "--library-path", str(lib), str(self.path / "bin" / program)]

    def versions(self) -> dict[str, str]:
        """Debian versions of the packages asked for."""
        stamp = json.loads((self.path / "stamp.json").read_text())
        return dict(stamp["versions"])


def asterisk_modules(conf: Path = ROOT / "docker" / "asterisk" / "modules.conf") -> tuple[str, ...]:
    """The modules the lab's Asterisk loads: its modules.conf is the one list of them."""
    found = re.findall(r"^load\s*=>?\s*(\w+\.so)\s*$", conf.read_text(), re.MULTILINE)
    return tuple(dict.fromkeys(found))


def bundles() -> dict[str, Bundle]:
    """All that can be provisioned, by name. A new program of Debian's is a new entry here."""
    modules = f"{_MULTIARCH}/asterisk/modules"
    return {
        "asterisk": Bundle(
            suite="forky",  # bookworm has no Asterisk at all; forky has 22
            packages=("asterisk",),
            programs=("usr/sbin/asterisk",),
            plugins=tuple(f"{modules}/{name}" for name in asterisk_modules()),
            data=("usr/share/asterisk/documentation",),  # the options' types live there: no boot without it
        ),
        "sipp": Bundle(suite="forky", packages=("sip-tester",), programs=("usr/bin/sipp",)),
        # Only where the machine has no systemd of its own: it judges packaging/systemd.
        "systemd": Bundle(suite="forky", packages=("systemd",), programs=("usr/bin/systemd-analyze",)),
        "mosquitto": Bundle(
            suite="trixie", packages=("mosquitto", "mosquitto-clients"),
            programs=("usr/sbin/mosquitto", "usr/bin/mosquitto_passwd", "usr/bin/mosquitto_sub"),
        ),
        # For the tests of the live page: Chromium as a program that opens no window. See
        # tests/support/browser.
        "chromium": Bundle(
            suite="trixie", packages=("chromium-headless-shell", "fonts-dejavu-core", "fonts-liberation"),
            programs=("usr/lib/chromium/chromium-headless-shell",),
            plugins=tuple(f"{_MULTIARCH}/{name}" for name in ("libsoftokn3.so", "libfreeblpriv3.so")),
            data=(*(f"usr/lib/chromium/{name}" for name in _CHROMIUM), "usr/share/fonts"),
        ),
        # Clocks that jump, of one process only; for the machine's own programs, hence of an old suite.
        "faketime": Bundle(
            suite="bookworm", packages=("libfaketime",), data=(f"{_MULTIARCH}/faketime/libfaketimeMT.so.1",)
        ),
        # Judges docker/grafana/alerts.yml, with the tests written beside it.
        "prometheus": Bundle(
            suite="trixie", packages=("prometheus",), programs=("usr/bin/promtool", "usr/bin/prometheus"),
        ),
        # Only where the machine's Python came without ensurepip (see lab/environment.py).
        "pip": Bundle(suite="forky", packages=("python3-pip-whl",), data=("usr/share/python-wheels",)),
    }


def lab_dir() -> Path:
    """Where bundles are kept: $ENFORCER_LAB_DIR, else `.lab/` in the checkout."""
    return Path(os.environ.get("ENFORCER_LAB_DIR") or ROOT / ".lab").resolve()


def provision(names: Sequence[str], *, where: Path | None = None) -> dict[str, Provisioned]:
    """Make sure that the named bundles are there; a bundle already there costs no time.

    Raises LabUnavailable where they can't be had. A run that is interrupted leaves nothing half done:
    each bundle is made in a temporary directory and renamed.
    """
    where = where or lab_dir()
    table = bundles()
    wanted = {name: table[name] for name in names}
    ready = {name: Provisioned(where / name) for name in wanted}

    def missing() -> dict[str, Bundle]:
        return {name: bundle for name, bundle in wanted.items() if not _is_current(where / name, bundle)}

    if not missing():
        return ready
    tools = _check_machine(native=any(bundle.programs for bundle in wanted.values()))
    try:
        where.mkdir(parents=True, exist_ok=True)
        with _locked(where):
            if todo := missing():  # another process may have made them while we waited for the lock
                _make(todo, where, tools)
    except OSError as error:
        raise LabUnavailable(f"cannot write the lab's programs under {where}: {error.strerror}") from None
    return ready


def _is_current(path: Path, bundle: Bundle) -> bool:
    try:
        stamp = json.loads((path / "stamp.json").read_text())
    except (OSError, ValueError):
        return False
    return isinstance(stamp, dict) and stamp.get("fingerprint") == bundle.fingerprint()


@dataclass(frozen=True, slots=True)
class _Tools:
    mirror: str
    keyring: Path


def _check_machine(*, native: bool) -> _Tools:
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
    return _Tools(mirror, keyring)


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


@contextlib.contextmanager
def _locked(where: Path) -> Iterator[None]:
    """One provisioner at a time; the kernel drops the lock with the process, however it ends."""
    with (where / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(todo: dict[str, Bundle], where: Path, tools: _Tools) -> None:
    for left in where.glob("unfinished-*"):  # of an interrupted run: we hold the lock, so nobody uses it
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix="unfinished-", dir=where))
    try:
        for suite in sorted({bundle.suite for bundle in todo.values()}):
            apt = _Apt(work / f"apt-{suite}", suite, tools)
            apt.update()
            for name in [name for name in todo if todo[name].suite == suite]:
                _make_one(name, todo[name], apt, work, where)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _make_one(name: str, bundle: Bundle, apt: _Apt, work: Path, where: Path) -> None:
    _say(f"fetching {name} from Debian {bundle.suite} ...")
    archives = apt.download(bundle.packages)
    _say(f"unpacking {len(archives)} packages for {name} ...")
    root = work / f"root-{name}"
    for archive in archives:
        _run(["dpkg-deb", "-x", str(archive), str(root)], f"cannot unpack {archive.name}")
    made = work / name
    _keep(bundle, root, made)
    stamp = {"fingerprint": bundle.fingerprint(), "versions": _versions(bundle, archives)}
    (made / "stamp.json").write_text(json.dumps(stamp, indent=2) + "\n")
    made.chmod(0o755)
    if (where / name).exists():
        (where / name).rename(work / f"old-{name}")
    made.rename(where / name)
    shutil.rmtree(root, ignore_errors=True)
    _say(f"{name} is ready in {where / name}")


class _Apt:
    """apt with a state of its own: it sees an empty machine and one suite of Debian."""

    def __init__(self, home: Path, suite: str, tools: _Tools) -> None:
        self._archives = home / "cache" / "archives"
        (home / "state" / "lists" / "partial").mkdir(parents=True)
        (self._archives / "partial").mkdir(parents=True)
        (home / "status").touch()
        (home / "sources.list").write_text(f"deb [signed-by={tools.keyring}] {tools.mirror} {suite} main\n")
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
        dump = _run(["apt-config", "dump"], "cannot read apt's settings")
        return [
            line
            for line in dump.splitlines()
            if line.startswith("Acquire::") and not re.match(r"Acquire::(IndexTargets|Languages)\b", line)
        ]

    def update(self) -> None:
        """Fetch the suite's list of packages. Raises LabUnavailable without network."""
        failed = f"cannot reach a Debian mirror for {self._suite}"
        _run(["apt-get", "-q", "update"], failed, self._environment)

    def download(self, packages: Sequence[str]) -> list[Path]:
        """The archives of these packages and of all they need, as on an empty machine."""
        for old in self._archives.glob("*.deb"):
            old.unlink()
        command = ["apt-get", "-qy", "install", "--no-install-recommends", "--download-only", *packages]
        _run(command, f"cannot download {', '.join(packages)}", self._environment)
        return sorted(self._archives.glob("*.deb"))


def _keep(bundle: Bundle, root: Path, made: Path) -> None:
    """Copy what the bundle names, and the libraries its programs and plugins need, from `root` to `made`."""
    for name in ("bin", "lib", "plugins", "share"):
        (made / name).mkdir(parents=True)
    objects = []
    for paths, target in ((bundle.programs, "bin"), (bundle.plugins, "plugins")):
        for path in paths:
            if not (root / path).exists():
                raise LabUnavailable(f"the packages do not hold {path}")
            shutil.copy2(root / path, made / target)
            objects.append(root / path)
    for path in bundle.data:
        source = root / path
        target_path = made / "share" / source.name
        if source.is_dir():
            shutil.copytree(source, target_path, symlinks=True)
        else:
            shutil.copy2(source, target_path)
    if not objects:
        return
    loader = next(root.glob(f"usr/lib*/**/{LOADER}"), None)
    if loader is None:
        raise LabUnavailable("the packages brought no dynamic loader")
    for library in _libraries(loader, root, objects):
        shutil.copy2(library, made / "lib" / library.name)
    shutil.copy2(loader, made / "lib" / LOADER)


def _libraries(loader: Path, root: Path, objects: Sequence[Path]) -> list[Path]:
    """The shared libraries that the unpacked loader itself finds for these objects."""
    # systemd and PulseAudio keep one of their own each
    places = (_MULTIARCH, f"{_MULTIARCH}/systemd", f"{_MULTIARCH}/pulseaudio", "usr/lib")
    search = ":".join(str(root / directory) for directory in places)
    needed: dict[str, Path] = {}
    for item in objects:
        command = [str(loader), "--library-path", search, "--list", str(item)]
        listed = _run(command, f"cannot list what {item.name} needs")
        for soname, target in re.findall(r"^\s*(\S+) => (\S.*?)(?: \(0x[0-9a-f]+\))?$", listed, re.MULTILINE):
            path = Path(target)
            if not path.is_relative_to(root):
                raise LabUnavailable(f"{item.name} needs {soname}, which its packages do not bring")
            needed[soname] = path
    return [path for name, path in sorted(needed.items()) if not name.startswith("/") and name != LOADER]


def _versions(bundle: Bundle, archives: Sequence[Path]) -> dict[str, str]:
    """apt names an archive package_version_architecture.deb, with the version's colon escaped."""
    parts = [archive.name.split("_") for archive in archives]
    return {part[0]: part[1].replace("%3a", ":") for part in parts if part[0] in bundle.packages}


def _run(command: Sequence[str], failed: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(("E:", "Err:", "dpkg"))] or lines
        raise LabUnavailable(f"{failed}: {errors[0].strip()[:200] if errors else 'no reason given'}")
    return done.stdout


def _say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m lab.provision BUNDLE...`: 0 there, 2 bad use, 3 can't be had here (one line says why)."""
    table = bundles()
    parser = argparse.ArgumentParser("python -m lab.provision", description="Provision the lab's programs.")
    parser.add_argument("bundle", nargs="+", help=f"which ones: {', '.join(table)}")
    names: list[str] = parser.parse_args(arguments).bundle
    if unknown := [name for name in names if name not in table]:
        parser.error(f"no bundle {unknown[0]!r}; there are {', '.join(table)}")
    try:
        done = provision(names)
    except LabUnavailable as reason:
        print(f"lab: {reason}", file=sys.stderr)
        return CANNOT
    for name in names:
        versions = " ".join(f"{package} {version}" for package, version in done[name].versions().items())
        print(f"{name}: {versions} in {done[name].path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
