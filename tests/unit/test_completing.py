"""Tab and `--help`: at once, and what they say is what the commands are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.completing import SCRIPTS, TABLE, offered, table
from tests.support import command_table
from tests.support.house import House

PACK = """
[pack]
name = "small"
revision = "1"
[[rule]]
id = "calls"
kind = "attempts"
clause = "1"
critical = { at = 1, verdict = "block" }
"""
SWITCH = """
[[switch]]
name = "pbx1"
secret_env = "TEST_AMI_SECRET"
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path, PACK)
    house.config.write_text(house.config.read_text() + SWITCH)
    return house


def test_the_table_of_commands_is_that_of_the_commands() -> None:
    same = TABLE.read_text() == command_table.text()
    assert same, "commands changed: run `.venv/bin/python -m tests.support.command_table`"


@pytest.mark.parametrize(("typed", "expected"), [
    ("mode set ", ["block", "monitor", "off", "tag", "throttle"]),
    ("mode set b", ["block"]),
    ("mode set block ", []),
    ("mode ", ["ceiling", "set"]),
    ("mode set block --account ", ["acme", "apex", "solo"]),
    ("mode set block -a ac", ["acme"]),
    ("mode set --rule ", ["calls"]),
    ("mode set --switch ", ["pbx1"]),
    ("mode set --rea", ["--reason"]),
    ("mode set --reason ", []),
    ("customer show ", ["big", "small"]),
    ("usage ap", ["apex"]),
    ("usage apex ", []),
    ("why ", ["acme", "apex", "solo"]),
    ("check --conf", ["--config"]),
    ("cdr import ", []),
    ("completi", ["completion"]),
])
def test_what_may_come_next_is_offered(house: House, typed: str, expected: list[str]) -> None:
    words = ["--config", str(house.config), *typed.split(" ")]
    assert offered(words) == expected


def test_a_configuration_named_in_any_way_is_the_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(["usage", f"--config={house.config}", "s"]) == ["solo"]
    assert offered(["usage", "-c", str(house.config), "s"]) == ["solo"]
    assert offered(["usage", "-c", "/nowhere", "s"]) == []
    monkeypatch.setenv("ENFORCER_CONFIG", str(house.config))
    assert offered(["usage", "s"]) == ["solo"]


@pytest.mark.parametrize("text", [
    "", "site = ", "switch = 3\n[ledger]\nurl = 7\n", "[policy]\npacks = ['no.toml']",
])
def test_what_cannot_be_read_offers_nothing_and_says_nothing(tmp_path: Path, text: str) -> None:
    config = tmp_path / "enforcer.toml"
    config.write_text(text)
    for option in ("--account", "--rule", "--switch"):
        assert offered(["-c", str(config), "mode", "set", option, ""]) == []
    assert not (tmp_path / "var").exists()


@given(st.lists(st.sampled_from([*table()["mode set"]["options"], "mode", "set", "", "-", "x", "=", "why"])
                | st.text(max_size=5), max_size=6))
def test_whatever_is_typed_words_are_offered_that_begin_so(words: list[str]) -> None:
    for word in offered(words):
        assert word.startswith(words[-1] if words else "")


def test_tab_in_a_real_bash_completes(house: House) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    ours = f'enforcer() {{ {sys.executable} -m enforcer "$@"; }}'
    typed = f"COMP_WORDS=(enforcer -c {house.config} usage a); COMP_CWORD=4; _enforcer"
    script = f"{ours}\n{SCRIPTS['bash']}\n{typed}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\ncomplete -p enforcer"
    done = subprocess.run(
        [bash, "--norc", "-c", script], capture_output=True, text=True, env={"PATH": os.environ["PATH"]},
    )
    said = done.stdout.splitlines()
    assert said == ["acme", "apex", "complete -o default -F _enforcer enforcer"], done.stderr


def test_the_command_prints_the_lines_for_each_shell(house: House) -> None:
    for shell, script in SCRIPTS.items():
        done = subprocess.run(
            [sys.executable, "-m", "enforcer", "completion", shell], capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (0, script)


def test_help_and_tab_import_nothing_that_takes_its_time() -> None:
    for words in (["mode", "set", "--help"], ["completing", "mode", ""]):
        code = (
            f"import sys; sys.argv = ['enforcer', *{words!r}]\nfrom enforcer.__main__ import main\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\n"
            "print(sorted({'typer', 'rich', 'sqlalchemy', 'pydantic', 'structlog'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "[]", done.stderr
