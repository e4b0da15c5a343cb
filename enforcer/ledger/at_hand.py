"""The calls that counters stand for, as far as they are remembered: in progress, and lately over.

In: records as they change. Out: what is known of a call, which calls go on, and how many each switch holds.
Refuses to know: tallies, and where older calls are kept.
"""

from __future__ import annotations

from collections import deque

from enforcer.domain.call import UNTOUCHED, CallRecord
from enforcer.domain.load import Loads

# So many calls that are over are remembered, to know repeats of their events at once (about 35 MB;
# 8 minutes at 100 calls a second). An event about an older call is looked up in the store.
REMEMBER_CALLS = 50_000
# Two sources may disagree on a start by this much (seconds) and mean the same call: CDRs have whole
# seconds, and a switch that is asked for its calls rounds differently from one that tells them.
SAME_START = 60.0


class AtHand:
    """See the module. `loads` is told of every call that begins or ends."""

    def __init__(self, loads: Loads) -> None:
        self._loads = loads
        self._live: dict[str, CallRecord] = {}
        self._over: dict[str, CallRecord] = {}          # ended or refused, lately
        self._oldest_over: deque[str] = deque()
        self._forgotten_until = float("inf")    # an unknown call that began by then may be in the store

    def clear(self, forgotten_until: float) -> None:
        """Forget all; calls that began up to `forgotten_until` (Unix seconds) may be known to the store."""
        self._live = {}
        self._loads.clear()
        self._over = {}
        self._oldest_over.clear()
        self._forgotten_until = forgotten_until

    def put_live(self, record: CallRecord) -> None:
        """Remember a call in progress that is counted already; nothing of one that is over."""
        if record.live:
            self._live[record.call_id] = record
            self._load(record, 1)

    def live(self, switch: str = "") -> list[CallRecord]:
        """Calls in progress, of one switch or of all."""
        return [record for record in self._live.values() if not switch or record.switch == switch]

    def known(self, call_id: str) -> CallRecord | None:
        """The record of a call in progress or lately over."""
        return self._live.get(call_id) or self._over.get(call_id)

    def forgotten(self, at: float) -> bool:
        """Whether a call that is not known here and began at `at` may be in the store."""
        return at <= self._forgotten_until + SAME_START

    def keep(self, record: CallRecord) -> None:
        """A call as it stands now, in the place of what was known of it."""
        call_id = record.call_id
        was = self._live.pop(call_id, None)
        if was is not None:
            self._load(was, -1)
        if record.ended_at is None and (not record.refusal or not record.refused):     # `live`, at once
            self._live[call_id] = record
            self._load(record, 1)
            return
        if call_id not in self._over:
            self._oldest_over.append(call_id)
        self._over[call_id] = record
        if len(self._over) > REMEMBER_CALLS:
            gone = self._over.pop(self._oldest_over.popleft())
            self._forgotten_until = max(self._forgotten_until, gone.started_at)

    def _load(self, record: CallRecord, by: int) -> None:
        """A call in progress that began or ended, on its switch."""
        shares = record.number_class not in UNTOUCHED
        self._loads.of(record.switch).change(record.account if shares else "", by)
