"""Parts of the lab that a test needs: unpacked, or the test is skipped with a word why (in CI it fails)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lab.provision import LabUnavailable, Provisioned, provision


def provided(*names: str) -> Mapping[str, Provisioned]:
    """These parts, by their names in `lab.provision`."""
    try:
        return provision(names)
    except LabUnavailable as reason:
        pytest.skip(f"no {', '.join(names)} here: {reason}")
