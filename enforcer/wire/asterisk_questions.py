"""What is asked about the calls of an Asterisk: which call a question is about, and what it adds to it.

In: the UserEvent of a question, and what the FastAGI door was asked. Out: the `Question`, with the call as it
is asked about now. Refuses to know: how calls begin and end otherwise (`asterisk`), who answers, any policy.

A question is asked of a leg. It is about the call that this leg belongs to; a leg that belongs to none, in a
context where no call of ours begins or of a call that the switch placed, begins a call by asking.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase
from enforcer.wire.ami import Message
from enforcer.wire.channel import account_name, direction_of, event_time, route_asked, sip_call_id_asked
from enforcer.wire.legs import Call, Legs


class Question(NamedTuple):
    """The dialplan asks what to do with a call; the answer is set on `channel`."""

    attempt: CallAttempt
    channel: str


class Questions(Legs):
    """The legs of an Asterisk, any of which may ask."""

    def asked(self, question: CallAttempt) -> list[CallEvent]:
        """The FastAGI door was asked about a call. One that began where no call of ours begins, or that the
        switch placed, is a call from now on; that it is answered already is the fact returned."""
        leader = question.call_id.partition("/")[2]
        if self.find(question.call_id) is not None:
            return []
        if self._leg_of.get(leader) != "" and leader not in self._originated:
            return []
        self._make_room()
        self._leg_of.pop(leader, None)
        up_since = self._originated.pop(leader, None)
        self._calls[leader] = Call(question, up_since)
        if up_since is None:
            return []
        return [CallEvent(Phase.ANSWERED, question, up_since, answered_at=up_since)]

    def _asked(self, message: Message, received_at: float) -> list[CallEvent | Question]:
        channel, uniqueid = message["Channel"], message["Uniqueid"]
        account, number = account_name(message.get("Account")), message.get("Number") or ""
        leader = self._leg_of.get(uniqueid) or message["Linkedid"]
        call = (
            self._calls.get(uniqueid)
            or self._calls.get(leader)
            or self._calls.get(self._leg_of.get(leader, ""))
        )
        up_since: float | None = None
        if call is None:
            direction = direction_of(message.get("Direction")) or self._directions.get(message["Context"])
            if direction is None:
                self._note_unlisted(message["Context"])
                return []
            self._make_room()
            up_since = self._originated.pop(uniqueid, None)
            call = self._begun(message, leader, direction, up_since or event_time(message, received_at))
            call.attempt = replace(
                call.attempt, account=account or call.attempt.account, number=number or call.attempt.number
            )
        elif account and not call.attempt.account:
            call.attempt = replace(call.attempt, account=account)
        if not call.attempt.route and (route := route_asked(message)):
            call.attempt = replace(call.attempt, route=route)
        told = direction_of(message.get("Direction")) or call.attempt.direction
        if told is Direction.INTERNAL and call.answered_at is None:
            # That a call from our phones stays inside only the dialplan knows.
            call.attempt = replace(call.attempt, direction=told)
        facts: list[CallEvent | Question] = [
            Question(_as_asked(call.attempt, message, channel, number, told), channel)
        ]
        if up_since is not None:
            call.answered_at = up_since
            facts.append(CallEvent(Phase.ANSWERED, call.attempt, up_since, answered_at=up_since))
        return facts

    def _begun(self, message: Message, leader: str, direction: Direction, at: float) -> Call:
        """The call that begins because this leg asks; it is counted by the id of the leg that led to it."""
        uniqueid = message["Uniqueid"]
        self._leg_of.pop(uniqueid, None)
        call = self._calls[uniqueid] = self._call(message, uniqueid, message["Channel"], direction, at)
        if leader != uniqueid:
            self._leg_of[leader] = uniqueid
            call.alias = leader
        call.attempt = replace(call.attempt, call_id=f"{self.identity.switch}/{leader}")
        return call

    def _call(
        self, message: Message, uniqueid: str, channel: str, direction: Direction, at: float
    ) -> Call:
        number = message.get("Exten") or ""
        attempt = self.identity.attempt(message, uniqueid, channel, direction, number, at)
        inbound = direction is Direction.INBOUND
        return Call(attempt, None, self.identity.party(message, channel) if inbound else "")


def _as_asked(
    attempt: CallAttempt, message: Message, channel: str, number: str, told: Direction
) -> CallAttempt:
    """The call as this leg asks about it. A transferred or forwarded leg asks about another number, perhaps
    in another direction, and is answered on its own channel."""
    if (attempt.channel, attempt.direction) != (channel, told) or (number and attempt.number != number):
        attempt = replace(attempt, channel=channel, number=number or attempt.number, direction=told)
    if sip := sip_call_id_asked(message, channel):
        attempt = replace(attempt, sip_call_id=sip)
    return attempt
