"""What the lab can be given of Debian's programs, by name.

In: nothing but the lab's own modules.conf. Out: a `Bundle` a name: its suite, its packages, and what to keep
of them. Refuses to know how they are fetched (`debian`) and unpacked (`provision`). Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MULTIARCH = "usr/lib/x86_64-linux-gnu"

_RECIPE = 1  # raise it when the way of unpacking changes, so that old caches are made anew
_CHROMIUM = (
    "icudtl.dat", "v8_context_snapshot.bin", "snapshot_blob.bin", "resources.pak", "chrome_100_percent.pak",
    "chrome_200_percent.pak", "headless_lib_data.pak", "headless_lib_strings.pak",
    "headless_command_resources.pak", "locales",
)


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


def asterisk_modules(conf: Path = ROOT / "docker" / "asterisk" / "modules.conf") -> tuple[str, ...]:
    """The modules the lab's Asterisk loads: its modules.conf is the one list of them."""
    found = re.findall(r"^load\s*=>?\s*(\w+\.so)\s*$", conf.read_text(), re.MULTILINE)
    return tuple(dict.fromkeys(found))


def bundles() -> dict[str, Bundle]:
    """All that can be provisioned, by name. A new program of Debian's is a new entry here."""
    modules = f"{MULTIARCH}/asterisk/modules"
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
            plugins=tuple(f"{MULTIARCH}/{name}" for name in ("libsoftokn3.so", "libfreeblpriv3.so")),
            data=(*(f"usr/lib/chromium/{name}" for name in _CHROMIUM), "usr/share/fonts"),
        ),
        # Clocks that jump, of one process only; for the machine's own programs, hence of an old suite.
        "faketime": Bundle(
            suite="bookworm", packages=("libfaketime",), data=(f"{MULTIARCH}/faketime/libfaketimeMT.so.1",)
        ),
        # Judges docker/grafana/alerts.yml, with the tests written beside it.
        "prometheus": Bundle(
            suite="trixie", packages=("prometheus",), programs=("usr/bin/promtool", "usr/bin/prometheus"),
        ),
        # Only where the machine's Python came without ensurepip (see lab/environment.py).
        "pip": Bundle(suite="forky", packages=("python3-pip-whl",), data=("usr/share/python-wheels",)),
    }
