"""After an emergency call: who is exempt, for how long, and that nobody counts it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from enforcer import app
from enforcer.domain import emergency
from enforcer.domain.account import Account, Standing
from enforcer.domain.call import CallAttempt, CallEvent, Direction, NumberClass, Phase, Source
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.journal import Kind
from tests.unit.test_guard import Site

OUT, IN = Direction.OUTBOUND, Direction.INBOUND
PSAP = "+13035550911"
PACK = """
[pack]
name = "strict"
revision = "1"
effective = 2026-01-01
[[rule]]
id = "none"
kind = "attempts"
clause = "1"
directions = ["outbound", "inbound"]
critical = { at = 1, verdict = "block" }
"""


class House(Site):
    """Everybody is past a limit, and acme is terminated on top of that."""

    def pack(self, at: str, revision: str) -> None:
        (self.folder / "pack.toml").write_text(PACK)

    def start(self) -> None:
        super().start()
        standing = Account("acme", "acme", standing=Standing.TERMINATED)
        self.house.ledger.put_accounts([standing, Account("apex", "apex")])
        for account in ("acme", "apex"):
            for _ in range(3):
                self.ask(account)

    def attempt(self, account: str, direction: Direction, number: str, caller: str) -> CallAttempt:
        self.serial += 1
        return CallAttempt(f"pbx1/{self.serial}-{self.now:.0f}", "pbx1", account, direction, number, caller,
                           self.now)

    def ask(
        self, account: str, direction: Direction = OUT, number: str = "12025550142", caller: str = "100"
    ) -> Decision:
        decision = self.house.admission.admit(self.attempt(account, direction, number, caller))
        for later in self.after:
            later()
        self.after.clear()
        return decision

    def emergency(self, account: str = "acme", number: str = "911", seconds: float = 10.0) -> None:
        """As the switch tells it: nobody asks about an emergency call."""
        one = self.attempt(account, OUT, number, "100")
        assert self.house.admission.observe(CallEvent(Phase.STARTED, one, self.now)) == []
        self.now += seconds
        self.house.admission.observe(CallEvent(Phase.ENDED, one, self.now))

    def counted(self, account: str) -> int:
        (seat,) = self.house.ledger.seats(account, self.now)
        return seat.tally.attempts + seat.tally.blocked


@pytest.fixture
def site(tmp_path: Path) -> House:
    return House(tmp_path, more="[breaker]\nenabled = false\n")


def test_a_terminated_account_past_its_limit_is_called_back_and_nobody_counts_it(site: House) -> None:
    assert site.ask("acme", IN, "12025550101", PSAP).verdict is Verdict.BLOCK
    site.emergency()
    before = site.counted("acme")
    decision = site.ask("acme", IN, "12025550101", PSAP)
    assert decision.verdict is decision.would_be is Verdict.ALLOW
    assert decision.exempt == "call back after an emergency call"
    assert site.counted("acme") == before
    record = site.house.ledger.call(decision.call_id)
    assert record is not None
    assert record.number_class is NumberClass.CALLBACK
    assert not site.house.ledger.verify()


def test_it_may_call_those_back_who_called_and_nobody_else(site: House) -> None:
    site.emergency()
    assert site.ask("acme", OUT, "13035550911").verdict is Verdict.BLOCK       # has not called yet
    site.ask("acme", IN, "12025550101", PSAP)
    assert site.ask("acme", OUT, "13035550911").verdict is Verdict.ALLOW
    assert site.ask("acme", OUT, "12025550142").verdict is Verdict.BLOCK
    assert site.ask("acme", OUT, "911").verdict is Verdict.ALLOW
    assert site.ask("apex", IN, "12025550102", PSAP).verdict is Verdict.BLOCK   # somebody else's window


@pytest.mark.parametrize(("later", "verdict"), [(3599.0, Verdict.ALLOW), (3601.0, Verdict.BLOCK)])
def test_the_window_is_counted_from_the_end_of_the_call(site: House, later: float, verdict: Verdict) -> None:
    site.emergency(seconds=7200.0)
    site.now += later
    assert site.ask("acme", IN, "12025550101", PSAP).verdict is verdict


def test_it_survives_a_restart_and_is_on_record(site: House) -> None:
    site.emergency()
    site.house.ledger.close()
    super(House, site).start()
    assert site.ask("acme", IN, "12025550101", PSAP).verdict is Verdict.ALLOW
    entries = list(site.house.ledger.journal({Kind.EMERGENCY}))
    assert [entry.account for entry in entries] == ["acme", "acme"]     # as it began, and as it ended


def test_a_call_that_nobody_asked_about_is_exempt_as_well(site: House) -> None:
    site.emergency()
    before = site.counted("acme")
    one = site.attempt("acme", IN, "12025550101", PSAP)
    assert site.house.admission.observe(CallEvent(Phase.STARTED, one, site.now)) == []
    site.house.admission.observe(CallEvent(Phase.ANSWERED, one, site.now))
    site.house.admission.observe(CallEvent(Phase.ENDED, one, site.now + 60))
    assert site.counted("acme") == before
    assert not site.house.ledger.verify()


def test_a_call_back_whose_account_is_told_late_is_exempt_all_the_same(site: House) -> None:
    site.emergency()
    before = site.counted("acme")
    one = site.attempt("acme", IN, "12025550101", PSAP)
    site.house.admission.observe(CallEvent(Phase.STARTED, replace(one, account=""), site.now))
    site.house.admission.observe(CallEvent(Phase.ANSWERED, one, site.now))
    record = site.house.ledger.call(one.call_id)
    assert record is not None
    assert (record.account, record.number_class) == ("acme", NumberClass.CALLBACK)
    site.house.admission.observe(CallEvent(Phase.ENDED, one, site.now + 60))
    assert site.counted("acme") == before
    assert not site.house.ledger.verify()
    assert site.ask("acme", OUT, "13035550911").verdict is Verdict.ALLOW        # they may be called back


@pytest.mark.parametrize("more", ["", "[emergency]\nwindow = 0\n"])
def test_a_test_number_opens_no_window_nor_does_a_site_without_one(tmp_path: Path, more: str) -> None:
    numbers = '[numbers]\nemergency = ["933"]\n'
    site = House(tmp_path, more=f"[breaker]\nenabled = false\n{numbers}{more}")
    site.emergency(number="911" if more else "933")
    assert site.ask("acme", IN, "12025550101", PSAP).verdict is Verdict.BLOCK


def test_it_remembers_after_a_restart_who_called(site: House) -> None:
    """However many, and also of those that nobody asked about."""
    site.emergency()
    for nth in range(3):
        site.ask("acme", IN, "12025550101", f"+1303555091{nth}")
    unasked = site.attempt("acme", IN, "12025550101", "13035550914")
    site.house.admission.observe(CallEvent(Phase.STARTED, unasked, site.now))
    site.house.ledger.close()
    super(House, site).start()
    for nth in (0, 1, 2, 4):
        assert site.ask("acme", OUT, f"1303555091{nth}").verdict is Verdict.ALLOW
    assert site.ask("acme", OUT, "13035550913").verdict is Verdict.BLOCK
    assert site.ask("apex", OUT, "13035550910").verdict is Verdict.BLOCK
    site.now += 3601
    site.house.ledger.close()
    super(House, site).start()
    assert site.ask("acme", OUT, "13035550910").verdict is Verdict.BLOCK


def test_nobody_makes_an_account_forget_who_called_last(site: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emergency, "MOST_CALLERS", 64)
    site.emergency()
    for nth in range(200):
        site.ask("acme", IN, "12025550101", f"+1303555{nth:04}")
    assert site.ask("acme", IN, "12025550101", "+13035550150").verdict is Verdict.ALLOW    # once more
    for nth in (0, 135):
        assert site.ask("acme", OUT, f"1303555{nth:04}").verdict is Verdict.BLOCK
    for nth in (136, 199):
        assert site.ask("acme", OUT, f"1303555{nth:04}").verdict is Verdict.ALLOW
    for nth in range(200, 260):
        site.ask("acme", IN, "12025550101", f"+1303555{nth:04}")
    assert site.ask("acme", OUT, "13035550150").verdict is Verdict.ALLOW        # it was newer than it seemed


def test_who_is_called_by_many_makes_nobody_else_forget(
    site: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emergency, "MOST_CALLERS_IN_ALL", 50)
    site.emergency("apex")
    for nth in range(10):
        site.ask("apex", IN, "12025550102", f"+1404555{nth:04}")
    site.emergency("acme")
    for nth in range(500):
        site.ask("acme", IN, "12025550101", f"+1303555{nth:04}")
    for nth in range(10):
        assert site.ask("apex", OUT, f"1404555{nth:04}").verdict is Verdict.ALLOW
    assert site.ask("acme", OUT, "13035550499").verdict is Verdict.ALLOW
    windows = site.house.ledger.registers.emergencies
    assert sum(len(one.callers) for _, one in windows.open(site.now)) <= 50
    site.now += 7200
    site.emergency("acme")                          # a new window, nobody called within it
    assert sum(len(one.callers) for _, one in windows.open(site.now)) == 0
    for nth in range(40):
        site.ask("acme", IN, "12025550101", f"+1303555{nth:04}")
    for nth in range(40):
        assert site.ask("acme", OUT, f"1303555{nth:04}").verdict is Verdict.ALLOW


def absorbed(
    site: House, number: str, direction: Direction, callback: bool = False, back: float = 60.0
) -> None:
    """A CDR of a call that nobody told us of when it was made."""
    one = replace(site.attempt("acme", direction, number, PSAP), at=site.now - back)
    ended = CallEvent(Phase.ENDED, one, one.at + 5, one.at, billsec=5.0, source=Source.CDR, callback=callback)
    site.house.ledger.absorb([ended])


def test_an_emergency_call_that_only_a_cdr_tells_of_opens_the_window(site: House) -> None:
    absorbed(site, "911", OUT)
    assert site.ask("acme", IN, "12025550101", PSAP).verdict is Verdict.ALLOW
    absorbed(site, "12025550101", IN, callback=True)
    assert site.ask("acme", OUT, "13035550911").verdict is Verdict.ALLOW


@pytest.mark.parametrize(("number", "back"), [("911", 4000.0), ("911", 400 * 86_400.0), ("933", 60.0)])
def test_a_cdr_of_the_past_or_of_a_test_opens_none(site: House, number: str, back: float) -> None:
    absorbed(site, number, OUT, back=back)
    assert site.ask("acme", IN, "12025550101", PSAP).verdict is Verdict.BLOCK


def test_the_switchs_own_window_is_ours_as_well(site: House) -> None:
    """We were dead when the account called for help; the switch was not."""
    one = site.attempt("acme", IN, "12025550101", PSAP)
    admission, since = site.house.admission, site.now - 600
    before = site.counted("acme")
    assert admission.observe(CallEvent(Phase.STARTED, replace(one, account=""), site.now)) == []
    told = CallEvent(Phase.STARTED, one, site.now, callback=True, since=since)
    assert admission.observe(told) == []
    assert admission.observe(told) == []            # told twice, as by each of its legs
    admission.observe(CallEvent(Phase.ENDED, one, site.now + 5))
    assert site.counted("acme") == before
    assert site.ask("acme", OUT, "13035550911").verdict is Verdict.ALLOW
    site.now += 2999                                # it is counted from the emergency call, not from this one
    assert site.ask("acme", IN, "12025550101", PSAP).verdict is Verdict.ALLOW
    site.now += 2
    assert site.ask("acme", IN, "12025550101", PSAP).verdict is Verdict.BLOCK
    assert not site.house.ledger.verify()


@pytest.mark.parametrize("since", [None, 1e11, 0.0, -5.0])
def test_a_switch_that_says_no_sensible_time_exempts_that_call_only(site: House, since: float | None) -> None:
    one = site.attempt("acme", IN, "12025550101", PSAP)
    before = site.counted("acme")
    site.house.admission.observe(CallEvent(Phase.STARTED, one, site.now, callback=True, since=since))
    assert site.counted("acme") == before
    assert site.ask("acme", IN, "12025550101", PSAP).verdict is Verdict.BLOCK


def test_the_class_stands_whatever_a_cdr_says_later(site: House) -> None:
    site.emergency()
    decision = site.ask("acme", IN, "12025550101", PSAP)
    one = site.house.ledger.call(decision.call_id)
    assert one is not None
    site.house.ledger.absorb([CallEvent(Phase.ENDED, one.attempt(), site.now + 5, site.now, billsec=5.0)])
    again = site.house.ledger.call(decision.call_id)
    assert again is not None
    assert again.number_class is NumberClass.CALLBACK
    assert app.reload(site.house) == ""
    assert not site.house.ledger.verify()


@pytest.mark.parametrize("back", [2.0, 3600.0, 20_000.0])
def test_a_clock_that_is_set_back_after_the_call_takes_nobodys_window(site: House, back: float) -> None:
    site.emergency()
    site.now -= back
    assert site.ask("acme", IN, "12025550101", PSAP).verdict is Verdict.ALLOW
    assert site.ask("acme", OUT, "13035550911").verdict is Verdict.ALLOW


def test_a_call_by_a_clock_far_ahead_ends_nobody_elses_window(site: House) -> None:
    site.emergency("acme")
    now = site.now
    site.now += 365 * 86_400
    site.emergency("apex")
    site.now = now
    assert site.ask("acme", IN, "12025550101", PSAP).verdict is Verdict.ALLOW
    assert site.ask("apex", IN, "12025550102", PSAP).verdict is Verdict.BLOCK   # that year has not come


def test_windows_are_remembered_up_to_a_cap(site: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emergency, "MOST_WINDOWS", 3)
    for nth in range(5):
        site.emergency(f"a{nth}")
    windows = site.house.ledger.registers.emergencies
    assert [bool(windows.until(f"a{nth}", site.now)) for nth in range(5)] == [False, False, True, True, True]
