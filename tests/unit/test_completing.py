"""Tab and `--help`: at once, and what they say is what the commands are."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.completing import SCRIPTS, TABLE, WORDS, offered, table
from enforcer.control.drill import FAULTS
from enforcer.control.http.tokens import Role
from enforcer.domain.mode import Mode
from tests.support import command_table
from tests.support.house import SWITCH, House, one_rule, process

ROOT = Path(__file__).parents[2]
PACK = one_rule()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, PACK, SWITCH)


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
    ("completion ", ["bash", "fish", "zsh"]),
    ("drill fro", ["frozen"]),
    ("token create x --role g", ["gateway"]),
    ("mode set block --account=a", ["--account=acme", "--account=apex"]),
    ("mode set block --reason=", []),
    ("cle", []),                            # what only the enforcer itself runs
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


def test_words_that_are_always_the_same_are_those_that_commands_take() -> None:
    assert WORDS["mode"] == tuple(mode.word for mode in Mode)
    assert WORDS["role"] == tuple(role.value for role in Role)
    assert WORDS["shell"] == tuple(SCRIPTS)
    assert WORDS["fault"] == tuple(sorted(FAULTS))


@given(st.lists(st.sampled_from([*table()["mode set"]["options"], "mode", "set", "", "-", "x", "=", "why"])
                | st.text(max_size=5), max_size=6))
def test_whatever_is_typed_words_are_offered_that_begin_so(words: list[str]) -> None:
    for word in offered(words):
        assert word.startswith(words[-1] if words else "")


TYPED: list[tuple[list[str], list[str]]] = [
    (["usage", "a"], ["acme", "ann@small", "apex"]),
    (["mode", "set", "thr"], ["throttle"]),
    (["mode", "set", "block", "--account=ac"], ["--account=acme"]),
    (["customer", "show", "Two"], ["Two Words"]),
    (["usage", "ann@s"], ["ann@small"]),
]
# Each stands in for a terminal: it says what was typed, presses Tab, and prints what was offered.
PRESSED = {
    "bash": """
tab() {{
    COMP_LINE="enforcer $*"; COMP_POINT=${{#COMP_LINE}}; _enforcer
    printf '%s\\n' "${{COMPREPLY[@]}}"
}}
{script}
{tabs}
""",
    "zsh": """
compadd() {{ shift; print -rl -- "$@" }}
_files() {{ print -r -- FILES }}
compdef() {{ }}
tab() {{ words=(enforcer "$@"); CURRENT=$#words; PREFIX=${{words[-1]}}; _enforcer }}
{script}
{tabs}
""",
    "fish": """
function tab; complete -C "enforcer $(string join ' ' -- $argv)"; end
{script}
{tabs}
""",
}
# The scripts that were tried in real shells, at a terminal: bash 5.2, zsh 5.9 and fish 3.6. Whoever changes
# one tries it there again, also with files, names with "@" and blanks, and --option=value.
TRIED = {"bash": "21b3c0c65d4f8768", "zsh": "687ba785f0396de5", "fish": "3f1c5387a7527bc1"}


def test_each_script_is_the_one_that_was_tried_in_its_shell() -> None:
    for shell, script in SCRIPTS.items():
        assert hashlib.sha256(script.encode()).hexdigest()[:16] == TRIED[shell], f"try it in {shell}"


@pytest.mark.parametrize("shell", [shell for shell in SCRIPTS if shutil.which(shell)])
def test_tab_completes_in_every_shell_that_is_here(house: House, shell: str) -> None:
    assert shutil.which("bash")
    house.ok("account", "add", "ann@small", "--customer", "Two Words", "--type", "pbx")
    bin_here = house.directory / "bin"
    bin_here.mkdir()
    (bin_here / "enforcer").write_text(f'#!/bin/sh\nexec {sys.executable} -m enforcer "$@"\n')
    (bin_here / "enforcer").chmod(0o755)
    tabs = "\n".join("tab " + " ".join(f"'{word}'" for word in typed) for typed, _ in TYPED)
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *plain, "-c", PRESSED[shell].format(script=SCRIPTS[shell], tabs=tabs)],
        capture_output=True, text=True, timeout=60, env={
            "PATH": f"{bin_here}:{os.environ['PATH']}", "ENFORCER_CONFIG": str(house.config),
            "PYTHONPATH": str(ROOT), "HOME": str(house.directory),
        },
    )
    expected = [word for _, words in TYPED for word in words]
    if shell == "bash":     # readline inserts what follows "=" only, "@" and all, and quotes nothing itself
        expected = ["acme", "ann@small", "apex", "throttle", "acme", "Two\\ Words", "@small"]
    assert done.stdout.splitlines() == expected, done.stderr


def test_the_command_prints_the_lines_for_each_shell(house: House) -> None:
    for shell, script in SCRIPTS.items():
        done = process(house.directory, "completion", shell)
        assert (done.exit_code, done.stdout) == (0, script)


def test_help_and_tab_import_nothing_that_takes_its_time() -> None:
    for words in (["mode", "set", "--help"], ["completing", "mode", ""]):
        code = (
            f"import sys; sys.argv = ['enforcer', *{words!r}]\nfrom enforcer.__main__ import main\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\n"
            "print(sorted({'typer', 'rich', 'sqlalchemy', 'pydantic', 'structlog'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "[]", done.stderr
