"""`make run SWITCH=freeswitch`: where a FreeSWITCH is looked for, what it is given, what stands in for it.

A real one is not to be had in these tests: a program of that name, with an event socket and no voice, is.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.freeswitch import CONFIGURATION, DIALPLAN, NAMED, OWN, Freeswitch, ask, installed
from lab.freeswitch_stage import LOOPBACK, SECRET, port_of, running_freeswitch, settings
from lab.process import LabFailed
from lab.provision import ROOT, LabUnavailable

PROGRAM = """\
#!{python}
import asyncio, os, sys
sys.path.insert(0, {root!r})
from lab.fake_freeswitch import FakeFreeswitch

class Switch(FakeFreeswitch):
    def _api_sofia(self, arguments):
        return "accounts RUNNING (0)\\ntrunk RUNNING (0)\\n"

async def main():
    switch = Switch(door=os.environ["LAB_DOOR"])
    switch.socket.password = os.environ["ENFORCER_ESL_SECRET"]
    switch.socket.port = int(os.environ["LAB_ESL_PORT"])
    async with switch:
        open("given", "w").write("\\n".join(sys.argv[1:]))
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An installation whose binary is no FreeSWITCH, but takes its arguments and environment."""
    binary = tmp_path / "prefix" / "bin" / "freeswitch"
    binary.parent.mkdir(parents=True)
    (tmp_path / "prefix" / "lib" / "freeswitch" / "mod").mkdir(parents=True)
    binary.write_text(PROGRAM.format(python=sys.executable, root=str(ROOT)))
    binary.chmod(0o755)
    return binary


def test_a_freeswitch_is_named_by_its_binary_or_its_prefix_or_found_in_the_path(program: Path) -> None:
    prefix = program.parent.parent
    for environment in ({NAMED: str(program)}, {NAMED: str(prefix)}, {"PATH": str(program.parent)}):
        assert installed(environment) == program
    assert installed({"PATH": str(prefix)}) is None


def test_one_that_is_named_and_not_there_is_no_reason_to_take_another(program: Path) -> None:
    with pytest.raises(LabFailed, match="ENFORCER_FREESWITCH names /nowhere"):
        installed({NAMED: "/nowhere", "PATH": str(program.parent)})


async def test_a_freeswitch_is_started_on_ports_of_its_own_and_is_gone_with_its_directory(
    program: Path,
) -> None:
    async with Freeswitch(program) as switch:
        given = (switch.directory / "given").read_text().splitlines()
        assert "fake" in await switch.api("version")
        pid, directory = switch.pid, switch.directory
    options = dict(pairwise(given))
    assert options["-conf"] == str(CONFIGURATION)
    assert options["-mod"] == str(program.parent.parent / "lib" / "freeswitch" / "mod")
    assert all(options[f"-{name}"] == str(directory / name) for name in OWN)
    assert not directory.exists()
    assert not Path(f"/proc/{pid}").exists()  # noqa: ASYNC240


async def test_one_that_ends_at_once_is_told_with_its_last_words(program: Path) -> None:
    program.write_text("#!/bin/sh\necho 'Cannot open the configuration' >&2; exit 3\n")  # noqa: ASYNC240
    with pytest.raises(LabFailed, match="ended with 3:\nCannot open the configuration"):
        async with Freeswitch(program):
            pass


async def test_a_wrong_password_is_told_as_such(program: Path) -> None:
    async with Freeswitch(program) as switch:
        with pytest.raises(LabFailed, match="refuses the password"):
            await ask("127.0.0.1", switch.esl_port, "another", "version")


def test_the_configuration_finds_all_that_it_reads_and_nothing_more_is_given(program: Path) -> None:
    text = "".join(path.read_text() for path in CONFIGURATION.glob("*.xml"))
    read = set(re.findall(r'cmd="env-set" data="\w+=\$(\w+)"', text))
    switch = Freeswitch(program)
    switch.close()
    assert set(switch.environment()) == read
    known = set(re.findall(r'cmd="(?:env-)?set" data="(\w+)=', text))
    assert set(re.findall(r"\$\$\{(\w+)\}", text)) <= known
    for included in re.findall(r'cmd="include" data="([^"]+)"', text):
        name = included.replace("$${lab_dialplan}", str(DIALPLAN))
        assert (CONFIGURATION / name).is_file(), included


def test_what_compose_is_told_is_what_the_lab_reads(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    lines = f"{SECRET}=of-the-file-0123456", "LAB_ESL_PORT=18021  # another", "LAB_DOOR=", "#LAB_SIP_PORT=1"
    file.write_text("# ours\n" + "\n".join(lines) + "\n")
    found = settings(file, {"LAB_PHONES": "127.0.0.1:9"})
    assert found[SECRET] == "of-the-file-0123456"
    assert found["LAB_ESL_PORT"] == "18021"
    assert (found["LAB_DOOR"], found["LAB_SIP_PORT"]) == (LOOPBACK["LAB_DOOR"], LOOPBACK["LAB_SIP_PORT"])
    assert found["LAB_PHONES"] == "127.0.0.1:9"
    assert settings(tmp_path / "none", {}) == LOOPBACK


def test_a_port_that_is_none_is_named() -> None:
    assert port_of("127.0.0.1:5074") == port_of("5074") == 5074
    for text in ("", "127.0.0.1:", "x", "70000"):
        with pytest.raises(LabFailed, match="has no port"):
            port_of(text)


async def test_where_nobody_answers_on_the_loopback_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "0123456789abcdef")
    monkeypatch.setenv("LAB_ESL_PORT", "1")
    with pytest.raises(LabUnavailable, match="no freeswitch in PATH, none named by ENFORCER_FREESWITCH"):
        async with running_freeswitch():
            pass


async def test_a_freeswitch_of_somebody_else_is_left_alone(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Freeswitch(program) as switch:
        monkeypatch.setenv(SECRET, switch.secret)
        monkeypatch.setenv("LAB_ESL_PORT", str(switch.esl_port))
        with pytest.raises(LabFailed, match="is not the lab's"):
            async with running_freeswitch():
                pass


async def test_without_one_the_fake_freeswitch_stands_in_and_says_so(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lab.run", "--switch", "freeswitch", "--plain", "--fake"),
        cwd=ROOT,
        env={**os.environ, "ENFORCER_LAB_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    text = ""
    async with asyncio.timeout(60):
        while "blocked 603:" not in text and (line := await process.stdout.readline()):
            text += line.decode()
    process.terminate()
    rest, _ = await process.communicate()
    assert process.returncode == 0, text + rest.decode()
    assert "THE BUILT-IN FAKE SWITCH, not a FreeSWITCH (asked for with --fake)" in text.splitlines()[0]
    assert "blocked 603:" in text, text
    assert not re.search(r"-> 112\b", text), "an emergency call was asked about"


@pytest.mark.parametrize("file", sorted(CONFIGURATION.glob("*.xml")), ids=lambda path: path.name)
def test_a_file_of_the_configuration_is_xml(file: Path) -> None:
    # FreeSWITCH reads on behind what it does not understand, and calls a part of it absent.
    assert ElementTree.fromstring(file.read_text()).tag in ("document", "include", "configuration")
