"""What people and machines see of decisions: one log line each, and metrics.

In: decisions and facts about links and doors, after the answer has been written.
Out: structlog lines (JSON or colours), Prometheus metrics with bounded labels: accounts are in
the log and never a label. Refuses to know: why. Anything here may fail without a call noticing.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from enforcer import buckets
from enforcer.domain.decision import Decision, Verdict
from enforcer.log_lines import set_up_logging
from enforcer.metrics_server import serve_metrics

__all__ = ["Telemetry", "decision_line", "set_up_logging"]


class Telemetry:
    """One per process. `registry` is Prometheus's own unless a test brings another."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        self._log = structlog.get_logger()
        self.on_fault: list[Callable[[str, dict[str, object]], None]] = []      # who has to hear of faults
        self._risen: dict[str, int] = {}
        self.decisions = Counter(
            "enforcer_decisions_total", "Decisions by verdict in force, verdict of block mode, and rule.",
            ["switch", "verdict", "would_be", "rule"], registry=registry,
        )
        self.exempt = Counter(
            "enforcer_exempt_calls_total", "Calls for which no rule was read.",
            ["switch", "why"], registry=registry,
        )
        self.decided = buckets.Histogram(
            "enforcer_decision_seconds", "How long a decision takes: count the attempt, weigh it, decide.",
            ["switch"], registry,
        )
        self.answered = buckets.Histogram(
            "enforcer_answer_seconds",
            "From the bytes of a question to those of its answer, by the door they came and went through.",
            ["switch", "door"], registry,
        )
        self.gap_seconds = Gauge(
            "enforcer_gap_seconds", "Time in which a switch was not heard and that no CDRs have filled yet.",
            ["switch"], registry=registry,
        )
        self.gap_calls = Gauge(
            "enforcer_gap_calls", "Calls at most that may be missing in open gaps; -1 nobody can tell.",
            ["switch"], registry=registry,
        )
        self.cdr_rows = Counter(
            "enforcer_cdr_rows_total", "Rows of CDR files that were followed, by what they told.",
            ["switch", "told"], registry=registry,
        )
        self.breaker_tripped = Gauge(
            "enforcer_breaker_tripped", "1 while the breaker holds the site at monitor.", registry=registry,
        )
        self.breaker_share = Gauge(
            "enforcer_breaker_refused_ratio", "Share of the last 5 minutes that block mode would refuse.",
            ["of"], registry=registry,
        )
        self.faults = Counter(
            "enforcer_faults_total", "Things that went wrong, by kind.", ["kind"], registry=registry,
        )
        self.notices = Counter(
            "enforcer_notices_total", "Notices by whom they are for and what became of them.",
            ["audience", "outcome"], registry=registry,
        )
        self.notices_pending = Gauge(
            "enforcer_notices_pending", "Notices that still have to be delivered.", registry=registry,
        )
        self.wishes = Histogram(
            "enforcer_wish_honoured_seconds", "From a STOP or START by text message until it is in force.",
            ["wish"], registry=registry, buckets=(0.005, 0.02, 0.1, 0.5, 1, 5, 30, 300, 3600, 86_400),
        )

    def wish(self, wish: str, seconds: float, customer: str, account: str) -> None:
        """Somebody wrote STOP or START to an account, and it is in force."""
        self.wishes.labels(wish).observe(seconds)
        self._log.info("heard", wish=wish, customer=customer, account=account, honoured_in=seconds)

    def decision(self, decision: Decision) -> None:
        """One line and one count a decision."""
        self.decisions.labels(
            decision.switch, decision.verdict.word, decision.would_be.word, decision.rule
        ).inc()
        if decision.exempt:
            self.exempt.labels(decision.switch, decision.exempt).inc()
        self._log.info("decision", **decision_line(decision))

    def fault(self, kind: str, **about: object) -> None:
        """Something went wrong that people should hear of."""
        self.faults.labels(kind).inc()
        self._log.warning(kind, **about)
        for tell in self.on_fault:
            tell(kind, about)

    def risen(self, kind: str, times: int, **about: object) -> None:
        """A fault that somebody else counts, `times` so far: told where there were more since last asked."""
        known = self._risen.get(kind, 0)
        if times > known:
            self._risen[kind] = times
            self.fault(kind, times=times - known, **about)

    def alarm(self, kind: str, **about: object) -> None:
        """Something that people should come for."""
        self.faults.labels(kind).inc()
        self._log.error(kind, **about)

    def note(self, what: str, **about: object) -> None:
        """Something happened that people may want to read."""
        self._log.info(what, **about)

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Serve /metrics; the returned function stops it. Raises OSError where the port is taken."""
        return serve_metrics(host, port, self.registry)


def decision_line(decision: Decision) -> dict[str, object]:
    """The fields of a decision's log line; those that say nothing are left out."""
    line: dict[str, object] = {
        "decision": decision.decision_id, "switch": decision.switch, "account": decision.account,
        "number": decision.number, "direction": str(decision.direction), "verdict": decision.verdict.word,
    }
    if decision.would_be is not decision.verdict:
        line["would_be"] = decision.would_be.word
    if decision.rule:
        line |= {"rule": decision.rule, "clause": decision.clause}
    if decision.sip_code:
        line["sip_code"] = decision.sip_code
    if decision.verdict is Verdict.THROTTLE:
        line |= {"shed": True} if decision.shed else {"hold": round(decision.hold, 3)}
    if decision.max_duration is not None:
        line["max_duration"] = decision.max_duration
    line |= {"reason": decision.reason, "call": decision.call_id}
    if decision.sip_call_id:
        line["sip_call_id"] = decision.sip_call_id
    if decision.policy:
        line["policy"] = decision.policy
    if decision.degraded:
        line["degraded"] = decision.degraded
    if decision.gap:
        line["gap"] = decision.gap
    return line
