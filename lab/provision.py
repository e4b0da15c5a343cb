"""Real telephony programs from Debian's packages, as an ordinary user, nothing installed on the machine.

In: the names of bundles (see `bundles`). Out: one self-contained directory a bundle, kept in `.lab/`:
programs, plugins, the shared libraries they need, and the dynamic loader those libraries came with.
Refuses to know how the programs are configured or run. Standard library only: it works before any set-up.

The way: apt downloads what an empty machine would need (see `debian`);
`dpkg-deb -x` unpacks; the unpacked loader's own `--list` says which libraries are needed; the rest goes.
The loader is kept because a newer suite wants a newer glibc than the machine's, so programs must be started
through it (`Bundle directory/lib/ld-linux-x86-64.so.2 --library-path ...`, see `Provisioned.command`).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.bundles import MULTIARCH, ROOT, Bundle, bundles
from lab.debian import Apt, LabUnavailable, Source, run, source_here

__all__ = ("CANNOT", "LOADER", "ROOT", "LabUnavailable", "Provisioned", "lab_dir", "main", "provision")

LOADER = "ld-linux-x86-64.so.2"
CANNOT = 3
"""Exit code where the parts can't be had on this machine (2 is bad use, 1 a defect of ours)."""


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
    source = source_here(native=any(bundle.programs for bundle in wanted.values()))
    try:
        where.mkdir(parents=True, exist_ok=True)
        with _locked(where):
            if todo := missing():  # another process may have made them while we waited for the lock
                _make(todo, where, source)
    except OSError as error:
        raise LabUnavailable(f"cannot write the lab's programs under {where}: {error.strerror}") from None
    return ready


def _is_current(path: Path, bundle: Bundle) -> bool:
    try:
        stamp = json.loads((path / "stamp.json").read_text())
    except (OSError, ValueError):
        return False
    return isinstance(stamp, dict) and stamp.get("fingerprint") == bundle.fingerprint()


@contextlib.contextmanager
def _locked(where: Path) -> Iterator[None]:
    """One provisioner at a time; the kernel drops the lock with the process, however it ends."""
    with (where / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(todo: dict[str, Bundle], where: Path, source: Source) -> None:
    for left in where.glob("unfinished-*"):  # of an interrupted run: we hold the lock, so nobody uses it
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix="unfinished-", dir=where))
    try:
        for suite in sorted({bundle.suite for bundle in todo.values()}):
            apt = Apt(work / f"apt-{suite}", suite, source)
            apt.update()
            for name in [name for name in todo if todo[name].suite == suite]:
                _make_one(name, todo[name], apt, work, where)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _make_one(name: str, bundle: Bundle, apt: Apt, work: Path, where: Path) -> None:
    _say(f"fetching {name} from Debian {bundle.suite} ...")
    archives = apt.download(bundle.packages)
    _say(f"unpacking {len(archives)} packages for {name} ...")
    root = work / f"root-{name}"
    for archive in archives:
        run(["dpkg-deb", "-x", str(archive), str(root)], f"cannot unpack {archive.name}")
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
    places = (MULTIARCH, f"{MULTIARCH}/systemd", f"{MULTIARCH}/pulseaudio", "usr/lib")
    search = ":".join(str(root / directory) for directory in places)
    needed: dict[str, Path] = {}
    for item in objects:
        command = [str(loader), "--library-path", search, "--list", str(item)]
        listed = run(command, f"cannot list what {item.name} needs")
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
