"""The JSON Schema for editors: as the code says, true of the shipped packs, and no more lenient than it need
be."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from enforcer.domain.rules import KINDS
from enforcer.packs import schema
from tests.support.json_schema import problems

POLICIES = Path(__file__).parents[2] / "policies"
SCHEMA: dict[str, Any] = json.loads(schema())
PACK = '[pack]\nname = "p"\nrevision = "1"\n'
RULE = '[[rule]]\nid = "r"\nkind = "attempts"\nclause = "c"\ncritical = { at = 10 }\n'


def wrong(text: str) -> list[str]:
    return problems(tomllib.loads(text), SCHEMA, SCHEMA)


def test_the_file_beside_the_packs_is_what_the_code_says_today() -> None:
    """`enforcer check --schema > policies/pack.schema.json` brings it up to date."""
    assert (POLICIES / "pack.schema.json").read_text() == schema()


@pytest.mark.parametrize("path", sorted(POLICIES.rglob("*.toml")), ids=lambda path: path.stem)
def test_every_pack_that_is_shipped_fits(path: Path) -> None:
    assert wrong(path.read_text()) == []


def test_every_kind_of_rule_is_offered() -> None:
    assert SCHEMA["$defs"]["RuleTable"]["properties"]["kind"]["enum"] == sorted(KINDS)


@pytest.mark.parametrize("told", ['"cycle"', '"24h"', '{ period = "day", timezone = "UTC" }'])
def test_a_window_is_a_word_or_a_table(told: str) -> None:
    assert wrong(f"{PACK}{RULE}window = {told}\n") == []


@pytest.mark.parametrize("told", ['"none"', '{ grace = "7d", holds = 86400 }'])
def test_a_notice_is_a_word_or_a_table(told: str) -> None:
    assert wrong(f"{PACK}{RULE}notice = {told}\n") == []


def test_signals_are_tables_of_their_own() -> None:
    assert wrong(PACK + RULE + 'and = [{ kind = "short_calls", at = 15 }]\n') == []
    assert wrong(PACK + RULE + 'and = [{ kind = "short_calls", att = 15 }]\n')


WRONG = [
    (RULE, ".pack: missing"),
    (PACK + RULE.replace("attempts", "attemps"), ".rule[0].kind: is none of"),
    (PACK + RULE + "min_attempts = 5\n", ".rule[0].min_attempts: not allowed"),
    (PACK + RULE + 'verdikt = "tag"\n', ".rule[0].verdikt: unknown key"),
    (PACK + RULE + "directions = []\n", ".rule[0].directions: too few"),
    (PACK + RULE.replace("10", '"10"'), ".rule[0].critical.at: is no number"),
    (PACK + RULE + "window = 5\n", ".rule[0].window: fits none"),
    (PACK + RULE + 'notice = "never"\n', ".rule[0].notice: fits none"),
    (PACK + RULE + "types = ['pbxx']\n", ".rule[0].types[0]: is none of"),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_what_loading_would_refuse_an_editor_marks(text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in wrong(text)), wrong(text)
