"""That somebody knows of a notice: told by telephone or letter, which is delivery as well.

In: the notice's id, who knows, and how. Out: a step on record, and one line that says since when; BadInput,
and then nothing was done.
Refuses to know: how notices are sent.
"""

from __future__ import annotations

from enforcer.control.words import local
from enforcer.domain.notice import Notice, Stage, step
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.toml_models import meant


def acknowledge(ledger: Ledger, notice_id: str, at: float, who: str, how: str = "") -> str:
    """Put it on record at `at` (Unix seconds). Raises BadInput, LedgerError."""
    found = known_notice(ledger, notice_id)
    if found.stage in (Stage.ACKNOWLEDGED, Stage.CLOSED):
        raise BadInput("", f"notice {found.id} is {found.stage.value} already")
    ledger.put([step(found, Stage.ACKNOWLEDGED, at, by=who, how=how)])
    after = known_notice(ledger, notice_id)
    zone = zone_of(ledger, found)
    grace = f"; time of grace until {local(after.acts_from, zone)}" if after.grace else ""
    return f"notice {found.id} acknowledged by {after.acknowledged_by}{grace}"


def known_notice(ledger: Ledger, notice_id: str) -> Notice:
    """The notice of that id. Raises BadInput."""
    notices = ledger.registers.notices
    found = notices.get(notice_id)
    if found is None:
        hint = meant(notice_id, [one.id for one in notices.all()]) or "; see `enforcer notice list`"
        raise BadInput("", f"no such notice: {notice_id!r}{hint}")
    return found


def zone_of(ledger: Ledger, notice: Notice) -> str:
    """The zone of the account that a notice is about, or of its customer's first."""
    if notice.account:
        return ledger.account(notice.account).timezone
    return next((account.timezone for account in ledger.accounts(notice.customer)), "UTC")
