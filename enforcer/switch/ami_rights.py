"""What the enforcer's user may do and hear on an Asterisk, compared with what it needs: no less, no more.

In: the lines of its section of manager.conf, as the manager itself reads them out (GetConfig is of the class
`system`, which we need anyway). Out: findings that name the class.
Refuses to know: the connection.

What is written there is in force after `manager reload`. What the running switch lets us do is seen from its
list of commands; what it lets us hear, from nothing but this file and the calls themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from enforcer.checkup import Finding, Grade
from enforcer.wire.ami import Message

# class: what fails without it
READ = {
    "system": "a restart of the switch is not noticed",
    "call": "calls are neither seen nor counted",
    "user": "no question reaches us, so every call goes on unjudged",
}
WRITE = {
    "system": "no lease, word, brake or heartbeat can be left there",
    "call": "no question can be answered, and no call ended",
    "reporting": "`enforcer doctor` cannot read the dialplan",
}
RIGHTS = f"read = {','.join(READ)} and write = {','.join(WRITE)}"
ALL = frozenset({"all", "-1"})
HINT = f"manager.conf: {RIGHTS}, then `manager reload`"

# Commands that we give, by class; all others of ours are `call`.
_SYSTEM = frozenset({"DBDel", "DBPut", "DialplanExtensionAdd", "DialplanExtensionRemove", "DBGetTree",
                     "DBGet", "CoreStatus", "GetConfig", "ModuleCheck"})
_REPORTING = frozenset({"ShowDialPlan"})
_LINE = re.compile(r"Line-\d{6}-\d{6}", re.ASCII)


def lines_of(response: Message, category: str) -> list[tuple[str, str]] | None:
    """The `key = value` lines of one category in the answer to GetConfig; None where it is not in there."""
    found, ours, there = [], False, False
    for name, value in response:
        if name.startswith("Category-"):
            ours = value == category
            there = there or ours
        elif ours and _LINE.fullmatch(name):
            key, _, text = value.partition("=")
            found.append((key.strip().lower(), text.strip()))
    return found if there else None


def refused(subject: str, user: str, commands: list[str]) -> Finding:
    """A finding about commands that the running switch does not let us give, by the class that has them."""
    classes = sorted({
        "system" if name in _SYSTEM else "reporting" if name in _REPORTING else "call" for name in commands
    })
    words = f"user {user} lacks the class {', '.join(classes)} in its write: no {', '.join(commands)}"
    return Finding(subject, Grade.FAILED, words, HINT)


def judged(subject: str, user: str, lines: list[tuple[str, str]] | None) -> Iterator[Finding]:
    """All that is wrong with a user's rights; one finding where nothing is."""
    if lines is None:
        words = f"manager.conf shows no [{user}], so its classes cannot be compared"
        yield Finding(subject, Grade.WARNING, words, f"give the user {RIGHTS}")
        return
    fine = True
    for key, needed in (("read", READ), ("write", WRITE)):
        held = _classes(lines, key)
        if not held & ALL:
            for lacking in [one for one in needed if one not in held]:
                fine = False
                yield Finding(subject, Grade.FAILED,
                              f"user {user} lacks the class {lacking} in its {key}: {needed[lacking]}", HINT)
        if more := sorted(held - set(needed)):
            fine = False
            yield Finding(subject, Grade.WARNING,
                          f"user {user} has more than it needs in its {key}: {', '.join(more)}", HINT)
    if not any(key in ("permit", "acl") for key, _ in lines):
        fine = False
        yield Finding(subject, Grade.WARNING, f"user {user} may log in from any address",
                      "manager.conf: deny = 0.0.0.0/0.0.0.0 and permit = the enforcer's address")
    if fine:
        yield Finding(subject, Grade.OK, f"user {user} has the classes it needs, and no other")


def _classes(lines: list[tuple[str, str]], key: str) -> frozenset[str]:
    """Asterisk takes the last line of a kind."""
    told = [value for name, value in lines if name == key]
    names = told[-1].replace(" ", "").lower().split(",") if told else []
    return frozenset(name for name in names if name)
