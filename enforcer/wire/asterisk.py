"""What Asterisk's events say about calls: messages in, call facts out.

In: AMI `Message`s, in order. Out: `CallEvent`, `Question`, `SwitchNews`.
Refuses to know: the connection, the clock (an event carries its own time), and any policy.

A call is not a channel. The call's channel is its **A-leg**, the one whose Uniqueid equals its
Linkedid when it is created; every leg dialled from there (forks, 302 targets, transfer targets)
is created with the A-leg's id as its Linkedid, and `Local/` channels are plumbing. So:

    started    Newchannel "Ring" of an A-leg            one attempt, however many legs follow
    answered   Newstate "Up" of the A-leg
    ended      Hangup of the A-leg                      Cause, and TechCause where it never answered

Cdr events are not used: busy, transfers and forks write two to four of them for one call.
Linkedid is not stable (an attended transfer moves one call's legs under the other's), so state is
kept by Uniqueid and a leg belongs to the call whose Linkedid it had when it was first seen.

*A call that goes on after its A-leg left* (blind transfer by the caller) ends with the A-leg, unless
the transferred leg passes the hook again: then that leg's Hangup is the (later) end of the same call.

*Calls placed by the switch itself* (AMI Originate): the channel is created "Down", with the trunk's
account and no number, which is no seizure by any account yet. It becomes a call, started and answered
when that channel came up, once it asks; or, where it never asks (a lease), at its Hangup, if it was
answered and then ran in one of our contexts.

*The account of an inbound call* is the called party, which Asterisk does not know when the call
starts: its AccountCode is the trunk's. So it is "" until the dialplan asks about it (the question names
it) or dials the account's phone, whichever is first; all later events of the call carry it.

*Who is who* comes from the switch's own configuration (account code, endpoint, context), never from a
display name or a number, except with `account_from = "caller"`, where a person chose to trust those.
"""

from __future__ import annotations

from dataclasses import replace

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase, Refusal
from enforcer.wire.ami import Message
from enforcer.wire.answer import SIP_CODE_OF_CAUSE
from enforcer.wire.asterisk_questions import Question, Questions
from enforcer.wire.channel import (
    ENDING_ONCE,
    QUESTION_ONCE,
    account_name,
    endpoint_of,
    epoch_in,
    event_time,
    number_in,
    refusal_of,
    started_by_serial,
    whole,
)
from enforcer.wire.legs import MOST_LEGS_OF_A_CALL, Call, SwitchNews

WANTED_EVENTS = frozenset({"Newchannel", "Newstate", "Hangup", "UserEvent", "FullyBooted", "Shutdown"})
ASK_EVENT = "EnfAsk"
BACK_EVENT = "EnfBack"      # let through as a call back after an emergency call: nobody is asked
UP = "6"                    # ChannelState of an answered channel
PLUMBING = ("Local/", "Message/")

Fact = CallEvent | Question | SwitchNews


class CallBook(Questions):
    """Reads events in order and tells the facts in them; what it has to remember for that, see `legs`;
    what is asked about them, `asterisk_questions`."""

    def read(self, message: Message, received_at: float) -> list[Fact]:
        """The facts in one message. `received_at` stands in where the switch sends no timestamps.

        Raises WireError where a header is missing that Asterisk always sends, or comes twice.
        """
        name = message.name
        if name == "Newchannel":
            whole(message)
            return self._created(message, received_at)
        if name == "Newstate":
            uniqueid = message.get("Uniqueid")
            if uniqueid in self._leg_of and uniqueid not in self._calls:
                return []           # half of them: of a leg that was dialled, whose state nobody asks for
            whole(message)
            return self._state(message, received_at)
        if name == "Hangup":
            whole(message, ENDING_ONCE)
            return self._hung_up(message, received_at)
        if name == "UserEvent":
            return self._user_event(message, received_at)
        if name == "FullyBooted":
            return [SwitchNews.BOOTED]
        if name == "Shutdown":
            return [SwitchNews.SHUTDOWN]
        return []

    def _user_event(self, message: Message, received_at: float) -> list[Fact]:
        asked = message.get("UserEvent") == ASK_EVENT
        if not asked and message.get("UserEvent") != BACK_EVENT:
            return []
        whole(message, QUESTION_ONCE if asked else (*QUESTION_ONCE, "Since"))
        facts = self._asked(message, received_at)
        if asked:
            return [*facts]
        since = epoch_in(message.get("Since"))
        return [
            CallEvent(Phase.STARTED, one.attempt, one.attempt.at, callback=True, since=since)
            if isinstance(one, Question) else one for one in facts
        ]

    def _created(self, message: Message, received_at: float) -> list[Fact]:
        channel = message["Channel"]
        if channel.startswith(PLUMBING):
            return []
        uniqueid, linkedid = message["Uniqueid"], message["Linkedid"]
        if uniqueid in self._calls:
            return []               # told twice, as after a reconnect
        self._make_room()
        if uniqueid != linkedid:
            leader = self._leg_of.get(linkedid) or linkedid
            self._leg_of[uniqueid] = leader
            if (call := self._calls.get(leader)) is not None:
                call.moved = call.moved or call.answered_at is not None
                self._dialled(call, message, channel)
            return []
        if message["ChannelStateDesc"] != "Ring":
            self._originated[uniqueid] = None
            return []
        direction = self._directions.get(message["Context"])
        if direction is None:
            self._leg_of[uniqueid] = ""
            self._note_unlisted(message["Context"])
            return []
        call = self._call(message, uniqueid, channel, direction, event_time(message, received_at))
        self._calls[uniqueid] = call
        return [CallEvent(Phase.STARTED, call.attempt, call.attempt.at)]

    def _dialled(self, call: Call, message: Message, channel: str) -> None:
        """The first leg dialled names the carrier of an outbound call, the account of an inbound one."""
        if len(call.legs) < MOST_LEGS_OF_A_CALL:
            call.legs.append(channel.replace(" ", "_"))
        attempt = call.attempt
        if attempt.direction is Direction.OUTBOUND:
            if not attempt.route:
                call.attempt = replace(attempt, route=endpoint_of(channel))
        elif attempt.direction is Direction.INTERNAL:
            return                  # a phone is no carrier
        elif not attempt.account and self.identity.account_from != "caller":
            account = self.identity.party(message, channel)
            if account != call.trunk_account:
                call.attempt = replace(attempt, account=account)

    def _named(self, call: Call, message: Message) -> None:
        """An inbound leg whose account code is the trunk's no more: the dialplan named the called party."""
        attempt = call.attempt
        if attempt.account or attempt.direction is not Direction.INBOUND:
            return
        if self.identity.account_from == "accountcode":
            account = account_name(message.get("AccountCode"))
            if account != call.trunk_account:
                call.attempt = replace(attempt, account=account)

    def _state(self, message: Message, received_at: float) -> list[Fact]:
        if message.get("ChannelStateDesc") != "Up":
            return []
        uniqueid = message["Uniqueid"]
        call = self._calls.get(uniqueid)
        if call is not None:
            if call.answered_at is not None:
                return []
            call.answered_at = at = event_time(message, received_at)
            self._named(call, message)
            return [CallEvent(Phase.ANSWERED, call.attempt, at, answered_at=at)]
        if uniqueid in self._originated and self._originated[uniqueid] is None:
            self._originated[uniqueid] = event_time(message, received_at)
        return []

    def _hung_up(self, message: Message, received_at: float) -> list[Fact]:
        uniqueid = message["Uniqueid"]
        at = event_time(message, received_at)
        call = self._calls.pop(uniqueid, None)
        if call is not None:
            self._leg_of.pop(call.alias, None)
            self._named(call, message)
            return [self._ending(message, call.attempt, call.answered_at, at, " ".join(call.legs))]
        if self._leg_of.pop(uniqueid, None) is not None:
            return []
        channel = message["Channel"]
        originated = uniqueid in self._originated
        up_since = self._originated.pop(uniqueid, None)
        if channel.startswith(PLUMBING) or uniqueid != message["Linkedid"]:
            return []
        direction = self._directions.get(message["Context"])
        if direction is None or (originated and up_since is None):
            return []
        # Either a call that the switch placed and that never asked, or one whose beginning we missed.
        began = up_since or started_by_serial(uniqueid) or at
        attempt = self._call(message, uniqueid, channel, direction, min(began, at)).attempt
        facts: list[Fact] = []
        if up_since is not None:
            facts.append(CallEvent(Phase.STARTED, attempt, up_since))
            facts.append(CallEvent(Phase.ANSWERED, attempt, up_since, answered_at=up_since))
        facts.append(self._ending(message, attempt, up_since, at))
        return facts

    @staticmethod
    def _ending(
        message: Message, attempt: CallAttempt, answered_at: float | None, at: float, legs: str = ""
    ) -> CallEvent:
        cause = number_in(message.get("Cause"))
        if answered_at is not None or message.get("ChannelState") == UP:
            # TechCause would be the cause in SIP's words here, not what the caller was answered with.
            return CallEvent(
                Phase.ENDED, attempt, at, answered_at=answered_at, hangup_cause=cause, legs=legs
            )
        sip_code = number_in(message.get("TechCause"))
        refusal = refusal_of(message.variable("ENF_VERDICT"), cause)
        if sip_code is None and refusal is Refusal.BLOCKED:     # not told for cause 16, which is our 603
            sip_code = SIP_CODE_OF_CAUSE.get(cause or 0)
        return CallEvent(
            Phase.ENDED, attempt, at, hangup_cause=cause, sip_code=sip_code, refusal=refusal, legs=legs
        )

