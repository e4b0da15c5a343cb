"""A desk to try explanations at: one account, one pack, and calls that are asked about.

In: the text of a pack. Out: decisions, and their explanations.
"""

from __future__ import annotations

import json

from enforcer.admission import Admission
from enforcer.control.commands import Known, SetMode, act
from enforcer.control.why import Case, Explanation, explain
from enforcer.domain.account import Account, AccountType
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Medium, Phase
from enforcer.domain.mode import Mode, Modes
from enforcer.domain.numbers import NumberPlan
from enforcer.ledger.memory import MemoryLedger
from enforcer.packs import loads
from enforcer.wire.answer import SIP_CODES

NOW = 1_795_309_510.0  # 2026-11-21 20:05:10 in New York
ACME = Account("acme", "acme-inc", AccountType.PBX, timezone="America/New_York")


class Desk:
    """A ledger with one account, a pack, and calls as a switch would tell them. `mode` is alice's word for
    the account, where it is not the default."""

    def __init__(self, pack: str, mode: Mode = Mode.MONITOR) -> None:
        self.now = NOW
        self.policy = loads([("house.toml", pack)], SIP_CODES)
        self.plan = plan = NumberPlan("US")
        self.ledger = MemoryLedger(plan.classify, lambda: self.now, plan.canonical)
        self.ledger.put_accounts([ACME])
        self.ledger.use(self.policy)
        self.modes = Modes((), Mode.MONITOR)
        self.admission = Admission(
            self.ledger, plan, self.policy, self.modes, prefix="d1", later=lambda call: call()
        )
        if mode is not Mode.MONITOR:
            act(SetMode(mode, "acme", who="alice", why="complaint"), self.ledger, Known(), NOW - 60)
            self.modes.put(self.ledger.modes()[-1])

    def call(self, serial: int, talked: float | None, number: str = "12025550123", account: str = "acme",
             medium: Medium = Medium.CALL, sip_call_id: str = "") -> str:
        """One outbound call, asked about and ended; the id of the decision."""
        attempt = CallAttempt(
            f"pbx1/{serial}", "pbx1", account, Direction.OUTBOUND, number, "100", self.now, medium=medium,
            sip_call_id=sip_call_id,
        )
        decision = self.admission.admit(attempt)
        answered = None if talked is None else self.now
        end = CallEvent(Phase.ENDED, attempt, self.now + (talked or 0.0), answered, hangup_cause=16)
        self.admission.observe(end)
        self.now += 1.0
        return decision.decision_id

    def why(self, subject: str) -> Explanation:
        """The explanation, which programs can read as well."""
        case = Case(self.ledger, self.policy, Mode.MONITOR, self.now, self.plan.canonical)
        told = explain(case, subject)
        json.dumps(told.facts)
        return told

    def said(self, subject: str) -> str:
        """The explanation as one text."""
        told = self.why(subject)
        return "\n".join([told.title, *told.lines])
