"""Modes in words: which is in force, who set it, and what it keeps a rule from doing.

In: settings and rules. Out: sentences. Refuses to know: how a mode is found.
"""

from __future__ import annotations

from enforcer.control.words import local, shown
from enforcer.domain.decision import Verdict
from enforcer.domain.mode import CEILING, Mode, ModeSetting
from enforcer.domain.rules import Rule


def mode_words(setting: ModeSetting, zone: str) -> str:
    """Who set it, when, why, and until when."""
    if not setting.at:
        return "default of the configuration"
    text = f"{setting.subject}, set by {shown(setting.who) or 'unknown'} {local(setting.at, zone)}"
    if setting.until is not None:
        text += f" until {local(setting.until, zone)}"
    return f"{text} ({shown(setting.why)})" if setting.why else text


def needed(verdict: Verdict) -> Mode:
    """The weakest mode that lets a verdict through."""
    return next(mode for mode in Mode if mode is not Mode.OFF and CEILING[mode] >= verdict)


def capped_words(rule: Rule, mode: Mode) -> str:
    """What the mode keeps the rule from, "" where nothing."""
    steps = [step for step in (rule.spec.warning, rule.spec.critical) if step is not None]
    severest = max(step.verdict for step in steps)
    if severest <= CEILING[mode]:
        return ""
    allowed, lets = CEILING[mode].word, needed(severest).word
    return f"its {severest.word} is held at {allowed} by that mode; mode {lets} lets it through"
