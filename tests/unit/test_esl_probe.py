"""`enforcer doctor` on a FreeSWITCH: what is fine is called fine, what is broken is named."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from enforcer.checkup import Finding, Grade
from enforcer.settings import load
from enforcer.settings_switch import SwitchSettings
from enforcer.switch.esl_probe import look_at
from lab.freeswitch import DIALPLAN
from tests.support.esl import frame
from tests.support.esl_server import PASSWORD, EslServer, esl_server

SOCKET = (
    b'<configuration name="event_socket.conf" description="Socket Client">\n  <settings>\n'
    b'    <param name="listen-ip" value="127.0.0.1"/>\n    <param name="password" value="s3cret"/>\n'
    b'    <param name="apply-inbound-acl" value="lan"/>\n  </settings>\n</configuration>\n'
)
NOTHING = b"-ERR no reply\n"
ANSWERS = {
    "api version": b"FreeSWITCH Version 1.11.3-dev~64bit ( 64bit)\n",
    "api module_exists": b"true",
    "api xml_locate configuration": SOCKET,
    "api xml_locate dialplan": b'<context name="enforcer">\n</context>\n',
}


@pytest.fixture
async def server() -> AsyncIterator[EslServer]:
    async with esl_server() as running:
        for beginning, answer in ANSWERS.items():
            says(running, beginning, answer)
        running.now = time.time()
        yield running


def says(server: EslServer, beginning: str, answer: bytes) -> None:
    server.overrides[beginning] = lambda _command: frame(answer, "api/response")


@pytest.fixture
def switch(server: EslServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SwitchSettings:
    monkeypatch.setenv("ENFORCER_TEST_SECRET", PASSWORD)
    path = tmp_path / "enforcer.toml"
    path.write_text(
        f'site = "lab"\n[[switch]]\nname = "fs1"\nkind = "freeswitch"\nport = {server.port}\n'
        'secret_env = "ENFORCER_TEST_SECRET"\naction_deadline = 0.2\nping_deadline = 0.2\n'
    )
    return load(path).switch("fs1")


async def findings(switch: SwitchSettings, emergency: tuple[str, ...] = ()) -> list[Finding]:
    return await asyncio.to_thread(lambda: list(look_at(switch, emergency)))


def only(found: list[Finding], grade: Grade) -> list[str]:
    return [finding.words for finding in found if finding.grade is grade]


async def test_a_switch_set_up_as_documented_is_fine(server: EslServer, switch: SwitchSettings) -> None:
    server.hash["hb"] = str(int(time.time()) + 6)
    found = await findings(switch)
    words = only(found, Grade.OK)
    assert len(words) == len(found)
    assert words[:3] == [
        f"logged in at 127.0.0.1:{server.port}",
        "FreeSWITCH Version 1.11.3-dev~64bit ( 64bit)",
        "its event socket lets in whom the list lan does",
    ]
    assert words[3].startswith("events come, 0.")
    assert words[4].startswith("its clock is 0.")
    assert words[5:] == [
        "a lease can be written, read and taken back", "an enforcer is at work on it",
        "hook present: context enforcer",
    ]
    assert list(server.hash) == ["hb"], "what was written is taken away again"


@pytest.mark.parametrize(
    ("beginning", "answer", "grade", "words"),
    [
        ("api module_exists", b"false", Grade.FAILED, "mod_hash is not loaded: nothing can be left there"),
        ("api hash select/enf/probe", NOTHING, Grade.FAILED, "what is written to mod_hash cannot be read"),
        ("api hash select/enf/hb", NOTHING, Grade.WARNING, "no enforcer is at work on it"),
        ("api hash select/enf/hb", b"soon", Grade.WARNING, "its heartbeat is no time"),
        ("api hash select/enf/hb", b"1000", Grade.WARNING, "is at work on it: the last heartbeat is"),
        ("api hash insert", b"-ERR no", Grade.FAILED, "api hash was refused: no"),
        ("api xml_locate dialplan", b"can't find anything\n", Grade.WARNING,
         "no context enforcer in the dialplan that it shows"),
        ("api xml_locate configuration", b"can't find anything\n", Grade.WARNING, "it does not show who may"),
        ("api xml_locate configuration", SOCKET.replace(b"apply-inbound-acl", b"x"), Grade.OK,
         "its event socket lets in whom the list loopback.auto does"),
        ("api version", b"\n", Grade.OK, "it does not say which version it is"),
    ],
)  # fmt: skip
async def test_what_is_broken_is_named(
    server: EslServer, switch: SwitchSettings, beginning: str, answer: bytes, grade: Grade, words: str
) -> None:
    server.hash["hb"] = str(int(time.time()) + 6)
    says(server, beginning, answer)
    found = await findings(switch)
    assert any(words in word for word in only(found, grade)), found
    assert grade is Grade.OK or len(only(found, grade)) == 1


async def test_a_clock_that_is_off_is_worth_a_look(server: EslServer, switch: SwitchSettings) -> None:
    server.hash["hb"] = str(int(time.time()) + 6)
    server.now -= 90
    (words,) = [w for w in only(await findings(switch), Grade.WARNING) if "clock" in w]
    assert words.endswith("behind ours")


async def test_events_that_do_not_come_are_found(server: EslServer, switch: SwitchSettings) -> None:
    server.echoes = False
    (words,) = only(await findings(switch), Grade.FAILED)
    assert "events do not come" in words


async def test_a_wrong_password_is_one_finding_that_does_not_show_it(
    server: EslServer, switch: SwitchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENFORCER_TEST_SECRET", "hunter2")
    (finding,) = await findings(switch)
    assert (finding.grade, finding.advice) == (
        Grade.FAILED, "does event_socket.conf.xml have this password?"
    )
    assert "hunter2" not in str(finding)


async def test_an_address_that_is_not_let_in_is_told_where_to_be_named(
    server: EslServer, switch: SwitchSettings
) -> None:
    server.greeting = frame(b"Access Denied, go away.\n", "text/rude-rejection")
    (finding,) = await findings(switch)
    assert finding.grade is Grade.FAILED
    assert "apply-inbound-acl" in finding.advice


async def test_the_password_that_every_freeswitch_has_is_worth_a_look(
    server: EslServer, switch: SwitchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENFORCER_TEST_SECRET", "ClueCon")
    server.password = "ClueCon"
    assert any("every FreeSWITCH has" in word for word in only(await findings(switch), Grade.WARNING))


def context(*extensions: str, name: str = "default") -> bytes:
    return f'<context name="{name}">\n{"".join(extensions)}</context>\n'.encode()


OURS = (DIALPLAN / "emergency.xml").read_text()
OUT = """<extension name="out"><condition field="destination_number" expression="^([0-9+*#]{1,64})$">
  <action application="execute_extension" data="enforcer XML enforcer"/>
  <action application="bridge" data="sofia/gateway/carrier/$1"/></condition></extension>"""


@pytest.mark.parametrize(
    ("shown", "grade", "words"),
    [
        (context(OURS, OUT), Grade.OK, "112, 911 from [default] never come to us"),
        (context(OUT, OURS), Grade.FAILED, "112, 911 from [default] pass the hook"),
        (context(OURS.replace("112|", ""), OUT), Grade.FAILED, "112 from [default] pass the hook"),
        (context(OURS), Grade.OK, "112, 911 from [default] never come to us"),
        (context(OURS.replace("|911", "")), Grade.WARNING, "911 from [default] lead nowhere for certain"),
        (context(OUT.replace("<condition", '<condition field="${x}" expression="^y$"/><condition'), OURS),
         Grade.WARNING, "112, 911 from [default] pass the hook in some calls"),
        (b"can't find anything\n", Grade.WARNING,
         "[default] is not in the dialplan that it shows: emergency numbers were not tried there"),
        (b'<context name="default"><extension>', Grade.FAILED, "context default is no XML"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><context name="default">&a;</context>', Grade.FAILED,
         "context default is not shown as a context"),
    ],
    ids=["first", "trap", "one forgotten", "no hook there", "nowhere", "perhaps", "hidden", "torn", "bomb"],
)  # fmt: skip
async def test_where_emergency_numbers_go_is_told_without_a_call(
    server: EslServer, switch: SwitchSettings, shown: bytes, grade: Grade, words: str
) -> None:
    server.hash["hb"] = str(int(time.time()) + 6)
    says(server, "api xml_locate dialplan context name default", shown)
    found = await findings(switch, ("112", "911"))
    assert any(word.startswith(words) for word in only(found, grade)), found
    assert not any(command.startswith(("api originate", "bgapi")) for command in server.commands)


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        ("transfer:$1 XML out", "112 from [default] comes to the enforcer's hook: execute_extension("),
        ("bridge:loopback/$1/out", "112 from [default] comes to the enforcer's hook: execute_extension("),
        ("lua:log.lua bridge:sofia/gateway/x/$1", "112 from [default] waits for another program: lua("),
        ("sched_hangup:+60 bridge:sofia/gateway/x/$1", "112 from [default] is cut short: sched_hangup(+60)"),
    ],
)
async def test_where_an_emergency_call_is_led_on_to_is_looked_at_as_well(
    server: EslServer, switch: SwitchSettings, actions: str, words: str
) -> None:
    server.hash["hb"] = str(int(time.time()) + 6)
    told = "".join(
        f'<action application="{one.partition(":")[0]}" data="{one.partition(":")[2]}"/>'
        for one in re.findall(r"\w+:\S+(?: XML \w+)?", actions)
    )
    own = f"""<extension name="own"><condition field="destination_number" expression="^(112|911)$">{told}
        </condition></extension>"""
    says(server, "api xml_locate dialplan context name default", context(own))
    says(server, "api xml_locate dialplan context name out", context(OUT, name="out"))
    found = await findings(switch, ("112", "911"))
    assert any(word.startswith(words) for word in only(found, Grade.FAILED)), found


async def test_the_names_that_fusionpbx_needs_are_no_reason_to_warn(
    server: EslServer, switch: SwitchSettings
) -> None:
    server.hash["hb"] = str(int(time.time()) + 6)
    says(server, "api xml_locate dialplan", b"can't find anything\n")
    says(server, "api xml_locate dialplan context name enforcer@local", context(name="enforcer@local"))
    found = await findings(switch, ("112", "911"))
    assert only(found, Grade.WARNING) == only(found, Grade.FAILED) == []
    assert only(found, Grade.OK)[-2:] == [
        "hook present: context enforcer@local",
        "[default] is not in the dialplan that it shows: emergency numbers were not tried there",
    ]


async def test_switch_that_asks_about_messages_needs_a_chat_plan(
    server: EslServer, switch: SwitchSettings
) -> None:
    server.hash["hb"] = str(int(time.time()) + 6)
    asking = switch.model_copy(update={"messages": True})
    assert "text messages have a chat plan: mod_sms is loaded" in only(await findings(asking), Grade.OK)
    says(server, "api module_exists mod_sms", b"false")
    words = "mod_sms is not loaded: text messages pass without a chat plan"
    assert only(await findings(asking), Grade.FAILED) == [words]


@pytest.mark.parametrize(
    ("ask", "loaded", "grade", "words"),
    [
        (b"http://127.0.0.1:8090", b"true", Grade.OK, "it asks over HTTP, at port 8090: mod_curl is loaded"),
        (b"http://127.0.0.1:8090", b"false", Grade.FAILED,
         "it asks over HTTP (enf_ask), and mod_curl is not loaded: no question is put"),
        (b"http://127.0.0.1:8090/?a=b", b"true", Grade.FAILED,
         "enf_ask is no address that the hook takes: no question is put"),
        (b"http://127.0.0.1:8091/", b"true", Grade.WARNING,
         "it asks over HTTP at port 8091, its door is at 8090"),
        (b"http://127.0.0.1:8090/fs1/0123456789abcdef", b"true", Grade.OK,
         "it asks over HTTP, at port 8090: mod_curl is loaded"),
        (b"http://127.0.0.1:8090/fs2", b"true", Grade.FAILED,
         "it asks over HTTP by another name: it is sent away"),
    ],
    ids=["fine", "no mod_curl", "no address", "another port", "its name", "another name"],
)  # fmt: skip
async def test_a_switch_that_asks_over_http_needs_mod_curl_and_its_own_door(
    server: EslServer, switch: SwitchSettings, ask: bytes, loaded: bytes, grade: Grade, words: str
) -> None:
    says(server, "api global_getvar enf_ask", ask)
    says(server, "api module_exists mod_curl", loaded)
    found = await findings(switch.model_copy(update={"door_http_port": 8090}))
    assert words in only(found, grade)


@pytest.mark.parametrize(("path", "grade"), [(b"", Grade.FAILED), (b"/fs1", Grade.FAILED),
                                             (b"/fs1/0123456789abcdef", Grade.OK)])
async def test_a_switch_whose_door_asks_for_a_token_brings_one(
    server: EslServer, switch: SwitchSettings, path: bytes, grade: Grade
) -> None:
    says(server, "api global_getvar enf_ask", b"http://127.0.0.1:8090" + path)
    says(server, "api module_exists mod_curl", b"true")
    found = await findings(switch.model_copy(update={"door_token_env": "X"}))
    told = [one for one in found if "over HTTP" in one.words]
    assert [one.grade for one in told] == [grade]
    assert not any("0123456789abcdef" in one.words + one.advice for one in found)


async def test_a_switch_that_asks_at_the_event_socket_door_needs_no_mod_curl(
    server: EslServer, switch: SwitchSettings
) -> None:
    says(server, "api global_getvar enf_ask", b"door")
    says(server, "api module_exists mod_curl", b"false")
    assert not [finding for finding in await findings(switch) if "HTTP" in finding.words]
