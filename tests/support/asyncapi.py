"""Messages held against the AsyncAPI file that the enforcer ships."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import Any

import yaml
from jsonschema import Draft202012Validator

TEXTS = {"status", "setMode", "sync"}       # channels whose messages may be plain words


@cache
def document() -> dict[str, Any]:
    text = (resources.files("enforcer.control") / "asyncapi.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@cache
def _channels() -> list[tuple[str, re.Pattern[str], Draft202012Validator]]:
    found = []
    for name, channel in document()["channels"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/+#]+", re.escape(channel["address"]))
        (message,) = channel["messages"].values()
        schema = {"components": document()["components"]} | message["payload"]
        Draft202012Validator.check_schema(schema)
        found.append((name, re.compile(pattern), Draft202012Validator(schema)))
    return found


def problems(topic: str, payload: str) -> list[str]:
    """What is wrong with a message that the enforcer sent; [] nothing. A topic emptied is never wrong."""
    fitting = [(name, check) for name, pattern, check in _channels() if pattern.fullmatch(topic)]
    if not fitting:
        return [f"no channel has the topic {topic}"]
    if not payload:
        return []
    for name, check in fitting:
        value = payload if name in TEXTS and not payload.startswith("{") else json.loads(payload)
        wrong = [f"{name}: {error.json_path}: {error.message}" for error in check.iter_errors(value)]
        if not wrong:
            return []
    return wrong
