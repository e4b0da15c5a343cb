"""As much of JSON Schema (draft 2020-12) as the schema of packs uses, and an error for anything else.

No validator is among the packages of the tests, and one that passes over a keyword would prove nothing.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

_TYPES = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip
_SILENT = {"$schema", "$defs", "description", "title", "default", "examples", "format"}


def problems(value: Any, schema: Any, root: dict[str, Any], place: str = "") -> list[str]:
    """What is wrong with a value; [] nothing. Raises KeyError for a keyword that is not known here."""
    if isinstance(schema, bool):
        return [] if schema else [f"{place}: not allowed"]
    if isinstance(value, date):         # TOML has dates; editors take them for strings of that format
        value = value.isoformat()
    found: list[str] = []
    for keyword, told in schema.items():
        if keyword not in _SILENT:
            found += _CHECKS[keyword](value, told, schema, root, place)
    return found


def _type(value: Any, told: Any, schema: Any, root: Any, place: str) -> list[str]:
    names = told if isinstance(told, list) else [told]
    fits = any(
        isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
        for name in names
    )
    return [] if fits else [f"{place}: is no {' or '.join(names)}"]


def _properties(value: Any, told: Any, schema: Any, root: Any, place: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [
        problem for key, one in told.items() if key in value
        for problem in problems(value[key], one, root, f"{place}.{key}")
    ]


def _additional(value: Any, told: Any, schema: Any, root: Any, place: str) -> list[str]:
    assert told is False
    if not isinstance(value, dict):
        return []
    return [f"{place}.{key}: unknown key" for key in value if key not in schema["properties"]]


def _if(value: Any, told: Any, schema: Any, root: Any, place: str) -> list[str]:
    return [] if problems(value, told, root, place) else problems(value, schema["then"], root, place)


def _any_of(value: Any, told: Any, schema: Any, root: Any, place: str) -> list[str]:
    fits = any(not problems(value, one, root, place) for one in told)
    return [] if fits else [f"{place}: fits none of {len(told)} choices"]


def _unless(wrong: bool, place: str, words: str) -> list[str]:
    return [f"{place}: {words}"] if wrong else []


def _number(value: Any) -> bool:
    return isinstance(value, int | float)


_CHECKS: dict[str, Any] = {
    "type": _type, "properties": _properties, "additionalProperties": _additional, "if": _if,
    "then": lambda *_: [], "anyOf": _any_of,
    "$ref": lambda v, told, s, root, place: problems(v, root["$defs"][told.split("/")[-1]], root, place),
    "allOf": lambda v, told, s, root, place: [p for one in told for p in problems(v, one, root, place)],
    "required": lambda v, told, s, r, place: [f"{place}.{key}: missing" for key in told if key not in v],
    "items": lambda v, told, s, root, place: [
        p for n, one in enumerate(v) for p in problems(one, told, root, f"{place}[{n}]")
    ] if isinstance(v, list) else [],
    "uniqueItems": lambda v, told, s, r, place: _unless(
        isinstance(v, list) and len({str(one) for one in v}) < len(v), place, "has one twice"),
    "minItems": lambda v, told, s, r, place: _unless(isinstance(v, list) and len(v) < told, place, "too few"),
    "enum": lambda v, told, s, r, place: _unless(v not in told, place, f"is none of {told}"),
    "const": lambda v, told, s, r, place: _unless(v != told, place, f"is not {told}"),
    "minimum": lambda v, told, s, r, place: _unless(_number(v) and v < told, place, "too small"),
    "maximum": lambda v, told, s, r, place: _unless(_number(v) and v > told, place, "too large"),
    "exclusiveMinimum": lambda v, told, s, r, place: _unless(_number(v) and v <= told, place, "too small"),
    "minLength": lambda v, told, s, r, place: _unless(
        isinstance(v, str) and len(v) < told, place, "too short"),
    "maxLength": lambda v, told, s, r, place: _unless(
        isinstance(v, str) and len(v) > told, place, "too long"),
    "pattern": lambda v, told, s, r, place: _unless(
        isinstance(v, str) and not re.search(told, v), place, f"does not match {told}"),
}
