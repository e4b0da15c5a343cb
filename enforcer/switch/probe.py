"""One look at an Asterisk, for `enforcer doctor`: can it be reached, may we do what we must, is the
hook where it should be, and do emergency calls stay away from it?

In: a switch's settings and the emergency numbers of its country. Out: findings; what stands on a broken
one is not looked at. Whether the user's events reach us can only be seen while calls are made.
Refuses to know: accounts, policies, calls. What it writes on the switch it takes away again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence

from enforcer.checkup import Finding, Grade
from enforcer.errors import LinkError, WireError
from enforcer.settings_switch import SwitchSettings
from enforcer.switch.ami_rights import HINT, judged, lines_of, refused
from enforcer.switch.ami_session import Peer, Session, open_session
from enforcer.switch.tls import context_of
from enforcer.wire.ami import Decoder, Message
from enforcer.wire.ami_actions import FAMILY
from enforcer.wire.asterisk_dialplan import Place, leads, wrong_in
from enforcer.wire.channel import moment

REFUSED = "was refused"                         # how a session words an error response
MESSAGES = "enforcer-messages"                  # and messages.conf
HOOK = "enforcer"                               # the context that dialplan/asterisk/enforcer.conf brings
NEEDED = ("CoreStatus", "DBDel", "DBGet", "DBPut", "Hangup", "Setvar", "Status", "ShowDialPlan")
NEEDED_FOR_MESSAGES = ("DBGetTree", "DialplanExtensionAdd", "DialplanExtensionRemove", "ModuleCheck")
UNLOCKS = "message-closed"                      # what opens a closed account should we be killed, and
KEEPS = "message-shut"                          # what asks about messages taken just before a closing
UNLOCKING = ("pbx_loopback", "func_md5", "func_uri")        # the modules that it needs
MOST_PLACES = 50                                # extensions that are asked for, for one emergency number
STALE_SECONDS = 6.0                             # the dialplan's own ENF_STALE, unless it was changed
CLOCK_SECONDS = 1.0                             # leases bear more; who compares two logs does not
LISTED = frozenset({"DBGetResponse", "DBGetComplete", "ListDialplan", "ShowDialPlanComplete"})
COMPLETE = frozenset({"DBGetComplete", "ShowDialPlanComplete"})


def look_at(switch: SwitchSettings, emergency: Sequence[str]) -> Iterable[Finding]:
    """All findings about one switch. Raises BadInput where its secret cannot be read."""
    secured = context_of(switch)
    peer = Peer(switch.host, switch.port, switch.username, switch.secret(), secured, switch.tls_name)
    return asyncio.run(_look(switch, peer, emergency))


async def _look(switch: SwitchSettings, peer: Peer, emergency: Sequence[str]) -> list[Finding]:
    subject = f"switch {switch.name}"
    found: list[Finding] = []
    entries = Entries()
    try:
        session = await open_session(peer, entries.heard, time.time, within=switch.login_deadline)
    except LinkError as error:
        advice = f"is Asterisk there, and does manager.conf have [{peer.username}] with this secret?"
        return [Finding(subject, Grade.FAILED, str(error), advice)]
    found.append(Finding(subject, Grade.OK, f"logged in as {peer}"))
    session.decoder = _decoder(session.decoder)
    try:
        async for finding in _checks(switch, subject, session, entries, emergency):
            found.append(finding)       # noqa: PERF401 - what was found before an error is kept
    except (LinkError, WireError) as error:
        found.append(Finding(subject, Grade.FAILED, str(error), HINT))
    finally:
        session.close()
    return found


async def _checks(
    switch: SwitchSettings, subject: str, session: Session, entries: Entries, emergency: Sequence[str]
) -> AsyncIterator[Finding]:
    within = switch.action_deadline
    commands = await session.ask("ListCommands", within=within)
    needed = NEEDED + NEEDED_FOR_MESSAGES if switch.messages else NEEDED
    missing = [name for name in needed if commands.get(name) is None]
    if missing:
        yield refused(subject, switch.username, missing)
        return
    yield Finding(subject, Grade.OK, "permissions complete")
    for finding in await _rights(subject, switch.username, session, within):
        yield finding
    yield await _clock(subject, session, within)
    yield await _lease(subject, session, entries, within)
    yield await _heartbeat(subject, session, entries, within)
    if switch.listener_only:
        return
    try:
        await session.ask("ShowDialPlan", (("Context", HOOK),), within=within)
    except LinkError:
        yield Finding(subject, Grade.FAILED, f"no context [{HOOK}] in its dialplan: nobody asks us",
                      '#include "enforcer.conf" in extensions.conf (see dialplan/README.md)')
        return
    yield Finding(subject, Grade.OK, f"hook present: context [{HOOK}]")
    if switch.messages:
        yield await _messages(subject, session, within)
        yield await _unlocking(subject, session, within)
    for context in switch.outbound_contexts:
        yield await _emergency(subject, session, entries, context, emergency, within)


async def _rights(subject: str, user: str, session: Session, within: float) -> list[Finding]:
    """The user's classes, as they are written down. Of no other user is anything asked."""
    asked = (("Filename", "manager.conf"), ("Category", user))
    try:
        told = await session.ask("GetConfig", asked, within=within)
    except LinkError as error:
        if REFUSED not in str(error):
            raise
        return list(judged(subject, user, None))
    return list(judged(subject, user, lines_of(told, user)))


async def _messages(subject: str, session: Session, within: float) -> Finding:
    """Whether anybody would ask about text messages."""
    try:
        await session.ask("ShowDialPlan", (("Context", MESSAGES),), within=within)
    except LinkError:
        words = f"no context [{MESSAGES}] in its dialplan: nobody asks us about text messages"
        return Finding(subject, Grade.FAILED, words, '#include "messages.conf" (see dialplan/README.md)')
    return Finding(subject, Grade.OK, f"asks about text messages: context [{MESSAGES}]")


async def _unlocking(subject: str, session: Session, within: float) -> Finding:
    """Whether the switch would open by itself what a rule has closed, were we killed."""
    missing = [
        f"module {module} is not loaded" for module in UNLOCKING
        if not await _granted(session, "ModuleCheck", ("Module", module), within)
    ]
    if not await _granted(session, "ShowDialPlan", ("Context", UNLOCKS), within):
        missing.append(f"no context [{UNLOCKS}], so its messages.conf is an older one")
    if missing:
        words = f"{', '.join(missing)}: were we killed, an account that a rule closed would get 404 for good"
        advice = "load it in modules.conf, or bring messages.conf up to date"
        return Finding(subject, Grade.WARNING, words, advice)
    if not await _granted(session, "ShowDialPlan", ("Context", KEEPS), within):
        words = (
            f"no context [{KEEPS}], so its messages.conf is an older one: what it took in the moment before "
            "an account is closed is dropped, and nobody is told"
        )
        return Finding(subject, Grade.WARNING, words, "bring messages.conf up to date")
    return Finding(subject, Grade.OK, "opens by itself what a rule has closed for messages, were we killed")


async def _granted(session: Session, action: str, header: tuple[str, str], within: float) -> bool:
    """Whether the switch says yes. Raises LinkError where it says nothing."""
    try:
        await session.ask(action, (header,), within=within)
    except LinkError as error:
        if REFUSED not in str(error):
            raise
        return False
    return True


async def _clock(subject: str, session: Session, within: float) -> Finding:
    """Leases and heartbeats expire by the switch's clock."""
    asked = time.time()
    pong = await session.ask("Ping", within=within)
    theirs = moment(pong["Timestamp"])
    if theirs is None:
        return Finding(subject, Grade.WARNING, "it does not say what time it is", "what answers there?")
    ahead = theirs - (asked + time.time()) / 2
    words = f"its clock is {abs(ahead):.3f} s {'ahead of' if ahead >= 0 else 'behind'} ours"
    if abs(ahead) > CLOCK_SECONDS:
        return Finding(subject, Grade.WARNING, words, "keep both clocks with NTP")
    return Finding(subject, Grade.OK, words)


async def _lease(subject: str, session: Session, entries: Entries, within: float) -> Finding:
    """Write, read back, delete: what leases, words and brakes are made of."""
    key, value = "doctor", f"{time.time():.3f}"
    place = (("Family", FAMILY), ("Key", key))
    await session.ask("DBPut", (*place, ("Val", value)), within=within)
    read = await entries.of(await session.ask("DBGet", place, within=within), within)
    await session.ask("DBDel", place, within=within)
    if [entry.get("Val") for entry in read] != [value]:
        return Finding(subject, Grade.FAILED, "what is written to AstDB cannot be read back",
                       "is the disk of Asterisk's astdb full?")
    return Finding(subject, Grade.OK, "a lease can be written, read and taken back")


async def _heartbeat(subject: str, session: Session, entries: Entries, within: float) -> Finding:
    """Whether an enforcer is at work on this switch: who is stopped in order takes its heartbeat away."""
    place = (("Family", FAMILY), ("Key", "hb"))
    try:
        read = await entries.of(await session.ask("DBGet", place, within=within), within)
    except LinkError as error:
        if REFUSED not in str(error):
            raise
        return Finding(subject, Grade.WARNING, "no enforcer is at work on it", "enforcer run")
    pong = await session.ask("Ping", within=within)
    now, beat = moment(pong["Timestamp"]), moment(read[0].get("Val") if read else None)
    if now is None or beat is None:
        return Finding(subject, Grade.WARNING, "its heartbeat is no time", "who else writes enforcer/hb?")
    if (age := now - beat) > STALE_SECONDS:
        words = f"no enforcer is at work on it: the last heartbeat is {age:.0f} s old"
        return Finding(subject, Grade.WARNING, words, "is the enforcer dead, frozen, or its link down?")
    return Finding(subject, Grade.OK, "an enforcer is at work on it")


async def _emergency(
    subject: str, session: Session, entries: Entries, context: str, emergency: Sequence[str], within: float
) -> Finding:
    """Whether emergency numbers, dialled here, are served by a context that never comes to us."""
    hooked, unserved, others = [], [], list[str]()
    for number in emergency:
        steps = await _met(session, entries, Place(context, number), within)
        if not steps:
            unserved.append(number)
        elif any(HOOK in step for step in steps):
            hooked.append(number)
        else:
            others += [f"{number} from [{context}] {words}" for step in steps if (words := wrong_in(step))]
    if hooked:
        return Finding(subject, Grade.FAILED, f"{', '.join(hooked)} from [{context}] pass the hook",
                       "serve emergency numbers in a context of their own, included first")
    if others:
        return Finding(subject, Grade.FAILED, others[0], "let an emergency call be dialled, and nothing else")
    if unserved:
        return Finding(subject, Grade.WARNING, f"{', '.join(unserved)} from [{context}] lead nowhere",
                       "serve the country's emergency numbers in a context of their own, included first")
    return Finding(subject, Grade.OK, f"{', '.join(emergency)} from [{context}] never come to us")


async def _met(session: Session, entries: Entries, start: Place, within: float) -> list[str]:
    """What a number meets, dialled in a context: also where its steps lead on, whatever that depends on."""
    met, to_do, seen = list[str](), [start], set[Place]()
    while to_do and len(seen) < MOST_PLACES:
        at = to_do.pop()
        if at not in seen:
            seen.add(at)
            steps = await _served(session, entries, at.context, at.exten, within)
            met += steps
            to_do += [there for step in steps if HOOK not in step for there in leads(step, at)]
    return met


async def _served(
    session: Session, entries: Entries, context: str, number: str, within: float
) -> list[str]:
    """The applications that a number meets, dialled in a context; empty where nothing serves it.

    Asterisk lists the context's own patterns before those it includes, so the first context in the
    list is the one that would run.
    """
    place = (("Context", context), ("Extension", number))
    try:
        response = await session.ask("ShowDialPlan", place, within=within)
    except LinkError as error:
        if REFUSED not in str(error):
            raise
        return []               # no such context, or no extension in it: Asterisk says so with an error
    steps = [m for m in await entries.of(response, within) if m.get("Application") is not None]
    return [
        f"{m.get('Application')}({m.get('AppData') or ''})" for m in steps
        if (m.get("Context"), m.get("Extension")) == (steps[0].get("Context"), steps[0].get("Extension"))
    ]


class Entries:
    """The entries of lists, which follow or even precede the response that announces them."""

    def __init__(self) -> None:
        self._entries: dict[str, list[Message]] = {}
        self._complete: dict[str, asyncio.Event] = {}

    def heard(self, _session: Session, message: Message) -> None:
        """Keep an entry for whoever asks with the action's id."""
        action_id = message.get("ActionID")
        if action_id is None or message.name not in LISTED:
            return
        if message.name in COMPLETE:
            self._complete.setdefault(action_id, asyncio.Event()).set()
        else:
            self._entries.setdefault(action_id, []).append(message)

    async def of(self, response: Message, within: float) -> list[Message]:
        """All entries of the list that a response announced. Raises LinkError where it does not end."""
        action_id = response["ActionID"]
        try:
            async with asyncio.timeout(within):
                await self._complete.setdefault(action_id, asyncio.Event()).wait()
        except TimeoutError:
            raise LinkError(f"a list did not end within {within:g} s") from None
        return self._entries.pop(action_id, [])


def _decoder(used: Decoder) -> Decoder:
    """A decoder that keeps the entries of our lists, on a stream already greeted. Swapped in before the
    first question; what was cut off by the swap is an event nobody waits for."""
    fresh = Decoder(LISTED)
    fresh.banner = used.banner
    return fresh
