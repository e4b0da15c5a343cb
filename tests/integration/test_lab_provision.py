"""Provisioning: where the mirror is found, and what is left behind when it goes wrong (nothing)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab import provision as provisioning
from lab.bundles import Bundle, asterisk_modules, bundles
from lab.debian import debian_mirror
from lab.provision import (
    CANNOT,
    ROOT,
    LabUnavailable,
    Provisioned,
    main,
    provision,
)

DEB822 = """\
Types: deb
# a comment, and a repository of somebody else's
URIs: http://packages.example.org/stuff
Suites: nodistro
Components: main

Types: deb deb-src
URIs: http://mirror.example.net/debian
 http://second.example.net/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
SECURITY = "Types: deb\nURIs: http://security.example.net/x\nSuites: bookworm-security\nComponents: main\n"
DISABLED = "Enabled: no\n" + "Types: deb\nURIs: http://off.example.net/x\nSuites: trixie\nComponents: main\n"


@pytest.mark.parametrize(
    ("sources", "mirror"),
    [
        ([("sources", DEB822)], "http://mirror.example.net/debian"),
        ([("sources", SECURITY), ("sources", DEB822)], "http://mirror.example.net/debian"),
        ([("sources", DISABLED)], None),
        ([("list", "deb http://a.example/debian bookworm main contrib\n")], "http://a.example/debian"),
        ([("list", "deb [arch=amd64 signed-by=/k.gpg] http://a.example/d trixie main\n")], "http://a.example/d"),
        ([("list", "# deb http://a.example/debian bookworm main\n")], None),
        ([("list", "deb-src http://a.example/debian bookworm main\n")], None),
        ([("list", "deb http://a.example/debian bookworm-security main\n")], None),
        ([("list", "deb http://a.example/apt cloud-sdk-bookworm main\n")], None),
        ([("list", "deb mirror+file:/etc/apt/mirrors/debian.list bookworm main\n")],
         "mirror+file:/etc/apt/mirrors/debian.list"),
        ([], None),
    ],
)
def test_mirror_is_the_one_that_serves_a_whole_release(
    sources: list[tuple[str, str]], mirror: str | None
) -> None:
    assert debian_mirror(sources) == mirror


def test_provisioned_twice_costs_nothing_the_second_time(
    lab_parts: Mapping[str, Provisioned], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert provision(list(lab_parts)) == dict(lab_parts)


def test_bundle_holds_program_plugins_and_loader(lab_parts: Mapping[str, Provisioned]) -> None:
    path = lab_parts["asterisk"].path
    assert {plugin.name for plugin in lab_parts["asterisk"].plugins.iterdir()} == set(asterisk_modules())
    assert (path / "lib" / provisioning.LOADER).exists()
    assert re.match(r"1:22\.", lab_parts["asterisk"].versions()["asterisk"])


def test_changed_recipe_is_provisioned_again(tmp_path: Path) -> None:
    bundle = bundles()["sipp"]
    (tmp_path / "sipp").mkdir()
    (tmp_path / "sipp" / "stamp.json").write_text(json.dumps({"fingerprint": bundle.fingerprint()}))
    assert provisioning._is_current(tmp_path / "sipp", bundle)
    assert not provisioning._is_current(tmp_path / "sipp", Bundle("forky", ("sip-tester", "more")))


@pytest.mark.parametrize("stamp", ["", "{", "[]", '{"fingerprint": 1}'])
def test_spoilt_stamp_means_not_there(tmp_path: Path, stamp: str) -> None:
    (tmp_path / "stamp.json").write_text(stamp)
    assert not provisioning._is_current(tmp_path, bundles()["sipp"])


def test_failure_leaves_no_half_cache_and_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENFORCER_LAB_DIR", str(tmp_path / "lab"))
    monkeypatch.setenv("ENFORCER_DEBIAN_MIRROR", "http://127.0.0.1:9/nobody-listens")
    assert main(["asterisk"]) == CANNOT
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert {entry.name for entry in (tmp_path / "lab").glob("*")} <= {"lock"}


def test_interrupted_run_is_cleared_away_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "unfinished-x"
    left.mkdir()
    monkeypatch.setenv("ENFORCER_DEBIAN_MIRROR", "http://127.0.0.1:9/nobody-listens")
    with pytest.raises(LabUnavailable):
        provision(["asterisk"], where=tmp_path)
    assert not left.exists()


def test_other_machines_are_told_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(LabUnavailable, match="amd64"):
        provision(["asterisk"], where=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_unknown_bundle_is_bad_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["asterix"])
    assert ended.value.code == 2
    assert "no bundle 'asterix'" in capsys.readouterr().err


@pytest.mark.parametrize(("no_skip", "ends"), [("", "1 skipped"), ("1", "1 error")])
def test_missing_lab_skips_with_the_reason_and_fails_where_nothing_may_skip(
    tmp_path: Path, no_skip: str, ends: str
) -> None:
    nowhere = "http://127.0.0.1:9/nobody-listens"
    missing = {"ENFORCER_LAB_DIR": str(tmp_path), "ENFORCER_DEBIAN_MIRROR": nowhere}
    one_test = "tests/integration/test_lab.py::test_account_nobody_knows_is_refused"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", one_test],
        cwd=ROOT,
        env={**os.environ, **missing, "ENFORCER_NO_SKIP": no_skip},
        capture_output=True,
        text=True,
    )
    assert ends in done.stdout.splitlines()[-1]
    assert "no asterisk, sipp here: cannot reach a Debian mirror" in done.stdout
