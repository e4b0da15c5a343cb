"""Whatever we write is nobody else's to read, also for somebody whose umask would let everybody."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from enforcer.ledger.store import alone
from tests.support.house import House, one_rule
from tests.support.ledgers import Call, talked, tell

PACK = one_rule("at = 10", name="p", clause="Fair Use")


@pytest.fixture
def generous() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


def test_everything_written_is_for_its_owner_alone(tmp_path: Path, generous: None) -> None:
    house = House(tmp_path, PACK)
    before = {path.name for path in tmp_path.iterdir()}
    with alone(house.database), house.ledger() as ledger:
        tell(ledger, *talked(Call(), 10))
        ledger.flush()
        house.ok("mode", "set", "tag", "-a", "acme")        # a second process' journal, meanwhile
        names = ("enforcer.db", "enforcer.db-wal", "enforcer.db-shm", "enforcer.db.lock")
        assert modes(house.database.parent) == dict.fromkeys(names, 0o600)
    house.ok("evidence", "acme", "--cycle", "2026-10", "--out", str(tmp_path / "evidence.zip"))
    made = {name: mode for name, mode in modes(tmp_path).items() if name not in before}
    assert made == {"evidence.zip": 0o600}


def test_a_bundle_over_one_that_all_could_read_is_for_its_owner_alone(tmp_path: Path, generous: None) -> None:
    house = House(tmp_path, PACK)
    out = tmp_path / "evidence.zip"
    out.touch(0o666)
    house.ok("evidence", "acme", "--cycle", "2026-10", "--out", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
