"""Modes: how far a verdict may go. A mode caps verdicts; it never skips the evaluation.

In: settings made by people. Out: the mode that applies to one rule for one account, and why.
Refuses to know: verdicts' reasons, and how a setting reached us.

Which mode applies: min(site ceiling, most specific setting), where specificity is
account+rule > account > rule > switch > default. The site ceiling is the panic button.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from enforcer.domain.decision import Verdict


class Mode(IntEnum):
    """The ceiling on a verdict. `off` and `monitor` both let every call go; `monitor` reports."""

    OFF = 0
    MONITOR = 1
    TAG = 2
    THROTTLE = 3
    BLOCK = 4

    @property
    def word(self) -> str:
        """The mode as people write it."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Mode:
        """The mode that people write as `word`. Raises ValueError."""
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f"no such mode: {word!r} (one of off, monitor, tag, throttle, block)") from None


CEILING = {
    Mode.OFF: Verdict.ALLOW,
    Mode.MONITOR: Verdict.ALLOW,
    Mode.TAG: Verdict.TAG,
    Mode.THROTTLE: Verdict.THROTTLE,
    Mode.BLOCK: Verdict.BLOCK,
}


Place = tuple[bool, str, str, str]
SITE: Place = (True, "", "", "")        # the place of the site's ceiling


@dataclass(frozen=True, slots=True)
class ModeSetting:
    """One setting that a person made: for whom, how far, by whom, when, why, and until when.

    With no account, rule or switch it is the default of the site; with `ceiling` it is the
    site's ceiling. Where `until` (Unix seconds) is given it ends then by itself, and the setting
    that it replaced is in force again.
    """

    mode: Mode
    account: str = ""
    rule: str = ""
    switch: str = ""
    ceiling: bool = False
    who: str = ""
    at: float = 0.0
    why: str = ""
    until: float | None = None

    @property
    def place(self) -> Place:
        """What this setting is about; a later setting about the same replaces it."""
        return SITE if self.ceiling else (False, self.account, self.rule, self.switch)

    @property
    def subject(self) -> str:
        """The place in words."""
        if self.ceiling:
            return "site ceiling"
        parts = [("account", self.account), ("rule", self.rule), ("switch", self.switch)]
        return ", ".join(f"{name} {value}" for name, value in parts if value) or "default"


class Modes:
    """All settings in force, and the answer to "which mode, and who said so?".

    A lookup is a few dictionary reads, and one where the answer is remembered; what is remembered
    holds between the last `until` that has passed and the next, and is forgotten with every change.
    """

    def __init__(self, settings: Iterable[ModeSetting] = (), default: Mode = Mode.MONITOR) -> None:
        self._default = ModeSetting(default, why="configuration")
        self._settings: dict[Place, list[ModeSetting]] = {}     # the latest first, each ends later
        self._remembered: dict[tuple[str, str, str], ModeSetting] = {}
        self._from, self._to = float("-inf"), float("inf")
        for setting in settings:
            self.put(setting)

    def put(self, setting: ModeSetting) -> None:
        """Make a setting; it replaces an older one about the same place, until it ends itself."""
        told = self._settings.get(setting.place, [])
        ordered = sorted([setting, *told], key=lambda s: s.at, reverse=True)
        kept: list[ModeSetting] = []
        for one in ordered:     # one that ends before a later one does is never seen again
            if not kept or _end(one) > _end(kept[-1]):
                kept.append(one)
        self._settings[setting.place] = kept
        self._forget()

    def plus(self, setting: ModeSetting) -> Modes:
        """These and one more. Another object, so that whoever told these sees that something is new."""
        more = Modes((one for told in self._settings.values() for one in told), self._default.mode)
        more.put(setting)
        return more

    def settings(self, at: float) -> list[ModeSetting]:
        """The settings in force at `at`, the broadest first."""
        alive = [found for place in self._settings if (found := self._alive(place, at)) is not None]
        return sorted(alive, key=lambda s: (not s.ceiling, bool(s.account), bool(s.rule), s.subject))

    def ceiling(self, at: float) -> ModeSetting | None:
        """The site's ceiling at `at`, None where there is none."""
        return self._alive(SITE, at)

    def resolve(self, account: str, rule: str, switch: str, at: float) -> ModeSetting:
        """The setting that decides for this account, rule and switch at `at`."""
        if not self._from <= at < self._to:
            self._forget()
        key = (account, rule, switch)
        found = self._remembered.get(key)
        if found is None:
            found = self._find(account, rule, switch, at)
            if len(self._remembered) >= 100_000:    # a bound for memory, far above any busy hour
                self._remembered.clear()
            self._remembered[key] = found
        return found

    def _find(self, account: str, rule: str, switch: str, at: float) -> ModeSetting:
        ladder = (
            (False, account, rule, switch), (False, account, rule, ""),
            (False, account, "", switch), (False, account, "", ""),
            (False, "", rule, switch), (False, "", rule, ""),
            (False, "", "", switch), (False, "", "", ""),
        )
        chosen = next((s for s in (self._alive(place, at) for place in ladder) if s), self._default)
        ceiling = self._alive(SITE, at)
        return ceiling if ceiling is not None and ceiling.mode < chosen.mode else chosen

    def _alive(self, place: Place, at: float) -> ModeSetting | None:
        """The setting about a place: the latest that is not over. What is remembered from now on
        holds no longer than any `until` met on the way."""
        for setting in self._settings.get(place, ()):
            if at < _end(setting):
                self._to = min(self._to, _end(setting))
                return setting
            self._from = max(self._from, _end(setting))
        return None

    def _forget(self) -> None:
        self._remembered.clear()
        self._from, self._to = float("-inf"), float("inf")


def _end(setting: ModeSetting) -> float:
    return float("inf") if setting.until is None else setting.until
