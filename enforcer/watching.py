"""What a running enforcer does so that its counters equal the switches' own records: it remembers how far it
heard each switch, puts on record what it did not hear, and follows the CDR files that it can read.

In: links, the ledger, the files. Out: sights, gaps opened and closed, calls; lines and numbers for people.
Refuses to know: how a file is read (`control.cdr_follow`), what a gap may hold (`domain.gap`). Files are read
by a thread of their own with a ledger of their own, some lines at a time: a call never waits for them, and
what they told is taken over as if the command line had done it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from threading import Event

from enforcer.control.cdr_follow import PAUSE, Follower, Swept
from enforcer.control.gaps import calls_words, filled_by
from enforcer.domain.gap import Gap, Sight, ended_unseen
from enforcer.domain.journal import JournalEntry
from enforcer.errors import BadInput, LedgerError
from enforcer.ledger.port import Ledger
from enforcer.settings_switch import SwitchSettings
from enforcer.switch.link import Lapse, Link, worth_a_line
from enforcer.telemetry import Telemetry

REMEMBER_SECONDS = 2.0      # what a crash may cost of what we know to have heard
NOTICE_SECONDS = 0.1        # and after a start, until anything is remembered at all
LOOK_SECONDS = 5.0          # between two looks at a CDR file
# How often we look whether the counters have what the files told, and how many times at the most.
TAKEN_OVER_SECONDS, TAKEN_OVER_LOOKS = 0.02, 250


class Watching:
    """See the module. `opened` opens the ledger once more, for the thread that reads files."""

    def __init__(
        self, links: Mapping[str, Link], switches: Iterable[SwitchSettings], ledger: Ledger,
        opened: Callable[[], Ledger], telemetry: Telemetry, clock: Callable[[], float] = time.time,
    ) -> None:
        self._links = links
        self._switches = {switch.name: switch for switch in switches}
        self._ledger = ledger
        self._telemetry = telemetry
        self._clock = clock
        self._stop = Event()
        self._tell: Callable[[Callable[[], None]], object] = lambda do: do()
        self._kept: dict[str, Sight] = {}
        self._troubles: dict[str, str] = {}
        self._bad_rows: Counter[str] = Counter()
        self._followers = {
            name: Follower(
                switch, switch.cdr_path, lambda: closing(opened()), partial(self._bad, name),
                links[name].now, PAUSE, self._stop.is_set,      # gaps are told in the switch's time
            )
            for name, switch in self._switches.items() if switch.cdr_path is not None
        }
        sights = ledger.sights()
        for name, link in links.items():
            link.on_lapse = partial(self._lapsed, name)
            link.on_counted = partial(self._counted, name)
            if name in sights:
                link.remember(sights[name])

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        # Files are read in a thread: what people are told of, the event loop alone knows who hears of it.
        self._tell = loop.call_soon_threadsafe
        self._stop.clear()
        threads = ThreadPoolExecutor(2, "cdr files")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._remember(threads))
                if self._followers:
                    tasks.create_task(self._follow(threads))
        finally:
            self._stop.set()
            # Not waited for in the event loop: switches are told good-bye meanwhile.
            await asyncio.to_thread(threads.shutdown, wait=True, cancel_futures=True)

    def keep(self) -> None:
        """Remember how far the switches are heard, now. Raises LedgerError."""
        for sight in self._news():
            self._ledger.keep_sight(sight)

    def measure(self) -> None:
        """Gaps as numbers."""
        for name in self._links:
            gaps = self._ledger.registers.gaps.open(name)
            calls = [gap.calls for gap in gaps]
            self._telemetry.gap_seconds.labels(name).set(sum(gap.seconds for gap in gaps))
            self._telemetry.gap_calls.labels(name).set(
                -1 if None in calls else sum(count for count in calls if count is not None)
            )

    # --- gaps

    def _lapsed(self, switch: str, lapse: Lapse) -> None:
        ended = ended_unseen(lapse.endings, lapse.since, lapse.until)
        channels = self._switches[switch].channels
        gap = Gap(switch, lapse.since, lapse.until, lapse.cause, lapse.unseen, ended, channels)
        if gap.empty:
            self._telemetry.note("nothing happened unheard", switch=switch, seconds=round(gap.seconds, 3))
            return
        self._ledger.note(gap.opened(self._clock()))
        self._telemetry.fault(
            "gap", switch=switch, seconds=round(gap.seconds, 3), cause=gap.cause, calls=calls_words(gap),
            ended=sum(one.calls for one in ended.values()), id=gap.id,
        )

    def _counted(self, switch: str, since: float, unseen: int) -> None:
        for gap in self._ledger.registers.gaps.open(switch):
            if gap.since == since and gap.parts == 1:       # of the whole nobody counted anything
                now, known = self._clock(), gap._replace(unseen=unseen)
                if known.empty:
                    self._close(gap, known.closed("the switch's own count: no channel began", now))
                else:
                    self._ledger.note(gap.counted(unseen, now))
                    self._telemetry.note("gap counted", switch=switch, calls=calls_words(known), id=gap.id)

    def _close(self, gap: Gap, entry: JournalEntry) -> None:
        self._ledger.note(entry)
        self._telemetry.note("gap closed", switch=gap.switch, by=entry.body["by"], id=gap.id)

    # --- how far switches were heard

    async def _remember(self, threads: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(NOTICE_SECONDS)
            for sight in self._news():
                known = self._kept.get(sight.switch)
                if known is not None and abs(sight.heard_at - known.heard_at) < REMEMBER_SECONDS:
                    continue
                try:
                    await loop.run_in_executor(threads, self._ledger.keep_sight, sight)
                except LedgerError:
                    continue        # the ledger itself says that it is degraded
                self._kept[sight.switch] = sight

    def _news(self) -> list[Sight]:
        found = [sight for link in self._links.values() if (sight := link.sight()) is not None]
        return [sight for sight in found if self._kept.get(sight.switch) != sight]

    # --- CDR files

    async def _follow(self, threads: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for name, follower in self._followers.items():
                try:
                    swept = await loop.run_in_executor(threads, follower.sweep)
                except LedgerError as problem:
                    self._trouble(name, str(problem))
                    continue
                except Exception as problem:        # a bug in there must not cost us the calls
                    self._trouble(name, f"our own fault: {problem!r}")
                    continue
                await self._swept(name, swept)
            await asyncio.sleep(LOOK_SECONDS)

    async def _swept(self, name: str, swept: Swept) -> None:
        for told in ("new", "completed", "unchanged", "bad"):
            self._telemetry.cdr_rows.labels(name, told).inc(getattr(swept, told))
        self._trouble(name, swept.trouble)
        if swept.place is None or swept.trouble:
            return
        delay = self._switches[name].cdr_delay
        if not filled_by(self._ledger, swept.place, self._clock(), delay) or not await self._taken_over():
            return
        for entry in filled_by(self._ledger, swept.place, self._clock(), delay):
            for gap in self._ledger.registers.gaps.open(name):
                if gap.id == entry.ref:
                    self._close(gap, entry)

    async def _taken_over(self) -> bool:
        """Whether the counters have what was read: before that no gap is called filled. While the ledger is
        in trouble they do not have it."""
        begun = self._ledger.taken_over()
        for _ in range(TAKEN_OVER_LOOKS):
            await asyncio.sleep(TAKEN_OVER_SECONDS)
            if self._ledger.taken_over() > begun + 1:       # one of them may have begun before
                return True
        return False

    def _trouble(self, name: str, problem: str) -> None:
        if problem and problem != self._troubles.get(name):         # said once
            self._telemetry.fault("CDR file not followed", switch=name, problem=problem)
        elif not problem and self._troubles.get(name):
            self._telemetry.note("CDR file is followed again", switch=name)
        self._troubles[name] = problem

    def _bad(self, name: str, problem: BadInput) -> None:
        """A row is no good; said in the thread that reads. What callers send may end up in rows, so not each
        is worth a line; all are counted."""
        self._bad_rows[name] += 1
        times = self._bad_rows[name]
        if worth_a_line(times):
            self._tell(partial(self._telemetry.fault, "bad CDR row", switch=name, problem=str(problem),
                               times=times))
