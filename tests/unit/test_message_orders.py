"""Text messages in admission: counted and decided on in one step, and who is closed on a switch."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from enforcer import message_orders
from enforcer.admission import Admission, Terms
from enforcer.domain.account import Account, Standing
from enforcer.domain.actions import Action, CloseMessages, GrantLease, OpenMessages, RememberWord
from enforcer.domain.call import CallAttempt, CallEvent, Direction, Medium, NumberClass, Phase, Refusal
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.measure import Measure, Scope, Window
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.notice import NoticeTerms
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Pack, Policy
from enforcer.domain.rules import Rule
from enforcer.ledger.memory import MemoryLedger
from enforcer.message_orders import CLOSED_FOR
from tests.support.rules import NOON, rule

PLAN = NumberPlan("US")
NUMBER = "12125550100"
MONTH = 31 * 86_400.0


class Desk:
    """An admission for a switch that asks about messages, `pbx1`, and one that does not, `pbx2`."""

    def __init__(self, *rules: Rule, mode: Mode = Mode.BLOCK) -> None:
        self.now = NOON
        policy = Policy(rules, [Pack("test", "1")])
        self.ledger = MemoryLedger(PLAN.classify, lambda: self.now, PLAN.canonical)
        self.ledger.put_accounts([Account("acme", "acme-co"), Account("globex", "globex-co")])
        self.ledger.use(policy)
        self.waiting: list[Callable[[], None]] = []
        self.admission = Admission(
            self.ledger, PLAN, policy, Modes(default=mode), prefix="t", later=self.waiting.append,
            terms=Terms(messages=frozenset({"pbx1"})),
        )
        self.hurried = 0
        self.admission.hurry = self._hurry

    def _hurry(self) -> None:
        self.hurried += 1

    def attempt(self, name: str, number: str = NUMBER, account: str = "acme", **more: object) -> CallAttempt:
        attempt = CallAttempt(
            f"pbx1/{name}", "pbx1", account, Direction.OUTBOUND, number, account, self.now,
            medium=Medium.MESSAGE,
        )
        return attempt if not more else CallAttempt(**{**_fields(attempt), **more})     # type: ignore[arg-type]

    def send(self, name: str, number: str = NUMBER, account: str = "acme", **more: object) -> Decision:
        decision = self.admission.admit(self.attempt(name, number, account, **more))
        while self.waiting:
            self.waiting.pop(0)()
        return decision

    def urgent(self, switch: str = "pbx1") -> list[Action]:
        return self.admission.urgent(switch, self.now)

    def closings(self, switch: str = "pbx1") -> list[Action]:
        due = self.admission.round(switch, self.now)
        return [action for action in due if isinstance(action, CloseMessages | OpenMessages)]

    def stand(self, standing: Standing, account: str = "acme") -> None:
        self.ledger.put_accounts([Account(account, f"{account}-co", standing=standing)])
        self.admission.steer(Modes(default=Mode.BLOCK), self.now)


def _fields(attempt: CallAttempt) -> dict[str, object]:
    return {name: getattr(attempt, name) for name in CallAttempt.__slots__}


def messages(limit: int, **more: object) -> Rule:
    return rule("messages", limit, **more)      # type: ignore[arg-type]


# --- counted and decided on


def test_message_is_counted_and_over_in_the_same_step() -> None:
    desk = Desk(messages(10), rule("concurrent_calls", 5))
    assert desk.send("a").verdict is Verdict.ALLOW
    tallies = {seat.rule.spec.id: seat.tally.usage() for seat in desk.ledger.seats("acme", NOON)}
    assert (tallies["messages"].attempts, tallies["messages"].live) == (1, 0)
    assert tallies["concurrent_calls"].attempts == 0
    record = desk.ledger.call("pbx1/a")
    assert record is not None
    assert (record.ended_at, record.billmsec, record.medium) == (NOON, 0, Medium.MESSAGE)
    assert desk.ledger.live() == []


def test_message_over_the_limit_is_refused_and_leaves_the_count() -> None:
    desk = Desk(messages(2))
    assert [desk.send(name).verdict for name in "abcd"] == [Verdict.ALLOW] * 2 + [Verdict.BLOCK] * 2
    usage = desk.ledger.seats("acme", NOON)[0].tally.usage()
    assert (usage.attempts, usage.blocked) == (2, 2)


def test_message_that_comes_too_soon_is_dropped_and_never_held() -> None:
    pace = rule("cps", 1, verdict=Verdict.THROTTLE, measure=Measure(mediums=frozenset({Medium.MESSAGE})))
    desk = Desk(pace)
    first, second = desk.send("a"), desk.send("b")
    assert first.verdict is Verdict.ALLOW
    assert (second.verdict, second.shed, second.hold, second.sip_code) == (Verdict.THROTTLE, True, 0.0, 503)


@pytest.mark.parametrize("number", ["911", "112"])
def test_emergency_message_is_neither_counted_nor_judged(number: str) -> None:
    desk = Desk(messages(0))
    desk.stand(Standing.TERMINATED)
    assert desk.send("a", number).exempt == "emergency call"
    assert desk.ledger.seats("acme", NOON)[0].tally.attempts == 0


def test_message_asked_about_twice_is_one_message() -> None:
    desk = Desk(messages(10))
    desk.send("a")
    desk.send("a")
    assert desk.ledger.seats("acme", NOON)[0].tally.attempts == 1


@pytest.mark.parametrize("refusal", [Refusal.WENT, Refusal.BLOCKED])
def test_what_the_switch_did_stands_over_what_was_decided_too_late(refusal: Refusal) -> None:
    desk = Desk(messages(1))
    desk.send("a")
    desk.send("b")                              # refused, but the answer came when the switch had gone on
    attempt = desk.attempt("b")
    assert desk.admission.observe(CallEvent(Phase.ENDED, attempt, NOON, refusal=refusal)) == []
    usage = desk.ledger.seats("acme", NOON)[0].tally.usage()
    assert (usage.attempts, usage.blocked) == ((2, 0) if refusal is Refusal.WENT else (1, 1))


def test_message_nobody_was_asked_about_is_counted_from_what_the_switch_tells() -> None:
    desk = Desk(messages(10))
    desk.admission.observe(CallEvent(Phase.ENDED, desk.attempt("a"), NOON, refusal=Refusal.WENT))
    assert desk.ledger.seats("acme", NOON)[0].tally.attempts == 1


def test_message_leaves_neither_lease_nor_word() -> None:
    desk = Desk(messages(1000), rule("attempts", 1000))
    desk.send("a")
    assert desk.admission.round("pbx1", NOON) == []


def test_lease_ends_where_messages_bring_the_account_near_a_limit_on_both() -> None:
    desk = Desk(rule("attempts", 60, measure=Measure(mediums=frozenset(Medium))))
    call = desk.attempt("call", medium=Medium.CALL)
    desk.admission.admit(call)
    while desk.waiting:
        desk.waiting.pop(0)()
    assert any(isinstance(action, GrantLease) for action in desk.admission.round("pbx1", NOON))
    for number in range(10):
        desk.send(f"m{number}")
    assert [type(action).__name__ for action in desk.urgent()] == ["WithdrawLease"]


# --- closed and opened


def test_account_is_closed_once_a_message_was_refused_for_a_limit_that_is_used_up() -> None:
    desk = Desk(messages(2))
    desk.send("a")
    desk.send("b")
    assert desk.closings() == []                # nobody was refused yet: the next is told by a message
    desk.send("c")
    assert desk.hurried == 1
    assert desk.urgent() == [CloseMessages("acme")]
    assert desk.closings() == []
    assert desk.urgent("pbx2") == []


def test_account_is_opened_when_its_cycle_begins_anew() -> None:
    desk = Desk(messages(0))
    desk.send("a")
    assert desk.urgent() == [CloseMessages("acme")]
    desk.admission.use(Policy([messages(1)], [Pack("test", "2")]), desk.now)
    assert desk.closings() == [OpenMessages("acme")]
    desk.send("b")
    desk.send("c")
    assert desk.urgent() == [CloseMessages("acme")]
    desk.now += MONTH
    assert desk.closings() == [OpenMessages("acme")]


def test_account_that_used_up_its_messages_is_opened_after_a_time_and_closed_if_it_still_writes() -> None:
    desk = Desk(messages(0))
    desk.send("a")
    assert desk.urgent() == [CloseMessages("acme")]
    desk.now += CLOSED_FOR - 1
    assert desk.closings() == []
    desk.now += 1
    assert desk.closings() == [OpenMessages("acme")]
    assert not desk.admission.messages._closed["pbx1"]          # forgotten
    assert desk.closings() == []
    desk.send("b")
    assert desk.urgent() == [CloseMessages("acme")]


def test_account_that_people_stopped_stays_closed_however_long_that_is() -> None:
    desk = Desk(messages(100))
    desk.stand(Standing.SUSPENDED)
    desk.urgent()
    desk.now += 10 * CLOSED_FOR
    assert desk.closings() == []


def test_of_very_many_accounts_some_are_closed_and_the_others_refused_message_by_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(message_orders, "MOST_CLOSED", 3)
    desk = Desk(messages(0))
    for nth in range(8):
        assert desk.send(f"m{nth}", account=f"a{nth}").verdict is Verdict.BLOCK
    assert desk.urgent() == [CloseMessages(f"a{nth}") for nth in range(3)]
    desk.stand(Standing.SUSPENDED)                              # whom people stop always has room
    assert CloseMessages("acme", lasts=True) in desk.urgent()
    assert len(desk.admission.messages._closed["pbx1"]) == 4
    desk.now += CLOSED_FOR
    desk.closings()
    desk.send("again", account="a7")
    assert desk.urgent() == [CloseMessages("a7")]


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.MONITOR, Mode.TAG, Mode.THROTTLE])
def test_milder_mode_opens_it(mode: Mode) -> None:
    desk = Desk(messages(0))
    desk.send("a")
    desk.urgent()
    setting = ModeSetting(mode, account="acme", who="ada", why="agreed", at=desk.now)
    desk.admission.steer(Modes([setting], Mode.BLOCK), desk.now)
    assert desk.closings() == [OpenMessages("acme")]


@pytest.mark.parametrize("more", [
    {"verdict": Verdict.THROTTLE},
    {"measure": Measure(window=Window.ROLLING, seconds=60, mediums=frozenset({Medium.MESSAGE}))},
    {"measure": Measure(only=frozenset({NumberClass.ORDINARY}), mediums=frozenset({Medium.MESSAGE}))},
    {"measure": Measure(routes=frozenset({"carrier"}), mediums=frozenset({Medium.MESSAGE}))},
    {"notice": NoticeTerms()},
])
def test_rule_that_leaves_some_message_a_way_closes_nothing(more: dict[str, object]) -> None:
    desk = Desk(messages(0, **more))
    for name in "abc":
        desk.send(name)
    assert desk.urgent() == []
    assert desk.closings() == []


def test_opt_out_closes_nobody() -> None:
    desk = Desk(rule("opt_out", 0, measure=Measure(mediums=frozenset(Medium))))
    attempt = desk.attempt("in", direction=Direction.INBOUND, caller=NUMBER)
    desk.admission.heard(attempt, "STOP", NOON)
    assert desk.send("a").verdict is Verdict.BLOCK
    assert desk.urgent() == []


def test_limit_of_a_customer_closes_the_account_that_was_refused() -> None:
    desk = Desk(messages(1, measure=Measure(Scope.CUSTOMER)))
    desk.send("a")
    desk.send("b")
    assert desk.urgent() == [CloseMessages("acme")]


@pytest.mark.parametrize("standing", [Standing.SUSPENDED, Standing.TERMINATED])
def test_account_that_people_stop_is_closed_at_once_until_they_resume_it(standing: Standing) -> None:
    desk = Desk(messages(100))
    desk.stand(standing)
    assert desk.hurried == 1
    assert desk.urgent()[:1] == [CloseMessages("acme", lasts=True)]
    desk.stand(Standing.ACTIVE)
    assert desk.urgent()[:1] == [OpenMessages("acme")]


def test_ceiling_of_the_site_keeps_a_stopped_account_open() -> None:
    desk = Desk(messages(100))
    desk.stand(Standing.SUSPENDED)
    desk.urgent()
    ceiling = ModeSetting(Mode.MONITOR, ceiling=True, who="ada", why="trial", at=desk.now)
    desk.admission.steer(Modes([ceiling], Mode.BLOCK), desk.now)
    assert desk.closings() == [OpenMessages("acme")]


def test_everything_closes_again_what_is_closed_and_nothing_else() -> None:
    desk = Desk(messages(0))
    desk.stand(Standing.SUSPENDED, "globex")
    desk.send("a")
    desk.urgent()
    for _ in range(2):
        found = [a for a in desk.admission.everything("pbx1", NOON) if not isinstance(a, RememberWord)]
        assert found == [CloseMessages("acme"), CloseMessages("globex", lasts=True)]
    assert not any(isinstance(a, CloseMessages) for a in desk.admission.everything("pbx2", NOON))


def test_account_stopped_before_we_started_is_closed_from_the_start() -> None:
    desk = Desk(messages(0))
    desk.ledger.put_accounts([Account("acme", "acme-co", standing=Standing.TERMINATED)])
    again = Admission(
        desk.ledger, PLAN, Policy(), Modes(default=Mode.BLOCK), prefix="u", later=desk.waiting.append,
        terms=Terms(messages=frozenset({"pbx1"})),
    )
    assert again.everything("pbx1", NOON)[0] == CloseMessages("acme", lasts=True)


def test_account_that_was_closed_by_a_rule_and_is_then_stopped_stays_closed_for_longer() -> None:
    desk = Desk(messages(0))
    desk.send("a")
    assert desk.urgent() == [CloseMessages("acme")]
    desk.stand(Standing.SUSPENDED)
    assert desk.closings() == [CloseMessages("acme", lasts=True)]
    desk.stand(Standing.ACTIVE)
    assert desk.closings() == [CloseMessages("acme")]
    assert desk.closings() == []
