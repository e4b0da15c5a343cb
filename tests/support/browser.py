"""Chromium as the lab provisions it, ready for Playwright: on any machine, whatever its own libraries are.

In: the unpacked bundle, a directory. Out: the program to launch, and the environment it needs.
Refuses to know: pages.

Chromium starts itself again and again, by the path of what the kernel runs: that is its loader, as the bundle
has its own. So a script of ours stands in for both, and its data lies beside a copy of the loader.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from shlex import quote
from typing import Any

from lab.provision import LOADER, Provisioned

PROGRAM = "chromium-headless-shell"
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
  <alias><family>sans-serif</family><prefer><family>Liberation Sans</family></prefer></alias>
  <alias><family>system-ui</family><prefer><family>Liberation Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>Liberation Mono</family></prefer></alias>
</fontconfig>
"""


def launching(bundle: Provisioned, directory: Path) -> dict[str, Any]:
    """What `chromium.launch` is to be called with. `directory` must be empty; it is used until the end."""
    shutil.copy2(bundle.path / "lib" / LOADER, directory / LOADER)
    for path in bundle.share.iterdir():
        (directory / path.name).symlink_to(path)
    libraries = f"{bundle.path / 'lib'}:{bundle.plugins}"
    started = f"{quote(str(directory / LOADER))} --library-path {quote(libraries)}"
    script = directory / "chromium"
    script.write_text(f'#!/bin/sh\nexec {started} {quote(str(bundle.path / "bin" / PROGRAM))} "$@"\n')
    script.chmod(0o755)
    fonts = directory / "fonts.conf"
    fonts.write_text(FONTS.format(fonts=bundle.share / "fonts", cache=directory / "font-cache"))
    # Its zygote would start the bare loader, and its sandbox wants a zygote; all that it is shown is our own
    # page.
    return {
        "executable_path": str(script),
        "args": [f"--browser-subprocess-path={script}", "--no-zygote", "--disable-gpu"],
        "chromium_sandbox": False,
        "env": {**os.environ, "FONTCONFIG_FILE": str(fonts), "HOME": str(directory)},
    }
