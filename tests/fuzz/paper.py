"""What `enforcer check` and `enforcer doctor` read: dialplans on paper, and what a switch answers when asked.

What a switch keeps for us (AstDB, mod_hash, variables) comes back as such answers: anybody may have written
there meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, cast

from enforcer.checkup import Finding
from enforcer.control.dialplan import paper_of, problems, refuse_unless_safe
from enforcer.errors import BadInput, LinkError, WireError
from enforcer.settings_switch import SwitchSettings
from enforcer.supervisor import Supervisor
from enforcer.switch import ami_level, esl_level, esl_probe, probe
from enforcer.switch.ami_rights import judged, lines_of
from enforcer.switch.census import Census, serial_of
from enforcer.wire import ami, esl
from enforcer.wire.asterisk_messages import account_of_key
from enforcer.wire.freeswitch_actions import held, limits_left
from enforcer.wire.freeswitch_dialplan import context_of, way_of
from enforcer.wire.freeswitch_messages import taken
from tests.fuzz.files import _file, one_line
from tests.fuzz.target import Target, seldom

EMERGENCY = ("911", "112")
LARGEST = 3000
CONTEXTS = ("from-accounts", "default")


def _dialplan(name: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        """Where each number goes, or what is wrong with the file, in one line."""
        # What a file includes is looked for beside it; it may name itself, but nothing of this machine.
        data = data[:LARGEST]
        path = _file(data.replace(b"..", b".").replace(b"/", b"_") if name.endswith("conf") else data, name)
        try:
            found = paper_of([path])
            for problem in problems(found, CONTEXTS, EMERGENCY):
                assert len(problem) < 500
            if seldom(data):
                refuse_unless_safe([path], CONTEXTS, EMERGENCY)
        except BadInput as problem:
            one_line(problem)

    return run


EXTENSIONS = b"""[globals]
[emergency]
exten => 911,1,NoOp(call)
 same => n,Dial(PJSIP/911@trunk)
exten => _[1-3]1X.,1,Goto(from-accounts,${EXTEN},1)
[tpl](!)
exten = _X!,1,Hangup()
[from-accounts](tpl)
include => emergency
#include "more.conf"
exten => _NXX/100,1,Gosub(enforcer,s,1(${EXTEN}))  ; ask
;-- not
this --;
exten => 112,1,Goto(112,1)
exten => 112,2,Goto(emergency,911,1)
"""
PLAN = b"""<include><context name="default">
<extension name="911" continue="true"><condition field="destination_number" expression="^(911|112)$">
<action application="bridge" data="sofia/gateway/trunk/911"/></condition></extension>
<X-PRE-PROCESS cmd="include" data="more/*.xml"/>
<extension name="ask"><condition field="${a}" expression="x" break="on-true"/>
<condition field="destination_number" expression="^(.*)$" break="never">
<regex field="x" expression="y"/><action application="transfer" data="x XML enforcer"/>
<anti-action application="hangup"/></condition></extension>
</context></include>"""


class Answers:
    """A session whose switch answers with one piece of the input after the other."""

    decoder = ami.Decoder()

    def __init__(self, messages: list[Any]) -> None:
        self._messages = iter(messages)
        self.lost: asyncio.Future[None] = cast("asyncio.Future[None]", self)

    def done(self) -> bool:
        """It is never lost."""
        return False

    def _next(self) -> Any:
        message = next(self._messages, None)
        if message is None:
            raise LinkError("was refused: no more")
        return message

    async def ask(self, *_: object, **__: object) -> Any:
        message = self._next()
        said = message.get("Response") if isinstance(message, ami.Message) else message.text[:4]
        if said in ("Error", "-ERR"):
            raise LinkError("was refused: error")
        return message

    async def said(self, *_: object, **__: object) -> Any:
        return self._next()

    async def of(self, *_: object) -> Any:
        return [message for message in (next(self._messages, None) for _ in range(3)) if message is not None]

    def post(self, *_: object) -> None:
        pass

    async def settled(self, **_: object) -> None:
        pass

    async def beat(self, *_: object) -> None:
        pass

    lag = offset = 0.5


def _done(work: Coroutine[Any, Any, Any]) -> Any:
    """What comes of work that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for something")


def _found(checks: Any) -> None:
    """Each finding is a line that can be shown."""
    async def all_of() -> None:
        async for finding in checks:
            fit(finding)

    with contextlib.suppress(LinkError, WireError):
        _done(all_of())


def fit(finding: Finding) -> None:
    assert finding.words
    assert len(finding.words) < 2 * LARGEST
    assert not re.search(r"\b(nan|inf) (s|ms|seconds)\b", finding.words)


@cache
def _settings(kind: str) -> SwitchSettings:
    os.environ["FUZZ_SECRET"] = "x"
    return SwitchSettings(
        name="pbx1", kind=kind, secret_env="FUZZ_SECRET", messages=True, outbound_contexts=CONTEXTS,
    )


def _asterisk_answers(data: bytes) -> None:
    messages = [ami.Message("", block) for block in data[:LARGEST].split(b"\r\n\r\n")[:20]]

    def session() -> Any:
        return Answers(messages)

    switch = _settings("asterisk")
    entries = session()
    _found(probe._checks(switch, "switch pbx1", session(), entries, EMERGENCY))
    with contextlib.suppress(LinkError):
        ahead = _done(ami_level.clock_ahead(session(), lambda: 7.0, 1.0, steady=1.0))
        assert ahead is None or abs(ahead) < 1e12
    boots, census = ami_level.Boots("pbx1"), Census()
    census.remember(5)
    for message in messages[:: 1 if seldom(data) else 5]:
        boots.look(message)
        lines = lines_of(message, "enforcer")
        for finding in judged("switch pbx1", "enforcer", lines):
            fit(finding)
        for name, value in message:
            account_of_key(value)
            serial_of(value)
            if name == "Uniqueid":
                census.saw(value)
                census.lost()
                told = census.level([value])
                assert told is None or told >= 0


def _freeswitch_answers(data: bytes) -> None:
    messages = [esl.Message(esl.API, "", b"", block) for block in data[:LARGEST].split(b"\n===\n")[:20]]
    switch = _settings("freeswitch")
    session: Any = Answers(messages)
    _found(esl_probe._checks(switch, "switch fs1", session, session, EMERGENCY))
    with contextlib.suppress(LinkError, WireError):
        _done(esl_level.listing(cast(Any, Answers(messages)), 1.0))
    for message in messages[:: 1 if seldom(data) else 5]:
        one: Any = Answers([message, message])
        with contextlib.suppress(LinkError):
            begun = _done(esl_level.channels_begun(one, 1.0))
            assert begun is None or 0 <= begun < 1e15
        for key in limits_left(message.text):
            assert key.isprintable()
        held(message.text)
        taken(message.text)
        with contextlib.suppress(WireError):
            context = context_of(message.text, "default")
            if context is not None:
                way_of(context, "911")
        with contextlib.suppress(LinkError):
            _done(esl_level.forget_limits(cast(Any, Answers([message])), 1.0))


def _supervisor(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape").replace("\0", "")
    address, _, watchdog = text.partition("\n")
    found = Supervisor.of({"NOTIFY_SOCKET": f"@fuzz{address}"[:200], "WATCHDOG_USEC": watchdog})
    assert 0 <= found.watchdog < 1e12
    found.ready()


def _ami_answers() -> list[bytes]:
    blocks = [
        b"Response: Success\r\n" + b"\r\n".join(b"%s: x" % name.encode() for name in (
            *probe.NEEDED, *probe.NEEDED_FOR_MESSAGES
        )),
        b"Response: Success\r\nCategory-000000: enforcer\r\nLine-000000-000000: read = system,call,user\r\n"
        b"Line-000000-000001: write = system,call,reporting\r\nLine-000000-000002: permit = 127.0.0.1",
        b"Response: Success\r\nPing: Pong\r\nTimestamp: 1795309510.5", b"Response: Success",
        b"Response: Success", b"Response: Success", b"Response: Success\r\nVal: 1795309510.1",
        b"Response: Success\r\nTimestamp: 1795309510.5", b"Response: Success", b"Response: Success",
        b"Response: Success\r\nContext: emergency\r\nExtension: 911\r\nApplication: Dial\r\nAppData: x",
        b"Response: Error\r\nMessage: none",
        b"Response: Success\r\nCoreStartupDate: 2026-11-26\r\nCoreStartupTime: 05:00:00\r\nUniqueid: a-1.17",
        b"Event: DBGetTreeResponse\r\nKey: /enforcer/closed/acme\r\nVal: 1",
    ]
    return [b"\r\n\r\n".join(blocks), b"\r\n\r\n".join(blocks[::-1]), b"\r\n\r\n".join(blocks[2:])]


def _esl_answers() -> list[bytes]:
    blocks = [
        b"FreeSWITCH Version 1.11.3", b'<param name="apply-inbound-acl" value="loopback.auto"/>', b"true",
        b"+OK", b"1795309510", b"+OK", b"1795309540", b"true", PLAN, b"http://127.0.0.1:8090/", b"true", PLAN,
        b"12 session(s) since startup", b'{"row_count": 1, "rows": [{"uuid": "a-1"}]}',
        b"enf/acme/lease/17\nenf/brake/acme\n", b"-ERR no such",
    ]  # fmt: skip
    return [b"\n===\n".join(blocks), b"\n===\n".join(blocks[::-1]), b"\n===\n".join(blocks[8:])]


TARGETS = (
    Target(
        "dialplan_asterisk", _dialplan("extensions.conf"), lambda: [EXTENSIONS],
        (b"\n", b"[", b"](", b"exten => ", b"same => n,", b"include => ", b"#include ", b"#tryinclude \"",
         b"extensions.conf", b"*", b"**", b";--", b"--;", b"_", b"[0-9]", b"[", b"!", b".", b"Goto(",
         b"Gosub(", b"${EXTEN}", b"enforcer", b"from-accounts", b"emergency", b",1)", b"911", b"\0", b"\xff"),
    ),
    Target(
        "dialplan_freeswitch", _dialplan("default.xml"), lambda: [PLAN, b"<include/>"],
        (b"<", b">", b"</", b'"', b"<extension>", b"<condition>", b' field="destination_number"',
         b' expression="', b"(a+)+$", b"{99999999999}", b"(" * 50, b"\\", b"[", b"<!DOCTYPE x [",
         b'<!ENTITY a "b">', b"&a;", b"<a>" * 60, b'<?xml version="1.0" encoding="utf-32"?>',
         b'encoding="none"', b'<X-PRE-PROCESS cmd="include" data="', b"default.xml", b"**", b"*", b"../",
         b'break="always"', b"\0", b"\xff"),
    ),
    Target(
        "asterisk_answers", _asterisk_answers, _ami_answers,
        (b"\r\n", b"\r\n\r\n", b"Timestamp: ", b"nan", b"inf", b"-inf", b"1e999", b"Response: Error",
         b"Val: ", b"Category-000000: ", b"Line-000000-000000: ", b"read = all", b"Key: /enforcer/closed/",
         b"Uniqueid: a-1.", b"9" * 20, b"\0", b"\xff", b"\x1b[2J"),
    ),
    Target(
        "freeswitch_answers", _freeswitch_answers, _esl_answers,
        (b"\n===\n", b"true", b"-ERR", b"+OK", b"enf/", b"session(s) since startup",
         b'<context name="default"',
         b"<!DOCTYPE", b"<", b">", b"(" * 50, b"{99999999999}", b"http:", b"http://x:99999/", b"9" * 20, b"[",
         b"[" * 60, b"{", b'"', b"\0", b"\xff", b"\x1b[2J"),
    ),
    Target("supervisor", _supervisor, lambda: [b"/x\n30000000", b"\n5", b"x" * 120 + b"\n1"],
           (b"\n", b"9" * 400, b"9" * 5000, b"\xd9\xa1", b"-", b"\xff", b"@", b"/")),
)  # fmt: skip
