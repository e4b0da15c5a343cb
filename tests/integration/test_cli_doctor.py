"""`enforcer doctor` on a real Asterisk: what is fine is called fine, what is broken is named."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from enforcer.checkup import Finding, Grade
from enforcer.settings import load
from enforcer.settings_switch import SwitchSettings
from enforcer.switch.probe import look_at
from lab.asterisk import Asterisk

EMERGENCY = ("112", "911")


def switch(
    asterisk: Asterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str = ""
) -> SwitchSettings:
    monkeypatch.setenv("ENFORCER_TEST_SECRET", asterisk.secret)
    path = tmp_path / "enforcer.toml"
    path.write_text(
        f'site = "lab"\n[[switch]]\nname = "pbx1"\nport = {asterisk.ami_port}\n'
        f'secret_env = "ENFORCER_TEST_SECRET"\n{more}'
    )
    return load(path).switch("pbx1")


def only(findings: list[Finding], grade: Grade) -> list[str]:
    return [finding.words for finding in findings if finding.grade is grade]


def test_a_switch_set_up_as_documented_is_fine(
    asterisk: Asterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = 'outbound_contexts = ["from-accounts"]\n'
    findings = list(look_at(switch(asterisk, tmp_path, monkeypatch, contexts), EMERGENCY))
    assert only(findings, Grade.FAILED) == []
    assert only(findings, Grade.OK)[1:] == [
        "permissions complete",
        "user enforcer has the classes it needs, and no other",
        findings[3].words,
        "a lease can be written, read and taken back",
        "hook present: context [enforcer]",
        "112, 911 from [from-accounts] never come to us",
    ]
    assert findings[3].words.startswith("its clock is 0.")


def test_a_switch_that_asks_about_text_messages_is_looked_at_for_that_too(
    asterisk: Asterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = 'outbound_contexts = ["from-accounts"]\nmessages = true\n'
    findings = list(look_at(switch(asterisk, tmp_path, monkeypatch, more), EMERGENCY))
    assert only(findings, Grade.FAILED) == []
    assert "asks about text messages: context [enforcer-messages]" in only(findings, Grade.OK)
    assert "opens by itself what a rule has closed for messages, were we killed" in only(findings, Grade.OK)


def test_an_emergency_number_that_passes_the_hook_is_found(
    asterisk: Asterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dialled in the context that is included after the emergency one, they meet its pattern."""
    contexts = 'outbound_contexts = ["accounts-out"]\n'
    findings = list(look_at(switch(asterisk, tmp_path, monkeypatch, contexts), EMERGENCY))
    assert only(findings, Grade.FAILED) == ["112, 911 from [accounts-out] pass the hook"]


@pytest.mark.parametrize(
    ("app", "data", "words"),
    [
        ("Goto", "accounts-out,${EXTEN},1", "112 from [led-on] pass the hook"),
        ("GotoIf", "$[1]?accounts-out,${EXTEN},1:s,1", "112 from [led-on] pass the hook"),
        ("Wait", "1", "112 from [led-on] is kept waiting: Wait(1)"),
        ("AGI", "agi://127.0.0.1:4573/ask", "112 from [led-on] waits for another program: AGI(agi://127.0.0.1:"),
    ],
)
def test_where_an_emergency_call_is_led_on_to_is_looked_at_as_well(
    asterisk: Asterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: str, data: str, words: str
) -> None:
    async def add() -> None:
        async with asterisk.ami("enforcer") as ami:
            told = await ami.action(
                "DialplanExtensionAdd", Context="led-on", Extension="112", Priority="1", Application=app,
                ApplicationData=data, Replace="yes",
            )
            assert told["Response"] == "Success", told

    asyncio.run(add())
    findings = list(look_at(
        switch(asterisk, tmp_path, monkeypatch, 'outbound_contexts = ["led-on"]\n'), ("112",)
    ))
    assert any(one.startswith(words) for one in only(findings, Grade.FAILED)), findings


def test_an_emergency_number_that_nothing_serves_is_pointed_out(
    asterisk: Asterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = 'outbound_contexts = ["nowhere"]\n'
    findings = list(look_at(switch(asterisk, tmp_path, monkeypatch, contexts), EMERGENCY))
    assert "112, 911 from [nowhere] lead nowhere" in only(findings, Grade.WARNING)


@pytest.mark.parametrize(
    ("age", "grade", "words"),
    [
        (0, Grade.OK, "an enforcer is at work on it"),
        (60, Grade.WARNING, "no enforcer is at work on it: the last heartbeat is 6"),
        (None, Grade.WARNING, "no enforcer is at work on it"),
    ],
)
async def test_an_enforcer_that_is_dead_or_frozen_is_found_by_its_heartbeat(
    asterisk: Asterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    age: int | None, grade: Grade, words: str,
) -> None:
    if age is None:
        await asterisk.cli("database del enforcer hb")
    else:
        await asterisk.cli(f"database put enforcer hb {int(time.time()) - age}")
    settings = switch(asterisk, tmp_path, monkeypatch, 'outbound_contexts = ["from-accounts"]\n')
    findings = await asyncio.to_thread(lambda: list(look_at(settings, EMERGENCY)))
    await asterisk.cli("database del enforcer hb")
    assert [f.grade for f in findings if f.words.startswith(words)] == [grade]


def test_a_wrong_secret_is_one_finding_that_does_not_show_it(
    asterisk: Asterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = switch(asterisk, tmp_path, monkeypatch)
    monkeypatch.setenv("ENFORCER_TEST_SECRET", "hunter2")
    (finding,) = look_at(settings, EMERGENCY)
    assert finding.grade is Grade.FAILED
    assert "Authentication failed" in finding.words
    assert "hunter2" not in str(finding)


def test_a_switch_that_is_not_there_is_one_finding(
    asterisk: Asterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    settings = switch(asterisk, tmp_path, monkeypatch).model_copy(update={"port": unused_tcp_port})
    settings._base = tmp_path
    (finding,) = look_at(settings, EMERGENCY)
    assert finding.grade is Grade.FAILED
    assert f"enforcer@127.0.0.1:{unused_tcp_port}" in finding.words
