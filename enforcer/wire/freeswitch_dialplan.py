"""A context of FreeSWITCH's dialplan, gone through on paper: who would take a number that is dialled in it?

In: a context's XML as the switch shows it, a number. Out: a `Way`.
Refuses to know: variables, times of day and what else only a call has. A condition on those may hold or not,
and what stands on it is never certain.

FreeSWITCH goes through the extensions from top to bottom. The first whose conditions hold takes the number,
unless it says continue="true"; then its actions run, and the search goes on.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from enum import Enum
from xml.etree import ElementTree

from enforcer.errors import WireError

# A context of a large site is some 100 KB; the link itself takes no larger answer than it was told to.
LARGEST_CONTEXT = 4_000_000
NUMBER_FIELDS = ("destination_number", "${destination_number}")
PLAIN = frozenset({"field", "expression", "break"})
"""The attributes of a condition that can be judged on paper; others are times of day."""

# Of the applications that go to another context: whether it is one of the hook's, under whatever suffix.
_THERE = re.compile(r"(\S+) XML (\S+)")
LONGEST_NUMBER = 256    # that is followed: one that a transfer makes longer each time would have no end
_LOOPBACK = re.compile(r"loopback/([^/,|\]}]+)/([^/,|\]}]+)")
_PROGRAMS = frozenset(
    {"socket", "lua", "javascript", "python", "python3", "perl", "curl", "httapi", "system"}
)
_WAITS = frozenset({"sleep", "park", "read", "play_and_get_digits", "limit", "limit_execute"})
_HOOK = re.compile(r"\bXML enforcer(?:@[A-Za-z0-9_.-]+)?\s*\Z", re.ASCII)


class Way(Enum):
    """Where a number goes from a context."""

    SERVED = "served"           # something of the site's takes it, before anything asks us
    HOOKED = "hooked"           # it comes to the hook
    PERHAPS = "perhaps"         # it comes to the hook in some calls
    NOWHERE = "nowhere"         # nothing takes it for certain


def context_of(text: str, name: str) -> ElementTree.Element | None:
    """The context in what `xml_locate` has told; None where it has none of that name. Raises WireError for
    what is no XML, or declares things that XML could grow by."""
    if f'<context name="{name}"' not in text:
        return None
    if len(text) > LARGEST_CONTEXT or "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise WireError(f"context {name} is not shown as a context")
    try:
        root = ElementTree.fromstring(text.strip())     # noqa: S314 - nothing is declared in it
    except ElementTree.ParseError as problem:
        raise WireError(f"context {name} is no XML: {problem}") from None
    return next((one for one in root.iter("context") if one.get("name") == name), None)


def way_of(context: ElementTree.Element, number: str) -> Way:
    """Where a number goes that is dialled in this context."""
    perhaps = False
    for extension in context.iter("extension"):
        certain, actions = run_of(extension, number)
        if actions is None:
            continue
        hooked = any(_HOOK.search(action.get("data", "")) for action in actions)
        if hooked and certain:
            return Way.HOOKED
        perhaps = perhaps or hooked
        if certain and extension.get("continue") != "true":
            return Way.PERHAPS if perhaps else Way.SERVED
    return Way.PERHAPS if perhaps else Way.NOWHERE


def met(context: ElementTree.Element, number: str) -> Iterator[tuple[str, list[str]]]:
    """The actions, `application(data)`, that a number meets in this context, or may; each with what "$1" and
    so on are in it."""
    for extension in context.iter("extension"):
        certain, actions = run_of(extension, number)
        if actions is None:
            continue
        groups = captured(extension, number)
        for action in actions:
            yield f"{action.get('application', '')}({action.get('data', '')})", groups
        if certain and extension.get("continue") != "true":
            return


def run_of(extension: ElementTree.Element, number: str) -> tuple[bool, list[ElementTree.Element] | None]:
    """Whether it is certain, and the actions that would run; None where it does not take the number."""
    certain, taken, actions = True, False, list[ElementTree.Element]()
    for condition in extension.findall("condition"):
        holds = _holds(condition, number)
        if holds is None:
            certain, taken = False, True
            actions += [*condition.iter("action"), *condition.iter("anti-action")]
            continue
        chosen = list(condition.iter("action" if holds else "anti-action"))
        actions += chosen
        taken = holds or bool(chosen)
        breaks = condition.get("break", "on-false")
        if breaks == "always" or (breaks == "on-false" and not holds) or (breaks == "on-true" and holds):
            break
    return certain, actions if taken or actions else None


def captured(extension: ElementTree.Element, number: str) -> list[str]:
    """What "$1", "$2" and so on stand for in the actions that a number meets; as far as the number tells."""
    for condition in extension.findall("condition"):
        if condition.get("field") in NUMBER_FIELDS and _holds(condition, number):
            found = re.search(condition.get("expression", "").replace(r"\z", r"\Z"), number, re.ASCII)
            if found is not None and found.groups():
                return [one or "" for one in found.groups()]
    return []


def leads(action: str, groups: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The contexts and numbers that an action, `application(data)`, may lead to, other dialplans left out.

    >>> list(leads("transfer($1 XML out)", ["911"]))
    [('out', '911')]
    """
    application, _, data = action.removesuffix(")").partition("(")
    for place, group in enumerate(groups, 1):
        data = data.replace(f"${place}", group)
    if application in ("transfer", "execute_extension"):
        found = _THERE.fullmatch(data.removeprefix("-bleg ").removeprefix("-both ").strip())
        if found is not None:
            yield found[2], found[1][:LONGEST_NUMBER]
    elif application == "bridge":
        yield from ((context, number[:LONGEST_NUMBER]) for number, context in _LOOPBACK.findall(data))


def wrong_in(action: str) -> str:
    """What an action does that no emergency call should meet, in words that follow the number's; ""
    nothing."""
    application, _, data = action.partition("(")
    if "enforcer" in action:
        return f"comes to the enforcer's hook: {action[:80]}"
    if application in _PROGRAMS or "${curl(" in data or "${system(" in data:
        return f"waits for another program: {action[:80]}"
    if application in _WAITS:
        return f"is kept waiting: {action[:80]}"
    if application == "sched_hangup" or "=sched_hangup" in data or "execute_on_answer=sched_" in data:
        return f"is cut short: {action[:80]}"
    return ""


def dials(action: str) -> bool:
    """Whether an action calls anybody; a transfer that leads where these files do not tell may."""
    if action.startswith("transfer("):
        return not any(leads(action, ()))
    return action.startswith(("bridge(", "conference(", "fifo("))


def _holds(condition: ElementTree.Element, number: str) -> bool | None:
    """Whether a condition holds for this number; None where only a call would tell."""
    if not set(condition.keys()) <= PLAIN or any(True for _ in _others(condition)):
        return None
    field, expression = condition.get("field"), condition.get("expression", "")
    if field is None:
        return True
    if field not in NUMBER_FIELDS or "${" in expression or expression.startswith("/"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)      # of what may mean more to Python some day
            return re.search(expression.replace(r"\z", r"\Z"), number, re.ASCII) is not None
    except (re.error, OverflowError, RecursionError):
        return None                 # PCRE knows more than we do


def _others(condition: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """What is in a condition besides actions: <regex>, and conditions within conditions."""
    return (child for child in condition if child.tag not in ("action", "anti-action"))
