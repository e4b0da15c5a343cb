"""One look at a FreeSWITCH, for `enforcer doctor`: can it be reached, do its events come, what is its clock,
can it keep what is left there, and do emergency calls stay away from the hook?

In: a switch's settings and the emergency numbers of its country. Out: findings; what stands on a broken one
is not looked at. No call is placed: emergency numbers are tried on paper, on the dialplan that it shows.
Refuses to know: accounts, policies, calls. What it writes on the switch it takes away again.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from xml.etree import ElementTree

from enforcer.checkup import Finding, Grade
from enforcer.errors import LinkError, WireError
from enforcer.settings_switch import SwitchSettings
from enforcer.switch.esl_pulse import Pulse
from enforcer.switch.esl_session import Peer, Session, open_session
from enforcer.wire import esl_commands as say
from enforcer.wire import freeswitch_actions as orders
from enforcer.wire.freeswitch_dialplan import Way, context_of, leads, met, way_of, wrong_in
from enforcer.wire.http_door import claimed

DEFAULT_PASSWORD = "ClueCon"                    # noqa: S105 - FreeSWITCH's, known to everybody
CLOCK_SECONDS = 1.0                             # leases bear more; who compares two logs does not
# The context that dialplan/freeswitch brings; FusionPBX answers for all names without an @.
HOOK = "enforcer"
MOST_PLACES = 50        # contexts and numbers that are looked at, for one emergency number
HOOKS = (HOOK, "enforcer@local")
CONFIGURATION = ("configuration", "configuration", "name", "event_socket.conf")

_PARAMETER = re.compile(r"""<param\s+name="([a-z-]+)"\s+value="([^"]*)"\s*/?>""", re.ASCII)
_HTTP = re.compile(r"http://(?=[A-Za-z0-9.:/_-]{1,200}\Z)[^:/]+(?::([0-9]{1,5}))?(?:/(.*))?", re.ASCII)
_LIST = re.compile(r"[A-Za-z0-9_.:/-]{1,64}", re.ASCII)


def look_at(switch: SwitchSettings, emergency: Sequence[str] = ()) -> Iterable[Finding]:
    """All findings about one switch. Raises BadInput where its secret cannot be read."""
    return asyncio.run(_look(switch, Peer(switch.host, switch.port, switch.secret()), emergency))


async def _look(switch: SwitchSettings, peer: Peer, emergency: Sequence[str]) -> list[Finding]:
    subject = f"switch {switch.name}"
    found: list[Finding] = []
    pulse = Pulse(switch.name, time.time)
    try:
        session = await open_session(peer, pulse.felt, time.time, within=switch.login_deadline)
    except LinkError as error:
        return [Finding(subject, Grade.FAILED, str(error), _advice(str(error)))]
    found.append(Finding(subject, Grade.OK, f"logged in at {peer}"))
    try:
        async for finding in _checks(switch, subject, session, pulse, emergency):
            found.append(finding)       # noqa: PERF401 - what was found before an error is kept
    except (LinkError, WireError) as error:
        found.append(Finding(subject, Grade.FAILED, str(error), "what does FreeSWITCH's own log say?"))
    finally:
        session.close()
    return found


def _advice(problem: str) -> str:
    if "address" in problem:
        return "name our address in the list that event_socket.conf.xml has as apply-inbound-acl"
    if "refused" in problem:
        return "does event_socket.conf.xml have this password?"
    return "is FreeSWITCH there, and mod_event_socket loaded?"


async def _checks(
    switch: SwitchSettings, subject: str, session: Session, pulse: Pulse, emergency: Sequence[str]
) -> AsyncIterator[Finding]:
    within = switch.action_deadline
    version = (await session.ask(say.api("version"), within=within)).text
    yield Finding(subject, Grade.OK, _plain(version) or "it does not say which version it is")
    yield await _locks(subject, session, switch, within)
    await pulse.beat(session, switch.ping_deadline)
    yield Finding(subject, Grade.OK, f"events come, {max(0.0, pulse.lag):.3f} s after they happened")
    ahead = pulse.offset
    words = f"its clock is {abs(ahead):.3f} s {'ahead of' if ahead >= 0 else 'behind'} ours"
    if abs(ahead) > CLOCK_SECONDS:
        yield Finding(subject, Grade.WARNING, words, "keep both clocks with NTP")
    else:
        yield Finding(subject, Grade.OK, words)
    loaded = (await session.ask(say.api("module_exists", "mod_hash"), within=within)).text
    if loaded.strip() != "true":
        yield Finding(subject, Grade.FAILED, "mod_hash is not loaded: nothing can be left there",
                      "name it in modules.conf.xml; `load mod_hash` loads it now")
        return
    yield await _lease(subject, session, within)
    yield await _heartbeat(subject, session, pulse, within)
    if switch.messages:
        yield await _messages(subject, session, within)
    if switch.listener_only:
        return
    hook = await _hook(session, within)
    if not hook:
        words = f"no context {HOOK} in the dialplan that it shows: does anything ask us?"
        yield Finding(subject, Grade.WARNING, words, "dialplan/README.md; then `reloadxml`")
        return
    yield Finding(subject, Grade.OK, f"hook present: context {hook}")
    if finding := await _asking(switch, subject, session, within):
        yield finding
    if emergency:
        for name in switch.outbound_contexts:
            yield await _emergency(subject, session, name, hook, emergency, within)


async def _locks(subject: str, session: Session, switch: SwitchSettings, within: float) -> Finding:
    """Who may log in: whom the switch's own list lets in, and with which password."""
    if switch.secret() == DEFAULT_PASSWORD:
        return Finding(subject, Grade.WARNING, "its event socket has the password that every FreeSWITCH has",
                       "another one in event_socket.conf.xml, and where our secret is kept")
    told = (await session.said(say.api("xml_locate", *CONFIGURATION), within=within)).text
    parameters = dict(_PARAMETER.findall(told))
    if not parameters:
        return Finding(subject, Grade.WARNING, "it does not show who may log in to its event socket",
                       "see apply-inbound-acl in event_socket.conf.xml")
    # Without a list FreeSWITCH takes this one, since 1.10.
    named = parameters.get("apply-inbound-acl") or "loopback.auto"
    allowed = named if _LIST.fullmatch(named) else "a list with a strange name"
    return Finding(subject, Grade.OK, f"its event socket lets in whom the list {allowed} does")


async def _lease(subject: str, session: Session, within: float) -> Finding:
    """A number is written, read back and taken away, where no lease of anybody is."""
    number = int(time.time())
    await session.ask(orders.try_out(number), within=within)
    read = orders.held((await session.said(orders.read(orders.PROBE), within=within)).text)
    await session.ask(orders.forget(orders.PROBE), within=within)
    if read != str(number):
        return Finding(subject, Grade.FAILED, "what is written to mod_hash cannot be read back",
                       "does anything else write there?")
    return Finding(subject, Grade.OK, "a lease can be written, read and taken back")


async def _heartbeat(subject: str, session: Session, pulse: Pulse, within: float) -> Finding:
    """Whether an enforcer is at work on this switch: who is stopped in order takes its heartbeat away."""
    read = orders.held((await session.said(orders.read(orders.HEARTBEAT), within=within)).text)
    if not read:
        return Finding(subject, Grade.WARNING, "no enforcer is at work on it", "enforcer run")
    if not (read.isascii() and read.isdigit() and len(read) < 12):
        return Finding(subject, Grade.WARNING, "its heartbeat is no time", "who else writes enf/hb?")
    age = time.time() + pulse.offset - (int(read) - orders.STALE)
    if age > orders.STALE:
        words = f"no enforcer is at work on it: the last heartbeat is {age:.0f} s old"
        return Finding(subject, Grade.WARNING, words, "is the enforcer dead, frozen, or its link down?")
    return Finding(subject, Grade.OK, "an enforcer is at work on it")


async def _asking(
    switch: SwitchSettings, subject: str, session: Session, within: float
) -> Finding | None:
    """Whether it can ask in the way that its global variable `enf_ask` says; None where nothing is to say."""
    ask = (await session.said(say.api("global_getvar", "enf_ask"), within=within)).text.strip()
    if not ask.startswith("http:"):
        return None
    if (await session.ask(say.api("module_exists", "mod_curl"), within=within)).text.strip() != "true":
        return Finding(subject, Grade.FAILED, "it asks over HTTP (enf_ask), and mod_curl is not loaded: "
                       "no question is put", "name it in modules.conf.xml; `load mod_curl` loads it now")
    address = _HTTP.fullmatch(ask)
    if address is None:
        return Finding(subject, Grade.FAILED, "enf_ask is no address that the hook takes: no question is put",
                       "http://HOST:PORT, letters, digits and . : / _ - only")
    port, mine = int(address[1] or 80), switch.door_http_port
    if mine and port != mine:
        return Finding(subject, Grade.WARNING, f"it asks over HTTP at port {port}, its door is at {mine}",
                       "enf_ask in its vars.xml, door_http_port in ours")
    name, token = claimed(address[2] or "")
    if name and name != switch.name:
        return Finding(subject, Grade.FAILED, "it asks over HTTP by another name: it is sent away",
                       f"enf_ask in its vars.xml: the first word after the port is {switch.name}")
    if (switch.door_token_env or switch.door_token_file) and not token:
        return Finding(subject, Grade.FAILED, "it asks over HTTP without its token: it is sent away",
                       f"enf_ask in its vars.xml: http://HOST:{port}/{switch.name}/TOKEN")
    return Finding(subject, Grade.OK, f"it asks over HTTP, at port {port}: mod_curl is loaded")


async def _shown(session: Session, name: str, within: float) -> ElementTree.Element | None:
    """A context of the dialplan. One that comes from a database or a web server is not shown."""
    place = ("dialplan", "context", "name", name)
    return context_of((await session.said(say.api("xml_locate", *place), within=within)).text, name)


async def _hook(session: Session, within: float) -> str:
    """The name of our context in the dialplan, "" where it has none."""
    for name in HOOKS:
        if await _shown(session, name, within) is not None:
            return name
    return ""


async def _emergency(
    subject: str, session: Session, name: str, hook: str, emergency: Sequence[str], within: float
) -> Finding:
    """Whether emergency numbers, dialled here, are served by the site before anything asks us."""
    context = await _shown(session, name, within)
    if context is None:
        words = f"[{name}] is not in the dialplan that it shows: emergency numbers were not tried there"
        if hook != HOOK:            # FusionPBX keeps its own in a database
            return Finding(subject, Grade.OK, words)
        return Finding(subject, Grade.WARNING, words, "is it among outbound_contexts by mistake?")
    ways = {number: way_of(context, number) for number in emergency}

    def those(way: Way) -> str:
        return ", ".join(number for number, found in ways.items() if found is way)

    first = "emergency.xml first in this context, see dialplan/README.md"
    if hooked := those(Way.HOOKED):
        return Finding(subject, Grade.FAILED, f"{hooked} from [{name}] pass the hook", first)
    if perhaps := those(Way.PERHAPS):
        return Finding(subject, Grade.WARNING, f"{perhaps} from [{name}] pass the hook in some calls", first)
    for number in emergency:
        if words := await _wrong(session, name, context, number, within):
            return Finding(subject, Grade.FAILED, f"{number} from [{name}] {words}",
                           "let an emergency call be bridged, and nothing else: see dialplan/README.md")
    if nowhere := those(Way.NOWHERE):
        return Finding(subject, Grade.WARNING, f"{nowhere} from [{name}] lead nowhere for certain", first)
    return Finding(subject, Grade.OK, f"{', '.join(emergency)} from [{name}] never come to us")


async def _wrong(
    session: Session, name: str, context: ElementTree.Element, number: str, within: float
) -> str:
    """What a call to this number meets that none should, also where it is transferred to; "" nothing."""
    to_do, seen = [(name, number)], set[tuple[str, str]]()
    while to_do and len(seen) < MOST_PLACES:
        at = to_do.pop()
        if at in seen:
            continue
        seen.add(at)
        shown = context if at[0] == name else await _shown(session, at[0], within)
        for action, groups in met(shown, at[1]) if shown is not None else ():
            if words := wrong_in(action):
                return words
            to_do += leads(action, groups)
    return ""


async def _messages(subject: str, session: Session, within: float) -> Finding:
    """Whether text messages have a chat plan at all."""
    loaded = (await session.ask(say.api("module_exists", "mod_sms"), within=within)).text
    if loaded.strip() != "true":
        return Finding(subject, Grade.FAILED, "mod_sms is not loaded: text messages pass without a chat plan",
                       "name it in modules.conf.xml; `load mod_sms` loads it now")
    return Finding(subject, Grade.OK, "text messages have a chat plan: mod_sms is loaded")


def _plain(text: str) -> str:
    """The first line of what a switch says of itself, fit to be shown."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    return "".join(one for one in line.strip() if one.isprintable())[:100]
