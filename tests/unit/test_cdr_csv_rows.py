"""Which lines make a row: whatever stands in them, each row is told once, or complained about once."""

from __future__ import annotations

from enforcer.errors import BadInput
from enforcer.wire.cdr_csv_rows import LONGEST_ROW, MOST_LINES, read


def row(text: str) -> str | None:
    """A row is a word between angles; an empty one is nothing to tell of."""
    if not (text.startswith("<") and text.endswith(">")) or "<" in text[1:]:
        raise ValueError("no row")
    return text[1:-1] or None


def rows(*lines: str) -> list[str]:
    told = read(lines, row, lambda text: text.startswith("<") and not text.endswith(">"), "f", "<")
    return [f"bad {one.where}" if isinstance(one, BadInput) else one for one in told]


def test_lines_that_are_rows_are_told() -> None:
    assert rows("<a>", "\n", "  \n", "<>\r\n", "<b>\r\n") == ["a", "b"]


def test_a_row_goes_on_until_it_ends() -> None:
    assert rows("<a\n", "\n", "b\r\n", "c>\n", "<d>") == ["a\n\nb\nc", "d"]


def test_a_row_that_never_ends_costs_no_other_row() -> None:
    assert rows("<a\n", "<b>\n") == ["bad f:1", "b"]
    assert rows("<a\n", "b\n", "<c>\n") == ["bad f:1", "c"]
    assert rows("<a\n", "<b\n", "c>\n") == ["bad f:1", "b\nc"]
    assert rows("<a") == ["bad f:1"]


def test_every_row_that_is_lost_is_complained_about() -> None:
    assert rows("<a\n", "<b\n", "c\n", "<d>\n") == ["bad f:1", "bad f:2", "d"]
    assert rows("<a\n", "<b\n") == ["bad f:1", "bad f:2"]
    assert rows("<a\n", "b<>\n", "<c\n", "<d>") == ["bad f:1", "bad f:3", "d"]
    assert rows("<<a>\n", "<<b>\n", "<c>") == ["bad f:1", "bad f:2", "c"]


def test_a_file_of_another_kind_is_complained_about_line_by_line() -> None:
    assert rows("x\n", "y\n", "<a>", "z") == ["bad f:1", "bad f:2", "a", "bad f:4"]


def test_what_is_held_is_bounded() -> None:
    assert rows("<a\n", *["b\n"] * MOST_LINES, "<c>")[0] == "bad f:1"
    long = "<" + "a" * LONGEST_ROW
    assert rows(long, "b>", "<c>") == ["bad f:1", "bad f:2", "c"]
    assert rows("<a\n", "b" * LONGEST_ROW, "<c>")[-1] == "c"
