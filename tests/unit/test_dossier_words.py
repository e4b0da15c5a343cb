"""What is on record about an account, as its page words it."""

from __future__ import annotations

import pytest

from enforcer.control.dossier import entry_facts
from enforcer.domain.journal import JournalEntry, Kind


@pytest.mark.parametrize(("reason", "said"), [
    ("", "registered as pbx, suspended"), ("(by ann)", "registered as pbx, suspended: by ann"),
    ("unpaid (by ann)", "registered as pbx, suspended: unpaid (by ann)"),
])
def test_who_suspended_an_account_and_why_is_bracketed_once(reason: str, said: str) -> None:
    body = {"type": "pbx", "standing": "suspended", "standing_reason": reason}
    assert entry_facts(JournalEntry(Kind.ACCOUNT, 0.0, "acme", body=body), "UTC")["words"] == said
