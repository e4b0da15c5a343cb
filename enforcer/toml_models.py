"""From a TOML document to a typed value: the first thing that is wrong, in one clear line.

In: a `Document` and a pydantic model of it. Out: the model, or BadInput with "file:line", the key,
what is wrong with it, and what was probably meant. A value is never quoted where it might be a secret.
Refuses to know: what the keys do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from enforcer.errors import BadInput
from enforcer.toml_lines import Document, Place

M = TypeVar("M", bound="Table")


class Table(BaseModel):
    """A TOML table: every key known, every value of the very type that is asked for, then frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Wrong(ValueError):
    """A value that fits its type and still cannot be; `key` (dotted) says which, where not the whole."""

    def __init__(self, problem: str, key: str = "") -> None:
        self.key = key
        super().__init__(problem)


_SAID = {
    "string_type": "must be a string, in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "decimal_type": "must be a number",
    "is_instance_of": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list, in brackets",
    "frozen_set_type": "must be a list, in brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "finite_number": "must be a finite number",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "date_type": "must be a date, such as 2026-01-31",
    "date_from_datetime_parsing": "must be a date, such as 2026-01-31",
    "date_from_datetime_inexact": "must be a date without a time",
}
_BOUNDS = {
    "greater_than": ("gt", "must be more than"), "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"), "less_than_equal": ("le", "must be at most"),
}  # fmt: skip


def validated(document: Document, model: type[M]) -> M:
    """The document as a model. Raises BadInput with the first problem, by line; what is missing comes
    last, for it may only be misspelt."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first = min(problems, key=lambda problem: (problem["type"] == "missing", _line(document, problem)))
        raise _problem(document.where, model, first) from None


def told(facts: Any, model: type[M]) -> M:
    """What a program said (JSON, decoded) as a model. Raises BadInput that names the first wrong key."""
    try:
        return model.model_validate(facts)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first = min(problems, key=lambda problem: problem["type"] == "missing")
        raise _problem(lambda place: "", model, first) from None


def meant(word: str, known: Iterable[str]) -> str:
    """"; did you mean 'x'?" for a word that is nearly a known one, else ""."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def one_of(words: Iterable[object]) -> str:
    """Choices in a sentence: "a, b or c"."""
    *most, last = [str(word) for word in words]
    return f"{', '.join(most)} or {last}" if most else last


def _line(document: Document, details: ErrorDetails) -> int:
    return int(document.where(details["loc"]).rpartition(":")[2])


def _problem(where: Callable[[Place], str], model: type[Table], details: ErrorDetails) -> BadInput:
    place = tuple(part for part in details["loc"] if part != "[key]")      # pydantic's mark of a bad key
    kind = details["type"]
    context = details.get("ctx", {})
    name = dotted(place)
    if kind == "extra_forbidden":
        known = _keys(model, place[:-1])
        return BadInput(where(place), f"unknown key {name!r}{meant(str(place[-1]), known)}")
    if kind == "missing":
        return BadInput(where(place[:-1]), f"key {name!r} is missing")
    if kind == "value_error":
        wrong = context["error"]
        if isinstance(wrong, Wrong) and wrong.key:
            place = (*place, *(int(part) if part.isdecimal() else part for part in wrong.key.split(".")))
        return BadInput(where(place), f"{dotted(place)}: {wrong}" if place else str(wrong))
    if kind in ("literal_error", "enum"):
        choices = [part.strip("'") for part in re.findall(r"'[^']*'", str(context["expected"]))]
        given = details["input"]
        hint = meant(given, choices) if isinstance(given, str) else ""
        return BadInput(where(place), f"{name} must be {one_of(choices)}{hint}")
    if kind == "tuple_type" and isinstance(details["input"], dict):
        return BadInput(where(place), f"[{name}] must be written [[{name}]]: there may be several")
    if kind in ("model_type", "model_attributes_type", "dict_type") and isinstance(details["input"], list):
        return BadInput(where(place), f"[[{name}]] must be written [{name}]: there is one only")
    if kind == "string_too_long":
        return BadInput(where(place), f"{name} must be at most {context['max_length']} characters long")
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return BadInput(where(place), f"{name} {words} {context[bound]}")
    said = _SAID.get(kind, details["msg"][:1].lower() + details["msg"][1:])
    # The number of a value in a list; a table in one is told by its line.
    item = f"{name}, item {place[-1] + 1}," if place and isinstance(place[-1], int) else ""
    which = item or name or "what was sent"
    return BadInput(where(place), f"{which} {said}")


def dotted(place: Place) -> str:
    """A place as people write it: "switch.port"; the index of a table is told by the line."""
    return ".".join(str(part) for part in place if not isinstance(part, int))


def _keys(model: type[BaseModel], place: Place) -> list[str]:
    """The keys that the table at `place` may have."""
    found: type[BaseModel] = model
    for part in place:
        if isinstance(part, str):
            for name, field in found.model_fields.items():
                if part == (field.alias or name):
                    found = _model_in(field.annotation) or found
    return [field.alias or name for name, field in found.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation such as `tuple[Switch, ...]` or `Step | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
