"""Who was told of which level, and not told yet that it was left again.

In: notices, in the order in which they were created. Out: what is open, by rule and subject.
Refuses to know: how things stand now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from enforcer.domain.decision import Level
from enforcer.domain.notice import About, Audience, Notice


class Open(NamedTuple):
    """The level that somebody was told of last, in which cycle, and at which account it was noticed."""

    level: Level
    cycle: str
    account: str


class Told:
    """See the module."""

    def __init__(self, notices: Iterable[Notice]) -> None:
        self._open: dict[tuple[str, str, str], dict[Audience, Open]] = {}
        for notice in notices:
            self.learn(notice)

    def learn(self, notice: Notice) -> None:
        """A notice was created."""
        place = notice.rule, notice.customer, notice.account
        if notice.about in (About.LEVEL, About.PROPOSAL):
            account = notice.facts.get("caller", notice.account)
            self._open.setdefault(place, {})[notice.audience] = Open(notice.level, notice.cycle, account)
        elif notice.about is About.CLEARED:
            self.forget(*place, notice.audience)

    def forget(self, rule: str, customer: str, account: str, audience: Audience) -> None:
        """There is nothing to be told any more."""
        place = rule, customer, account
        some = self._open.get(place, {})
        some.pop(audience, None)
        if not some:
            self._open.pop(place, None)

    def keep(self, rules: Collection[str]) -> None:
        """Forget what is about other rules than these: nobody will find that it was left."""
        self._open = {place: some for place, some in self._open.items() if place[0] in rules}

    def of(self, rule: str, customer: str, account: str) -> list[tuple[Audience, Open]]:
        """What is open of a rule about a customer (`account` "") or one account."""
        return list(self._open.get((rule, customer, account), {}).items())

    def accounts(self) -> Iterator[str]:
        """The accounts at which the open levels were noticed."""
        for some in self._open.values():
            for one in some.values():
                yield one.account
