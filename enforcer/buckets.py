"""How long things took, counted into buckets: cheap enough for what happens while a caller waits.

In: seconds. Out: histograms for Prometheus. Refuses to know: what took so long.

Prometheus' own client takes a lock for each observation, and goes through the buckets one by one: 0.8 us.
Here one thread counts, the event loop's, and the one that reads needs no lock: an observation costs a fifth
of that, and a page that is read in the middle of one is right about all before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

# Decisions take some 50 us, the dialplan waits 0.3 s; what takes longer than that is too late.
SHORT = (25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.3, 1.0)


class Buckets:
    """Counts by upper bound (seconds, inclusive), the last without one; and the sum. One thread adds."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float] = SHORT) -> None:
        self._bounds = tuple(sorted(bounds))
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """One more that took so long."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def cumulative(self) -> tuple[list[tuple[str, float]], float]:
        """(bound, how many took no longer) for each bound up to "+Inf"; and the sum."""
        below, found = 0, []
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for bound, count in zip(names, tuple(self._counts), strict=True):
            below += count
            found.append((bound, float(below)))
        return found, self._sum


class Histogram(Collector):
    """One histogram with labels. Its buckets are made with `of`, once for each set of values, and kept by
    whoever counts."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry,
        bounds: Sequence[float] = SHORT,
    ) -> None:
        self._name = name
        self._text = text
        self._labels = tuple(labels)
        self._bounds = bounds
        self._all: dict[tuple[str, ...], Buckets] = {}
        registry.register(self)

    def of(self, *values: str) -> Buckets:
        """The buckets of these values of the labels."""
        if len(values) != len(self._labels):
            raise ValueError(f"{self._name} has the labels {', '.join(self._labels)}")
        return self._all.setdefault(values, Buckets(self._bounds))

    def describe(self) -> Iterable[Metric]:
        """What it is, before anything was counted."""
        yield HistogramMetricFamily(self._name, self._text, labels=self._labels)

    def collect(self) -> Iterable[Metric]:
        """For whoever scrapes, in any thread."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for values, buckets in tuple(self._all.items()):
            below, total = buckets.cumulative()
            family.add_metric(values, below, total)
        yield family
