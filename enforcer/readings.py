"""What a running enforcer reads off itself once a second, for whoever scrapes: links, doors, queues, modes.

In: the parts of a house. Out: Prometheus metrics, the same for every scrape until the next reading.
Refuses to know: how they are served. The labels are switches, doors and words of ours: never an account.

The parts belong to the event loop; scrapes come in threads of their own, so they get what was read last.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from enforcer.admission import Admission
from enforcer.control.feed import Feed
from enforcer.domain.mode import Mode
from enforcer.ledger.port import Ledger
from enforcer.switch.door import Door, Outcome
from enforcer.switch.link import Link, LinkState

Family = GaugeMetricFamily | CounterMetricFamily
TROUBLES = ("failed", "malformed", "faults", "refused_actions", "unwanted_events", "evicted")
LEASES_AT_ONCE = 5_000      # accounts looked at a second: half a millisecond


class Readings(Collector):
    """See the module. `take` reads, `collect` gives what was read."""

    def __init__(
        self, ledger: Ledger, admission: Admission, links: Mapping[str, Link], doors: Sequence[Door],
        feed: Feed, registry: CollectorRegistry,
    ) -> None:
        self._ledger = ledger
        self._admission = admission
        self._links = links
        self._doors = doors
        self._feed = feed
        self._leases = _Leases(admission, links)
        self._read: tuple[Metric, ...] = ()
        registry.register(self)

    def take(self, at: float) -> None:
        """Read everything, at this moment (Unix seconds)."""
        self._leases.look(at)
        self._read = (*_ours(), *self._of_links(), *self._of_doors(), *self._of_queues(), *self._modes(at))

    def describe(self) -> Iterable[Metric]:
        """Nothing: what there is depends on the house."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """What was read last."""
        return self._read

    def _of_links(self) -> Iterator[Metric]:
        states = {name: link.state() for name, link in self._links.items()}
        yield _gauge("switch_up", "1 while a switch's link is logged in.", states, lambda s: s.connected)
        yield _gauge(
            "switch_level", "1 while live calls were read and orders written since the last connect.", states,
            lambda s: s.level,
        )
        yield _gauge(
            "event_lag_seconds", "How far events run behind the switch's clock.", states,
            lambda s: max(0.0, s.lag),
        )
        yield _gauge(
            "clock_offset_seconds", "How far the switch's clock is ahead of ours.", states,
            lambda s: s.clock_offset,
        )
        yield _gauge("live_calls", "Calls in progress.", states, lambda s: s.live_calls)
        yield _gauge(
            "link_unsent_bytes", "Orders and answers that the switch has not taken yet.", states,
            lambda s: s.unsent,
        )
        yield _labelled(GaugeMetricFamily(
            "enforcer_leases", "Accounts that call without asking just now.", labels=["switch"],
        ), self._leases.counts.items())
        yield _labelled(CounterMetricFamily(
            "enforcer_link_connects", "Connections to a switch that were made.", labels=["switch"],
        ), ((name, state.connects) for name, state in states.items()))
        yield _labelled(CounterMetricFamily(
            "enforcer_switch_restarts", "Restarts of a switch, as far as we saw.", labels=["switch"],
        ), ((name, state.restarts) for name, state in states.items()))
        family = CounterMetricFamily(
            "enforcer_link_troubles", "What a switch's link met, by kind.", labels=["switch", "kind"],
        )
        for name, state in states.items():
            for kind in TROUBLES:
                family.add_metric([name, kind], getattr(state, kind))
        yield family

    def _of_doors(self) -> Iterator[Metric]:
        counts: dict[str, Counter[Outcome]] = {}
        open_now: Counter[str] = Counter()
        for door in self._doors:
            counts.setdefault(door.label, Counter()).update(door.counts)
            open_now[door.label] += len(door.open)
        family = CounterMetricFamily(
            "enforcer_door_connections", "Connections to a door, by what became of them.",
            labels=["door", "outcome"],
        )
        for label, outcomes in counts.items():
            for outcome in Outcome:
                family.add_metric([label, outcome.value], outcomes[outcome])
        yield family
        yield _labelled(GaugeMetricFamily(
            "enforcer_door_open_connections", "Connections to a door just now.", labels=["door"],
        ), open_now.items())

    def _of_queues(self) -> Iterator[Metric]:
        backlog = self._ledger.backlog()
        yield GaugeMetricFamily(
            "enforcer_ledger_degraded", "1 while the ledger cannot write.", float(bool(self._ledger.degraded))
        )
        yield _labelled(GaugeMetricFamily(
            "enforcer_ledger_waiting_rows", "Rows that are not on the disk yet.", labels=["kind"],
        ), ((kind, getattr(backlog, kind)) for kind in ("calls", "decisions", "journal")))
        yield CounterMetricFamily(
            "enforcer_ledger_lost_rows", "Rows that found no room, or that no disk would take.", backlog.lost
        )
        yield GaugeMetricFamily(
            "enforcer_feed_watchers", "Who follows what happens: MQTT, pages, terminals.", self._feed.watchers
        )
        yield GaugeMetricFamily(
            "enforcer_feed_waiting", "Happenings that the slowest of them was not told yet.",
            self._feed.furthest_behind,
        )
        yield CounterMetricFamily(
            "enforcer_telemetry_failures", "Observers that failed on a decision, after its answer.",
            self._admission.deaf,
        )

    def _modes(self, at: float) -> Iterator[Metric]:
        modes = self._admission.modes
        ceiling = modes.ceiling(at)
        most = Mode.BLOCK if ceiling is None else ceiling.mode
        default = modes.resolve("", "", "", at).mode
        for name, text, found in (
            ("enforcer_ceiling", "1 for the mode beyond which no verdict goes.", most),
            ("enforcer_mode", "1 for the mode that holds where nobody set another, below the ceiling.",
             min(default, most)),
        ):
            yield _labelled(GaugeMetricFamily(name, text, labels=["mode"]),
                            ((mode.word, mode is found) for mode in Mode))
        settings = [one for one in modes.settings(at) if one.account or one.rule or one.switch]
        yield GaugeMetricFamily(
            "enforcer_mode_settings", "Modes set for an account, a rule or a switch.", len(settings)
        )


class _Leases:
    """How many accounts hold a lease on each switch, counted a few thousand a second."""

    def __init__(self, admission: Admission, switches: Iterable[str]) -> None:
        self._admission = admission
        self.counts: dict[str, int] = dict.fromkeys(switches, 0)
        self._left: list[tuple[str, str]] = []
        self._counting: Counter[str] = Counter()

    def look(self, at: float) -> None:
        """Count on."""
        orders = self._admission.orders
        if not self._left:
            self._left = orders.callers()
        now, self._left = self._left[:LEASES_AT_ONCE], self._left[LEASES_AT_ONCE:]
        for switch, account in now:
            self._counting[switch] += orders.leased(switch, account, at)
        if not self._left:
            self.counts = {switch: self._counting[switch] for switch in self.counts}
            self._counting.clear()


@cache
def _ours() -> tuple[Metric]:
    family = GaugeMetricFamily("enforcer_build_info", "What runs.", labels=["version", "python"])
    family.add_metric([version("enforcer"), platform.python_version()], 1)
    return (family,)


def _gauge(name: str, text: str, states: Mapping[str, LinkState], of: Callable[[LinkState], float]) -> Metric:
    family = GaugeMetricFamily(f"enforcer_{name}", text, labels=["switch"])
    return _labelled(family, ((switch, of(state)) for switch, state in states.items()))


def _labelled(family: Family, values: Iterable[tuple[str, float]]) -> Metric:
    for label, value in values:
        family.add_metric([label], float(value))
    return family
