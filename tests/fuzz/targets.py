"""All targets by name."""

from __future__ import annotations

from tests.fuzz import asterisk, doors, files, freeswitch, paper, people, room, web, words
from tests.fuzz.target import Target

ALL: dict[str, Target] = {
    target.name: target
    for module in (asterisk, freeswitch, words, files, doors, paper, room, people, web)
    for target in module.TARGETS
}
