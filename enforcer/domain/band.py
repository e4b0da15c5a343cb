"""How much enforcement may refuse, what it did refuse, and the words for having refused too much.

In: shares, hours of the past. Out: limits, a `Trip` in words and numbers, journal entries; and from the
settings of modes whether the breaker holds the site's ceiling, and where people had left it.
Refuses to know: how calls are counted (`breaker`), and the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import NamedTuple

from enforcer.domain.journal import JournalEntry, Kind
from enforcer.domain.mode import Mode, Modes, ModeSetting

WHO = "breaker"                 # who a ceiling was set by
HOUR = 3600
DAYS = 7                        # so many days back is "usual"


class Band(NamedTuple):
    """What may be refused. Shares are between 0 and 1; `jump` is how many times the usual share.

    `calls` and `accounts` hold whatever is usual; a jump is none below `least_share`. Nothing trips on a
    smaller sample than `least_calls` calls and `least_accounts` accounts that would be refused.
    """

    calls: Fraction = Fraction(1, 4)
    accounts: Fraction = Fraction(1, 5)
    jump: Fraction = Fraction(5)
    least_share: Fraction = Fraction(1, 20)
    least_calls: int = 50
    least_accounts: int = 5

    def limit(self, of: Fraction, usual: Fraction | None) -> Fraction:
        """The share above which it trips: `of` itself, or less where less is usual."""
        return of if usual is None else min(of, max(self.least_share, self.jump * usual))


class Figures(NamedTuple):
    """What a stretch of time came to. `rules` has the accounts that each rule would have refused."""

    calls: int
    refused_calls: int
    accounts: int
    refused_accounts: int
    rules: Mapping[str, int]

    def share(self, of: str) -> Fraction:
        """Of "calls" or of "accounts"."""
        if of == "calls":
            return _share(self.refused_calls, self.calls)
        return _share(self.refused_accounts, self.accounts)

    def part(self, rule: str) -> Fraction:
        """The share of accounts that one rule would have refused."""
        return _share(self.rules.get(rule, 0), self.accounts)


class Hour(NamedTuple):
    """An hour that is over; `at` is when it ended. One in which the breaker was tripped is no usual one."""

    at: float
    figures: Figures
    tripped: bool = False


class Trip(NamedTuple):
    """The band was left: over `window` seconds (0: foreseen, no call was refused yet), which share, and what
    it may be."""

    of: str
    window: int
    figures: Figures
    limit: Fraction
    usual: Fraction | None
    rule: str                       # that refuses the most accounts
    pack: str
    rule_usual: Fraction | None

    @property
    def words(self) -> str:
        """One sentence with all numbers.

        >>> Trip("accounts", 300, Figures(900, 500, 500, 305, {"calls": 305}), Fraction(1, 5),
        ...      Fraction(1, 250), "calls", "247voip@2026-11", Fraction(1, 250)).words
        'rule calls of pack 247voip@2026-11 would block 61 % of accounts (305 of 500 in the last 5 min, \
usually 0.4 %); all rules together 61 % of accounts, at most 20 % may be, and 56 % of calls'
        """
        found = self.figures
        when = f"in the last {self.window // 60} min" if self.window else "by their next call"
        usual = "" if self.rule_usual is None else f", usually {percent(self.rule_usual)}"
        mine = found.rules.get(self.rule, 0)
        least = f", at most {percent(self.limit)} may be"
        accounts = f"{percent(found.share('accounts'))} of accounts{least if self.of == 'accounts' else ''}"
        calls = f", and {percent(found.share('calls'))} of calls{least if self.of == 'calls' else ''}"
        return (
            f"rule {self.rule} of pack {self.pack or '-'} would block {percent(found.part(self.rule))} of "
            f"accounts ({mine} of {found.accounts} {when}{usual}); all rules together "
            f"{accounts}{calls if self.window else ''}"
        )


def tripped(modes: Modes, at: float) -> ModeSetting | None:
    """The ceiling that the breaker set, as long as it is in force."""
    ceiling = modes.ceiling(at)
    return ceiling if ceiling is not None and ceiling.who == WHO else None


def before(settings: Iterable[ModeSetting], at: float) -> Mode:
    """How far verdicts went before the breaker tripped: the ceiling that people had set."""
    ceiling = Modes(one for one in settings if one.who != WHO).ceiling(at)
    return Mode.BLOCK if ceiling is None else ceiling.mode


def percent(share: Fraction) -> str:
    """A share for people.

    >>> [percent(Fraction(one)) for one in ("0.61", "0.004", "0.00001", "0")]
    ['61 %', '0.4 %', '< 0.1 %', '0 %']
    """
    tenths = round(share * 1000)
    if share and not tenths:
        return "< 0.1 %"
    return f"{tenths // 10}.{tenths % 10} %" if tenths % 10 and tenths < 100 else f"{round(share * 100)} %"


def known(entries: Iterable[JournalEntry], at: float) -> list[Hour]:
    """The hours of the last days, from the entries of the journal about them."""
    return [hour_of(one) for one in entries if one.at >= at - DAYS * 86_400]


def entry_of(hour: Hour) -> JournalEntry:
    """An hour as it is put on record."""
    ended = datetime.fromtimestamp(hour.at, UTC).isoformat(timespec="seconds")
    body = hour.figures._asdict() | {"rules": dict(hour.figures.rules), "tripped": hour.tripped}
    return JournalEntry(Kind.BREAKER, hour.at, ended, body=body)


def hour_of(entry: JournalEntry) -> Hour:
    """The hour that was put on record."""
    body = entry.body
    figures = Figures(*(body[name] for name in Figures._fields))
    return Hour(entry.at, figures, body["tripped"])


def _share(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole else Fraction(0)
