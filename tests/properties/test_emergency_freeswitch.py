"""On the small FreeSWITCH, by a hook that is where emergency calls pass: whatever stands on it, they go at
once, and who calls back afterwards goes as well."""

from __future__ import annotations

import asyncio

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lab.fake_freeswitch import FakeFreeswitch
from tests.integration.test_freeswitch_hook import IN, NUMBER, left

CARELESS = """<context name="default">
  <extension name="out"><condition field="destination_number" expression="^([0-9+*#]{1,64})$">
    <action application="multiset" data="^^|enforcer_direction=outbound|enforcer_number=$1|enforcer_again=${destination_number} XML ${context}"/>
    <action application="execute_extension" data="enforcer XML enforcer"/>
    <action application="set" data="hangup_after_bridge=true"/>
    <action application="bridge" data="sofia/gateway/carrier/$1"/>
  </condition></extension></context>"""  # noqa: E501
BLOCK = ":block:21:0:0:standing:"
PSAP = "+13035550199"

words = st.sampled_from(
    ["", BLOCK, ":throttle:0:29.000:1:x:", ":throttle:42:0:0::", ":allow:0:0:1::", "x", ":"]
)
states = st.fixed_dictionaries({
    "word": words, "brake": st.sampled_from(["", ":1:1", ":0:1", ":x", ""]),
    "lease": st.sampled_from([None, -5.0, 60.0]), "hb": st.sampled_from([None, -5.0, 60.0]),
    "enf_ask": st.sampled_from(["", "local", "door", "nonsense", "http://127.0.0.1:1"]),
    "enf_fail": st.sampled_from(["", "open", "closed"]), "asked": st.booleans(),
})


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["112", "911", "999", "+1911", "+44999"]), states)
@example("911", {"word": BLOCK, "brake": ":1:1", "lease": None, "hb": 60.0, "enf_ask": "door",
                 "enf_fail": "closed", "asked": True})
def test_emergency_calls_and_calls_back_go_whatever_stands_on_the_switch(
    number: str, state: dict[str, object]
) -> None:
    """The door, where it is asked, takes a question and never answers."""
    asyncio.run(day(number, state))


async def day(number: str, state: dict[str, object]) -> None:
    asked = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()

    door = await asyncio.start_server(silent, "127.0.0.1", 0)
    address = f"127.0.0.1:{door.sockets[0].getsockname()[1]}"
    async with door, FakeFreeswitch([CARELESS, IN], door=address, second=0.02) as switch:
        for key in ("word", "brake"):
            if state[key]:
                left(switch, f"{key}.acme", str(state[key]))
        for key, place in (("lease", "lease.acme"), ("hb", "hb")):
            if state[key] is not None:
                left(switch, place, until=float(str(state[key])))
        for name in ("enf_ask", "enf_fail"):
            if state[name]:
                switch.globals[name] = str(state[name])
        # What an earlier pass of the same call has left: a transfer from an ordinary call, asked about.
        more = {"enf_asked": "yes", "enf_source": "live", "ENF_CAUSE": "21"} if state["asked"] else {}
        for _ in range(2):
            call = await switch.call("acme", number, talk=0, **more)
            assert (call.code, call.headers) == (200, {})
        assert asked == 0
        for _ in range(2):
            back = await switch.call(PSAP, "12025550101", context="public", talk=0)
            assert (back.code, back.variables["userfield"]) == (200, "emergency;allow:0:0:0::")
        assert (await switch.call("acme", PSAP, talk=0)).code == 200
        assert asked == 0
        if state["word"] == BLOCK and state["enf_ask"] == "local" and state["lease"] != 60.0:
            assert (await switch.call("acme", NUMBER, talk=0)).code in (403, 503)
