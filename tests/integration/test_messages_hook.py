"""Text messages on a real Asterisk, as those who write, the carrier and the phones see them.

One switch, one enforcer and one policy for the module; each test has an account of its own. How long things
take is asked once, to tell "held for the deadline" from "hung for ever".
"""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import pytest

from lab.asterisk import Asterisk
from lab.enforcer import Enforcer
from lab.process import free_port, freeze, thaw
from lab.provision import Provisioned
from lab.texter import Texter
from tests.support.standing import standing

POLICY = """
[pack]
name = "texts"
revision = "1"
effective = 2026-01-01

[[rule]]
id = "few"
kind = "messages"
clause = "1 Fair Use"
accounts = [
    "limited", "raised", "reloaded", "reborn", "gateway", "leaving", "missed", "burst",
]
critical = { at = 2, verdict = "block" }

[[rule]]
id = "plenty"
kind = "messages"
clause = "1 Fair Use"
critical = { at = 100000, verdict = "block" }

[[rule]]
id = "tagged"
kind = "messages"
clause = "1 Fair Use"
accounts = ["marked"]
critical = { at = 0, verdict = "tag" }

[[rule]]
id = "unwanted"
kind = "opt_out"
clause = "3 Unsolicited Communications"
accounts = ["acme", "globex"]
critical = { at = 0, verdict = "block" }

[[rule]]
id = "unwanted-by-all"
kind = "opt_out"
clause = "3 Unsolicited Communications"
scope = "customer"
accounts = ["initech", "umbrella"]
critical = { at = 0, verdict = "block" }
"""

NAMES = (
    "limited", "raised", "reloaded", "reborn", "marked", "free", "stopped", "frozen", "dead", "odd",
    "gateway", "leaving", "left", "missed", "away", "burst",
)
ACCOUNTS = "".join(f"{name},{name}-co,pbx,,,,\n" for name in NAMES)
ACCOUNTS += "acme,acme-co,pbx,,,,\nglobex,acme-co,pbx,,,,\ninitech,both,pbx,,,,\numbrella,both,pbx,,,,\n"

SHARED = """
[shared](account)
message_context = messages-from-accounts
aors = shared
[shared](phone)
contact = sip:shared@127.0.0.1:9
[held](account)
message_context = holding
aors = held
[held](phone)
contact = sip:held@127.0.0.1:9
[12025550178](account)
message_context = messages-from-trunk
"""


# Holds the queue that all messages of a switch pass, one after the other.
HOLDING = """
[holding]
exten => 777,1,Wait(0.4)
 same => n,Hangup()
"""

DOOR = free_port(socket.SOCK_STREAM)


@pytest.fixture(scope="module")
def switch(lab_parts: Mapping[str, Provisioned]) -> Iterator[Asterisk]:
    files = {"pjsip_local.conf": SHARED, "messages_local.conf": HOLDING}
    yield from standing(Asterisk(lab_parts["asterisk"], accounts=NAMES, files=files))


@pytest.fixture(scope="module")
def enforcer(switch: Asterisk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enforcer]:
    door = f"[door.messages]\nenabled = true\nport = {DOOR}\n"
    yield from standing(Enforcer(
        tmp_path_factory.mktemp("texts"), switch, POLICY, accounts=ACCOUNTS,
        more=f"messages = true\n\n{door}",
    ))


class Ends:
    """The three far ends: a phone that writes, the carrier, and where the accounts' phones are."""

    def __init__(self, writer: Texter, carrier: Texter, phones: Texter) -> None:
        self.writer, self.carrier, self.phones = writer, carrier, phones
        self.send = writer.send

    async def code(self, account: str, number: str, wanted: int) -> None:
        """Write until the switch answers so: what closes an account is done just after a message, and an
        account is turned away once it has paused for half a second."""
        async with asyncio.timeout(10):
            while await self.send(account, number) != wanted:   # noqa: ASYNC110
                await asyncio.sleep(0.6 if wanted == 404 else 0.05)

    async def burst(self, account: str, numbers: Sequence[int]) -> None:
        """Write to all of these at once, before any message's turn comes; the switch takes them all."""
        held = asyncio.create_task(self.send("held", "777"))
        assert await asyncio.gather(*(self.send(account, str(number)) for number in numbers)) == (
            [202] * len(numbers)
        )
        assert await held == 202

    async def use_up(self, account: str, number: str) -> None:
        """Two messages that pass, one that is refused, and the account is closed."""
        for _ in range(3):
            await self.send(account, number)
        await self.code(account, number, 404)

    async def suspended(self, running: Enforcer, account: str, number: str) -> None:
        """People stop the account, and it is closed."""
        await running.command("account", "suspend", account, "--reason", "unpaid")
        await self.code(account, number, 404)


@pytest.fixture
async def ends(switch: Asterisk) -> AsyncIterator[Ends]:
    address = switch.sip_address
    async with (
        Texter(address) as writer, Texter(address, switch.carrier_port) as carrier,
        Texter(address, switch.phones_port) as phones,
    ):
        yield Ends(writer, carrier, phones)


async def messages(enforcer: Enforcer, account: str) -> tuple[int, int]:
    """How many messages of an account were let go, and how many were refused."""
    usage = await enforcer.json("usage", account)
    (line,) = [rule for rule in usage["rules"] if rule["rule"] == "plenty"]
    return line["attempts"], line["blocked"]


async def test_message_passes_and_is_counted(running, ends) -> None:
    assert await ends.send("free", "12025550142", "see you, at 7") == 202
    text = await ends.carrier.text("12025550142")
    assert text.body == "see you, at 7"
    assert "x-enforcer-tag" not in text.headers
    decided = await running.line(lambda x: x.get("account") == "free")
    told = [decided[key] for key in ("verdict", "number", "direction")]
    assert told == ["allow", "12025550142", "outbound"]
    assert (await messages(running, "free"))[0] == 1


async def test_tag_travels_with_the_message(running, ends) -> None:
    await ends.send("marked", "12025550143")
    assert (await ends.carrier.text("12025550143")).headers["x-enforcer-tag"] == "tagged.critical"


async def test_message_over_the_limit_is_dropped_its_sender_told_and_the_account_then_closed(
    running, ends
) -> None:
    for number in ("12025550144", "12025550145", "12025550146"):
        assert await ends.send("limited", number) == 202
    told = await ends.phones.text("limited")
    refused = await running.line(
        lambda line: (line.get("account"), line.get("verdict")) == ("limited", "block")
    )
    assert told.body == f"Not sent to 12025550146: refused by the rule few [{refused['decision']}]"
    assert told.headers["x-enforcer"] == "refused"
    assert ends.carrier.to("12025550145")
    await ends.code("limited", "12025550147", 404)
    assert not ends.carrier.to("12025550146")
    assert not ends.carrier.to("12025550147")
    assert await ends.send("limited", "911", "help") == 202
    assert (await ends.carrier.text("911")).body == "help"
    assert (await messages(running, "limited"))[0] == 2
    for number in ("999", "+1911"):         # in no context by their names, but the hook knows them
        assert await ends.send("limited", number, "help") == 202
        assert (await ends.carrier.text(number)).body == "help"


async def test_closed_account_is_opened_by_a_milder_mode(running, ends) -> None:
    await ends.use_up("raised", "12025550148")
    await running.command("mode", "set", "tag", "--account", "raised", "--reason", "customer called")
    await ends.code("raised", "12025550149", 202)
    assert (await ends.carrier.text("12025550149")).headers["x-enforcer-tag"] == "few.critical"


async def test_closed_account_is_closed_again_after_a_reload_of_the_dialplan(running, ends, switch) -> None:
    await ends.use_up("reloaded", "12025550150")
    await switch.cli("dialplan reload")
    assert await ends.send("reloaded", "12025550151") == 202
    nth = 1         # on a busy machine more than one was refused before the account was closed
    while not (await ends.phones.text("reloaded", nth)).body.startswith("Not sent to 12025550151"):
        nth += 1
    await ends.code("reloaded", "12025550151", 404)
    assert not ends.carrier.to("12025550151")


async def test_next_enforcer_opens_what_the_last_one_closed(running, ends, switch) -> None:
    await ends.use_up("reborn", "12025550152")
    async with asyncio.timeout(30):
        # Written a little later, and no CDR tells of a message; on a busy machine more than one was refused.
        while (told := await messages(running, "reborn")) < (2, 1):     # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert told[0] == 2
    running.kill()
    assert await ends.send("reborn", "12025550152") == 404
    assert await ends.send("reborn", "911") == 202
    await running.start()
    await ends.code("reborn", "12025550153", 202)
    nth = 2
    while not (await ends.phones.text("reborn", nth)).body.startswith("Not sent to 12025550153"):
        nth += 1


async def test_switch_opens_what_a_rule_has_closed_by_itself_once_its_killed_enforcer_is_missed(
    running, ends, switch
) -> None:
    await ends.use_up("missed", "12025550180")
    await ends.suspended(running, "away", "12025550180")
    running.kill()
    assert await ends.send("missed", "12025550181") == 404
    await ends.code("missed", "12025550181", 202)       # nobody was there
    assert (await ends.carrier.text("12025550181")).body == "hello"
    assert await ends.send("away", "12025550181") == 404
    for odd in ("1000%40message-open", "1000%2f_X", "1000;foo=bar", "1000%29%2cx", "9" * 75):
        before, helped = len(ends.carrier.texts), len(ends.carrier.to("911"))
        await ends.send("missed", odd)
        await ends.send("missed", "911")
        await ends.carrier.text("911", helped + 1)
        assert len(ends.carrier.texts) == before + 1
    await running.start()
    await ends.code("missed", "12025550182", 404)       # refused once more, and closed
    await running.command("account", "resume", "away")
    await ends.code("away", "12025550183", 202)
    assert await ends.carrier.text("12025550183")


async def test_enforcer_that_is_stopped_opens_what_a_rule_has_closed_and_no_stopped_account(
    running, ends
) -> None:
    await ends.use_up("leaving", "12025550172")
    await ends.suspended(running, "left", "12025550172")
    await running.stop()
    await ends.code("leaving", "12025550173", 202)
    assert await ends.carrier.text("12025550173")       # nobody is there to refuse it
    assert await ends.send("left", "12025550173") == 404
    await running.start()


async def test_message_that_was_taken_before_its_account_is_closed_is_refused_and_its_sender_told(
    running, ends
) -> None:
    numbers = range(12025551200, 12025551240)
    await ends.burst("burst", numbers)
    await ends.phones.text("burst", len(numbers) - 2)
    told = {text.body[:len("Not sent to 12025550000")] for text in ends.phones.to("burst")}
    passed = {text.number for text in ends.carrier.texts} & {str(number) for number in numbers}
    assert told == {f"Not sent to {number}" for number in numbers if str(number) not in passed}
    assert len(passed) == 2

    def refused() -> set[str]:
        lines = (x for x in running.lines() if (x.get("account"), x.get("verdict")) == ("burst", "block"))
        return {line["number"] for line in lines}

    async with asyncio.timeout(30):         # both are written a little later
        while len(refused()) < len(told):   # noqa: ASYNC110
            await asyncio.sleep(0.05)
        while await messages(running, "burst") != (2, len(numbers) - 2):    # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert {f"Not sent to {number}" for number in refused()} == told
    await ends.code("burst", "12025551240", 404)


async def test_suspended_account_gets_404_at_once_and_writes_again_when_resumed(running, ends) -> None:
    assert await ends.send("stopped", "12025550154") == 202
    await ends.suspended(running, "stopped", "12025550154")
    assert await ends.send("stopped", "911") == 202
    assert await ends.carrier.text("911")
    await running.command("account", "resume", "stopped")
    await ends.code("stopped", "12025550155", 202)
    assert await ends.carrier.text("12025550155")


async def test_stop_is_honoured_from_the_next_message_on_and_start_takes_it_back(running, ends) -> None:
    await ends.send("acme", "12025550177")
    assert await ends.carrier.text("12025550177")
    assert await ends.send("12025550177", "12025550101", "Stop, please!") == 202
    assert (await ends.phones.text("acme")).body == "Stop, please!"
    heard = await running.line(lambda x: x.get("event") == "heard")
    assert (heard["wish"], heard["account"], heard["customer"]) == ("stop", "acme", "acme-co")
    await ends.send("acme", "+12025550177")         # written in another way
    assert "unwanted" in (await ends.phones.text("acme", 2)).body
    await ends.send("globex", "12025550177")        # another sender of the same customer's
    assert await ends.carrier.text("12025550177", 2)
    await ends.send("12025550177", "12025550101", "START")
    await ends.phones.text("acme", 3)
    await ends.send("acme", "12025550177")
    assert await ends.carrier.text("12025550177", 3)


async def test_stop_counts_for_all_senders_where_the_rule_says_so(running, ends) -> None:
    await ends.send("12025550178", "12025550103", "UNSUBSCRIBE")
    await ends.phones.text("initech")
    await ends.send("umbrella", "12025550178")
    assert "unwanted-by-all" in (await ends.phones.text("umbrella")).body
    assert not ends.carrier.to("12025550178")


async def test_other_sources_ask_at_the_door_and_count_for_the_same_limits(running, ends) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", DOOR)

    async def ask(name: str, **more: str) -> dict[str, object]:
        question = {"id": name, "account": "gateway", "to": "+12025550170", **more}
        writer.write(json.dumps(question).encode() + b"\n")
        async with asyncio.timeout(10):
            return json.loads(await reader.readline())

    try:
        assert (await ask("one"))["verdict"] == "allow"
        assert await ends.send("gateway", "12025550170") == 202
        await ends.carrier.text("12025550170")
        third = await ask("three")
        assert (third["verdict"], third["sip_code"]) == ("block", 403)
        assert str(third["reason"]).startswith("few: messages this cycle 3, limit 2")
        assert await ask("three") == third
        await ends.code("gateway", "12025550170", 404)      # refused there, closed here
        assert (await ask("four", to="911"))["verdict"] == "allow"
        heard = await ask("five", account="umbrella", direction="inbound", text="stop", to="12025550104",
                          **{"from": "+12025550179"})
        assert heard["verdict"] == "allow"
        assert await ends.send("initech", "12025550179") == 202
        assert "unwanted-by-all" in (await ends.phones.text("initech")).body
    finally:
        writer.close()
        await writer.wait_closed()


async def test_frozen_enforcer_costs_each_message_the_deadline_and_messages_pass(running, ends) -> None:
    await ends.send("frozen", "12025550156")
    freeze(running.pid)
    began = time.monotonic()
    for number in ("12025550157", "12025550158", "12025550159"):
        assert await ends.send("frozen", number) == 202
    await ends.carrier.text("12025550159")
    assert time.monotonic() - began < 5         # three times 0.3 s; one that hangs would stop them all
    thaw(running.pid)
    await running.line(lambda x: x.get("number") == "12025550159")
    async with asyncio.timeout(30):
        while (await messages(running, "frozen"))[0] != 4:      # noqa: ASYNC110 - written a little later
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("answer", "after", "passes"), [
    ("block:21:0:0:few.critical:d1-1", 0.0, False), ("block:21:0:0:few.critical:d1-1", 0.12, False),
    ("allow:0:0:0::d1-1", 0.12, True), ("block:21:0:0:few.critical:d1-1", 0.6, True),
    ("throttle:42:0:0:pace:d1-1", 0.0, False), ("nonsense", 0.0, True), ("block:21", 0.0, True),
])  # fmt: skip
async def test_answer_is_obeyed_where_it_is_one_and_comes_in_time(
    running, ends, switch, answer, after, passes
) -> None:
    """Answered by hand, with no more rights than the enforcer has."""
    running.kill()
    number = f"12025551{len(answer)}{int(after * 100):02}"
    async with switch.ami("enforcer") as link:
        await link.action("DBPut", Family="enforcer", Key="hb", Val=str(int(time.time()) + 60))
        assert await ends.send("free", number) == 202
        question = await link.event("UserEvent", UserEvent="EnfMessage", Number=number, Ask="yes")
        await asyncio.sleep(after)
        said = await link.action(
            "Setvar", Variable="ENF_MESSAGE_ANSWER", Value=f"{question['Serial']}:{answer}"
        )
        assert said["Response"] == "Success"
        await ends.send("free", "911")          # behind it in the queue: once that is here, all is done
        await ends.carrier.text("911")
    assert bool(ends.carrier.to(number)) is passes


async def test_answer_to_another_message_is_none(running, ends, switch) -> None:
    running.kill()
    async with switch.ami("enforcer") as link:
        await link.action("DBPut", Family="enforcer", Key="hb", Val=str(int(time.time()) + 60))
        await link.action("Setvar", Variable="ENF_MESSAGE_ANSWER", Value="1795646428.020984:block:21:0:0::")
        assert await ends.send("free", "12025550171") == 202
        assert (await ends.carrier.text("12025550171")).body == "hello"


async def test_dead_enforcer_is_not_asked_and_a_stopped_account_stays_stopped(running, ends, switch) -> None:
    await ends.suspended(running, "dead", "12025550160")
    async with switch.ami() as ami:
        async with asyncio.timeout(10):
            while "Value" not in await ami.command("database get enforcer word/dead"):    # noqa: ASYNC110
                await asyncio.sleep(0.05)
    running.kill()
    await switch.cli("database del enforcer hb")
    await switch.cli("dialplan reload")             # the extension is back, and nobody there to take it away
    told = len(ends.phones.to("dead"))              # of those that were refused until it was closed
    assert await ends.send("dead", "12025550160") == 202
    text = await ends.phones.text("dead", told + 1)
    assert text.body == "Not sent to 12025550160: this account is stopped"
    assert await ends.send("dead", "911") == 202
    assert await ends.carrier.text("911")
    assert await ends.send("free", "12025550161") == 202
    assert await ends.carrier.text("12025550161")
    assert not ends.carrier.to("12025550160")


def called_for_help(enforcer: Enforcer) -> set[str]:
    """The accounts of whose emergencies the ledger knows."""
    with sqlite3.connect(enforcer.directory / "enforcer.db") as ledger:
        return {row[0] for row in ledger.execute("SELECT account FROM journal WHERE kind = 'emergency'")}


@pytest.mark.parametrize(("writer", "account"), [("free", "free"), ("shared", "shared")])
async def test_text_for_help_opens_the_window_on_the_switch_and_with_the_enforcer(
    running, ends, switch, writer, account
) -> None:
    """In an account's own context, and in the one that accounts share. 933 is a test."""
    async with switch.ami("enforcer") as link:
        async def since() -> str:
            return (await link.action("Getvar", Variable=f"ENF_SOS_{account}"))["Value"]

        assert await ends.send(writer, "933") == 202
        assert await ends.carrier.text("933")
        assert await since() == ""
        assert await ends.send(writer, "911") == 202
        await link.event("UserEvent", UserEvent="EnfMessage", Account=account, Number="911", Ask="no")
        assert int(await since()) >= time.time() - 60
    async with asyncio.timeout(10):
        while account not in called_for_help(running):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "number", ["1000%22%2c9", "1000;foo=bar", "1000%29%2cx", "1000%0d%0aX"],
)
async def test_number_with_anything_odd_in_it_goes_nowhere(running, ends, number) -> None:
    before = len(ends.carrier.texts)
    assert await ends.send("odd", number) in (202, 400, 404)
    await ends.send("odd", "12025550162")
    await ends.carrier.text("12025550162")
    assert len(ends.carrier.texts) == before + 1


@pytest.mark.parametrize("display", [
    '"x:acme@y" ', '"<sip:acme@h>" ', '"a,LOCAL(account)=acme" ', '"Account: acme" ', '"${ENF_ASK}" ',
])
async def test_display_name_makes_nobody_another_account(running, ends, display) -> None:
    await ends.send("shared", "12025550163", display=display)
    await ends.carrier.text("12025550163")
    decided = await running.line(lambda x: x.get("number") == "12025550163")
    assert decided["account"] == "shared"


async def test_text_breaks_out_of_nothing(running, ends) -> None:
    before = len(running.lines())
    text = 'x,Account: globex\r\n\r\nAction: Logoff\r\n${SHELL(id)}$[1+1]")}\\'
    await ends.send("12025550178", "12025550102", text)
    assert (await ends.phones.text("globex")).body == text
    await running.line(lambda x: (x.get("account"), x.get("direction")) == ("globex", "inbound"))
    decided = [x for x in running.lines()[before:] if x.get("event") == "decision"]
    assert [(x["account"], x["direction"]) for x in decided] == [("globex", "inbound")]


async def test_refusal_is_not_answered_in_a_loop(running, ends) -> None:
    await ends.suspended(running, "odd", "12025550164")
    before = len(ends.phones.to("odd"))
    await running.command("account", "resume", "odd")
    await ends.code("odd", "12025550164", 202)
    assert await ends.send("odd", "1000;x=y", more="X-Enforcer: refused\r\n") == 202
    await ends.send("odd", "12025550165")
    await ends.carrier.text("12025550165")
    assert len(ends.phones.to("odd")) == before
