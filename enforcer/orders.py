"""Standing orders: what is written on a switch ahead of calls, so that it need not ask, or knows
what to do when nobody answers.

    lease   the account is far from every limit: it calls without asking, and is counted from events
    word    what to do with the account while nobody can be asked (per rule: `on_failure`)
    brake   concurrency and rate limits that the switch keeps by itself, asked or not

In: accounts that call, their seats, the last decision on each. Out: `Action`s, each with an expiry.
Refuses to know: how a switch stores them (see `dialplan/README.md`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from enforcer import posts
from enforcer.domain.account import Account, Standing
from enforcer.domain.actions import Action, GrantLease, RememberWord, SetBrake, WithdrawLease
from enforcer.domain.call import Medium
from enforcer.domain.decision import Decision, OnFailure, Verdict
from enforcer.domain.measure import Measure, Scope
from enforcer.domain.mode import CEILING, Mode, Modes
from enforcer.domain.policy import Seat
from enforcer.domain.rules.concurrent_calls import ConcurrentCalls
from enforcer.domain.rules.cps import CallsPerSecond
from enforcer.posts import Post
from enforcer.wire.answer import answer_line

# How many accounts one round looks at, and for how many it writes something: 10 to 40 ms, so that no
# question waits long behind it. A link asks for several rounds a beat, and answers in between.
ACCOUNTS_A_ROUND = 2_000
ACTIONS_A_ROUND = 500
FIRST = float("-inf")       # a time before that of any switch
STANDING_WORD = "block:21:0:0:standing:"


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """When an account may call unasked: for `seconds` at a time, and only while at least `headroom`
    further attempts surely stay below every warning level. `seconds` 0 grants none.

    Indicators, which never do more than tag, need only `closest` of them: many an indicator's level lies
    below fifty calls, and then nobody would ever hold a lease. What it costs is a tag that comes a call late.
    """

    seconds: int = 60
    headroom: int = 50
    closest: int = 5
    word_seconds: int = 900
    brake_seconds: int = 86_400


class Orders:
    """The standing orders of all switches. `seats` and `account` come from the ledger."""

    def __init__(
        self, terms: LeaseTerms, seats: Callable[[str, float], Sequence[Seat]],
        account: Callable[[str], Account],
    ) -> None:
        self._terms = terms
        self._seats = seats
        self._account = account
        self._posts: dict[tuple[str, str], Post] = {}
        self._due: list[tuple[float, str, str]] = []
        self._strangers = 0                         # posts of callers that nobody registered
        self._switches: set[str] = set()
        self._gone: frozenset[str] = frozenset()    # that people had stopped when we looked last

    def called(self, switch: str, account_id: str, at: float) -> list[Action]:
        """An account called without asking: withdraw its lease where it has come near a limit."""
        post = self.seen(switch, account_id, at)
        if post.lease <= at or self.leasable(account_id, at, switch):
            return []
        post.lease = 0
        for other in self._switches:        # the account may hold leases elsewhere
            if other != switch and (other, account_id) in self._posts:
                self._look_at(at, other, account_id)
        return [WithdrawLease(account_id)]

    def decided(self, decision: Decision) -> None:
        """An account asked: its lease and its word may have to change at the next round."""
        post = self.seen(decision.switch, decision.account, decision.at)
        changed = post.verdict is not decision.verdict
        post.verdict = decision.verdict
        post.last = None if decision.verdict is Verdict.ALLOW else decision
        if changed:
            self._look_at(decision.at, decision.switch, decision.account)

    def leased(self, switch: str, account_id: str, at: float) -> bool:
        """Whether the account calls there without asking."""
        post = self._posts.get((switch, account_id))
        return post is not None and post.lease > at

    def callers(self) -> list[tuple[str, str]]:
        """(switch, account) of those that called lately, asked or not, or have orders on a switch."""
        return list(self._posts)

    def leasable(self, account_id: str, at: float, switch: str) -> bool:
        """Whether the account is far from every limit, and no rule needs to see each call."""
        return self._leasable(account_id, self._seats(account_id, at), at, switch)

    def _leasable(self, account_id: str, seats: Sequence[Seat], at: float, switch: str) -> bool:
        terms = self._terms
        if terms.seconds <= 0 or self._stopped(account_id):
            return False
        return not any(
            seat.rule.per_call
            or seat.rule.room(seat, at, switch) < (terms.headroom if seat.rule.acts else terms.closest)
            for seat in seats
        )

    def round(self, switch: str, at: float, modes: Modes) -> list[Action]:
        """What to write on a switch now: everything due, at most `ACCOUNTS_A_ROUND` accounts."""
        actions, others = list[Action](), list[tuple[float, str, str]]()
        looked = 0
        while self._due and self._due[0][0] <= at and looked < ACCOUNTS_A_ROUND:
            if len(actions) >= ACTIONS_A_ROUND:
                break
            entry = heapq.heappop(self._due)
            if entry[1] != switch:
                others.append(entry)
                continue
            post = self._posts.get(entry[1:])
            if post is not None and post.due == entry[0]:     # else it was put forward, or is gone
                looked += 1
                self._renew(post, entry[2], switch, at, modes, actions)
        for entry in others:
            heapq.heappush(self._due, entry)
        return actions

    def everything(
        self, switch: str, at: float, modes: Modes, registered: Iterable[str] = ()
    ) -> list[Action]:
        """All orders of a switch again: after a reconnect it may have lost what we wrote last.

        `registered` accounts get their brakes and words even if they have not called yet.
        """
        self._switches.add(switch)
        for account_id in registered:
            if (switch, account_id) not in self._posts and self._needs_orders(account_id, at, modes, switch):
                self._posts[switch, account_id] = Post(last_call=float("-inf"))
        actions: list[Action] = []
        self._due = [entry for entry in self._due if entry[1] != switch]
        heapq.heapify(self._due)
        for (where, account_id), post in list(self._posts.items()):
            if where == switch:
                post.lease, post.word_until, post.brake_until = 0, 0, 0
                self._renew(post, account_id, switch, at, modes, actions)
        return actions

    def look_again(self, stopped: Iterable[str] = ()) -> None:
        """Modes, accounts or the policy changed: every order is due, whatever time it is on its switch, and
        first those of accounts that people `stopped` or let go: there are some even if it has not called."""
        before, self._gone = self._gone, frozenset(stopped)
        for place in ((switch, one) for one in self._gone for switch in self._switches):
            self._posts.setdefault(place, Post(last_call=float("-inf")))
        for place in self._posts:
            self._look_at(FIRST if place[1] in before ^ self._gone else 0.0, *place)

    def reconsider(self, accounts: Iterable[str], at: float) -> None:
        """The leases of those that are near a limit by now end with the next round."""
        for account_id in accounts:
            for switch in self._switches:
                post = self._posts.get((switch, account_id))
                if post is not None and post.lease > at and not self.leasable(account_id, at, switch):
                    self._look_at(at, switch, account_id)

    def _look_at(self, at: float, switch: str, account_id: str) -> None:
        """An account's orders are due then, unless they are sooner. One look each is due at any time."""
        post = self._posts.get((switch, account_id))
        if post is not None and at < post.due:
            post.due = at
            heapq.heappush(self._due, (at, switch, account_id))

    def seen(self, switch: str, account_id: str, at: float) -> Post:
        """An account called or wrote: what a switch holds for it, which begins now if nothing did yet."""
        post = self._posts.get((switch, account_id))
        if post is None:
            post = Post(at, stranger=posts.stranger(self._account(account_id)))
            if post.stranger and self._strangers >= posts.MOST_STRANGERS:
                return post         # nothing is written for it, and it is forgotten at once
            self._strangers += post.stranger
            self._posts[switch, account_id] = post
            self._switches.add(switch)
            self._look_at(at, switch, account_id)
        post.last_call = at
        return post

    def _renew(
        self, post: Post, account_id: str, switch: str, at: float, modes: Modes, out: list[Action]
    ) -> None:
        """Bring one account's orders up to date, and note when they are due again."""
        terms, seats = self._terms, self._seats(account_id, at)
        now = int(at)
        quiet = at - post.last_call > 2 * terms.seconds
        if not quiet and self._leasable(account_id, seats, at, switch):
            if post.lease - at <= terms.seconds / 2:
                post.lease = now + terms.seconds
                out.append(GrantLease(account_id, post.lease))
        elif post.lease > at:
            post.lease = 0
            out.append(WithdrawLease(account_id))
        leaves = quiet and post.stranger and self._strangers >= posts.MOST_STRANGERS * 3 / 4
        word = "" if leaves else self._word(post, account_id, seats, switch, at, modes)
        if (word or post.word) and (word != post.word or post.word_until - at <= terms.word_seconds / 2):
            lasting = terms.brake_seconds if word == STANDING_WORD else terms.word_seconds
            post.word_until = now + lasting
            out.append(RememberWord(account_id, word or "allow:0:0:0::", post.word_until))
            post.word = word
        brake = (0, 0) if leaves else self._brake(account_id, seats, switch, at, modes)
        if (any(brake) or any(post.brake)) and (
            brake != post.brake or post.brake_until - at <= terms.brake_seconds / 2
        ):
            post.brake_until = now + terms.brake_seconds
            out.append(SetBrake(account_id, *brake, post.brake_until))
            post.brake = brake
        if leaves or (quiet and not word and not any(brake) and not posts.fails_closed(seats)):
            del self._posts[switch, account_id]
            self._strangers -= post.stranger
            return
        post.due = float("inf")
        self._look_at(at + max(1.0, terms.seconds / 2), switch, account_id)

    def _word(
        self, post: Post, account_id: str, seats: Sequence[Seat], switch: str, at: float, modes: Modes
    ) -> str:
        """What the account's rules want while nobody can be asked, as far as modes allow now; "" where
        they say `open`, or where no call would be refused."""
        if self._fallen(account_id, at, modes):
            return STANDING_WORD
        allowed: dict[str, Verdict] = {}
        for seat in seats:
            spec = seat.rule.spec
            ceiling = CEILING[modes.resolve(account_id, spec.id, switch, at).mode]
            if spec.on_failure is OnFailure.CLOSED and ceiling is Verdict.BLOCK:
                return "block:42:0:0:closed:"
            if spec.on_failure is OnFailure.LAST_KNOWN:
                allowed[spec.id] = ceiling
        last = post.last
        if last is None:
            return ""
        known = [(min(f.verdict, allowed[f.rule]), f) for f in last.findings if f.rule in allowed]
        verdict, leader = max(known, key=lambda one: one[0], default=(Verdict.ALLOW, None))
        if leader is None or verdict is Verdict.ALLOW:
            return ""
        return answer_line(replace_verdict(last, verdict, leader.sip_code))

    def _fallen(self, account_id: str, at: float, modes: Modes) -> bool:
        """Whether people stopped the account, and the site's ceiling lets that be in force. The word says
        nothing of directions: until somebody can be asked, a suspended account is not called either."""
        ceiling = modes.ceiling(at)
        return self._stopped(account_id) and (ceiling is None or ceiling.mode is Mode.BLOCK)

    def _stopped(self, account_id: str) -> bool:
        return self._account(account_id).standing is not Standing.ACTIVE

    def _brake(
        self, account_id: str, seats: Sequence[Seat], switch: str, at: float, modes: Modes
    ) -> tuple[int, int]:
        """The tightest limits of one account that the switch can keep alone, as far as modes allow."""
        calls, cps = 0, 0
        for seat in seats:
            spec = seat.rule.spec
            if spec.measure.scope is not Scope.ACCOUNT:
                continue        # the switch cannot add up a customer's accounts
            if _leaves_out(spec.measure):
                continue        # nor tell the calls that the rule counts from the others
            capped = min(spec.critical.verdict, CEILING[modes.resolve(account_id, spec.id, switch, at).mode])
            if capped < Verdict.THROTTLE or Medium.CALL not in spec.measure.mediums:
                continue
            limit = int(spec.critical.at)
            if isinstance(seat.rule, ConcurrentCalls):
                calls = min(calls, limit) if calls else limit
            elif isinstance(seat.rule, CallsPerSecond) and limit >= 1:
                cps = min(cps, limit) if cps else limit
        return calls, cps

    def _needs_orders(self, account_id: str, at: float, modes: Modes, switch: str) -> bool:
        seats = self._seats(account_id, at)
        if self._stopped(account_id) or posts.fails_closed(seats):
            return True
        return any(self._brake(account_id, seats, switch, at, modes))


def _leaves_out(measure: Measure) -> bool:
    """Whether some calls in its directions are not counted."""
    return bool(measure.routes or measure.only or measure.without or measure.without_inbound)


def replace_verdict(decision: Decision, verdict: Verdict, sip_code: int) -> Decision:
    """The decision as it would stand with another verdict; a throttled call is not held, only paced
    calls that are asked for can be."""
    return decision._replace(
        verdict=verdict, sip_code=sip_code if verdict is Verdict.BLOCK else 0, hold=0.0, shed=False,
        max_duration=None,
    )
