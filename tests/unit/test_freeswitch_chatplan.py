"""The chat plan for FreeSWITCH: which messages go on, which are stopped, and which are handed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import fs_dialplan

CHATPLAN = Path(__file__).parents[2] / "dialplan" / "freeswitch" / "chatplan.xml"
SITE = """<extension name="out"><condition field="to_user" expression=".">
  <action application="send"/></condition></extension>"""
NOW = 1795313700
LATER = NOW + 60
STANDING = f"{LATER}:block:21:0:0:standing:"
SERIAL = "3c5533b8-d7d3-4b35-8747-06e66d30beb0"


noted: dict[str, str] = {}      # what the chat plan has put into mod_hash, of the last message


def passed(headers: dict[str, str], **keys: str) -> tuple[list[str], list[str]]:
    """The applications that a message comes to, and what was put into the scheduler. `headers` are changed as
    the chat plan changes them; `keys` are what stands in mod_hash, "__" for a dot."""
    nets: list[str] = []
    noted.clear()
    hash_keys = {key.replace("__", "."): value for key, value in keys.items()}

    def api(name: str, arguments: str) -> str:
        if name == "cond":
            return fs_dialplan.cond(arguments)
        if name == "strepoch":
            return str(NOW)
        if name == "create_uuid":
            return SERIAL
        if name == "sched_api":
            nets.append(arguments)
            return "+OK Added: 7\n"
        if name == "sched_del":
            return "+OK Deleted: 0\n"
        verb, realm, key, *value = arguments.split("/")
        assert (name, realm) == ("hash", "enf")
        if verb == "insert":
            hash_keys[key] = noted[key] = value[0]
            return "+OK\n"
        assert verb == "select"
        return hash_keys.get(key, "")

    def expand(text: str) -> str:
        return fs_dialplan.expand(text, lambda n: headers.get(n, ""), api)

    def run(application: str, data: str) -> None:
        name, _, value = expand(data).partition("=")
        if application == "set" and value:
            headers[name] = value
        elif application in ("set", "unset"):
            headers.pop(name, None)

    plan = fs_dialplan.Dialplan([f'<context name="sms">{CHATPLAN.read_text()}{SITE}</context>'])
    found = []
    for application, data in plan.hunt("sms", headers, expand, run) or []:
        found.append(application if application != "reply" else f"reply: {expand(data)}")
        run(application, data)
    return found, nets


def message(number: str = "12025550142", sender: str = "acme", **more: str) -> dict[str, str]:
    return {
        "from_user": sender, "to_user": number, "from": f"{sender}@pbx", "to_host": "pbx",
        "type": "text/plain",
        "to": f"sip:{number}@carrier:5060", "sip_profile": "internal", "_body": "see you, at 7", **more,
    }  # fmt: skip


def test_message_is_handed_over_with_a_net_below_it() -> None:
    headers = message()
    applications, nets = passed(headers, hb=str(LATER))
    assert applications == ["set", "final"]
    ends = "acme@pbx|internal/sip:12025550142@carrier:5060"
    assert nets == [f"+2 enforcer-{SERIAL} chat sip|{ends}|see you, at 7|text/plain&"]
    told = {key[9:]: value for key, value in headers.items() if key.startswith("enforcer_")}
    assert told == {
        "verdict": "asked", "net": "+OK Added: 7\n", "serial": SERIAL, "account": "acme",
        "direction": "outbound", "until": "0",
    }  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [{"_body": text} for text in ("don't", "a|b", "a\\b", 'say "a"', "${system(x)}", "x" * 4001, "")]
    + [{"from": "a|b@pbx"}, {"to": "sip:1@x|y"}, {"to": "nowhere"}, {"type": "text/plain|x"}, {"type": ""}],
)  # fmt: skip
def test_what_the_net_could_not_hold_is_handed_over_without_one(odd: dict[str, str]) -> None:
    headers = message(**odd)
    assert passed(headers, hb=str(LATER), hands=str(LATER)) == (["set", "final"], [])
    assert (headers["enforcer_verdict"], headers["enforcer_net"]) == ("asked", "no")


def test_message_without_a_net_goes_where_the_last_heartbeat_is_not_quite_fresh() -> None:
    for hands in ({}, {"hands": str(NOW)}):
        headers = message(_body="don't")
        assert passed(headers, hb=str(LATER), **hands) == (["send"], [])
        assert headers["enforcer_verdict"] == "alone"


@pytest.mark.parametrize(
    ("keys", "verdict"),
    [
        ({}, "alone"), ({"hb": str(NOW - 1)}, "alone"), ({"hb": "soon"}, "alone"),
        ({"lease__acme": str(LATER)}, "alone"),
        ({"hb": str(LATER), "lease__acme": str(LATER)}, "leased"),
    ],
)  # fmt: skip
def test_message_goes_at_once_where_nobody_is_there_or_needs_to_be_asked(
    keys: dict[str, str], verdict: str
) -> None:
    headers = message()
    assert passed(headers, **keys) == (["send"], [])
    assert headers["enforcer_verdict"] == verdict


@pytest.mark.parametrize("keys", [
    {"lease__acme": str(NOW - 1)}, {"lease__acme": "x"}, {"lease__globex": str(LATER)},
])  # fmt: skip
def test_what_is_no_lease_is_asked_about(keys: dict[str, str]) -> None:
    headers = message()
    passed(headers, hb=str(LATER), **keys)
    assert headers["enforcer_verdict"] == "asked"


@pytest.mark.parametrize(
    ("word", "goes"),
    [
        ("", True), (STANDING, False), (f"{NOW - 1}:block:21:0:0:standing:", True),
        (f"{LATER}:block:21:0:0:minutes:d1-2f", True), ("what?", True), (f"{LATER}:allow:0:0:0::", True),
    ],
)  # fmt: skip
def test_account_that_people_stopped_sends_nothing_as_long_as_that_is_known(word: str, goes: bool) -> None:
    stopped = ["set", "set", "set", "reply: Not sent to 12025550142: this account is stopped", "final"]
    headers = message()
    assert passed(headers, word__acme=word)[0] == (["send"] if goes else stopped)
    assert goes or (headers["to"], headers["enforcer_verdict"]) == ("12025550142@pbx", "block")


def test_closed_account_is_stopped_at_once_whether_or_not_anybody_is_there() -> None:
    told = "reply: Not sent to 12025550142: this account may send no more messages"
    for keys in ({}, {"hb": str(LATER)}, {"hb": str(LATER), "lease__acme": str(LATER)}):
        assert told in passed(message(), closed__acme=str(LATER), **keys)[0]
    assert passed(message(), closed__acme=str(NOW))[0] == ["send"]
    assert passed(message(), closed__globex=str(LATER))[0] == ["send"]


def test_refusal_is_never_answered_in_a_loop() -> None:
    headers = message(**{"sip_h_X-Enforcer": "refused"})
    assert passed(headers, word__acme=STANDING)[0] == ["final"]


def test_emergency_message_goes_whoever_sends_it() -> None:
    assert passed(message("911"), word__acme=STANDING, closed__acme=str(LATER), hb=str(LATER))[0] == ["send"]
    assert passed(message("112", sender="a\nb"))[0] == ["send"]


def test_text_for_help_is_noted_of_whoever_asks_and_told() -> None:
    headers = message("911")
    assert passed(headers, word__acme=STANDING) == (["send"], ["+3600 sos-acme hash delete/enf/sos.acme"])
    assert noted == {"sos.acme": str(NOW)}
    told = {key[9:]: value for key, value in headers.items() if key.startswith("enforcer_")}
    assert told == {"verdict": "emergency", "serial": SERIAL, "account": "acme", "direction": "outbound"}


@pytest.mark.parametrize(
    "headers",
    [
        message("933"), message("112", sender="a\nb"), message("112", sender="${system(x)}"),
        message("112", sender="a/b"), message("911", enforcer_direction="inbound", enforcer_account="acme"),
        message("12025550142"),
    ],
)  # fmt: skip
def test_what_is_a_test_comes_in_or_is_of_nobody_is_noted_of_nobody(headers: dict[str, str]) -> None:
    passed(headers)
    assert noted == {}


def test_inbound_message_is_its_accounts_and_what_people_stopped_is_still_written_to() -> None:
    own = {"enforcer_direction": "inbound", "enforcer_account": "acme"}
    headers = message(sender="12025550177", **own)
    assert passed(headers, hb=str(LATER), word__acme=STANDING)[0] == ["set", "final"]
    assert (headers["enforcer_account"], headers["enforcer_direction"]) == ("acme", "inbound")
    assert passed(message(**own), hb=str(LATER), lease__acme=str(LATER))[0] == ["send"]


def test_inbound_message_of_nobody_is_left_alone() -> None:
    headers = message(enforcer_direction="inbound")
    assert passed(headers, hb=str(LATER)) == (["send"], [])
    assert headers["enforcer_verdict"] == "nobody"


@pytest.mark.parametrize(
    "headers",
    [
        message(sender="a b"), message(sender="${system(x)}"), message(sender="acme\n"),
        message(sender="a/b"), message(sender=""),
        message("1 2"), message("911\n"), message("${strepoch()}"), message("x" * 65), message(""),
    ],
)  # fmt: skip
def test_ends_that_can_be_no_ends_are_stopped_before_anything_is_looked_up(headers: dict[str, str]) -> None:
    assert passed(headers, hb=str(LATER)) == (["set", "final"], [])
    assert headers["enforcer_verdict"] == "misaddressed"


def test_text_larger_than_can_be_handed_over_is_stopped_and_does_not_pass_unasked() -> None:
    headers = message(_body="x\n" * 16_001)
    assert passed(headers, lease__acme=str(LATER), hb=str(LATER))[0] == ["set", "final"]
    assert headers["enforcer_verdict"] == "oversize"
    assert passed(message(_body="x" * 32_000))[0] == ["send"]


def test_sender_cannot_bring_a_tag_or_a_verdict() -> None:
    headers = message(**{
        "sip_h_X-Enforcer-Tag": "forged", "enforcer_verdict": "emergency", "enforcer_until": str(LATER),
        "enforcer_net": "+OK", "enforcer_serial": "x", "_body": "'",
    })  # fmt: skip
    passed(headers, hb=str(LATER), hands=str(LATER))
    assert "sip_h_X-Enforcer-Tag" not in headers
    told = {key[9:]: value for key, value in headers.items() if key.startswith("enforcer_")}
    assert told == {"verdict": "asked", "net": "no", "serial": SERIAL, "account": "acme",
                    "direction": "outbound", "until": "0"}
