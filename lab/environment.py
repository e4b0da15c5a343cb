"""The project's virtual environment in `.venv`, made with nothing but Python 3.11.

In: the Python that runs this. Out: `.venv` with the project (editable) and its development tools; a stamp
makes the second time quick. Standard library only. Debian's Python without the package python3-venv has no
ensurepip; there pip itself is taken from Debian's archive, as the lab's other parts are.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import venv

from lab.provision import ROOT, LabUnavailable, provision

HOME = ROOT / ".venv"


def fingerprint() -> str:
    """Changes whenever the environment has to be made anew."""
    text = (ROOT / "pyproject.toml").read_bytes() + sys.version.encode() + str(HOME).encode()
    return hashlib.sha256(text).hexdigest()


def make() -> None:
    """Make `.venv`. Raises LabUnavailable where pip can't be had, CalledProcessError where pip fails."""
    found = importlib.util.find_spec("ensurepip")
    if found is not None and found.origin is not None:  # an empty directory of that name has no origin
        venv.create(HOME, clear=True, with_pip=True, symlinks=True)
    else:
        print("setup: this Python has no ensurepip; taking pip from Debian's archive", file=sys.stderr)
        wheels = provision(["pip"])["pip"].share / "python-wheels"
        wheel = next(wheels.glob("pip-*.whl"))
        venv.create(HOME, clear=True, with_pip=False, symlinks=True)
        _pip("install", str(wheel), environment={**os.environ, "PYTHONPATH": str(wheel)})
    _pip("install", "--quiet", "--editable", f"{ROOT}[dev]")


def _pip(*arguments: str, environment: dict[str, str] | None = None) -> None:
    command = [str(HOME / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, env=environment)


def main() -> int:
    """`python -m lab.environment`: 0 made or already there, 2 wrong Python, 3 can't be made here."""
    if sys.version_info < (3, 11):  # noqa: UP036 - runs before pip could refuse
        print(f"setup: Python 3.11 or newer is needed, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    stamp = HOME / "stamp"
    if stamp.exists() and stamp.read_text() == fingerprint():
        return 0
    print("setup: making .venv ...", file=sys.stderr)
    try:
        make()
    except LabUnavailable as reason:
        print(f"setup: no pip here ({reason}); install the package python3-venv", file=sys.stderr)
        return 3
    except subprocess.CalledProcessError as error:
        print(f"setup: pip failed ({error.returncode}); its own words are above", file=sys.stderr)
        return 3
    stamp.write_text(fingerprint())
    return 0


if __name__ == "__main__":
    sys.exit(main())
