"""Admission: the only meeting point of ledger and policy.

    admit(attempt)   a switch asks: count, decide, answer
    observe(event)   a switch tells: count, and act where a call went by without asking
    heard(...)       somebody wrote to an account: STOP and START are taken at their word
    round(switch)    every two seconds: renew leases, words and brakes; end calls that went over

In: attempts and events. Out: decisions and actions. Everything on the way is synchronous, so that
between a question and its answer nothing is awaited; what can wait is handed to `later`.
Refuses to know: protocols, disks, and what time it is (`clock` is given).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

from enforcer.domain.account import Standing
from enforcer.domain.actions import Action, HangUp, LimitDuration
from enforcer.domain.call import UNTOUCHED, CallAttempt, CallEvent, Medium, NumberClass, Phase, Refusal
from enforcer.domain.decide import decide
from enforcer.domain.decision import Decision, Verdict
from enforcer.domain.mode import Modes
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy
from enforcer.domain.stop_words import StopWords
from enforcer.exempting import EmergencyTerms, Exempting
from enforcer.hearing import Heard, Hearing
from enforcer.ledger.port import Ledger
from enforcer.message_orders import MessageOrders
from enforcer.orders import LeaseTerms, Orders
from enforcer.wire.answer import answer_line, parse_answer

Observer = Callable[[Decision], None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What admission is set up with, besides its parts."""

    lease: LeaseTerms = field(default_factory=LeaseTerms)
    listener_only: frozenset[str] = frozenset()     # switches whose dialplan does not ask
    messages: frozenset[str] = frozenset()          # switches that ask about text messages as well
    words: StopWords = field(default_factory=StopWords.of)
    emergency: EmergencyTerms = field(default_factory=EmergencyTerms)
    message_leases: frozenset[str] = frozenset()    # of those, where a leased account's messages pass unasked


class Admission:
    """Counts, decides, remembers. One per process; owned by one event loop.

    `prefix` makes decision ids unique over restarts. `later` runs a callable after the answer
    has been written; observers run there and may fail without a call noticing. `steady` is a clock that
    nobody sets, in seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        plan: NumberPlan,
        policy: Policy,
        modes: Modes,
        *,
        prefix: str,
        later: Callable[[Callable[[], None]], object],
        terms: Terms | None = None,
        observers: Iterable[Observer] = (),
        steady: Callable[[], float] | None = None,
    ) -> None:
        self._ledger = ledger
        self._plan = plan
        self._policy = policy
        self._modes = modes
        self._prefix = prefix
        self._later = later
        self._terms = terms or Terms()
        self._observers = tuple(observers)
        self._numbers = count(1)
        self.deaf = 0               # times that an observer failed
        self._ending: set[str] = set()      # calls we told a switch to end, until it says they did
        self.orders = Orders(self._terms.lease, ledger.seats, ledger.account)
        self.messages = MessageOrders(self._terms.messages, ledger.seats, ledger.account)
        self._exempting = Exempting(ledger, plan, self._terms.emergency, steady)
        self._hearing = Hearing(ledger, plan, self._terms.words)
        # Called where a switch should hear of something before its next round; set by whoever has the links.
        self.hurry: Callable[[], object] = lambda: None
        self.on_wish: Callable[[Heard], None] = lambda heard: None
        # Called after each answer, with what was asked: it may tell more of a call than its first event did.
        self.on_asked: list[Callable[[CallAttempt], None]] = []
        # Called for a call of an account that holds a lease: nobody will ask about it.
        self.on_leased: Callable[[str], object] = lambda account: None
        # Called with the account of each event that told something new: whoever looks at it looks again.
        self.on_told: list[Callable[[str], None]] = []
        self._look_for_stopped()

    def admit(self, attempt: CallAttempt) -> Decision:
        """Count the attempt (once, however often it is asked about) and decide on it. A message is over
        as it begins."""
        phase = Phase.ENDED if attempt.medium is Medium.MESSAGE else Phase.STARTED
        self._ledger.apply(CallEvent(phase, attempt, attempt.at))
        decision = self._decide(attempt, self._exempting.sort(attempt, attempt.account))
        if decision.refused:
            self._refuse(attempt.call_id, decision)
        self._later(lambda: self._after(decision))
        for tell in self.on_asked:
            self._later(partial(tell, attempt))
        return decision

    def observe(self, event: CallEvent) -> list[Action]:
        """Count what the event adds. Actions, where the call is one that nobody asked about."""
        record = self._ledger.apply(event)
        if record is None or not record.account:
            return []
        for tell in self.on_told:
            tell(record.account)
        if event.callback or event.phase is not Phase.STARTED:
            self._exempting.told(event, record)
            return []
        return self._unasked(event.attempt, record.account)

    def wrote(self, event: CallEvent) -> list[Action]:
        """A message went its way, or was stopped, by what its switch knew."""
        record = self._ledger.apply(event)
        if record is None or not record.account:
            return []
        if self._exempting.sort(event.attempt, record.account) in UNTOUCHED:
            return []
        return self.orders.called(event.attempt.switch, record.account, event.attempt.at)

    def recall(self, at: float) -> None:
        """After a start, what the ledger knows of the time before that has to be at hand for calls."""
        self._exempting.restore(at)

    def named(self, event: CallEvent) -> list[Action]:
        """An event, observed already, told whose call it is, which its beginning had not: what would have
        followed from that follows now, as far as the call still goes on."""
        attempt = event.attempt
        if event.phase is Phase.ENDED and attempt.switch in self._terms.listener_only:
            return []
        return self._unasked(attempt, attempt.account)

    def _unasked(self, attempt: CallAttempt, account: str) -> list[Action]:
        number_class = self._exempting.sort(attempt, account)
        if number_class in UNTOUCHED:
            return []
        if attempt.switch in self._terms.listener_only:
            return self._act_from_events(attempt, number_class)
        if self.orders.leased(attempt.switch, account, attempt.at):
            self.on_leased(account)
        return self.orders.called(attempt.switch, account, attempt.at)

    def heard(self, attempt: CallAttempt, words: str, at: float) -> None:
        """An account was sent these words. STOP and START are on record from `at` on (Unix seconds, the
        clock of the attempt), and the accounts in question ask about their next call."""
        heard = self._hearing.take(attempt, words, at)
        if heard is None:
            return
        accounts = {account.id for account in self._ledger.accounts(heard.account.customer)}
        self.orders.reconsider(accounts | {heard.account.id}, at)
        self.hurry()
        self._later(lambda: self.on_wish(heard))

    def round(self, switch: str, at: float) -> list[Action]:
        """Everything due on a switch: orders to renew, and calls to end."""
        closings = self.messages.round(switch, at, self._modes)
        return closings + self.orders.round(switch, at, self._modes) + self._overrun(switch, at)

    def urgent(self, switch: str, at: float) -> list[Action]:
        """What a switch should hear of before its next round."""
        closings = self.messages.news(switch, at, self._modes)
        return closings + self.orders.round(switch, at, self._modes)

    def everything(self, switch: str, at: float) -> list[Action]:
        """All standing orders of a switch again, after a (re)connect."""
        registered = (account.id for account in self._ledger.accounts())
        closed = self.messages.everything(switch, at, self._modes)
        return closed + self.orders.everything(switch, at, self._modes, registered)

    def use(self, policy: Policy, at: float) -> None:
        """A new policy is in force. Raises LedgerError; then the old one stays."""
        self._ledger.use(policy)
        self._policy = policy
        self.orders.look_again(self._look_for_stopped())

    def steer(self, modes: Modes, at: float) -> None:
        """People changed modes or accounts, or put something on record; in force from the next call on."""
        self._modes = modes
        self.orders.look_again(self._look_for_stopped())
        self.hurry()

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    @property
    def modes(self) -> Modes:
        """The modes in force."""
        return self._modes

    def _decide(self, attempt: CallAttempt, number_class: NumberClass) -> Decision:
        decision = decide(
            attempt, number_class, self._ledger.account(attempt.account),
            self._ledger.seats(attempt.account, attempt.at) if attempt.account else (),
            self._modes, f"{self._prefix}-{next(self._numbers):x}", self._policy.label,
            self._ledger.degraded,
        )
        gaps = self._ledger.registers.gaps
        return decision._replace(gap=gaps.words(attempt.account)) if gaps and attempt.account else decision

    def _look_for_stopped(self) -> list[str]:
        """The accounts that people stopped."""
        stopped = [a.id for a in self._ledger.accounts() if a.standing is not Standing.ACTIVE]
        self.messages.stopped(stopped)
        return stopped

    def _refuse(self, call_id: str, decision: Decision) -> None:
        refused = Refusal.BLOCKED if decision.verdict is Verdict.BLOCK else Refusal.SHED
        self._ledger.refuse(call_id, refused)

    def _after(self, decision: Decision) -> None:
        """What can wait until the answer is on its way."""
        self._ledger.keep(decision)
        if decision.medium == Medium.MESSAGE:
            self._after_message(decision)
        elif decision.account and not decision.exempt:
            self.orders.decided(decision)
        for observer in self._observers:
            try:
                observer(decision)
            except Exception:       # the next decision, and the next observer, must not suffer from it
                self.deaf += 1

    def _after_message(self, decision: Decision) -> None:
        """Leases, words and brakes are for calls; but a rule may count both."""
        if not decision.account:
            return
        self.orders.reconsider((decision.account,), decision.at)
        if decision.switch in self._terms.message_leases:
            self.orders.seen(decision.switch, decision.account, decision.at)
        if decision.verdict is Verdict.BLOCK and self._terms.messages:
            self.messages.refused(decision.account)
            self.hurry()

    def _act_from_events(self, attempt: CallAttempt, number_class: NumberClass) -> list[Action]:
        """Where the dialplan does not ask, the first event of a call stands for the question."""
        decision = self._decide(attempt, number_class)
        self._later(lambda: self._after(decision))
        if decision.refused:
            self._refuse(attempt.call_id, decision)
            return [HangUp(attempt.call_id, attempt.channel, parse_answer(answer_line(decision)).cause)]
        if decision.max_duration is not None:
            return [LimitDuration(attempt.call_id, attempt.channel, decision.max_duration)]
        return []

    def _overrun(self, switch: str, at: float) -> list[Action]:
        """Calls in progress that a rule with `hang_up` ends, its limit being reached mid-call."""
        if not any(rule.spec.hang_up for rule in self._policy.rules):
            return []
        actions: list[Action] = []
        live = self._ledger.live(switch)
        still = {record.call_id for record in live}
        self._ending = {c for c in self._ending if c in still or not c.startswith(f"{switch}/")}
        verdicts: dict[tuple[str, str, str], Decision | None] = {}
        for record in live:
            if not record.account or record.number_class in UNTOUCHED:
                continue
            if record.call_id in self._ending:
                continue
            key = (record.account, record.direction, record.number_class)
            if key not in verdicts:
                verdicts[key] = self._over(replace(record.attempt(), at=at), record.number_class)
            decision = verdicts[key]
            if decision is None:
                continue
            self._ending.add(record.call_id)
            mine = decision._replace(call_id=record.call_id, number=record.number)
            self._later(lambda mine=mine: self._after(mine))    # type: ignore[misc]
            cause = parse_answer(answer_line(decision)).cause
            actions.append(HangUp(record.call_id, record.channel, cause))
        return actions

    def _over(self, attempt: CallAttempt, number_class: NumberClass) -> Decision | None:
        """The decision to end the account's calls, where a rule with `hang_up` blocks by now."""
        seats = [s for s in self._ledger.seats(attempt.account, attempt.at) if s.rule.spec.hang_up]
        if not seats:
            return None
        decision = decide(
            attempt, number_class, self._ledger.account(attempt.account), seats,
            self._modes, f"{self._prefix}-{next(self._numbers):x}", self._policy.label,
            self._ledger.degraded,
        )
        return decision if decision.verdict is Verdict.BLOCK else None
