"""A drill: what callers would get under a fault, rule by rule and account by account, with nothing broken.

In: a policy, modes, a ledger, a fault's name. Out: a `Drill`: what each rule's `on_failure` comes to for the
accounts that it is about, and the orders that hold for each account meanwhile: its lease, word and brake.
They are found by the very code that writes them (`orders`), from the last decisions in the ledger.
Refuses to know: switches, and how it is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from enforcer.domain.account import Account, Standing, unregistered
from enforcer.domain.actions import RememberWord, SetBrake
from enforcer.domain.decision import OnFailure
from enforcer.domain.mode import Mode, Modes, ModeSetting
from enforcer.domain.policy import Policy, Seat
from enforcer.domain.rules import Rule
from enforcer.ledger.port import Ledger
from enforcer.orders import LeaseTerms, Orders
from enforcer.wire.answer import SIP_CODE_OF_CAUSE, parse_answer

STALE, WAIT = 6, 0.3            # s: ENF_STALE and ENF_MAXWAIT, as the dialplan has them by default


class Fault(NamedTuple):
    """One fault. `answered`: whether questions still are, as ever; `capped`: no further than this mode."""

    words: str
    then: str
    answered: bool
    capped: Mode | None = None


_ALONE = (
    f"Callers wait {WAIT} s at the most until the heartbeat is {STALE} s old, and no time after that. Then "
    "an account's lease holds, else its brake, else its word, each until it expires; else ENF_FAIL."
)
_AS_EVER = "Questions are answered as ever: callers get what `enforcer why` says."
FAULTS = {
    "dead": Fault("the enforcer is gone", _ALONE, answered=False),
    "frozen": Fault("the enforcer is there and does not answer", _ALONE, answered=False),
    "link": Fault("the link to the switch is lost", _ALONE, answered=False),
    "ledger": Fault(
        "the ledger's disk is full, or somebody holds its lock",
        f"{_AS_EVER} Decisions come from memory and say `degraded`; what is to be written waits.",
        answered=True,
    ),
    "mqtt": Fault("the MQTT broker is gone", _AS_EVER, answered=True),
    "hostile": Fault("strangers at the doors", _AS_EVER, answered=True),
    "clock": Fault(
        "the enforcer's clock jumps",
        f"{_AS_EVER} It goes by the switch's clock, which it reads every two seconds.", answered=True,
    ),
    "switch": Fault(
        "the switch restarts",
        f"Its calls in progress are lost. Until the enforcer is connected again, c{_ALONE[1:]}",
        answered=False,
    ),
    "breaker": Fault(
        "rules would refuse too much, and the breaker trips",
        "The site's ceiling falls to monitor: every call goes, also while nobody answers, until a person "
        "re-arms.", answered=True, capped=Mode.MONITOR,
    ),
}


@dataclass(frozen=True, slots=True)
class Held:
    """What a switch would go by for one account while nobody answers; "" and 0 where it holds nothing."""

    account: str
    switch: str
    leased: bool            # it is far from every limit: if it calls now it holds a lease
    word: str               # allow, tag, throttle, block
    sip_code: int           # where calls are refused
    calls: int              # its brake: concurrent calls, calls a second
    cps: int
    people: bool            # people stopped it

    @property
    def refused(self) -> bool:
        """Whether its calls would be, once it holds no lease any more."""
        return self.sip_code != 0


@dataclass(frozen=True, slots=True)
class Line:
    """One rule, as if it were the only one. `accounts`: of those it is about, how many get which verdict."""

    rule: str
    clause: str
    on_failure: OnFailure
    accounts: Counter[str]
    braked: int
    per_call: bool          # no lease for those it is about


@dataclass(frozen=True, slots=True)
class Drill:
    """One fault, on one switch."""

    fault: str
    about: Fault
    switch: str
    lines: list[Line] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    lease_seconds: int = 0


def drill(
    fault: str, ledger: Ledger, policy: Policy, modes: Modes, switch: str, terms: LeaseTerms, at: float,
    accounts: Sequence[Account],
) -> Drill:
    """What these accounts would get there. `fault` is one of `FAULTS`."""
    about = FAULTS[fault]
    if about.capped is not None:
        modes.put(ModeSetting(about.capped, ceiling=True, at=at, why=about.words))
    found = Drill(fault, about, switch, lease_seconds=terms.seconds)
    everything = list(_held(ledger, modes, switch, terms, at, accounts, lambda seat: True))
    found.held.extend(one for one in everything if one.leased or one.word or one.calls or one.cps)
    for rule in policy.rules:
        if not rule.settled_only:
            found.lines.append(_line(rule, ledger, modes, switch, terms, at, accounts))
    return found


def _line(
    rule: Rule, ledger: Ledger, modes: Modes, switch: str, terms: LeaseTerms, at: float,
    accounts: Sequence[Account],
) -> Line:
    theirs = [account for account in accounts if rule.spec.covers(account)]
    mine = rule.spec.id
    held = list(_held(
        ledger, modes, switch, terms, at, theirs, lambda seat: seat.rule.spec.id == mine, people=False
    ))
    verdicts = Counter(one.word or "allow" for one in held)
    braked = sum(bool(one.calls or one.cps) for one in held)
    return Line(mine, rule.spec.clause, rule.spec.on_failure, verdicts, braked, rule.per_call)


def _held(
    ledger: Ledger, modes: Modes, switch: str, terms: LeaseTerms, at: float, accounts: Iterable[Account],
    wanted: Callable[[Seat], bool], *, people: bool = True,
) -> Iterable[Held]:
    """The orders of these accounts as `Orders` would write them now, as far as these seats want them."""
    def account_of(account_id: str) -> Account:
        account = ledger.account(account_id)
        return account if people else unregistered(account_id)

    orders = Orders(
        terms, lambda account_id, when: [s for s in ledger.seats(account_id, when) if wanted(s)], account_of
    )
    names = [account.id for account in accounts]
    for name in names:
        orders.seen(switch, name, at)
        for last in ledger.decisions(name, limit=1):
            if last.switch == switch and last.medium == "call":
                orders.decided(last._replace(at=at))
    words: dict[str, str] = {}
    brakes: dict[str, tuple[int, int]] = {}
    for action in orders.everything(switch, at, modes, names):
        if isinstance(action, RememberWord):
            words[action.account] = action.word
        elif isinstance(action, SetBrake):
            brakes[action.account] = (action.max_calls, action.max_cps)
    for name in names:
        answer = parse_answer(words.get(name, "")) if name in words else None
        calls, cps = brakes.get(name, (0, 0))
        yield Held(
            name, switch, orders.leasable(name, at, switch),
            answer.verdict.word if answer is not None else "",
            SIP_CODE_OF_CAUSE.get(answer.cause, 603) if answer is not None and answer.cause else 0,
            calls, cps, people and account_of(name).standing is not Standing.ACTIVE,
        )

