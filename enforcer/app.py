"""The composition root: the only module that knows everybody.

In: settings. Out: a running enforcer: one link a switch, the FastAGI door where it is wanted, and
one task that takes over what people change. Everything runs in one TaskGroup, and stops in order:
doors first, so that nobody asks into the void, then links, then the ledger, durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from enforcer import heap, history, packs, retiring
from enforcer.admission import Admission, Terms
from enforcer.closing import Closing, in_a_process
from enforcer.control.exposure import modes
from enforcer.domain.mode import Modes
from enforcer.doors import doors_of, make_room
from enforcer.errors import EnforcerError, LedgerError, LinkError
from enforcer.exempting import EmergencyTerms
from enforcer.guard import Guard
from enforcer.headlog import log_head, log_heads
from enforcer.ledger.port import Ledger
from enforcer.ledger.sqlite import SqliteLedger
from enforcer.ledger.store import alone
from enforcer.links import link_to
from enforcer.notices.bureau import Bureau
from enforcer.orders import LeaseTerms
from enforcer.readings import Readings
from enforcer.room import Room
from enforcer.selfwatch import watch
from enforcer.settings import Settings
from enforcer.stuck import Yielding
from enforcer.supervisor import NOBODY, Supervisor, give_way
from enforcer.switch.door import Door
from enforcer.switch.esl import EslLink
from enforcer.switch.link import Link
from enforcer.telemetry import Telemetry
from enforcer.timed import TimedAdmission, stopwatches
from enforcer.watching import Watching
from enforcer.wire.answer import SIP_CODES

# How long we wait for a locked ledger before we go on in memory and try again: calls wait meanwhile.
LEDGER_PATIENCE = 0.25


@dataclass(frozen=True, slots=True)
class House:
    """All parts of one enforcer, put together and not yet running."""

    settings: Settings
    ledger: Ledger
    admission: Admission
    links: tuple[Link, ...]
    doors: tuple[Door, ...]
    telemetry: Telemetry
    bureau: Bureau
    watching: Watching
    guard: Guard
    room: Room
    readings: Readings


def build(
    settings: Settings,
    telemetry: Telemetry,
    later: Callable[[Callable[[], None]], object],
    clock: Callable[[], float] = time.time,
    steady: Callable[[], float] | None = None,
) -> House:
    """Put the parts together; `steady` is a clock that nobody sets. Raises BadInput for a bad pack or a
    missing secret, LedgerError."""
    policy = packs.load(settings.pack_paths, SIP_CODES)
    secrets_of = {switch.name: switch.secret() for switch in settings.linked}
    plan = settings.numbers.plan()
    parts = settings.ledger_path, plan.classify, clock
    opened = partial(SqliteLedger, *parts, canonical=plan.canonical, channels=settings.channels)
    ledger = opened(patience=LEDGER_PATIENCE)
    news = history.news(ledger, policy, clock(), settings.pack_paths)
    news += history.unrecorded(ledger, clock())
    ledger.use(policy)
    for entry in news:
        ledger.note(entry)
    bureau = Bureau(settings, ledger, telemetry, lambda: admission, clock)
    guard = Guard(settings, ledger, telemetry, lambda: admission, clock)
    admission = TimedAdmission(
        ledger, plan, policy, Modes(ledger.modes(), settings.policy.default_mode),
        prefix=secrets.token_hex(3), later=later,
        terms=Terms(
            LeaseTerms(settings.lease.seconds, settings.lease.headroom),
            frozenset(switch.name for switch in settings.switches if switch.listener_only),
            frozenset(switch.name for switch in settings.switches if switch.messages),
            settings.messages.words,
            EmergencyTerms(settings.emergency.window, frozenset(settings.emergency.tests)),
            frozenset(one.name for one in settings.switches if one.messages and one.kind == "freeswitch"),
        ),
        observers=(telemetry.decision, bureau.decision, guard.decision, lambda one: room.decision(one)),
        steady=steady,
    )
    admission.recall(clock())
    guard.began()
    admission.on_leased = guard.leased
    links = tuple(
        link_to(switch, secrets_of[switch.name], admission, clock, steady or time.monotonic)
        for switch in settings.linked
    )
    for switch, link in zip(settings.linked, links, strict=True):
        for record in ledger.live(switch.name):     # calls that were going on when we were last here
            link.book.restore(record.attempt(), record.answered_at)
    admission.hurry = lambda: _hurry(links)
    admission.on_asked += [link.asked for link in links if isinstance(link, EslLink)]
    admission.on_wish = lambda heard: telemetry.wish(
        heard.wish, heard.seconds, heard.account.customer, heard.account.id
    )
    asked = {link.book.identity.switch: link.asked for link in links}
    doors = doors_of(
        settings, admission, telemetry, clock, asked,
        lambda: {one.book.identity.switch: one.book.core for one in links if isinstance(one, EslLink)},
    )
    by_name = {switch.name: link for switch, link in zip(settings.linked, links, strict=True)}
    watching = Watching(by_name, settings.linked, ledger, opened, telemetry, clock)
    room = Room(
        settings, ledger, admission, links, telemetry, clock, lambda: reload(house), lambda: changed(house)
    )
    stopwatches(settings, admission, links, doors, telemetry)
    readings = Readings(ledger, admission, by_name, doors, room.feed, telemetry.registry)
    house = House(
        settings, ledger, admission, links, doors, telemetry, bureau, watching, guard, room, readings
    )
    return house


def _hurry(links: Iterable[Link]) -> None:
    for link in links:
        link.hurry()


async def serve(house: House, stop: asyncio.Event, supervisor: Supervisor = NOBODY) -> None:
    """Run until `stop` is set. Raises LinkError where a door's address is taken."""
    telemetry = house.telemetry
    make_room(house.doors, telemetry, house.settings.http.files)
    for door in house.doors:
        await door.start()
    try:
        if house.room.http is not None:
            await house.room.http.start()
        async with asyncio.TaskGroup() as tasks:
            closing = Closing(
                house.settings.settle.after, house.ledger.accounts,
                lambda: in_a_process(house.settings.path), telemetry, time.time,
            )
            work = {
                f"link {switch.name}": link.run()
                for link, switch in zip(house.links, house.settings.linked, strict=True)
            } | {
                "take over changes": _take_over(house),
                "watch": watch(house.readings, house.ledger, house.admission, house.watching, telemetry),
                "follow CDR files": house.watching.run(), "settle closed cycles": closing.run(),
                "log heads": log_heads(house.ledger, telemetry),
                "prune": retiring.retire(partial(retiring.in_a_process, house.settings.path), telemetry),
                "notices": house.bureau.run(), "watchdog": supervisor.watched(),
                "give way where stuck": Yielding().run(), "breaker": house.guard.run(),
                "control room": house.room.run(),
            }
            running = [tasks.create_task(job, name=name) for name, job in work.items()]
            telemetry.note(
                "running", site=house.settings.site, switches=[s.name for s in house.settings.switches],
                policy=house.admission.policy.label, mode=house.settings.policy.mode,
            )
            supervisor.ready()
            await stop.wait()
            if house.room.http is not None:
                await house.room.http.stop()
            with contextlib.suppress(LedgerError):      # which closing it will tell
                house.watching.keep()
            supervisor.stopping()
            for door in house.doors:
                await door.stop()
            for task in running:
                task.cancel()
    finally:
        if house.room.http is not None:
            await house.room.http.stop()
        for door in house.doors:
            await door.stop()
        log_head(house.ledger, telemetry, last=True)
        try:
            house.ledger.close()
        except LedgerError as problem:
            raise LedgerError(f"{problem}, and are lost: `enforcer cdr import` brings them back") from None
        telemetry.note("stopped", site=house.settings.site)


def reload(house: House) -> str:
    """Read the packs again, all or nothing: a pack that is wrong leaves the old policy in force. What is
    wrong, "" where all is well."""
    paths, now = house.settings.pack_paths, time.time()
    try:
        policy = packs.load(paths, SIP_CODES)
        news = history.news(house.ledger, policy, now, paths)
        house.admission.use(policy, now)
    except EnforcerError as problem:
        house.telemetry.fault("policy not reloaded", problem=str(problem))
        return str(problem)
    for entry in news:
        house.ledger.note(entry)
    house.bureau.look_again()
    house.guard.reloaded()
    house.telemetry.note("policy reloaded", policy=house.admission.policy.label)
    return ""


def _answer(house: House) -> None:
    """Do what people asked for on the command line, and say what came of it. Only the packs can be asked for;
    a request of before we ran is answered by what was loaded at our start, or by loading it again."""
    for request in house.ledger.registers.requests.pending():
        problem = reload(house)
        house.ledger.note(history.answer(request, house.admission.policy.label, problem, time.time()))


def changed(house: House) -> None:
    """Modes, accounts or registers in the ledger are not what they were: in force from the next call on."""
    house.admission.steer(Modes(house.ledger.modes(), house.settings.policy.default_mode), time.time())
    house.bureau.look_again()


async def _take_over(house: House) -> None:
    """What another process wrote into the ledger: modes and accounts are in force at once."""
    news = False
    while True:
        await house.room.lookout.turn(news)
        news = False
        try:
            news = house.ledger.changed_elsewhere()
            if news:
                changed(house)
                house.telemetry.note("took over changes")
            _answer(house)
        except EnforcerError as problem:
            house.telemetry.fault("ledger", problem=str(problem))


def run(settings: Settings) -> int:
    """Run until SIGINT or SIGTERM; SIGHUP reloads the packs. Raises EnforcerError where something a
    person set is wrong, or another enforcer runs on the same ledger."""
    with alone(settings.ledger_path):
        return _run_alone(settings)


def _run_alone(settings: Settings) -> int:
    give_way(settings.run.nice)
    telemetry = Telemetry()
    for finding in modes(settings):
        telemetry.fault("open to others", problem=finding.words)
    stop_metrics: Callable[[], None] = lambda: None     # noqa: E731
    if settings.metrics.listen:
        host, _, port = settings.metrics.listen.rpartition(":")
        try:
            stop_metrics = telemetry.serve(host, int(port))
        except OSError as problem:
            raise LinkError(
                f"metrics {settings.metrics.listen}: {problem.strerror or problem}; stop what listens there, "
                "or choose another [metrics] listen"
            ) from None

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        house = build(settings, telemetry, loop.call_soon, steady=time.monotonic)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, reload, house)
        heap.settle()
        await serve(house, stop, Supervisor.of(os.environ))

    with contextlib.ExitStack() as after:
        after.callback(stop_metrics)
        try:
            asyncio.run(main())
        except* EnforcerError as group:
            raise group.exceptions[0] from None
    return 0
