"""Tables that people bring as CSV files: a header, then rows, read strictly.

In: a file, and the names its header must have. Out: each row as fields by name, with the line it begins in,
or BadInput that names file and line.
Refuses to know: what a field means.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from enforcer.errors import BadInput
from enforcer.toml_models import meant


def read_rows(path: Path, fields: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows with the lines they begin in. Columns may stand in any order; empty rows say nothing. Raises
    BadInput for a file that cannot be read, and for the first row that is not as the header says."""
    header: list[str] | None = None
    before = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:      # spreadsheets write a BOM
            reader = csv.reader(file, strict=True)
            for row in reader:
                line, before = before + 1, reader.line_num
                if not any(cell.strip() for cell in row):
                    continue
                if header is None:
                    header = _header(f"{path}:{line}", row, fields)
                    continue
                if len(row) != len(header):
                    raise BadInput(f"{path}:{line}", f"{len(row)} fields, the header has {len(header)}")
                yield line, dict(zip(header, row, strict=True))
    except OSError as error:
        raise BadInput(str(path), f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}:{_line_of_bad_text(path)}", "is not UTF-8 text: save it as UTF-8") from None
    except csv.Error as error:
        raise BadInput(f"{path}:{before + 1}", f"not CSV: {error}") from None
    if header is None:
        raise BadInput(f"{path}:1", f"is empty; it begins with the header {','.join(fields)}")


def _line_of_bad_text(path: Path) -> int:
    """Where the text stops being UTF-8; the file is read in blocks, so the reader cannot tell."""
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    return 1


def _header(where: str, row: list[str], fields: Sequence[str]) -> list[str]:
    names = [name.strip() for name in row]
    for name in names:
        if name not in fields:
            hint = meant(name, fields)
            raise BadInput(where, f"unknown column {name!r}{hint}; the header is {','.join(fields)}")
    missing = [name for name in fields if name not in names]
    if missing or len(names) != len(fields):
        problem = f"column {missing[0]!r} is missing" if missing else "a column stands twice"
        raise BadInput(where, f"{problem}; the header is {','.join(fields)}")
    return names
