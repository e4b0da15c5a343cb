"""The breaker: does enforcement refuse so many that the fault is more likely ours than theirs?

In: every call, asked about or not, and every decision. Out: a `Trip` where the share of calls or of
accounts that would be refused has left its band, and what each hour came to, so that the days to come can
compare. Refuses to know: how a ceiling is set, who is told, where hours are kept, and the clock (`at`).

What counts as refused is what `block` mode would say (a block, or a throttle that sheds), so that a wrong
pack is found while its rules only monitor as well. It is not its business what people said about single
accounts: suspensions, strikes and opt-outs never count, nor do rules in mode `off`, nor exempt calls.

The share of accounts is looked at on its own. The share of calls only where at least `least_share` of the
accounts is hit too: else one caller who redials what was refused would free himself of enforcement.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice, takewhile
from statistics import median

from enforcer.domain.band import DAYS, HOUR, Band, Figures, Hour, Trip
from enforcer.domain.decision import Decision, Finding, Verdict
from enforcer.domain.mode import Mode
from enforcer.domain.notice import words_of_gate
from enforcer.domain.rules.seat import Seat

WINDOWS = (60, 300, 3600)       # seconds
STEP = 5                        # windows move on by so many seconds
LEAST_SAME = 3                  # as many hours of that time of day make a usual one; else
LEAST_ANY = 24                  # as many hours of any time of day
# Remembered at a time; beyond that the one that was silent longest is let go, and shares are those of the
# rest, enough to tell a share to the percent. 3 MB, and 20 where twenty rules would refuse each of them.
MOST_ACCOUNTS = 20_000
PEOPLE = frozenset({"opt_out", "strikes"})      # kinds of rules by which people's own words act


class Breaker:
    """See the module. `past` are the hours of the last days, the oldest first."""

    def __init__(self, band: Band, past: Iterable[Hour] = ()) -> None:
        self.band = band
        self._past: deque[Hour] = deque(past, maxlen=DAYS * 24)
        self._packs: Mapping[str, str] = {}
        self._people: frozenset[str] = frozenset({"standing"})
        self.clear()

    def use(self, packs: Mapping[str, str], people: Iterable[str]) -> None:
        """These rules are in force, each of a pack; by some of them `people` act. What other rules refused
        says nothing of these."""
        self._packs = packs
        self._people = frozenset(people) | {"standing"}
        self.clear()

    def clear(self) -> None:
        """Begin anew: what was seen so far does not count any more."""
        self._index = 0
        self._calls = self._refused = 0
        self._slices: deque[tuple[int, int, int]] = deque()
        self._seen: dict[str, float] = {}           # who called, whoever called last at the end
        self._hit: dict[str, float] = {}            # who would have been refused
        self._by_rule: dict[str, dict[str, float]] = {}
        self._let_go = float("-inf")                # of who called until then, not all are remembered

    def called(self, account: str, at: float) -> None:
        """A call of this account. Costs half a microsecond."""
        index = int(at) // STEP
        if index > self._index:
            self._turn(index)
        self._calls += 1
        seen = self._seen
        seen.pop(account, None)
        seen[account] = at

    def decided(self, decision: Decision, at: float) -> bool:
        """A call that was decided on; whether a rule would have refused it."""
        account = decision.account
        if decision.exempt or not account:
            return False
        self.called(account, at)
        if decision.would_be < Verdict.THROTTLE:
            return False
        rules = [one.rule for one in decision.findings if one.rule not in self._people and _refuses(one)]
        if not rules:
            return False
        self._refused += 1
        for place in (self._hit, *(self._by_rule.setdefault(rule, {}) for rule in rules)):
            place.pop(account, None)
            place[account] = at
        return True

    def figures(self, at: float, window: int) -> Figures:
        """What the last so many seconds came to."""
        first, since = (int(at) - window) // STEP, at - window
        calls, refused = self._calls, self._refused
        for index, some, of_them in reversed(self._slices):
            if index <= first:
                break
            calls += some
            refused += of_them
        since = max(since, self._let_go)
        by_rule = {rule: _since(who, since) for rule, who in self._by_rule.items()}
        return Figures(
            calls, refused, _since(self._seen, since), _since(self._hit, since),
            {rule: accounts for rule, accounts in by_rule.items() if accounts},
        )

    def look(self, at: float) -> Trip | None:
        """Whether the band is left, by the shortest window that shows it."""
        self.tidy(at)
        if len(self._hit) < self.band.least_accounts:
            return None
        for window in WINDOWS:
            found = self.figures(at, window)
            trip = self.weigh(found, window, at)
            if trip is not None:
                return trip
        return None

    def weigh(self, found: Figures, window: int, at: float) -> Trip | None:
        """Whether these figures leave the band. A window of 0 is a look ahead, where there are no calls."""
        band = self.band
        if found.refused_accounts < band.least_accounts or (window and found.calls < band.least_calls):
            return None
        for of, most in (("accounts", band.accounts), ("calls", band.calls)):
            if of == "calls" and (not window or found.share("accounts") <= band.least_share):
                continue
            usual = self.usual(of, at)
            limit = band.limit(most, usual)
            if found.share(of) > limit:
                rule = max(found.rules, key=lambda name: (found.rules[name], name))
                return Trip(
                    of, window, found, limit, usual, rule, self._packs.get(rule, ""),
                    self._usual_part(rule, at),
                )
        return None

    def usual(self, of: str, at: float) -> Fraction | None:
        """The median share of the last days: at this time of day, or else at any; None where too little is
        known. Of "calls" or of "accounts"."""
        return self._median(lambda one: one.share(of), at)

    def _usual_part(self, rule: str, at: float) -> Fraction | None:
        return self._median(lambda one: one.part(rule), at)

    def _median(self, share: Callable[[Figures], Fraction], at: float) -> Fraction | None:
        known = [h for h in self._past if not h.tripped and at - DAYS * 86_400 <= h.at <= at]
        same = [h for h in known if _of_day(h.at - HOUR) == _of_day(at)]
        enough = same if len(same) >= LEAST_SAME else known if len(known) >= LEAST_ANY else []
        return median(share(hour.figures) for hour in enough) if enough else None

    def hour(self, at: float, tripped: bool) -> Hour:
        """The hour that ends now, remembered as one of the past."""
        found = Hour(at, self.figures(at, HOUR), tripped)
        if found.figures.calls >= self.band.least_calls:
            self._past.append(found)
        return found

    def callers(self, most: int) -> list[str]:
        """Accounts that called within the hour, at most so many, the latest first."""
        return [account for account, _ in zip(reversed(self._seen), range(most), strict=False)]

    def ahead(self, refused: Mapping[str, Sequence[str]], looked_at: int, at: float) -> Trip | None:
        """Whether the rules would leave the band by the next call of each of `looked_at` accounts, of which
        these would be `refused` by these rules."""
        rules = Counter(rule for some in refused.values() for rule in some)
        return self.weigh(Figures(0, 0, looked_at, len(refused), rules), 0, at)

    def _turn(self, index: int) -> None:
        if self._calls:
            self._slices.append((self._index, self._calls, self._refused))
        self._index, self._calls, self._refused = index, 0, 0

    def tidy(self, at: float) -> None:
        """Forget what no window sees any more. Due every now and then, also where nobody looks."""
        if self._index * STEP > at + HOUR:          # the clock was set back
            self.clear()
        first = (int(at) - HOUR) // STEP
        while self._slices and self._slices[0][0] <= first:
            self._slices.popleft()
        too_many = len(self._seen) - MOST_ACCOUNTS
        if too_many > 0:        # let go everywhere, or those refused would be weighed against fewer callers
            self._let_go = next(islice(self._seen.values(), too_many - 1, None))
        until = max(at - HOUR, self._let_go)
        for place in (self._seen, self._hit, *self._by_rule.values()):
            for name in [name for name, _ in takewhile(lambda one: one[1] <= until, place.items())]:
                del place[name]


def refusing(seats: Sequence[Seat], at: float) -> list[str]:
    """The rules that would refuse an account's next call, as things stand at `at`; what people said about it,
    and what a rule that waits for its notice would do then, is left out."""
    return [seat.rule.spec.id for seat in seats if seat.rule.spec.kind not in PEOPLE and _would(seat, at)]


def _refuses(finding: Finding) -> bool:
    if finding.mode == Mode.OFF.word:
        return False
    return finding.verdict is Verdict.BLOCK or (finding.verdict is Verdict.THROTTLE and finding.shed)


def _would(seat: Seat, at: float) -> bool:
    judgement = seat.rule.look(seat, at)
    if judgement is None or not judgement.level or judgement.step is None:
        return False
    verdict = judgement.step.verdict
    if verdict is not Verdict.BLOCK and not (verdict is Verdict.THROTTLE and seat.rule.sheds):
        return False
    return seat.rule.spec.notice is None or not words_of_gate(seat.gate, at)


def _since(who: Mapping[str, float], since: float) -> int:
    return sum(1 for _ in takewhile(lambda at: at > since, _backwards(who)))


def _backwards(who: Mapping[str, float]) -> Iterator[float]:
    return reversed(who.values())       # type: ignore[call-overload,no-any-return]


def _of_day(at: float) -> int:
    return int(at // HOUR) % 24
