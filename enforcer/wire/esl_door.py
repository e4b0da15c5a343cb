"""One call that asks by FreeSWITCH's `socket` application: its dialogue, from our `connect` to the end.

In: bytes from the switch, cut anywhere; the answer line, or nothing. Out: bytes to send, the `CallAttempt`
asked about, and what became of the answer.
Refuses to know: sockets, deadlines, and what is decided.

The switch opens the connection and waits. `>` from FreeSWITCH:

      connect
    > Event-Name: CHANNEL_DATA                       the whole channel, about 5 KB, in the head of the frame
    > variable_enforcer_account: acme
    > Content-Type: command/reply
    > Reply-Text: %2BOK%0A
      sendmsg                                        \\
      call-command: execute                           | one write: FreeSWITCH runs `multiset`, gives the
      execute-app-name: multiset                      | channel back to its dialplan and closes
      execute-app-arg: ^^;ENF_ANSWER=allow:0:0:0::    |
      exit                                           /
    > Content-Type: command/reply                    one for each command
    > Content-Type: text/disconnect-notice           before, between or behind those, or never

The caller may hang up at any moment, and the switch may close at any moment. Whatever it says, nothing is
ever sent twice, and after `OVER` nothing at all. The table is the machine:

    state      hears            next       because
    ASKING     channel          HEARD      now we decide
    ASKING     refusal          OVER       -ERR to `connect`: there is no channel
    ASKING     reply            error      +OK without a channel is not FreeSWITCH
    HEARD      reply, refusal   HEARD      we have asked nothing: of no meaning
    ANSWERED   reply, refusal   ANSWERED   the word on our answer; with "bye" in it, that on `exit`
    any        notice           no change  FreeSWITCH says goodbye, and will close
    any        close            OVER
"""

from __future__ import annotations

import re
from enum import Enum

from enforcer.domain.call import CallAttempt
from enforcer.errors import WireError
from enforcer.wire import esl_commands as commands
from enforcer.wire.channel import account_name, direction_of, sip_call_id
from enforcer.wire.esl import DISCONNECT, EVENT, LARGEST_HEAD, LOG, REPLY, Decoder, Message
from enforcer.wire.freeswitch_channel import ACCOUNT, CALL, DIRECTION, NUMBER, ROUTE, caller_of, channel_of

ANSWER = "ENF_ANSWER"
CONNECT = commands.connect()

# A channel is 5 to 12 KB, as far as its caller did not stretch it; the rest is less than 1 KB.
LARGEST_DIALOGUE = LARGEST_HEAD + 65_536

_NUMBER = re.compile(r"[0-9A-Za-z+*#._-]{1,64}", re.ASCII)


class State(Enum):
    """Where the dialogue is. `ASKING`: we have said `connect`."""

    ASKING = "asking"
    HEARD = "heard"         # the attempt is known, the answer is ours to give
    ANSWERED = "answered"   # everything is sent
    OVER = "over"


class Heard(Enum):
    """What a message is to this dialogue."""

    CHANNEL = "channel"
    REFUSAL = "refusal"
    REPLY = "reply"
    NOTICE = "notice"
    CLOSE = "close"


_NEXT: dict[tuple[State, Heard], State] = {
    (State.ASKING, Heard.CHANNEL): State.HEARD,
    (State.ASKING, Heard.REFUSAL): State.OVER,
    (State.ASKING, Heard.NOTICE): State.ASKING,
    (State.HEARD, Heard.REPLY): State.HEARD,
    (State.HEARD, Heard.REFUSAL): State.HEARD,
    (State.HEARD, Heard.NOTICE): State.HEARD,
    (State.ANSWERED, Heard.REPLY): State.ANSWERED,
    (State.ANSWERED, Heard.REFUSAL): State.ANSWERED,
    (State.ANSWERED, Heard.NOTICE): State.ANSWERED,
    **{(state, Heard.CLOSE): State.OVER for state in State},
}


class Dialogue:
    """Say `CONNECT` as soon as the connection stands, feed what comes, answer once, tell of the close.

    `taken` is True once the switch has said that it took the answer, False where it refused it, and None
    where it did not say: the channel may have been gone, or the switch closed before it replied.
    """

    def __init__(self, switch: str) -> None:
        self.state = State.ASKING
        self.taken: bool | None = None
        self.gone = False               # the switch has said goodbye
        self.run = ""                   # which run of which switch it is, as the channel says
        self._switch = switch
        self._decoder = Decoder(())
        self._heard = 0                 # bytes

    def feed(self, data: bytes, at: float) -> CallAttempt | None:
        """The attempt, once, as soon as the channel is known; `at` is Unix seconds.

        Raises WireError where this is no such dialogue, and where it asks about nothing that can be judged:
        close the connection then, and the dialplan goes on as where nobody answers.
        """
        if self.state is State.OVER:
            return None
        self._heard += len(data)
        if self._heard > LARGEST_DIALOGUE:
            raise WireError(f"a dialogue of more than {LARGEST_DIALOGUE} bytes")
        attempt: CallAttempt | None = None
        for message in self._decoder.feed(data):
            heard = _heard(message, self.state)
            if heard is None:
                continue
            if (self.state, heard) not in _NEXT:
                raise WireError(f"{heard.value} while {self.state.value}")
            if self.state is State.ANSWERED and self.taken is None and heard in (Heard.REPLY, Heard.REFUSAL):
                # The reply to `exit` says "bye"; where it is the first to be heard, the other was lost.
                bye = "bye" in (message.get("Reply-Text") or "")
                self.taken = None if bye else heard is Heard.REPLY
            self.gone = self.gone or heard is Heard.NOTICE
            self.state = _NEXT[self.state, heard]
            if heard is Heard.CHANNEL:
                self.run = message.get("Core-UUID") or ""
                attempt = attempt_of(message, self._switch, at)
            if self.state is State.OVER:
                break
        return attempt

    def answer(self, line: str) -> bytes:
        """The bytes that set the answer and give the call back, for one write; none where it is too late.

        Raises WireError (ours) for a line that could not be one.
        """
        if self.state is not State.HEARD:
            return b""
        argument = commands.multiset({ANSWER: line})
        data = commands.execute("multiset", argument) + commands.leave()
        self.state = State.ANSWERED
        return data

    def close(self) -> None:
        """The connection is gone, whoever closed it."""
        self.state = _NEXT[self.state, Heard.CLOSE]


def _heard(message: Message, state: State) -> Heard | None:
    if message.kind == REPLY:
        if state is State.ASKING and message.accepted and message.name:
            return Heard.CHANNEL
        return Heard.REPLY if message.accepted else Heard.REFUSAL
    if message.kind == DISCONNECT:
        return Heard.NOTICE
    if message.kind in (EVENT, LOG):
        return None                 # of somebody else's asking (`event-lock`, a dialplan's `myevents`)
    raise WireError(f"{message.kind} where a call should ask")


def attempt_of(channel: Message, switch: str, at: float) -> CallAttempt:
    """The attempt that a channel asks about, as our dialplan has described it in variables.

    `at` is Unix seconds. `enforcer_call` is the channel that the call began with, where this is another. An
    account that can be no account's name is none ("" is judged as such). Raises WireError where the direction
    is none, or the number holds what no number does: the dialplan lets neither through.
    """
    uuid = channel_of(channel)
    direction = direction_of(channel.variable(DIRECTION))
    if direction is None:
        raise WireError(f"{DIRECTION}: no direction: {(channel.variable(DIRECTION) or '')[:20]!a}")
    number = channel.variable(NUMBER) or ""
    if not _NUMBER.fullmatch(number):
        raise WireError(f"{NUMBER}: no number: {number[:40]!a}")
    account = channel.variable(ACCOUNT)
    if account is None:
        account = channel.variable("accountcode")
    call = channel_of(channel, f"variable_{CALL}") if channel.variable(CALL) else uuid
    return CallAttempt(
        call_id=f"{switch}/{call}",
        switch=switch,
        account=account_name(account),
        direction=direction,
        number=number,
        caller=caller_of(channel),
        at=at,
        channel=uuid,
        route=account_name(channel.variable(ROUTE)),
        sip_call_id=sip_call_id(channel.variable("sip_call_id")),
    )
