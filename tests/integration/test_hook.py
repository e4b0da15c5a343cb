"""The dialplan hook on a real Asterisk, call by call, as the callers and the carrier see it.

One switch a file; who answers is scripted (`tests/support/hook.py`). How long things take is only asked
where that tells "held until the deadline" from "hung for ever": the dialplan's deadline is 1 s or less, SIPp
waits a minute. Where nobody answers is in `test_hook_alone.py`, emergency calls in `test_hook_emergency.py`.
"""

from __future__ import annotations

import asyncio
import time

from enforcer.domain.decision import Decision, Verdict
from enforcer.switch.agi import Outcome
from enforcer.wire.answer import answer_line
from lab.ami import Message
from lab.sipp import Call, Callee
from tests.support import hook as at_hook
from tests.support.hook import (
    ODD_ACCOUNTS,
    REDIRECTOR,
    Hook,
    answered,
    answered_by_agi,
    answered_by_ami,
    decision,
    until,
    ways,
)
from tests.support.phone import Phone

asterisk, hook = at_hook.asterisk, at_hook.hook

VERDICTS: dict[str, tuple[Decision, int]] = {
    "1": (decision(Verdict.ALLOW), 200),
    "2": (decision(Verdict.TAG, tags=("asr.warning", "ddc")), 200),
    "3": (decision(Verdict.THROTTLE, hold=0.2, tags=("cps",)), 200),
    "4": (decision(Verdict.THROTTLE, shed=True, tags=("cps",)), 503),
    "5": (decision(Verdict.BLOCK, sip_code=403, tags=("minutes",)), 403),
    "6": (decision(Verdict.BLOCK, sip_code=603, tags=("minutes",)), 603),
}


# --- answers


@ways
async def test_answer_is_obeyed(hook: Hook, way: str) -> None:
    """One call of each kind, all at once: status, header, channel variables, CDR."""
    serial = "71" if way == "ami" else "72"
    numbers = {digit: f"{digit}0{serial}" for digit in VERDICTS}
    async with answered(way, hook, lambda number: VERDICTS[number[0]][0]):
        codes = await hook.codes(*(Call("acme", number) for number in numbers.values()))
    assert codes == [code for _, code in VERDICTS.values()]
    for digit, number in numbers.items():
        wanted, code = VERDICTS[digit]
        ended = await hook.ended(number)
        variables = dict(line.split("=", 1) for line in ended["ChanVariable"].split("\n"))
        assert variables == {"ENF_VERDICT": wanted.verdict.word, "ENF_DECISION": "d1-2f"}
        row = await hook.cdr(number)
        assert (row[2], row[3]) == (number, "from-accounts")
        assert row[17] == f"live;{answer_line(wanted)}"
        if code == 200:
            tag = (await hook.reached(number)).get("X-Enforcer-Tag")
            assert tag == ("+".join(wanted.tags) or None)
        else:
            assert hook.carrier.invites(number) == []


@ways
async def test_held_calls_pass_in_the_order_of_their_hold(hook: Hook, way: str) -> None:
    numbers = [f"8{place}73{way == 'ami':d}" for place in range(4)]
    holds = dict(zip(numbers, (0.9, 0.6, 0.3, 0.0), strict=True))

    def decide(number: str) -> Decision:
        return decision(Verdict.THROTTLE, hold=holds[number])

    async with answered(way, hook, decide):
        assert await hook.codes(*(Call("acme", number) for number in numbers)) == [200] * 4
    assert hook.order_of_arrival(*numbers) == numbers[::-1]


@ways
async def test_cap_ends_the_call_though_nobody_is_there_any_more(hook: Hook, way: str) -> None:
    number = f"9074{way == 'ami':d}"
    async with answered(way, hook, lambda _: decision(Verdict.ALLOW, max_duration=1)):
        calling = asyncio.create_task(hook.call(Call("acme", number, talk=30)), name="calling")
        await hook.reached(number)
    placed = await asyncio.wait_for(calling, 15)
    assert placed.codes == {200: 1}
    [bye] = [message for message in placed.messages if message.method == "BYE" and not message.code]
    assert not bye.sent
    assert (await hook.cdr(number))[14] == "ANSWERED"


async def test_verdict_comes_back_where_the_operator_wants_to_refuse_himself(hook: Hook) -> None:
    async with answered_by_ami(hook, lambda number: answer_line(VERDICTS[number[0]][0])):
        assert await hook.codes(Call("verdict", "1075"), Call("verdict", "5075")) == [200, 486]
    assert (await hook.cdr("5075"))[17] == "mine:21"


async def test_question_says_who_calls_whom(hook: Hook) -> None:
    asked: list[Message] = []
    async with answered_by_ami(hook, lambda _: "allow:0:0:0::", asked):
        await hook.codes(Call("globex", "+12025550176"))
    [question] = asked
    assert [question[header] for header in ("Account", "Direction", "Number")] == [
        "globex", "outbound", "+12025550176",
    ]  # fmt: skip
    assert question["Uniqueid"] == question["Linkedid"]
    async with answered_by_agi(hook, lambda _: decision(Verdict.ALLOW)) as (door, scripted):
        await hook.codes(Call("globex", "+12025550177"))
        assert door.counts[Outcome.ANSWERED] == 1
    [attempt] = scripted.asked
    assert (attempt.account, attempt.number, attempt.caller) == ("globex", "+12025550177", "globex")
    assert attempt.call_id == f"lab/{(await hook.ended('+12025550177'))['Uniqueid']}"
    assert attempt.channel.startswith("PJSIP/globex-")


async def test_inbound_call_is_asked_about_by_the_account_it_is_for(hook: Hook, phones: Callee) -> None:
    asked: list[Message] = []
    answers = {"12025550101": "allow:0:0:0::", "12025550102": "block:21:0:0::"}
    async with answered_by_ami(hook, answers.__getitem__, asked):
        calls = [Call("carrier", number) for number in answers]
        assert await hook.codes(*calls) == [200, 403]
    assert {(question["Account"], question["Direction"]) for question in asked} == {
        ("acme", "inbound"), ("globex", "inbound"),
    }  # fmt: skip


# --- what callers may send


async def test_number_that_is_not_what_would_be_judged_gets_484(hook: Hook) -> None:
    asked: list[Message] = []
    numbers = [
        "1000%3Bfoo", "1000%0D%0AUniqueid:%20x",
        "1000%22%2C9", "1000%2C", "10%200", "1000)", "10(0", "911%3Bfoo", "1$%7BEPOCH%7D",
    ]  # fmt: skip
    async with answered_by_ami(hook, lambda _: "allow:0:0:0::", asked):
        placed = await hook.call(*(Call("acme", number) for number in numbers))
        assert placed.codes == {484: len(numbers)}
        assert asked == []
        assert await hook.codes(Call("acme", "*72"), Call("acme", "+12025550189")) == [200, 200]


async def test_account_with_odd_characters_is_no_account_and_nobody_else(hook: Hook) -> None:
    """AstDB holds orders for every name that a careless reading could arrive at."""
    until = int(time.time()) + 600
    for name in ("ab", "a", "acme", "ac", "b", "x" * 79, "x" * 80):
        await hook.order(f"word/{name}", f"{until}:block:21:0:0::")
        await hook.order(f"brake/{name}", f"{until}:1:1")
    await hook.order("lease/a/b", str(until))
    asked: list[Message] = []
    try:
        calls = [Call(name, f"{place}090") for place, name in enumerate(ODD_ACCOUNTS, 1)]
        async with answered_by_ami(hook, lambda _: "", asked):
            assert await hook.codes(*calls) == [200] * len(calls)
        assert {(question["Account"], question["Direction"]) for question in asked} == {("", "outbound")}
        assert sorted(question["Number"] for question in asked) == [call.number for call in calls]
    finally:
        for key in ("word", "brake"):
            await hook.ami.action("DBDelTree", Family="enforcer", Key=key)


async def test_caller_whose_number_has_line_breaks_is_refused(hook: Hook) -> None:
    """Leased or not: it could write into the events that its calls are counted by."""
    await hook.order("lease/splits", str(int(time.time()) + 600))
    asked: list[Message] = []
    async with answered_by_ami(hook, lambda _: "allow:0:0:0::", asked):
        assert (await hook.call(Call("splits", "7097"))).codes == {484: 1}
    assert asked == []


# --- calls that are sent elsewhere


async def asked_about(asked: list[Message], number: str) -> None:
    await until(lambda: [question for question in asked if question["Number"] == number])


async def test_transferred_call_passes_the_hook_again(hook: Hook) -> None:
    asked: list[Message] = []
    answers = {"7091": "tag:0:0:0:first:d1", "8091": "tag:0:0:0:second:d2", "7092": "allow:0:0:0::d3",
               "8092": "block:21:0:0::d4"}
    async with answered_by_ami(hook, answers.__getitem__, asked):
        for first, second in (("7091", "8091"), ("7092", "8092")):
            async with Phone("acme", hook.switch.sip_address) as phone:
                phone.invite(first)
                assert await phone.answered() == 200
                await hook.bridged(first)
                assert await phone.refer(second) == 202
                await asked_about(asked, second)
                if first == "7091":
                    assert (await hook.reached(second))["X-Enforcer-Tag"] == "second"
                else:
                    await hook.ami.event("Hangup", Exten=second)
                    assert hook.carrier.invites(second) == []


async def test_redirected_call_passes_the_hook_again(hook: Hook) -> None:
    asked: list[Message] = []
    answers = {"7093": "allow:0:0:0::d1", "8093": "allow:0:0:0::d2", "7094": "allow:0:0:0::d3",
               "8094": "block:21:0:0::d4"}
    async with answered_by_ami(hook, answers.__getitem__, asked):
        for first, second, code in (("7093", "8093", 200), ("7094", "8094", 403)):
            async with (
                Phone("redirector", hook.switch.sip_address, REDIRECTOR) as elsewhere,
                Phone("forwarded", hook.switch.sip_address) as phone,
            ):
                phone.invite(first)
                await elsewhere.redirect(second)
                assert await phone.answered() == code
        assert [question["Number"] for question in asked] == ["7093", "8093", "7094", "8094"]
