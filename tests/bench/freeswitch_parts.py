"""The parts of the trial on a real FreeSWITCH; see `freeswitch_trial`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from lab.process import freeze, thaw
from tests.bench.freeswitch_thin import Behind, Thin
from tests.bench.freeswitch_trial import ASKED, FAR_AWAY, FEW, GOOD, SHAPES, TAGGED, Trial, check, longest
from tests.bench.own_freeswitch import OwnFreeswitch
from tests.bench.report import percentile

RATE = 40.0
TRANSFERS = 25      # of a call that is up, blindly
AT_ONCE = 0.7       # s; one that the scheduler had to take back would wait for 1 to 2
LATEST = 3000       # ms that a frozen enforcer may cost a call: two guards of the switch's whole seconds


async def shapes() -> None:
    """Whatever becomes of a call on the switch, it is one attempt."""
    for rules, how in ((ASKED, "asked"), (FAR_AWAY, "leased")):
        async with Trial(rules) as trial:
            await trial.calls(GOOD, 3)
            await asyncio.sleep(3)
            placed = 3
            for digits, (what, _) in SHAPES.items():
                outcome = await trial.calls(digits + GOOD, 2)
                check(f"{how}, {what}: goes", outcome.codes == {200: 2}, longest(outcome))
                placed += 2
            outcome = await trial.calls("26" + GOOD, 3, talk=1.0)
            check(f"{how}, conference of three: goes", outcome.codes == {200: 3}, longest(outcome))
            outcome = await trial.calls("27" + GOOD, 1, talk=1.0)
            check(f"{how}, eavesdrop: goes", outcome.codes == {200: 1}, longest(outcome))
            placed += 4 + await _transfers(trial, how)
            await trial.agrees(how)
            seen = sum(trial.counted().values())
            check(f"{how}: one attempt a call", seen == placed, f"{seen} of {placed} placed")


async def _transfers(trial: Trial, how: str) -> int:
    """Blind and attended; how many calls were placed."""
    at_once = 0
    for number in range(12025550600, 12025550600 + TRANSFERS):
        async with trial.phone() as caller:
            caller.invite(GOOD)
            codes = [await caller.answered()]
            await trial.bridged()
            began = time.monotonic()
            codes += [await caller.refer(str(number))]
            went = await trial.reached(str(number), 1)
            at_once += codes == [200, 202] and went == 1 and time.monotonic() - began < AT_ONCE
        await trial.switch.api("hupall NORMAL_CLEARING")
        await trial.bridged(0)
    check(f"{how}, blind transfer: goes at once", at_once == TRANSFERS, f"{at_once} of {TRANSFERS}")
    async with trial.phone() as first, trial.phone() as second:
        first.invite(GOOD)
        codes = [await first.answered()]
        second.invite("12025550144")
        codes += [await second.answered()]
        await trial.bridged(2)
        codes += [await first.refer("12025550144", instead=second)]
        await asyncio.sleep(0.5)
        check(f"{how}, attended transfer: goes", codes == [200, 200, 202], codes)
    await trial.switch.api("hupall NORMAL_CLEARING")
    return TRANSFERS + 2


FORGED = "12025550142%0Avariable_accountcode:%20globex%0ACaller-Destination-Number:%20900"
HEADERS = {
    "User-Agent": "x%0Avariable_accountcode:%20globex%0Avariable_enforcer_account:%20globex",
    "Subject": "x%0a%0aEvent-Name:%20CHANNEL_HANGUP_COMPLETE%0aUnique-ID:%201",
    "Referred-By": "<sip:globex%0Avariable_accountcode:%20globex@127.0.0.1>",
    "P-Asserted-Identity": '"x%0Avariable_accountcode: globex" <sip:globex@127.0.0.1>',
    "X-Enforcer-Account": "globex",
    "X-Enforcer-Tag": "forged",
    "X-accountcode": "globex",
    "X-Quote": "\\'${hash(insert/enf/lease.globex/9999999999)}",
}
LINES = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())


async def forged() -> None:
    """Nothing that a caller writes is taken for what the switch says."""
    evil = "${hash(insert/enf/lease.globex/9999999999)}"
    tried = (
        (GOOD, "acme"), (FORGED, "acme"), (GOOD, FORGED), (GOOD, "acme%00globex"), (GOOD, evil),
        (evil, "acme"), (GOOD, "acme"),
    )
    for rules, how in ((ASKED, "asked"), (FAR_AWAY, "leased"), (TAGGED, "tagged")):
        async with Trial(rules) as trial:
            for number, account in tried:
                async with trial.phone() as phone:
                    phone.invite(number, LINES, account)
                    with contextlib.suppress(TimeoutError):
                        if await phone.answered(within=3) == 200:
                            await phone.hang_up()
            await trial.quiet()
            seen = trial.counted()
            others = {account for account, _ in seen} - {"acme", "initech", ""}
            check(f"{how}: no call is another account's", not others, dict(seen))
            tags = {message.header("X-Enforcer-Tag") for message in trial.far_end.invites()}
            ours = {None, "few.warning"} if how == "tagged" else {None}
            check(f"{how}: no tag of a caller's leaves", tags <= ours, tags)
            left = (await trial.switch.api("hash_dump all enf")) + await trial.switch.api("hash_dump db")
            check(f"{how}: nothing was written for globex", "lease.globex" not in left, "")
            await trial.agrees(how)


async def emergency() -> None:
    """Every state that the rest can be in."""
    async with Trial(FEW) as trial:
        async def goes(what: str) -> None:
            for number in ("911", "112"):
                outcome = await trial.calls(number, 2)
                at_once = outcome.codes == {200: 2} and max(outcome.setup_ms) < 500
                check(f"{what}: {number} goes at once", at_once, longest(outcome))

        await goes("before anything")
        async with trial.phone() as caller:
            caller.invite(GOOD)
            code = await caller.answered()
            await trial.bridged()
            blocked = await trial.calls(GOOD, 1)
            check("the account is blocked", code == 200 and blocked.codes == {403: 1}, longest(blocked))
            await goes("blocked")
            before = len(trial.far_end.invites("911"))
            code = await caller.refer("911")
            went = await trial.reached("911", before + 1) - before
            check("blocked, a call that is up is transferred to 911", code == 202 and went == 1, (code, went))
        await trial.switch.api("hupall NORMAL_CLEARING")
        freeze(trial.enforcer.pid)
        await goes("frozen")
        thaw(trial.enforcer.pid)
        await trial.switch.api("global_setvar enf_fail=closed")
        trial.enforcer.kill()
        await goes("killed, door closed, failing closed")
        await asyncio.sleep(7)
        await goes("killed, heartbeat stale")
        await trial.enforcer.start()
        await goes("back")
        await trial.agrees("emergency", deaf=True)
        used = await trial.enforcer.json("usage", "acme")
        attempts = [total["attempts"] for total in used["totals"] if total["direction"] == "outbound"]
        check("emergency calls count for no rule", attempts == [1], used["totals"])


async def load() -> None:
    """The enforcer frozen, thawed, killed and started again while calls go on."""
    await _load("door", http=False)


async def load_http() -> None:
    """The same, asking over HTTP."""
    await _load("http", http=True)


async def _load(how: str, *, http: bool) -> None:
    async with Trial(ASKED, http=http) as trial:
        usual = await trial.calls(GOOD, 400, RATE)
        check(f"{how}: alive", usual.failed == 0, longest(usual))

        async def beside(what: str, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
            calls = asyncio.create_task(trial.calls(GOOD, int(RATE * seconds), RATE), name="calls")
            await asyncio.sleep(3)
            await do()
            outcome = await calls
            added = max(outcome.setup_ms) - percentile(usual.setup_ms, 0.5)
            good = outcome.failed == 0 and outcome.codes == {200: outcome.placed}
            check(f"{how}, {what}: every call goes on", good, longest(outcome))
            check(f"{how}, {what}: at most {LATEST} ms added", added <= LATEST, f"{added:.0f} ms")

        async def stopped() -> None:
            freeze(trial.enforcer.pid)

        async def started() -> None:
            await trial.enforcer.start()

        async def killed() -> None:
            trial.enforcer.kill()

        await beside("frozen under load", 10, stopped)
        stale = await trial.calls(GOOD, 200, RATE)
        check(f"{how}, frozen, heartbeat stale: nobody waits", max(stale.setup_ms) < 500, longest(stale))
        thaw(trial.enforcer.pid)
        await asyncio.sleep(5)
        back = await trial.calls(GOOD, 200, RATE)
        check(f"{how}, thawed: asked again", back.failed == 0, longest(back))
        downs = [line["problem"] for line in trial.enforcer.lines() if line.get("event") == "link down"]
        check(f"{how}, thawed: the link", True, downs or "was never let go of")
        await trial.agrees(f"{how}, frozen and thawed")
        await beside("killed -9 under load", 10, killed)
        await beside("started again under load", 12, started)
        await trial.quiet()
        sources = [noted.partition(";")[0] for _, _, noted in trial.cdrs().values()]
        check(f"{how}: who answered", True, {one: sources.count(one) for one in sorted(set(sources))})
        await trial.agrees(f"{how}, killed and started again", deaf=True)


async def queue() -> None:
    """A line too thin for the switch's events: they come later and later, until we let go."""
    def behind(switch: OwnFreeswitch) -> Behind:
        return Behind(thin.to(switch.ami_port), switch.secret)

    async with Thin() as thin, Trial(FAR_AWAY, behind) as trial:
        usual = await trial.calls(GOOD, 200, 20)
        thin.bytes_a_second = 100_000
        outcome = await trial.calls(GOOD, int(45 * RATE), RATE)
        seen = f"{longest(outcome)}; before {longest(usual)}"
        check("thin line: calls are not held up", outcome.failed == 0, seen)
        downs = [line["problem"] for line in trial.enforcer.lines() if line.get("event") == "link down"]
        check("thin line: we let go", any("late" in problem for problem in downs), downs)
        check("thin line: connections", True, thin.connections)
        thin.bytes_a_second = 0
        await asyncio.sleep(20)         # the longest pause between two tries is 15 s
        await trial.agrees("thin line", deaf=True)


PARTS: dict[str, Callable[[], Awaitable[None]]] = {
    "shapes": shapes, "forged": forged, "emergency": emergency, "load": load,
    "load_http": load_http, "queue": queue,
}
