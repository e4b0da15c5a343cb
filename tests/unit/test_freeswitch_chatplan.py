"""The chat plan for FreeSWITCH: which messages go on to the site's own extensions, and which are stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import fs_dialplan

CHATPLAN = Path(__file__).parents[2] / "dialplan" / "freeswitch" / "chatplan.xml"
SITE = """<extension name="out"><condition field="to_user" expression=".">
  <action application="send"/></condition></extension>"""
NOW = 1795313700
STANDING = ":block:21:0:0:standing:"


def passed(headers: dict[str, str], word: str = "") -> list[str]:
    """The applications that a message comes to; `headers` are changed as the chat plan changes them."""
    def api(name: str, arguments: str) -> str:
        if name == "cond":
            return fs_dialplan.cond(arguments)
        if name == "strepoch":
            return str(NOW)
        assert (name, arguments) == ("hash", f"select/enf/word.{headers['from_user']}")
        return word

    def inline(application: str, data: str) -> None:
        name, _, value = data.partition("=")
        if application == "set" and value:
            headers[name] = value
        else:
            headers.pop(name, None)

    plan = fs_dialplan.Dialplan([f'<context name="sms">{CHATPLAN.read_text()}{SITE}</context>'])
    found = plan.hunt(
        "sms", headers, lambda text: fs_dialplan.expand(text, lambda n: headers.get(n, ""), api), inline
    )
    return [application for application, _ in found or []]


def message(number: str = "12025550142", sender: str = "acme", **more: str) -> dict[str, str]:
    return {"from_user": sender, "to_user": number, **more}


@pytest.mark.parametrize(
    ("word", "goes"),
    [
        ("", True), (f"{NOW + 60}{STANDING}", False), (f"{NOW - 1}{STANDING}", True),
        (f"{NOW + 60}:block:21:0:0:minutes:d1-2f", True), ("what?", True),
        (f"{NOW + 60}:allow:0:0:0::", True),
    ],
)  # fmt: skip
def test_account_that_people_stopped_sends_nothing_as_long_as_that_is_known(word: str, goes: bool) -> None:
    assert passed(message(), word) == (["send"] if goes else ["set", "fire", "stop"])


def test_emergency_message_goes_whoever_sends_it() -> None:
    assert passed(message("911"), f"{NOW + 60}{STANDING}") == ["send"]
    assert passed(message("112", sender="a\nb")) == ["send"]


@pytest.mark.parametrize(
    "headers",
    [
        message(sender="a b"), message(sender="${system(x)}"), message(sender="acme\n"),
        message(sender="a/b"),
        message("1 2"), message("911\n"), message("${strepoch()}"), message("x" * 65), message(""),
    ],
)  # fmt: skip
def test_ends_that_can_be_no_ends_are_stopped_before_anything_is_looked_up(headers: dict[str, str]) -> None:
    assert passed(headers, "not to be asked for") == ["set", "fire", "stop"]


def test_sender_cannot_bring_a_tag_or_a_verdict() -> None:
    headers = message(**{"sip_h_X-Enforcer-Tag": "forged", "enforcer_verdict": "emergency"})
    assert passed(headers, f"{NOW + 60}{STANDING}") == ["set", "fire", "stop"]
    assert "sip_h_X-Enforcer-Tag" not in headers
