"""What FreeSWITCH's events say about calls: messages in, call facts out.

In: event socket `Message`s, in order. Out: `CallEvent`, `SwitchNews`.
Refuses to know: the connection, the clock (an event carries its own times), and any policy.

A call is not a channel. The call's channel is the one by which it came in: created with the direction
"inbound" (the switch's view) and dialled by no other channel. Legs dialled for it (forks, failover, transfer
targets) name the channel that dialled them, and `loopback/` channels are plumbing. So:

    started    CHANNEL_CREATE of such a channel             one attempt, however many legs follow
    answered   CHANNEL_ANSWER of it
    ended      CHANNEL_HANGUP_COMPLETE of it                Hangup-Cause, and a SIP code where never answered

Bridges need not be followed: whoever is joined to whom, the call ends with its own channel. So does a call
whose caller transferred it; what goes on then is told by the ledger's CDRs, or by `asked`, if the
transferred leg passes the hook again.

*Calls placed by the switch itself* (`originate`): nobody's seizure until that channel is up and dials, or
is done, in one of our contexts. The call then began, answered, when the channel came up.

*The account* is there from the start where the directory names it (`accountcode`). Otherwise it is "" until
the door is asked, or an event carries the account code that the dialplan set; inbound, where that is another
than the trunk's: the called party's.
"""

from __future__ import annotations

from dataclasses import replace

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from enforcer.wire.channel import account_name
from enforcer.wire.esl import Message
from enforcer.wire.freeswitch_channel import (
    PLUMBING,
    attempt,
    called_back,
    cause_of,
    channel_of,
    dialled_by,
    direction_in,
    micros,
    party,
    party_dialled,
    refusal_of,
    sip_code_of,
)
from enforcer.wire.legs import MOST_LEGS_OF_A_CALL, Call, Legs, SwitchNews

# CHANNEL_UUID renames a channel; SHUTDOWN says that all of them are about to end.
WANTED_EVENTS = frozenset(
    {"CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_UUID", "SHUTDOWN"}
)

Fact = CallEvent | SwitchNews


class CallBook(Legs):
    """Reads events in order and tells the facts in them; what it has to remember for that, see `legs`."""

    core = ""       # which run of the switch was heard last; another one has none of the calls of that

    def read(self, message: Message, received_at: float) -> list[Fact]:
        """The facts in one event. `received_at` (Unix seconds) stands in for a time that is missing.

        Raises WireError where a header is missing that FreeSWITCH always sends.
        """
        name = message.name
        if name not in WANTED_EVENTS:
            return []
        facts = self._core(message)
        if name == "CHANNEL_CREATE":
            return facts + self._created(message, received_at)
        if name == "CHANNEL_ANSWER":
            return facts + self._answered(message, received_at)
        if name == "CHANNEL_HANGUP_COMPLETE":
            return facts + self._hung_up(message, received_at)
        if name == "CHANNEL_UUID":
            self._renamed(message)
            return facts
        return [*facts, SwitchNews.SHUTDOWN]

    def _core(self, message: Message) -> list[Fact]:
        core = message.get("Core-UUID")
        if not core or core == self.core:
            return []
        before, self.core = self.core, core
        return [SwitchNews.BOOTED] if before else []

    def _created(self, message: Message, received_at: float) -> list[Fact]:
        uuid = channel_of(message)
        if uuid in self._calls or uuid in self._leg_of or uuid in self._originated:
            return []               # told twice, as after a reconnect
        self._make_room()
        plumbing = message["Channel-Name"].startswith(PLUMBING)
        parent = dialled_by(message)
        if parent:
            leader = self._leader(parent)
            self._leg_of[uuid] = leader
            return [] if plumbing else self._dialled(message, uuid, leader)
        if plumbing:
            self._leg_of[uuid] = ""
            return []
        if message.get("Call-Direction") != "inbound":
            self._originated[uuid] = None
            return []
        context = message.get("Caller-Context") or ""
        direction = self._directions.get(context)
        if direction is None:
            self._leg_of[uuid] = ""
            self._note_unlisted(context)
            return []
        at = micros(message, "Caller-Channel-Created-Time") or received_at
        call = self._calls[uuid] = self._call(message, uuid, direction, at)
        return [CallEvent(Phase.STARTED, call.attempt, at)]

    def _call(self, message: Message, uuid: str, direction: Direction, at: float) -> Call:
        inbound = direction is Direction.INBOUND
        begun = attempt(self.identity, message, uuid, direction, at)
        return Call(begun, None, party(self.identity, message) if inbound else "")

    def _dialled(self, message: Message, uuid: str, leader: str) -> list[Fact]:
        """A leg, dialled for a call or by a channel that the switch had placed and that is up."""
        facts: list[Fact] = []
        call = self._calls.get(leader)
        if call is None:
            up_since = self._originated.get(leader)
            context = message.get("Other-Leg-Context") or message.get("Caller-Context") or ""
            direction = self._directions.get(context)
            if up_since is None or direction is None:
                return []
            del self._originated[leader]
            begun = attempt(self.identity, message, leader, direction, up_since, "Other-Leg")
            call = self._calls[leader] = Call(begun, None)
            facts = self._up(call, up_since)
        elif call.answered_at is not None:
            call.moved = True
        _remember(call, uuid)
        begun = call.attempt
        if begun.direction is not Direction.INBOUND:
            gateway = account_name(message.variable("sip_gateway_name"))
            if gateway and not begun.route:
                call.attempt = replace(begun, route=gateway)
        elif not begun.account and self.identity.account_from != "caller":
            account = party_dialled(self.identity, message)
            if account and account != call.trunk_account:
                call.attempt = replace(begun, account=account)
        return facts + called_back(call, message)

    @staticmethod
    def _up(call: Call, at: float) -> list[Fact]:
        """A call that began and was answered in the same moment, as those do that the switch places."""
        call.answered_at = at
        return [
            CallEvent(Phase.STARTED, call.attempt, at),
            CallEvent(Phase.ANSWERED, call.attempt, at, answered_at=at),
        ]

    def _leader(self, leg: str) -> str:
        """The leading leg of the call that this leg is of; itself where it is of none."""
        return self._leg_of.get(leg) or leg

    def _named(self, call: Call, message: Message) -> None:
        """The channel has an account by now: set by the dialplan, inbound in place of the trunk's."""
        begun = call.attempt
        if begun.account:
            return
        if begun.direction is Direction.INBOUND and self.identity.account_from != "accountcode":
            return
        account = party(self.identity, message)
        if account and account != call.trunk_account:
            call.attempt = replace(begun, account=account)

    def _answered(self, message: Message, received_at: float) -> list[Fact]:
        uuid = channel_of(message)
        if uuid in self._leg_of and uuid not in self._calls:
            return []               # half of them: of a leg that was dialled, which answers for nobody
        at = micros(message, "Caller-Channel-Answered-Time") or received_at
        call = self._calls.get(uuid)
        if call is not None:
            if call.answered_at is not None:
                return []
            call.answered_at = at
            self._named(call, message)
            news = called_back(call, message)
            return [*news, CallEvent(Phase.ANSWERED, call.attempt, at, answered_at=at)]
        if uuid in self._originated and self._originated[uuid] is None:
            self._originated[uuid] = at
        return []

    def _hung_up(self, message: Message, received_at: float) -> list[Fact]:
        uuid = channel_of(message)
        at = micros(message, "Caller-Channel-Hangup-Time") or micros(message, "Event-Date-Timestamp")
        at = at or received_at
        call = self._calls.pop(uuid, None)
        if call is not None:
            self._leg_of.pop(call.alias, None)
            self._named(call, message)
            news = called_back(call, message)
            return [*news, self._ending(message, call, at)]
        if self._leg_of.pop(uuid, None) is not None:
            return []
        placed = uuid in self._originated
        self._originated.pop(uuid, None)
        if message["Channel-Name"].startswith(PLUMBING) or dialled_by(message):
            return []
        direction = direction_in(self.identity, message)
        up_since = micros(message, "Caller-Channel-Answered-Time")
        inbound = message.get("Call-Direction") == "inbound"
        if direction is None or not (inbound or up_since):
            return []
        # Either a call that the switch placed and that dialled nobody, or one whose beginning we missed.
        began = micros(message, "Caller-Channel-Created-Time") if inbound else up_since
        call = self._call(message, uuid, direction, min(began or at, at))
        self._named(call, message)
        facts = self._up(call, up_since) if placed and up_since else []
        facts += called_back(call, message)
        return [*facts, self._ending(message, call, at)]

    @staticmethod
    def _ending(message: Message, call: Call, at: float) -> CallEvent:
        cause = cause_of(message)
        legs = " ".join(call.legs)
        answered_at = call.answered_at or micros(message, "Caller-Channel-Answered-Time")
        if answered_at is not None:
            return CallEvent(
                Phase.ENDED, call.attempt, at, answered_at=answered_at, hangup_cause=cause, legs=legs
            )
        dialled = bool(legs or message.variable("originated_legs"))
        return CallEvent(
            Phase.ENDED, call.attempt, at, hangup_cause=cause, sip_code=sip_code_of(message),
            refusal=refusal_of(message, cause, dialled), legs=legs,
        )

    def _renamed(self, message: Message) -> None:
        """A channel goes by another id now; its call keeps the one it was counted by."""
        old, new = channel_of(message, "Old-Unique-ID"), channel_of(message)
        if old == new:
            return
        if old in self._leg_of:
            self._leg_of[new] = self._leg_of.pop(old)
        elif old in self._originated:
            self._originated[new] = self._originated.pop(old)
        elif old in self._calls:
            self._make_room()
            call = self._calls.pop(old, None)
            if call is None:
                return              # it was the one that had to make room
            self._leg_of.pop(call.alias, None)
            self._leg_of[old], call.alias = new, old
            call.attempt = replace(call.attempt, channel=new)
            self._calls[new] = call

    def adopt(self, leg: str, parent: str, *, dialled: bool) -> None:
        """A leg found in a listing, that was dialled for a call while nobody listened."""
        if leg in self._leg_of or leg in self._calls or leg in self._originated:
            return
        self._make_room()
        leader = self._leg_of[leg] = self._leader(parent)
        if dialled and leader in self._calls:
            _remember(self._calls[leader], leg)

    def answered_calls(self) -> dict[str, bool]:
        """Of each call in progress, by its leading leg, whether its answer is known."""
        return {leg: call.answered_at is not None for leg, call in self._calls.items()}

    def asked(self, question: CallAttempt) -> list[Fact]:
        """The door was asked about a call: the question names its account, and its carrier.

        A leg that asks after its call's channel has left (a transfer that passes the hook again) leads that
        call from now on. So does a channel that the switch placed and that asks before it dials: it is
        answered already, and that is the fact returned.
        """
        uuid, named = question.channel, question.call_id.partition("/")[2]
        call = self._calls.get(self._leader(uuid)) or self._calls.get(self._leader(named))
        if call is not None:
            begun = call.attempt
            call.attempt = replace(
                begun, account=begun.account or question.account, route=begun.route or question.route
            )
            return []
        if uuid not in self._leg_of and uuid not in self._originated:
            return []
        self._make_room()
        self._leg_of.pop(uuid, None)
        up_since = self._originated.pop(uuid, None)
        call = self._calls[uuid] = Call(question, up_since)
        if named != uuid:
            self._leg_of[named], call.alias = uuid, named
        if up_since is None:
            return []
        return [CallEvent(Phase.ANSWERED, question, up_since, answered_at=up_since)]


def _remember(call: Call, leg: str) -> None:
    """A leg was dialled for the call."""
    if len(call.legs) < MOST_LEGS_OF_A_CALL:
        call.legs.append(leg)
