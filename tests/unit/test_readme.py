"""What the README shows is true: its policy loads, its numbers come out, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from enforcer.domain.decision import Level
from enforcer.domain.rules import Rule
from enforcer.domain.usage import Tally
from enforcer.packs import load
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
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), target
