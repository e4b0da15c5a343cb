"""Whatever calls come, however often all is looked at, and whenever the enforcer is restarted: a notice is
created once, sent once after it was delivered never again, and nobody is blocked without one."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.notice import About
from tests.support.ledgers import Clock
from tests.support.notices import DAY, MAIL, WEEK, House
from tests.support.rules import rule

HOUR = 3600.0
RULES = (
    rule("attempts", 4, 2, notice=WEEK, name="calls"),
    rule("asr", 3, min_attempts=3, notice=WEEK, name="ratio", measure=Measure(Scope.CUSTOMER)),
    rule("concurrent_calls", 3, name="lines"),
)
WAYS = st.one_of(
    st.tuples(st.just("call"), st.sampled_from(["acme", "apex", "other"])),
    st.tuples(st.just("leased"), st.sampled_from(["acme", "apex", "other"])),
    st.tuples(st.just("talk"), st.sampled_from(["acme", "apex"])),
    st.tuples(st.just("turn"), st.sampled_from([0.0, 11.0, HOUR, DAY, 8 * DAY])),
    st.tuples(st.just("twice"), st.just(0.0)),
    st.tuples(st.just("restart"), st.just(0.0)),
    st.tuples(st.just("down"), st.booleans()),
    st.tuples(st.just("mode"), st.sampled_from([Mode.OFF, Mode.MONITOR, Mode.TAG, Mode.BLOCK])),
)


class Story:
    """One run, over restarts. `created` counts beginnings on record, `sent` what arrived where."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.modes = folder, Clock(), [ModeSetting(Mode.BLOCK)]
        self.sent: list[tuple[str, str]] = []
        self.house = self.start()
        for account in ("acme", "apex"):
            self.house.register(account, "big", MAIL)
        self.house.register("other", "other", "json://other.example")

    def start(self) -> House:
        house = House(*RULES, folder=self.folder, clock=self.clock)
        house.modes = self.modes
        house.admission.steer(Modes(self.modes), self.clock.now)
        return house

    async def play(self, way: str, what: object) -> None:
        house = self.house
        match way, what:
            case "call", str(account):
                self.check(house.call(account))
            case "leased", str(account):
                house.leased(account)
            case "talk", str(account):
                house.leased(account, seconds=60)
            case "turn", float(seconds):
                await house.turn(seconds)
            case "twice", _:
                house.watch.look_again()
                await house.turn()
                house.watch.look_again()
                await house.turn()
            case "restart", _:
                self.collect()
                down = house.post.down
                house.ledger.close()
                self.house = self.start()
                self.house.post.down = down
            case "down", bool(down):
                house.post.down = {MAIL: "busy"} if down else {}
            case "mode", Mode() as mode:
                self.modes.append(ModeSetting(mode, at=self.clock.now))
                house.admission.steer(Modes(self.modes), self.clock.now)

    def check(self, decision: Decision) -> None:
        """A rule with a notice blocks only after one was delivered and its grace has ended."""
        notices = self.house.notices(about=About.LEVEL)
        for finding in decision.findings:
            if finding.rule in ("calls", "ratio") and finding.verdict > Verdict.TAG:
                account = self.house.ledger.account(decision.account)
                told = [
                    n.delivered_at for n in notices
                    if (n.rule, n.customer) == (finding.rule, account.customer)
                    and n.account in ("", account.id)
                ]
                assert any(at is not None and at + 7 * DAY <= decision.at for at in told)

    def collect(self) -> None:
        self.sent += [(where, text) for where, _, text in self.house.post.sent]
        self.house.post.sent.clear()

    async def end(self) -> None:
        """Everything is put right; all that is pending goes out."""
        self.house.post.down = {}
        for _ in range(3):
            await self.house.turn(2 * HOUR)
        self.collect()
        ledger = self.house.ledger
        journal = Counter(entry.ref for entry in ledger.journal() if entry.body.get("stage") == "created")
        assert set(journal.values()) <= {1}
        assert ledger.registers.notices.pending() == []
        texts = Counter(self.sent)
        told = {n.facts["text"] for n in self.house.notices()}
        assert all(times == 1 for times in texts.values())
        assert {text for where, text in texts if "ops" not in where} == told
        assert ledger.prove().broken == ""
        assert ledger.verify() == []
        ledger.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(WAYS, max_size=40))
def test_everything_is_told_exactly_once(ways: list[tuple[str, object]]) -> None:
    async def run(folder: Path) -> None:
        story = Story(folder)
        for way, what in ways:
            await story.play(way, what)
        await story.end()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
