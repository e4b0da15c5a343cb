"""A few of the kills of `python -m tests.campaigns.kills`; `ENFORCER_KILLS` says how many."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path

from lab.provision import Provisioned
from tests.campaigns.kills import campaign


async def test_usage_equals_the_cdrs_to_the_call_after_every_kill(
    lab_parts: Mapping[str, Provisioned], tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    report = await campaign(lab_parts, tmp_path, int(os.environ.get("ENFORCER_KILLS", "6")), seed)
    assert report.wrong == []
    assert report.gaps > 0      # and all of them were closed
