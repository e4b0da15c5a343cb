"""What the enforcer wants done on a FreeSWITCH, as commands on its event socket.

In: an `Order` of the domain, or what the link itself leaves there. Out: the bytes of one command, or
WireError(remote=False) where they would be more than that one command.
Refuses to know: the connection, and whether anybody listens.

mod_hash, realm "enf" (the dialplan reads the same keys with `${hash(select/enf/KEY)}`). All times are Unix
seconds of the switch's own clock. Every value begins with its end, which the dialplan compares with
`${strepoch()}`, for mod_hash forgets nothing by itself:

    hb               until: an enforcer is at work here, for all we know, as long as the next is not due
    lease.<account>  until
    word.<account>   until:<answer line>
    brake.<account>  until:<concurrent calls>:<calls per second>        0: no limit of that kind
    closed.<account> until: no text message of the account may pass
    hands            until: text messages without a net may be handed over
    probe            what `enforcer doctor` writes, reads and takes away again

All but `hb` are what an Asterisk finds in its AstDB. The keys have a dot where AstDB's have a slash, because
mod_hash cuts its argument at slashes: of `insert/enf/lease/acme/1234` it makes one key "lease" with the value
"acme/1234", for everybody (tried on 1.11). An account's name is `[A-Za-z0-9_.@+-]{1,80}`, so the first dot
ends the kind.
"""

from __future__ import annotations

import re

from enforcer.domain.actions import (
    GrantLease,
    HangUp,
    LimitDuration,
    Order,
    RememberWord,
    SetBrake,
    WithdrawLease,
)
from enforcer.errors import WireError
from enforcer.wire import esl_commands as say
from enforcer.wire.answer import parse_answer
from enforcer.wire.freeswitch_causes import CAUSES

REALM = "enf"
HEARTBEAT, PROBE, HANDS = "hb", "probe", "hands"
LEASE, WORD, BRAKE, CLOSED = "lease.", "word.", "brake.", "closed."
# s after which the last heartbeat is too old: two may be missed. An Asterisk's dialplan knows that by itself.
STALE = 6
# s as well, for what is lost with us: one beat may be late, none missed.
HANDS_STALE = 3
# The event that the link sends itself once a beat, through the switch's own queue.
BEAT = "enforcer::beat"
BEAT_HEADER = "Enforcer-Beat"

_KEY = re.compile(r"hb|probe|hands|(?:lease|word|brake|closed)\.[A-Za-z0-9_.@+-]{1,80}", re.ASCII)
_LIMIT_LEFT = re.compile(rf"D/{REALM}_((?:brake|closed)\.[A-Za-z0-9_.@+-]{{1,80}})/.*", re.ASCII)
_LATEST = 10**11
_LONGEST_CALL = 10**9

_NAMES = {number: name for name, number in CAUSES.items()}
# The causes of `wire.answer` are those by which an Asterisk comes to the SIP code that was meant. With some
# of them FreeSWITCH comes to another (`hangup_cause_to_sip` of 1.11); with these to the same. None gives 500.
_SAME_CODE = {
    21: "OUTGOING_CALL_BARRED",         # 403, where CALL_REJECTED is 603
    16: "CALL_REJECTED",                # 603, where NORMAL_CLEARING is 480
    58: "INCOMPATIBLE_DESTINATION",     # 488, where BEARERCAPABILITY_NOTAVAIL is 503
}  # fmt: skip


def heartbeat(at: float) -> bytes:
    """The switch knows by this that somebody would answer. `at` is the switch's own time."""
    return _put(HEARTBEAT, str(_whole(int(at) + STALE, _LATEST)))


def hands(at: float) -> bytes:
    """The same for text messages that nobody but us has once they are handed over."""
    return _put(HANDS, str(_whole(int(at) + HANDS_STALE, _LATEST)))


def farewell() -> bytes:
    """Nobody answers any more: from the next call on, the dialplan asks no more."""
    return forget(HEARTBEAT)


def read(key: str) -> bytes:
    """Asks for what stands at one of our keys; `held` reads the answer."""
    return say.api("hash", f"select/{REALM}/{_key(key)}")


def held(answer: str) -> str:
    """What stands at a key, by the answer to `read`; "" where nothing does ("-ERR no reply" on 1.11)."""
    return "" if answer.startswith("-ERR") else answer.strip()


def forget(key: str) -> bytes:
    """Takes away what stands at one of our keys; "-ERR" is answered where nothing does."""
    return say.api("hash", f"delete/{REALM}/{_key(key)}")


def try_out(value: int) -> bytes:
    """Writes a number where only `enforcer doctor` looks."""
    return _put(PROBE, str(_whole(value, _LATEST)))


def list_left() -> bytes:
    """Asks for everything that stands in mod_hash for us."""
    return say.api("hash_dump", "db", REALM)


def limits_left(dump: str) -> list[str]:
    """The keys of brakes and closed accounts among what `list_left` was answered."""
    found = (_LIMIT_LEFT.fullmatch(line) for line in dump.splitlines())
    return [match[1] for match in found if match]


def close_messages(account: str, until: int) -> bytes:
    """The chat plan stops the account's messages until then."""
    return _put(CLOSED + account, str(_whole(until, _LATEST)))


def open_messages(account: str) -> bytes:
    """Takes that back."""
    return forget(CLOSED + account)


def beat(token: str) -> bytes:
    """An event to ourselves: when it comes back, events come, and it tells how late they are."""
    return say.fire(BEAT, {BEAT_HEADER: token})


def command_for(action: Order, answered: bool) -> bytes:
    """The command that does what the domain wants. `answered`: whether the call in question is, for all we
    know; one that is not is refused with the SIP code that was meant.

    Raises WireError (ours) where a name, a number or an answer line is none.
    """
    match action:
        case GrantLease(account, until):
            return _put(LEASE + account, str(_whole(until, _LATEST)))
        case WithdrawLease(account):
            return forget(LEASE + account)
        case RememberWord(account, word, until):
            return _put(WORD + account, f"{_whole(until, _LATEST)}:{_line(word)}")
        case SetBrake(account, 0, 0):
            return forget(BRAKE + account)      # a leased call need not look at what limits nothing
        case SetBrake(account, max_calls, max_cps, until):
            limits = f"{_whole(max_calls, _LATEST)}:{_whole(max_cps, _LATEST)}"
            return _put(BRAKE + account, f"{_whole(until, _LATEST)}:{limits}")
        case HangUp(_call_id, channel, cause):
            name = _NAMES.get(cause) if answered else _SAME_CODE.get(cause) or _NAMES.get(cause)
            if name is None:
                raise WireError(f"not a cause to hang up with: {cause}", remote=False)
            return say.api("uuid_kill", say.channel_id(channel), name)
        case LimitDuration(_call_id, channel, seconds):
            # ALLOTTED_TIMEOUT is what FreeSWITCH itself gives as the reason.
            after = max(1, _whole(seconds, _LONGEST_CALL))      # 0 would mean: at once
            return say.api("sched_hangup", f"+{after}", say.channel_id(channel))


def _put(key: str, value: str) -> bytes:
    return say.api("hash", f"insert/{REALM}/{_key(key)}/{value}")


def _key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise WireError(f"not a key that we may write on a FreeSWITCH: {key[:90]!a}", remote=False)
    return key


def _line(word: str) -> str:
    """The answer line, where it is one. It holds nothing at which mod_hash would cut."""
    try:
        parse_answer(word)
    except WireError as problem:
        raise WireError(str(problem), remote=False) from None
    return word


def _whole(number: int, most: int) -> int:
    if isinstance(number, bool) or not 0 <= number < most:
        raise WireError(f"not a number to be written on a FreeSWITCH: {number}", remote=False)
    return number
