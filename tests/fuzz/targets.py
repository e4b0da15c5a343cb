"""All targets by name."""

from __future__ import annotations

from tests.fuzz import asterisk, files, freeswitch, words
from tests.fuzz.target import Target

ALL: dict[str, Target] = {
    target.name: target
    for module in (asterisk, freeswitch, words, files)
    for target in module.TARGETS
}
