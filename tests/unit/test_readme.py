"""What the README shows is true: its policy loads, its numbers come out, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from enforcer.domain.decision import Level
from enforcer.domain.rules import KINDS, Rule
from enforcer.domain.usage import Tally
from enforcer.packs import load
from enforcer.packs.tables import RuleTable
from enforcer.wire.answer import SIP_CODES
from tests.support.rules import NOON

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.fixture
def ratio(tmp_path: Path) -> Rule:
    """The rule of "One policy, with numbers"."""
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    pack = tmp_path / "readme.toml"
    pack.write_text(block)
    (rule,) = load([pack], SIP_CODES).rules
    return rule


@pytest.mark.parametrize(("attempts", "completed", "level"), [
    (308, 103, None),
    (400, 103, Level.WARNING),
    (411, 103, Level.WARNING),
    (412, 103, Level.CRITICAL),
    (413, 104, Level.WARNING),
])
def test_worked_example_comes_out_as_told(
    ratio: Rule, attempts: int, completed: int, level: Level | None
) -> None:
    tally = Tally(attempts=attempts, completed=completed, short=9)
    judgement = ratio.judge(tally, NOON, None)
    assert (judgement.level if judgement else None) is level


@pytest.mark.parametrize("page", ["README.md", "dialplan/README.md", "docker/README.md"])
def test_links_lead_to_files_that_are_there(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def section(title: str) -> str:
    """The text under a heading."""
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_every_rule_of_both_packs_serves_a_clause_of_the_table() -> None:
    policy = load([ROOT / "policies/ip2call.toml", ROOT / "policies/247voip.toml"], SIP_CODES)
    told = set(re.findall(r"`([A-Za-z0-9_.-]+)`", section("Both AUPs, clause by clause")))
    ids = {rule.spec.id for rule in policy.rules}
    assert ids <= told
    families = {one.partition(".")[0] for one in ids if "." in one}
    assert {one for one in told if one.partition(".")[0] in families} <= ids


def test_table_has_a_row_for_each_clause() -> None:
    rows = [line for line in section("Both AUPs, clause by clause").splitlines() if line.startswith("| ")]
    assert len([row for row in rows if not row.startswith("| clause")]) >= 40
    assert {row.count("|") for row in rows} == {8}


def test_every_kind_and_key_of_a_rule_is_told() -> None:
    told = set(re.findall(r"`([a-z_]+)`", section("Writing a policy")))
    assert set(KINDS) <= told
    keys = {field.alias or name for name, field in RuleTable.model_fields.items()}
    assert keys <= told
