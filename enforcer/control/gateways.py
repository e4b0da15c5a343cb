"""Gateways that speak neither AMI nor ESL: they ask about each call and message, and report what became of
it.

In: questions and reports of gateways, as facts. Out: decisions, counted calls, and the calls that a gateway
has to end. Refuses to know: HTTP.

Nobody looks into a gateway to see which calls go on. So a call that is not reported answered in a while is
taken for gone, and one that never seems to end too: an end that is lost holds no channel for ever.

A question that comes again, because its answer was lost on the way, gets the answer that it got.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace

from enforcer.admission import Admission
from enforcer.control.feed import Feed
from enforcer.domain.actions import HangUp
from enforcer.domain.call import CallAttempt, CallEvent, CallRecord, Direction, Phase, Source
from enforcer.domain.decision import Decision
from enforcer.errors import BadInput
from enforcer.toml_models import meant

ROUND_SECONDS = 2.0
RINGING_SECONDS = 600.0     # no caller listens to a ringing tone for longer
LONGEST_SECONDS = 86_400.0
REMEMBERED = 10_000         # answers, some MB: who repeats a question does so within minutes
LATEST_SECONDS = 60.0       # a report from further ahead than clocks differ is wrong
OLDEST_SECONDS = 86_400.0


class Conflict(BadInput):
    """The id of a question is that of another call."""


class Unknown(BadInput):
    """No such call goes on."""


class Gateways:
    """See the module. `names` are the switches of kind "gateway", `live` their calls that went on when we
    were last here."""

    def __init__(
        self, names: Iterable[str], live: Iterable[CallRecord], admission: Admission, feed: Feed,
        clock: Callable[[], float],
    ) -> None:
        self.names = tuple(names)
        self._admission = admission
        self._feed = feed
        self._clock = clock
        self._calls: dict[str, tuple[CallAttempt, float | None]] = {
            record.call_id: (record.attempt(), record.answered_at) for record in live
        }
        self._answers: OrderedDict[str, tuple[CallAttempt, Decision]] = OrderedDict()

    def facts(self) -> list[dict[str, object]]:
        """Each gateway with how many of its calls go on, as far as was told."""
        going = Counter(call.switch for call, _ in self._calls.values())
        return [{"switch": name, "kind": "gateway", "live_calls": going[name]} for name in self.names]

    def known(self, name: str) -> str:
        """The name, where a gateway is called so. Raises BadInput."""
        if name in self.names:
            return name
        there = ", ".join(self.names) or "none: add a [[switch]] with kind = \"gateway\""
        raise BadInput("switch", f"{name[:40]!r} is no gateway of the configuration ({there})"
                                 f"{meant(name, self.names)}")

    def admit(self, attempt: CallAttempt) -> Decision:
        """Count and decide. Raises Conflict where that id was another call's."""
        before = self._before(attempt)
        if before is not None:
            return before
        decision = self._admission.admit(attempt)
        self._remember(attempt, decision)
        if not decision.refused:
            self._calls[attempt.call_id] = attempt, None
        return decision

    def message(self, attempt: CallAttempt, text: str) -> Decision:
        """The same of a text message; what an inbound one says is heard."""
        before = self._before(attempt)
        if before is not None:
            return before
        decision = self._admission.admit(attempt)
        self._remember(attempt, decision)
        if text and attempt.direction is Direction.INBOUND:
            self._admission.heard(attempt, text, self._clock())
        return decision

    def report(
        self, call_id: str, phase: Phase, at: float | None, attempt: CallAttempt | None = None,
        hangup_cause: int | None = None, sip_code: int | None = None,
    ) -> None:
        """What became of a call. `attempt` is the call itself, for one that we never heard of. Raises
        Unknown, BadInput for a time that cannot be."""
        now = self._clock()
        at = now if at is None else at
        if not now - OLDEST_SECONDS <= at <= now + LATEST_SECONDS:
            raise BadInput("at", f"is no time between a day ago and now (Unix seconds): {at:.3f}")
        call, answered_at = self._calls.get(call_id, (None, None))
        if call is None and attempt is not None:
            self._admission.observe(CallEvent(Phase.STARTED, attempt, attempt.at))
            call = attempt
        if call is None:
            raise Unknown("", f"no such call goes on: {call_id!r}; where it was never asked about, "
                              "name its account, number and direction too")
        at = max(at, call.at)
        if phase is Phase.ANSWERED:
            answered_at = at if answered_at is None else answered_at
            self._calls[call_id] = call, answered_at
            self._admission.observe(CallEvent(phase, call, answered_at, answered_at))
            return
        self._calls.pop(call_id, None)
        self._admission.observe(CallEvent(
            Phase.ENDED, call, at, answered_at, hangup_cause=hangup_cause, sip_code=sip_code
        ))

    async def run(self) -> None:
        """Look again and again which calls are over."""
        while True:
            self.look()
            await asyncio.sleep(ROUND_SECONDS)

    def look(self) -> None:
        """Calls that a rule ends are told, and those of which nothing was heard for too long are gone."""
        now = self._clock()
        for name in self.names:
            # Leases, words and brakes are for switches that can keep them: a gateway asks about every call.
            for action in self._admission.round(name, now):
                if isinstance(action, HangUp):
                    self._feed.tell("hang_up", now, {
                        "switch": name, "id": action.call_id.partition("/")[2], "cause": action.cause,
                    })
        for call_id, (call, answered_at) in list(self._calls.items()):
            since = call.at if answered_at is None else answered_at
            if now - since > (RINGING_SECONDS if answered_at is None else LONGEST_SECONDS):
                del self._calls[call_id]
                self._admission.observe(CallEvent(
                    Phase.ENDED, call, now, answered_at, source=Source.INFERRED
                ))

    def _before(self, attempt: CallAttempt) -> Decision | None:
        found = self._answers.get(attempt.call_id)
        if found is None:
            return None
        before, decision = found
        if replace(attempt, at=before.at) != before:
            raise Conflict("id", f"{attempt.call_id!r} was asked about already, with other facts")
        return decision

    def _remember(self, attempt: CallAttempt, decision: Decision) -> None:
        self._answers[attempt.call_id] = attempt, decision
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
