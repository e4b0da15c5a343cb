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


@dataclass(frozen=True, slots=True)
class ModeSetting:
    """One setting that a person made: for whom, how far, by whom, when, why, and until when.

    With no account, rule or switch it is the default of the site; with `ceiling` it is the
    site's ceiling. Where `until` (Unix seconds) is given it ends then by itself.
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
    def place(self) -> tuple[bool, str, str, str]:
        """What this setting is about; a later setting about the same replaces it."""
        return (self.ceiling, self.account, self.rule, self.switch)

    @property
    def subject(self) -> str:
        """The place in words."""
        if self.ceiling:
            return "site ceiling"
        parts = [("account", self.account), ("rule", self.rule), ("switch", self.switch)]
        return ", ".join(f"{name} {value}" for name, value in parts if value) or "default"


class Modes:
    """All settings in force, and the answer to "which mode, and who said so?".

    A lookup is a few dictionary reads, and none at all where the answer is remembered; what is
    remembered is forgotten with every change and when the next `until` passes.
    """

    def __init__(self, settings: Iterable[ModeSetting] = (), default: Mode = Mode.MONITOR) -> None:
        self._default = ModeSetting(default, why="configuration")
        self._settings: dict[tuple[bool, str, str, str], ModeSetting] = {}
        self._remembered: dict[tuple[str, str, str], ModeSetting] = {}
        self._forget_at = float("inf")
        for setting in settings:
            self.put(setting)

    def put(self, setting: ModeSetting) -> None:
        """Make a setting; it replaces an older one about the same place."""
        known = self._settings.get(setting.place)
        if known is None or setting.at >= known.at:
            self._settings[setting.place] = setting
            self._forget()

    def settings(self, at: float) -> list[ModeSetting]:
        """The settings in force at `at`, the broadest first."""
        alive = [s for s in self._settings.values() if s.until is None or at < s.until]
        return sorted(alive, key=lambda s: (not s.ceiling, bool(s.account), bool(s.rule), s.subject))

    def resolve(self, account: str, rule: str, switch: str, at: float) -> ModeSetting:
        """The setting that decides for this account, rule and switch at `at`."""
        if at >= self._forget_at:
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
        chosen = self._default
        for place in ladder:
            setting = self._alive(place, at)
            if setting is not None:
                chosen = setting
                break
        ceiling = self._alive((True, "", "", ""), at)
        return ceiling if ceiling is not None and ceiling.mode < chosen.mode else chosen

    def _alive(self, place: tuple[bool, str, str, str], at: float) -> ModeSetting | None:
        """The setting about a place. One that is not yet over is remembered to end."""
        setting = self._settings.get(place)
        if setting is None or setting.until is None:
            return setting
        if at >= setting.until:
            return None
        self._forget_at = min(self._forget_at, setting.until)
        return setting

    def _forget(self) -> None:
        self._remembered.clear()
        self._forget_at = float("inf")
