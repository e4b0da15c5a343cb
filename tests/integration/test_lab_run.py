"""`make run` as a person starts it, bounded: what it shows, and that nothing is left when it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.provision import ROOT, Provisioned
from lab.stage import traffic
from lab.view import outcome, sentence


def children_of(pid: int) -> list[int]:
    """The pids of its live children, grandchildren too."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (OSError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            child = int(stat.parent.name)
            found += [child, *children_of(child)]
    return found


async def start(home: Path, *arguments: str) -> asyncio.subprocess.Process:
    """`make run` in a home of its own: the programs are those of the checkout."""
    for name in ("asterisk", "sipp"):
        (home / name).symlink_to(Path(os.environ.get("ENFORCER_LAB_DIR") or ROOT / ".lab") / name)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lab.run", "--plain", *arguments),
        cwd=ROOT,
        env={**os.environ, "ENFORCER_LAB_DIR": str(home), "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def test_real_calls_are_allowed_held_shed_and_blocked(
    lab_parts: Mapping[str, Provisioned], tmp_path: Path
) -> None:
    process = await start(tmp_path, "--seconds", "16")
    output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text
    assert text.startswith("enforcer beside a real Asterisk 22")
    for shown in ("allowed: within", "held 0.", "shed 503:", "blocked 603:", "blocked 403:", "tagged:"):
        assert shown in text, text
    assert not re.search(r"-> 112\b", text), "an emergency call was asked about"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_ends_it_and_leaves_nothing_running(
    lab_parts: Mapping[str, Provisioned], tmp_path: Path, number: signal.Signals
) -> None:
    process = await start(tmp_path)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        async for line in process.stdout:
            if b"->" in line:
                break
    started = children_of(process.pid)
    assert len(started) >= 3  # Asterisk, its far end, the enforcer, callers
    process.send_signal(number)
    async with asyncio.timeout(20):
        await process.communicate()
    assert process.returncode == 0
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []  # noqa: ASYNC240


async def test_without_the_real_parts_the_fake_switch_stands_in_and_says_so(tmp_path: Path) -> None:
    process = await start(tmp_path, "--fake", "--seconds", "7")
    output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text
    assert "FAKE SWITCH" in text.splitlines()[0]
    assert "blocked 603:" in text


def test_traffic_has_an_emergency_call_and_every_account() -> None:
    calls = traffic()
    assert {call.account for call in calls} == {"acme", "globex", "initech", "umbrella"}
    assert "112" in {call.number for call in calls}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"verdict": "allow"}, "allowed"),
        ({"verdict": "tag"}, "tagged"),
        ({"verdict": "throttle", "hold": 0.35}, "held 0.35 s"),
        ({"verdict": "throttle", "hold": 0.0}, "in its turn"),
        ({"verdict": "throttle", "shed": True, "sip_code": 503}, "shed 503"),
        ({"verdict": "block", "sip_code": 603}, "blocked 603"),
    ],
)
def test_outcome_is_said_in_few_words(line: dict[str, object], words: str) -> None:
    assert outcome(line) == words


def test_sentence_names_what_a_stronger_mode_would_have_done() -> None:
    line = {"account": "acme", "number": "1", "verdict": "allow", "would_be": "block", "reason": "too many"}
    assert sentence(line) == "acme      -> 1            allowed (would be block): too many"


async def test_person_places_a_call_meanwhile_and_a_second_run_is_refused(
    lab_parts: Mapping[str, Provisioned], tmp_path: Path
) -> None:
    process = await start(tmp_path, "--switch-only")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while b"An enforcer" not in await process.stdout.readline():
            pass
    env = {**os.environ, "ENFORCER_LAB_DIR": str(tmp_path)}
    said = []
    for words in (["lab.call", "acme", "1202555486"], ["lab.run", "--plain", "--seconds", "1"]):
        other = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *words),
            cwd=ROOT,
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await other.communicate()
        said.append((other.returncode, output.decode()))
    process.terminate()
    await process.communicate()
    assert (said[0][0], said[0][1].splitlines()[0]) == (1, "acme -> 1202555486: 486 Busy Here")
    assert said[1] == (1, "lab: another `make run` or `make lab` is running in this checkout\n")
