"""The JSON Schema of a policy pack, for editors that complete and check while one types.

In: the tables of a pack, and which keys mean something to which kind. Out: the schema as text.
Refuses to know: packs that somebody wrote. What no schema can say, `checks` says.

An editor that knows TOML (Even Better TOML, taplo, Tombi) uses it where a pack begins with the line
`#:schema pack.schema.json`, the path seen from the pack.
"""

from __future__ import annotations

import json
from typing import Any

from enforcer.domain.rules import KINDS
from enforcer.packs.kinds import ONLY_FOR, kinds_in_words
from enforcer.packs.tables import PackFile


def schema() -> str:
    """The schema (draft 2020-12): generated from the tables, and so never behind them."""
    found: dict[str, Any] = _plain(PackFile.model_json_schema(by_alias=True))
    for table in ("RuleTable", "SignalTable"):
        definition = found["$defs"][table]
        definition["allOf"] = _only_for(definition["properties"])
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    found["title"] = "enforcer policy pack"
    return json.dumps(found, indent=2, sort_keys=True) + "\n"


def _only_for(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """Keys that mean nothing to a kind are refused for it, as loading the pack would."""
    found = []
    for key, (kinds, why) in sorted(ONLY_FOR.items()):
        if key in properties:
            properties[key].setdefault("description", f"Only {kinds_in_words(kinds)} {why}.")
            others = sorted(set(KINDS) - kinds)
            found.append({"if": {"properties": {"kind": {"enum": others}}, "required": ["kind"]},
                          "then": {"properties": {key: False}}})
    return found


def _plain(node: Any) -> Any:
    """Without what TOML has not (null) and what tells an editor nothing (titles made of names)."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {
        key: value if key in ("default", "enum", "const", "examples") else _plain(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
    }
    if node.get("type") == "number" and isinstance(found.get("default"), str):
        found["default"] = float(found["default"])
    choices = [one for one in found.get("anyOf", ()) if one != {"type": "null"}]
    if choices and len(choices) < len(found["anyOf"]):
        del found["anyOf"]
        found |= choices[0] if len(choices) == 1 else {"anyOf": choices}
    return found
