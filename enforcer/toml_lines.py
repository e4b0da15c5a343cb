"""TOML with line numbers: what `tomllib` reads, and in which line each key stands.

In: a file. Out: a `Document`, or BadInput that names the line.
Refuses to know: which keys mean anything.

`tomllib` decides what is valid; the scanner below runs only over text that `tomllib` accepted,
so it may take quotes and brackets at their word and needs no errors of its own.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from enforcer.errors import BadInput

Place = tuple[str | int, ...]       # e.g. ("switch", 0, "port"): a key of the first [[switch]]

# A configuration is a page or two; what is larger than this is the wrong file.
LONGEST_FILE = 4_000_000

_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\]|\\.)*"|\'[^\']*\'', re.DOTALL)
_PAIR = re.compile(r"[ \t]*([A-Za-z0-9_.\"'-]{1,80})[ \t]*=")
_HEADER = re.compile(r"[ \t]*\[\[?[^\]=]*\]\]?")
_TWICE = re.compile(r"(Cannot declare .* twice|Cannot overwrite a value|Duplicate inline table key .*)$")
_SAID = {
    "Invalid value": "no value that TOML knows; texts stand in quotes",
    "Illegal character '\\n'": "a quote is opened and not closed in this line",
    "Illegal character '\\r'": "lines end with \\r alone: save it with line ends of Unix or Windows",
}
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file, read. Numbers with a fraction are `Decimal`: exactly what was written."""

    path: Path
    data: dict[str, Any]
    lines: dict[Place, int]
    text: str = ""

    def where(self, place: Place = ()) -> str:
        """"file:line" of a key, or of the nearest table around one that is not there."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.path}:{self.lines.get(place, 1)}"


def read(path: Path) -> Document:
    """The document in a file. Raises BadInput where it cannot be read, or is not TOML."""
    try:
        with path.open("rb") as file:
            raw = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise BadInput(str(path), f"cannot be read: {error.strerror or error}") from None
    if len(raw) > LONGEST_FILE:
        raise BadInput(str(path), f"is larger than {LONGEST_FILE} bytes: not a configuration")
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise BadInput(f"{path}:{line}", "is UTF-16 text: save it as UTF-8") from None
        key = _key_at(raw.decode("utf-8", "replace").split("\n"), line)
        raise BadInput(f"{path}:{line}", f"{key}is not UTF-8 text: save it as UTF-8") from None
    return parse(path, text)


def parse(path: Path, text: str) -> Document:
    """The document in a text that stands, or stood, in a file. Raises BadInput where it is not TOML."""
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, text, str(error)) from None
    except RecursionError:
        raise BadInput(str(path), "is nested too deeply") from None
    return Document(path, data, _Scanner(text).scan(), text)


def _syntax_error(path: Path, text: str, told: str) -> BadInput:
    match = _AT.search(told)
    line = int(match[1]) if match and match[1] else text.rstrip("\n").count("\n") + 1
    problem = _AT.sub("", told)
    lines = text.split("\n")
    if _TWICE.match(problem):
        header = _HEADER.match(lines[line - 1])
        name = header[0].strip() if header else _key_at(lines, line).removesuffix(": ")
        return BadInput(f"{path}:{line}", f"{name} stands there twice")
    if told.endswith("(at end of document)"):
        return BadInput(f"{path}:{line}", f"{_key_at(lines, line)}not valid TOML: it is not ended")
    said = _SAID.get(problem, problem[:1].lower() + problem[1:])
    return BadInput(f"{path}:{line}", f"{_key_at(lines, line)}not valid TOML: {said}")


def _key_at(lines: list[str], line: int) -> str:
    """"key: " of the pair that a line (from 1) is of, as it is written there; "" where there is none."""
    for text in reversed(lines[:line]):
        if match := _PAIR.match(text):
            return f"{match[1]}: "
        if text.lstrip().startswith("["):
            break
    return ""


class _Scanner:
    """One walk over valid TOML, noting the line on which each key and array item begins."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted = 0               # newlines are counted once, from here on
        self._line = 1
        self._lines: dict[Place, int] = {}
        self._tables: dict[Place, int] = {}     # arrays of tables, and how many each has so far

    def scan(self) -> dict[Place, int]:
        here: Place = ()
        self._blank()
        while self._at < len(self._text):
            if self._take("[["):
                here = self._header(array=True)
            elif self._take("["):
                here = self._header(array=False)
            else:
                self._pair(here)
            self._blank()
        return self._lines

    def _header(self, *, array: bool) -> Place:
        line = self._now()
        self._blank()
        keys = self._key()
        self._take("]]" if array else "]")
        here: Place = ()
        for index, key in enumerate(keys):
            here = (*here, key)
            if array and index == len(keys) - 1:
                self._lines.setdefault(here, line)
                self._tables[here] = self._tables.get(here, 0) + 1
            if here in self._tables:
                here = (*here, self._tables[here] - 1)
            self._lines.setdefault(here, line)
        return here

    def _pair(self, here: Place) -> None:
        line = self._now()
        for key in self._key():
            here = (*here, key)
            self._lines.setdefault(here, line)
        self._take("=")
        self._blank()
        self._value(here)

    def _value(self, here: Place) -> None:
        if self._take("["):
            self._blank()
            index = 0
            while not self._take("]"):
                self._lines[(*here, index)] = self._now()
                self._value((*here, index))
                self._separate()
                index += 1
        elif self._take("{"):
            self._blank()
            while not self._take("}"):
                self._pair(here)
                self._separate()
        else:
            match = _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
            self._at = match.end() if match else self._at

    def _key(self) -> list[str]:
        """A key, dotted or not, and the blanks after it."""
        keys: list[str] = []
        while True:
            match = _BARE_KEY.match(self._text, self._at)
            if match:
                keys.append(match[0])
            else:
                match = _STRING.match(self._text, self._at)
                assert match is not None, "tomllib accepted this text"
                keys.append(next(iter(tomllib.loads(f"{match[0]}=0"))))
            self._at = match.end()
            self._blank()
            if not self._take("."):
                return keys
            self._blank()

    def _separate(self) -> None:
        self._blank()
        self._take(",")
        self._blank()

    def _blank(self) -> None:
        match = _BLANK.match(self._text, self._at)
        if match:
            self._at = match.end()

    def _take(self, token: str) -> bool:
        found = self._text.startswith(token, self._at)
        if found:
            self._at += len(token)
        return found

    def _now(self) -> int:
        """The line that the scan has come to."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line
