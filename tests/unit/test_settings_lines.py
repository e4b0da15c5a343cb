"""The line of every key, whatever TOML has between the keys."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enforcer.errors import BadInput
from enforcer.toml_lines import Place, _Scanner, read

TEXT = '''# a comment with [brackets] and "quotes"
title = "one"           # = [ {
"quoted key" = 'lite#ral'
dotted.a.b = 1

[table]
text = """
[not.a.table]
key = "no key"
\\"""
"""
raw = \'\'\'
still = "text"\'\'\'
list = [ # a list
  "a]",

  { inside = 1, more = [2,
    3] },
]
date = 1979-05-27 07:32:00
last = true
[[many]]
x = 1
[many.sub]
y = 2
[[many.deep]]
z = 3
[[many]]
x = 4
[ many . "sub" ]
y = 5
'''

LINES: dict[Place, int] = {
    ("title",): 2,
    ("quoted key",): 3,
    ("dotted",): 4,
    ("dotted", "a"): 4,
    ("dotted", "a", "b"): 4,
    ("table",): 6,
    ("table", "text"): 7,
    ("table", "raw"): 12,
    ("table", "list"): 14,
    ("table", "list", 0): 15,
    ("table", "list", 1): 17,
    ("table", "list", 1, "inside"): 17,
    ("table", "list", 1, "more"): 17,
    ("table", "list", 1, "more", 0): 17,
    ("table", "list", 1, "more", 1): 18,
    ("table", "date"): 20,
    ("table", "last"): 21,
    ("many",): 22,
    ("many", 0): 22,
    ("many", 0, "x"): 23,
    ("many", 0, "sub"): 24,
    ("many", 0, "sub", "y"): 25,
    ("many", 0, "deep"): 26,
    ("many", 0, "deep", 0): 26,
    ("many", 0, "deep", 0, "z"): 27,
    ("many", 1): 28,
    ("many", 1, "x"): 29,
    ("many", 1, "sub"): 30,
    ("many", 1, "sub", "y"): 31,
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_key_is_found_in_its_line(tmp_path: Path, end: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(TEXT.replace("\n", end).encode())
    assert read(path).lines == LINES


def test_what_is_not_there_is_looked_for_in_its_table(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(TEXT)
    document = read(path)
    assert document.where(("many", 1, "absent")) == f"{path}:28"
    assert document.where(("absent",)) == f"{path}:1"


def test_numbers_are_exactly_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("x = 0.1\n")
    assert str(read(path).data["x"]) == "0.1"


def test_a_file_too_deep_to_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("x = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(BadInput, match=r"x.toml.*: "):
        read(path)


KEYS = st.text(min_size=1, max_size=6)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.integers(-9, 9) | st.booleans() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def toml_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def toml_value(value: Any, end: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, list):
        return f"[{end}{f', {end}'.join(toml_value(item, end) for item in value)}{end}]"
    return "{ " + ", ".join(f"{toml_string(k)} = {toml_value(v, ' ')}" for k, v in value.items()) + " }"


def places(value: Any, here: Place = ()) -> set[Place]:
    found = {here} if here else set()
    if isinstance(value, dict):
        found.update(*(places(inner, (*here, key)) for key, inner in value.items()))
    if isinstance(value, list):
        found.update(*(places(inner, (*here, index)) for index, inner in enumerate(value)))
    return found


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.sampled_from([" ", "\n", " # note ] }\n"]))
def test_the_scanner_finds_every_key_that_tomllib_finds(data: dict[str, Any], end: str) -> None:
    text = "".join(f"{toml_string(key)} = {toml_value(value, end)}\n" for key, value in data.items())
    assert tomllib.loads(text) == data
    assert set(_Scanner(text).scan()) == places(data)
