"""A context gone through on paper: what takes a number for certain, or perhaps; what comes to the hook."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from enforcer.wire.freeswitch_dialplan import Way, context_of, way_of
from lab.freeswitch import CONFIGURATION, DIALPLAN
from lab.provision import ROOT

HOOKED = '<action application="execute_extension" data="enforcer XML enforcer"/>'
BRIDGE = '<action application="bridge" data="sofia/gateway/carrier/$1"/>'


def extension(conditions: str, *, goes_on: bool = False) -> str:
    more = " continue='true'" if goes_on else ""
    return f"<extension name='x'{more}>{conditions}</extension>"


def dialled(expression: str, inside: str = "", more: str = "") -> str:
    return f'<condition field="destination_number" expression="{expression}"{more}>{inside}</condition>'


def way(*extensions: str, number: str = "911") -> Way:
    return way_of(ElementTree.fromstring(f"<context name='c'>{''.join(extensions)}</context>"), number)


@pytest.mark.parametrize(
    ("extensions", "found"),
    [
        ((), Way.NOWHERE),
        ((extension(dialled("^911$", BRIDGE)),), Way.SERVED),
        ((extension(dialled("^911$", HOOKED)),), Way.HOOKED),
        ((extension(dialled(r"^(?:911)\z", BRIDGE)), extension(dialled(".", HOOKED))), Way.SERVED),
        ((extension(dialled(".", HOOKED)), extension(dialled("^911$", BRIDGE))), Way.HOOKED),
        # It lets the search go on: what it does is done, what comes behind it is done as well.
        ((extension(dialled("^911$", BRIDGE), goes_on=True), extension(dialled(".", HOOKED))), Way.HOOKED),
        ((extension(dialled(".", HOOKED), goes_on=True), extension(dialled("^911$", BRIDGE))), Way.HOOKED),
        # Two conditions: both have to hold.
        ((extension(dialled("^9") + dialled("^91$", HOOKED)), extension(dialled(".", BRIDGE))), Way.SERVED),
        ((extension(dialled("^9") + dialled("^911$", HOOKED)), extension(dialled(".", BRIDGE))), Way.HOOKED),
        # Anti-actions are what runs where a condition does not hold.
        ((extension(dialled("^1", f"{BRIDGE}{HOOKED.replace('action', 'anti-action')}")),), Way.HOOKED),
        ((extension(dialled("^9", f"{BRIDGE}{HOOKED.replace('action', 'anti-action')}")),), Way.SERVED),
        ((extension(dialled("^1", "", " break='never'") + dialled("^911$", HOOKED)),), Way.HOOKED),
        ((extension(dialled("^9", BRIDGE, " break='on-true'") + dialled("^911$", HOOKED)),), Way.SERVED),
        # A condition without a field always holds; one on a variable may.
        ((extension(f"<condition>{HOOKED}</condition>"),), Way.HOOKED),
        ((extension(f"<condition field='${{x}}' expression='^y$'>{BRIDGE}</condition>"),
          extension(dialled(".", HOOKED))), Way.HOOKED),
        ((extension(f"<condition field='${{x}}' expression='^y$'>{HOOKED}</condition>"),
          extension(dialled(".", BRIDGE))), Way.PERHAPS),
        ((extension(dialled("^911$", HOOKED, " wday='2-6'")), extension(dialled(".", BRIDGE))), Way.PERHAPS),
        ((extension(dialled("^${number}$", HOOKED)),), Way.PERHAPS),
        ((extension(dialled("^9*+(?|(1)|(2))$", HOOKED)),), Way.PERHAPS),
        ((extension(f"<condition><regex field='x' expression='y'/>{HOOKED}</condition>"),), Way.PERHAPS),
    ],
)  # fmt: skip
def test_extensions_are_tried_from_top_to_bottom(extensions: tuple[str, ...], found: Way) -> None:
    assert way(*extensions) is found


@pytest.mark.parametrize("data", ["enforcer XML enforcer", "enforcer XML enforcer@local"])
def test_the_hook_is_known_by_either_name(data: str) -> None:
    hooked = f'<action application="execute_extension" data="{data}"/>'
    assert way(extension(dialled(".", hooked))) is Way.HOOKED
    assert way(extension(dialled(".", hooked.replace("XML enforcer", "XML other")))) is Way.SERVED


def test_emergency_numbers_never_come_to_the_hook_in_the_lab() -> None:
    text = (CONFIGURATION / "dialplan.xml").read_text()
    for name in ("emergency.xml", "enforcer_cdr.xml"):
        line = f'<X-PRE-PROCESS cmd="include" data="$${{lab_dialplan}}/{name}"/>'
        assert line in text
        text = text.replace(line, (DIALPLAN / name).read_text())
    context = context_of(text, "from-accounts")
    assert context is not None
    assert {way_of(context, number) for number in ("112", "911", "933", "999")} == {Way.SERVED}
    assert way_of(context, "12025550142") is Way.HOOKED


def test_the_snippet_for_fusionpbx_leaves_emergency_numbers_alone() -> None:
    text = (ROOT / "dialplan" / "fusionpbx" / "outbound.xml").read_text()
    context = ElementTree.fromstring(f"<context name='c'>{text}</context>")
    assert way_of(context, "911") is Way.NOWHERE
    assert way_of(context, "12025550142") is Way.PERHAPS


def test_a_context_that_is_not_shown_is_none() -> None:
    assert context_of("can't find anything\n", "default") is None
    assert context_of('<context name="other"/>', "default") is None
