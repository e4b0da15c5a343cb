"""`enforcer reload` and `enforcer check` beside an enforcer that runs, as processes of their own."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.apart import Apart

CONFIG = """
site = "lab"
[ledger]
url = "sqlite:///var/enforcer.db"
[policy]
packs = ["house.toml"]
[log]
format = "json"
"""
PACK = """
[pack]
name = "house"
revision = "1"

[[rule]]
id = "calls"
kind = "attempts"
clause = "1"
critical = { at = 10, verdict = "tag" }
"""


class House(Apart):
    """See `Apart`; with one pack."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, CONFIG, **{"house.toml": PACK})
        self.pack = directory / "house.toml"

    def journal(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        with closing(sqlite3.connect(self.directory / "var" / "enforcer.db")) as database:
            rows = database.execute("SELECT ref, body FROM journal WHERE kind = ? ORDER BY link", [kind])
            return [(ref, json.loads(body)) for ref, body in rows]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    try:
        yield found
    finally:
        found.stop()


def test_without_a_running_enforcer_there_is_nothing_to_reload(house: House) -> None:
    done = house.coded(1, "reload")
    assert done.stderr == (
        "enforcer: no enforcer runs on var/enforcer.db: the packs are read when `enforcer run` starts\n"
    )
    assert not (house.directory / "var").exists()


def test_a_running_enforcer_reads_the_packs_again_and_says_what_is_in_force(house: House) -> None:
    assert house.start()["policy"] == "house@1"
    house.pack.write_text(PACK.replace('revision = "1"', 'revision = "2"').replace("at = 10", "at = 20"))
    assert house.ok("reload") == "in force: house@2\n"
    assert house.line("policy reloaded")["policy"] == "house@2"
    assert house.json("reload") == {"policy": "house@2", "problem": None}
    told = house.journal("policy")
    assert [ref for ref, _ in told] == ["house@1", "house@2"]
    assert [body["text"] for _, body in told] == [PACK, house.pack.read_text()]
    assert len(house.journal("request")) == 4       # each with its answer


def test_a_pack_that_is_wrong_leaves_the_old_one_in_force_and_says_where(house: House) -> None:
    house.start()
    house.pack.write_text(PACK.replace('revision = "1"', 'revision = "2"').replace("at = 10", "at = 10.5"))
    done = house.coded(2, "reload")
    assert done.stderr == (
        "enforcer: house.toml:10: rule.critical.at: must be a whole number of attempts; "
        "house@1 stays in force\n"
    )
    assert [ref for ref, _ in house.journal("policy")] == ["house@1"]


def test_a_pack_may_not_change_under_its_old_revision(house: House) -> None:
    house.start()
    house.pack.write_text(PACK.replace("at = 10", "at = 20"))
    problem = "house.toml:4: house@1 is on record with another text since"
    for command in (["reload"], ["check"], ["settle", "--cycle", "2026-10"]):
        done = house.coded(2, *command)
        assert done.stderr.startswith(f"enforcer: {problem}")
        assert "a changed pack needs a new revision" in done.stderr
        assert done.stderr.count("\n") == 1
    house.stop()
    assert house.coded(2, "run").stderr.count(problem) == 1
    house.pack.write_text(PACK)
    house.ok("check")
    assert len(house.journal("policy")) == 1


def test_check_of_a_site_that_never_ran_makes_no_ledger(house: House) -> None:
    house.ok("check")
    assert not (house.directory / "var").exists()


def test_a_pack_that_is_no_longer_named_is_withdrawn(house: House) -> None:
    house.start()
    house.stop()
    (house.directory / "enforcer.toml").write_text(CONFIG.replace('"house.toml"', ""))
    house.ok("settle", "--cycle", "2026-10")
    assert [body.get("withdrawn", False) for _, body in house.journal("policy")] == [False, True]


def test_a_request_that_nobody_answers_is_given_up(house: House) -> None:
    house.start()
    with closing(sqlite3.connect(house.directory / "var" / "enforcer.db", timeout=30)) as database:
        database.execute("BEGIN IMMEDIATE")             # stopped while it writes, it would keep the ledger
        house.signal(signal.SIGSTOP)
        database.rollback()
    try:
        done = house.coded(1, "reload", "--wait", "0.2")
    finally:
        house.signal(signal.SIGCONT)
    assert "did not answer in 0.2 s" in done.stderr
    assert house.line("policy reloaded")["policy"] == "house@1"
