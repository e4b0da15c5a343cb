"""`enforcer check` refuses a dialplan in which an emergency number comes to the hook, or leads nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from enforcer.control.dialplan import refuse_unless_safe
from enforcer.control.dialplan_asterisk import Extensions
from enforcer.errors import BadInput
from enforcer.wire.asterisk_dialplan import Place, leads

DIALPLANS = Path(__file__).resolve().parents[2] / "dialplan"
OUT = """
[accounts-out]
exten => _[0-9+*#].,1,Gosub(enforcer,s,1(${CHANNEL(accountcode)},outbound,${EXTEN}))
 same => n,Dial(PJSIP/${EXTEN}@carrier,60)
"""
INCLUDED = "[from-accounts]\ninclude => emergency\ninclude => accounts-out\n"


def asterisk(folder: Path, text: str, emergency: bool = True) -> Path:
    path = folder / "extensions.conf"
    (folder / "emergency.conf").write_text((DIALPLANS / "asterisk" / "emergency.conf").read_text())
    path.write_text(('#include "emergency.conf"\n' if emergency else "") + text + OUT)
    return path


def looked(path: Path, contexts: tuple[str, ...], *numbers: str) -> str:
    """What is wrong, "" nothing."""
    try:
        refuse_unless_safe([path], contexts, numbers or ("112", "911"))
    except BadInput as problem:
        return str(problem).partition(": ")[2]
    return ""


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (INCLUDED, ""),
        (INCLUDED + "exten => _X.,1,Gosub(enforcer,s,1(a,outbound,${EXTEN}))\n", "comes to the enforcer"),
        ("[from-accounts]\ninclude => accounts-out\ninclude => emergency\n", "comes to the enforcer's hook"),
        ("[from-accounts]\ninclude => emergency\nexten => _NXX,1,Dial(PJSIP/${EXTEN}@carrier)\n", ""),
        ("[from-accounts]\nexten => _X.,1,Goto(accounts-out,${EXTEN},1)\n", "comes to the enforcer's hook"),
        ("[from-accounts]\nexten => _X.,1,Goto(emergency,${EXTEN},1)\n", ""),
        ("[from-accounts]\nexten => _X.,1,Goto(accounts-out,${EXTEN},1,x()\n", "comes to the enforcer"),
        ("[from-accounts]\nexten => _X.,1,Gosub(accounts-out,${EXTEN},1)\n", "comes to the enforcer's hook"),
        ("[from-accounts]\nexten => _X.,1,Gosub(log,s,1(${EXTEN}))\n"
         " same => n,Goto(accounts-out,${EXTEN},1)\n[log]\nexten => s,1,NoOp(x)\n",
         "comes to the enforcer's hook"),
        ("[from-accounts]\nexten => _X.,1,Gosub(from-accounts,${EXTEN},1)\n"
         " same => n,Gosub(log,s,1)\n", ""),
        ("[from-accounts]\ninclude => somewhere\n", "leads nowhere"),
        ("[elsewhere]\n", "none of the contexts"),
        ("[base](!)\ninclude => emergency\n[from-accounts](base)\ninclude => accounts-out\n", ""),
        (INCLUDED + ";exten => _X.,1,Gosub(enforcer,s,1())\n;-- exten => _X.,1,x(enforcer) --;\n", ""),
    ],
)
def test_asterisk(tmp_path: Path, text: str, wrong: str) -> None:
    found = looked(asterisk(tmp_path, text), ("from-accounts",))
    assert (wrong in found) if wrong else not found


def test_a_number_that_the_emergency_context_lacks_is_refused(tmp_path: Path) -> None:
    found = looked(asterisk(tmp_path, INCLUDED), ("from-accounts",), "112", "999")
    assert found.startswith("999 from [from-accounts] comes to the enforcer's hook: Gosub(enforcer,s,1(")


@pytest.mark.parametrize(
    ("patterns", "served"),
    [
        (("_X.", "_9XX", "_91[1-2]"), "_91[1-2]"), (("_N.", "_X!"), "_N."), (("_[29]11", "_N11"), "_[29]11"),
        (("_X.", "911"), "911"), (("_9-1-1", "_9XX"), "_9-1-1"), (("_8XX", "_XXXX"), ""),
    ],
)
def test_patterns_match_in_asterisks_order(tmp_path: Path, patterns: tuple[str, ...], served: str) -> None:
    path = tmp_path / "extensions.conf"
    path.write_text("[c]\n" + "".join(f"exten => {one},1,NoOp({one})\n" for one in patterns))
    assert Extensions([path]).fares("c", "911") == ([f"NoOp({served})"] if served else [])


DIRECT = "exten => 112,1,Dial(PJSIP/112@t)\nexten => 911,1,"
HOOKED = "comes to the enforcer's hook"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("include => emergency,9:00-17:00,mon-fri,*,*\ninclude => accounts-out\n", HOOKED),
        ("include => emergency,*,*,*,*\ninclude => accounts-out\n", ""),
        ("include => emergency,9:00-17:00,mon-fri,*,*\n", "leads nowhere"),
        ("include => accounts-out,9:00-17:00,mon-fri,*,*\ninclude => emergency\n", HOOKED),
        ("exten => _X./12025550101,1,Goto(accounts-out,${EXTEN},1)\ninclude => emergency\n", HOOKED),
        ("exten => 911/12025550101,1,Dial(PJSIP/911@t)\ninclude => accounts-out\n", HOOKED),
        ("switch => Realtime/\ninclude => emergency\n", "may be taken by another dialplan"),
        (DIRECT + "GotoIf($[${night}]?out:accounts-out,${EXTEN},1)\n same => n(out),Dial(x)\n", HOOKED),
        (DIRECT + "GotoIfTime(9:00-17:00,mon-fri,*,*?accounts-out,${EXTEN},1)\n same => n,Dial(x)\n", HOOKED),
        (DIRECT + "GosubIf($[1]?accounts-out,${EXTEN},1)\n same => n,Dial(x)\n", HOOKED),
        (DIRECT + "ExecIf($[1]?Gosub(accounts-out,${EXTEN},1))\n same => n,Dial(x)\n", HOOKED),
        (DIRECT + "Dial(Local/${EXTEN}@accounts-out/n,60)\n", HOOKED),
        (DIRECT + "Macro(out)\n[macro-out]\nexten => s,1,Gosub(enforcer,s,1(a,outbound,911))\n", HOOKED),
        (DIRECT + "Gosub(aup,s,1)\n[aup]\nexten => s,1,UserEvent(EnfAsk,Account: x)\n", HOOKED),
        (DIRECT + "AGI(agi://127.0.0.1:4573/ask,acme)\n same => n,Dial(PJSIP/911@t)\n", "another program"),
        (DIRECT + "Wait(5)\n same => n,Dial(PJSIP/911@t)\n", "is kept waiting"),
        (DIRECT + "Dial(PJSIP/911@t,60,L(60000))\n", "is cut short"),
        (DIRECT + "Set(TIMEOUT(absolute)=600)\n same => n,Dial(PJSIP/911@t)\n", "is cut short"),
        (DIRECT + "Congestion()\n", "911 from [from-accounts] leads nowhere"),
        ("exten => 911,hint,PJSIP/911\nexten => 112,1,Dial(PJSIP/112@t)\n", "911 from [from-accounts]"),
        ("include => emergency\nexten => _9X.,1,Gosub(accounts-out,${EXTEN:1},1)\n"
         "exten => 911,1,Goto(emergency,911,1)\n", "9112 from [from-accounts], which is dialled as 112,"),
        ("include => emergency\nexten => _9XXXXXXX.,1,Gosub(accounts-out,${EXTEN:1},1)\n", ""),
        ("include => emergency\nexten => _9.,1,Goto(from-accounts,${EXTEN:1},1)\n"
         "exten => 911,1,Goto(emergency,911,1)\n", ""),
        (DIRECT + "Dial(PJSIP/911@t,60,tT)\n", ""),
    ],
)
def test_ways_to_keep_an_emergency_call_waiting_on_asterisk(tmp_path: Path, text: str, wrong: str) -> None:
    found = looked(asterisk(tmp_path, f"[from-accounts]\n{text}"), ("from-accounts",))
    assert (wrong in found) if wrong else not found


@pytest.mark.parametrize(
    ("text", "noted"), [(INCLUDED, True), (f"[from-accounts]\n{DIRECT}Dial(x)\n", False)]
)
def test_a_dialplan_that_notes_nothing_of_emergency_calls_is_pointed_out(
    tmp_path: Path, text: str, noted: bool
) -> None:
    told = refuse_unless_safe([asterisk(tmp_path, text)], ("from-accounts",), ("112", "911"))
    assert ("exempt only while an enforcer runs" in told) is not noted


def freeswitch(folder: Path, body: str) -> Path:
    (folder / "emergency.xml").write_text((DIALPLANS / "freeswitch" / "emergency.xml").read_text())
    path = folder / "default.xml"
    path.write_text(f'<include>\n<context name="default">\n{body}\n</context>\n</include>')
    return path


FIRST = '<X-PRE-PROCESS cmd="include" data="emergency.xml"/>'
HOOK = """<extension name="out"><condition field="destination_number" expression="^([0-9]+)$">
<action application="execute_extension" data="enforcer XML enforcer"/>
<action application="bridge" data="sofia/gateway/carrier/$1"/></condition></extension>"""
ODD = """<extension name="odd"><condition field="${odd}" expression="^yes$"/>
<condition field="destination_number" expression="^([0-9]+)$">
<action application="execute_extension" data="enforcer XML enforcer"/></condition></extension>"""

OTHERS = """<extension name="long"><condition field="destination_number" expression="^[0-9]{7,}$">
<action application="bridge" data="sofia/gateway/carrier/$1"/>
<anti-action application="execute_extension" data="enforcer XML enforcer"/></condition></extension>"""

TRANSFER = """<extension name="over"><condition field="destination_number" expression="^([0-9]+)$">
<action application="transfer" data="{}"/></condition></extension>"""


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (FIRST + HOOK, ""), (HOOK + FIRST, "comes to the enforcer's hook"), (HOOK, "comes to the enforcer"),
        (ODD + FIRST + HOOK, "comes to the enforcer's hook"), (FIRST + ODD, ""), ("", "leads nowhere"),
        (OTHERS + FIRST, "comes to the enforcer's hook"), (FIRST + OTHERS, ""),
        (TRANSFER.format("$1 XML default"), "leads nowhere"),
        (TRANSFER.format("s XML default"), "leads nowhere"),
        (TRANSFER.format("$1 XML another"), ""), (TRANSFER.format("$1"), ""),
        (TRANSFER.format("${out} XML default"), ""),
    ],
    ids=["first", "after the hook", "none", "sometimes", "never asked", "empty", "if not", "served first",
         "to itself", "to nobody", "elsewhere", "by default", "who knows"],
)
def test_freeswitch(tmp_path: Path, body: str, wrong: str) -> None:
    found = looked(freeswitch(tmp_path, body), ("default",))
    assert (wrong in found) if wrong else not found


def taking(actions: str, expression: str = "^(911|112)$", more: str = "") -> str:
    """An extension of a site's own, and its actions."""
    some = "".join(
        f'<action application="{one.partition("(")[0]}" data="{one.partition("(")[2][:-1]}"/>'
        for one in actions.split("; ")
    )
    return (f'<extension name="own"><condition field="destination_number" expression="{expression}"{more}>'
            f"{some}</condition></extension>")


OUTSIDE = f"""{FIRST}{taking("bridge(sofia/gateway/x/$1)")}</context><context name="out">{HOOK}"""
GOES = "bridge(sofia/gateway/x/$1)"


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (taking("transfer($1 XML out)") + OUTSIDE, HOOKED),
        (taking("execute_extension($1 XML out); " + GOES) + OUTSIDE, HOOKED),
        (taking("bridge(loopback/$1/out)") + OUTSIDE, HOOKED),
        (taking("socket(127.0.0.1:8084 async); " + GOES), "waits for another program"),
        (taking("lua(log.lua); " + GOES), "waits for another program"),
        (taking("set(x=${curl(http://127.0.0.1:8090)}); " + GOES), "waits for another program"),
        (taking("sleep(2000); " + GOES), "is kept waiting"),
        (taking("limit(hash out all 10); " + GOES), "is kept waiting"),
        (taking("sched_hangup(+600); " + GOES), "is cut short"),
        (taking("set(execute_on_answer=sched_hangup +600); " + GOES), "is cut short"),
        (taking("answer(); playback(closed.wav); hangup()"), "leads nowhere"),
        (taking(GOES, more=' wday="2-6"') + HOOK, HOOKED),
        (taking(GOES, more=' wday="2-6"'), "leads nowhere"),
        (FIRST + taking("execute_extension(enforcer XML enforcer); " + GOES, "^9([0-9]+)$"),
         "9112 from [default], which is dialled as 112, comes to"),
        (FIRST + taking("transfer($1 XML default)", "^9([0-9]{3,})$") + HOOK, ""),
        (taking("transfer($1 XML served)") + f'</context><context name="served">{FIRST}', ""),
        (taking(GOES), ""),
    ],
)
def test_ways_to_keep_an_emergency_call_waiting_on_freeswitch(tmp_path: Path, body: str, wrong: str) -> None:
    found = looked(freeswitch(tmp_path, body), ("default",))
    assert (wrong in found) if wrong else not found


@pytest.mark.parametrize("name", ["asterisk/emergency.conf", "freepbx/extensions_custom.conf"])
def test_what_we_ship_has_nothing_wrong(name: str) -> None:
    found = Extensions([DIALPLANS / name])
    for number in ("112", "911", "933"):
        steps = found.fares("emergency", number) or []
        assert not any(found.wrong_in(step) for step in steps)


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nothing\.conf: No such file"):
        refuse_unless_safe([tmp_path / "nothing.conf"], ["c"], ["911"])
    (tmp_path / "dot.conf").write_text('#include "."\n')
    with pytest.raises(BadInput, match=r"dot\.conf: includes '\.', which names no files"):
        refuse_unless_safe([tmp_path / "dot.conf"], ["c"], ["911"])
    (tmp_path / "bad.xml").write_text("<a>")
    with pytest.raises(BadInput, match=r"bad\.xml:1: is not XML"):
        refuse_unless_safe([tmp_path / "bad.xml"], ["c"], ["911"])


def test_a_number_that_grows_with_each_step_ends(tmp_path: Path) -> None:
    """A thousand steps that double it would need all memory there is."""
    doubled = "[from-accounts]\nexten => _X.,1,Goto(from-accounts,${EXTEN}${EXTEN},1)\n"
    assert "leads nowhere" in looked(asterisk(tmp_path, doubled), ("from-accounts",))
    twice = """<extension name="twice"><condition field="destination_number" expression="^([0-9]+)$">
    <action application="transfer" data="$1$1 XML default"/></condition></extension>"""
    assert "leads nowhere" in looked(freeswitch(tmp_path, twice), ("default",))
    at = Place("from-accounts", "9" * 79)
    assert list(leads("Goto(x,${EXTEN}1,1)", at)) == [Place("x", "9" * 79)]        # as Asterisk cuts it
