"""What stands open: listed by `check` and `doctor`, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from enforcer.control.exposure import exposed, modes
from enforcer.settings import Settings, load
from enforcer.settings_secrets import open_to_others
from tests.support.house import House

SITE = 'site = "lab"\n'
SWITCH = '[[switch]]\nname = "pbx1"\nsecret_env = "X"\n'


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "enforcer.toml"
    path.write_text(SITE + text)
    return load(path)


def words(tmp_path: Path, text: str) -> list[str]:
    return [f"{found.subject} {found.words}" for found in exposed(settings(tmp_path, text))]


@pytest.mark.parametrize("text", [
    "", SWITCH, "[door.agi]\nenabled = true\n", '[metrics]\nlisten = "127.0.0.1:9464"\n',
    '[metrics]\nlisten = "[::1]:9464"\n', '[metrics]\nlisten = "localhost:9464"\n',
    '[door.agi]\nhost = "0.0.0.0"\n',
    '[door.esl]\nenabled = true\nhost = "10.0.0.1"\nallow = ["10.0.0.2/32"]\n',
    SWITCH + 'host = "pbx.example"\ntls = true\n',
])
def test_what_is_closed_is_not_complained_of(tmp_path: Path, text: str) -> None:
    assert words(tmp_path, text) == []


@pytest.mark.parametrize("door", ["agi", "esl", "http", "messages"])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('host = "0.0.0.0"\n', "listens at 0.0.0.0, and lets in nobody but this machine"),
        ('host = "::"\n', "listens at ::, and lets in nobody but this machine"),
        ('host = "0.0.0.0"\nallow = ["0.0.0.0/0"]\n', "lets in everybody: its allow-list holds every address "
         "there is"),
        ('host = "::"\nallow = ["10.0.0.0/8", "::/0"]\n', "lets in everybody: its allow-list holds every "
         "address there is"),
    ],
)
def test_a_door_that_is_open_to_all_or_to_nobody_is_named(
    tmp_path: Path, door: str, text: str, told: str
) -> None:
    assert words(tmp_path, f"[door.{door}]\nenabled = true\n{text}") == [f"door.{door} {told}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[metrics]\nlisten = "0.0.0.0:9464"\n', "metrics are served at 0.0.0.0:9464 to whoever gets there"),
        (SWITCH + 'host = "10.0.0.5"\n', "switch pbx1 is reached at 10.0.0.5 in the clear: whoever is in "
         "between can give it orders"),
        (SWITCH + 'kind = "freeswitch"\nhost = "10.0.0.5"\n', "switch pbx1 is reached at 10.0.0.5 in the "
         "clear, password and all: an event socket speaks no TLS"),
    ],
)
def test_what_goes_over_the_network_in_the_clear_is_named(tmp_path: Path, text: str, told: str) -> None:
    assert words(tmp_path, text) == [told]


@pytest.mark.parametrize(
    ("mode", "told"),
    [(0o600, ""), (0o400, ""), (0o640, "can be read by others"), (0o604, "can be read by others"),
     (0o620, "can be written by others"), (0o666, "can be written by others")],
)
def test_a_mode_that_lets_others_in_is_seen(tmp_path: Path, mode: int, told: str) -> None:
    path = tmp_path / "secret"
    path.touch()
    path.chmod(mode)
    assert open_to_others(path) == (f"{path} {told}" if told else "")


def test_every_file_that_is_nobody_elses_is_looked_at(tmp_path: Path) -> None:
    site = settings(tmp_path, '[ledger]\nurl = "sqlite:///e.db"\n[notices]\nops_file = "ops"\n'
                              '[[switch]]\nname = "pbx1"\nsecret_file = "ami"\n')
    names = ["e.db", "e.db-wal", "e.db-shm", "ami", "ops"]
    assert modes(site) == []            # none is there yet
    for name in names:
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    assert [found.words for found in modes(site)] == [f"{tmp_path / n} can be read by others" for n in names]
    assert {found.advice for found in modes(site)} == {f"chmod 600 {tmp_path / name}" for name in names}


def test_a_credential_of_the_service_manager_comes_first_and_its_mode_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = tmp_path / "credentials"
    handed.mkdir()
    (handed / "ami").write_text("from the manager\n")
    (handed / "ami").chmod(0o440)
    (tmp_path / "ami").write_text("from beside\n")
    site = settings(tmp_path, '[[switch]]\nname = "pbx1"\nsecret_file = "ami"\n')
    assert site.switch("pbx1").secret() == "from beside"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    assert site.switch("pbx1").secret() == "from the manager"
    assert modes(site) == []


@pytest.mark.parametrize("command", ["check", "doctor"])
def test_who_asks_is_told_and_nothing_fails(tmp_path: Path, command: str) -> None:
    house = House(tmp_path, '[pack]\nname = "p"\nrevision = "1"\n')
    with house.config.open("a") as file:
        file.write('[door.agi]\nenabled = true\nhost = "0.0.0.0"\nallow = ["0.0.0.0/0"]\n')
    assert "door.agi" in (told := house.ok(command))
    assert "lets in everybody" in told
