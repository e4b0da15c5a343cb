"""What the enforcer wants done on an Asterisk, as AMI actions.

In: an answer to a question, or an `Order` of the domain. Out: the action's name and headers.
Refuses to know: the connection, and whether anybody listens.

AstDB, family "enforcer" (the dialplan reads the same keys, see `dialplan/README.md`):

    hb               Unix seconds of the last heartbeat
    lease/<account>  until
    word/<account>   until:<answer line>
    brake/<account>  until:<concurrent calls>:<calls per second>        0: no limit of that kind
"""

from __future__ import annotations

from enforcer.domain.actions import (
    GrantLease,
    HangUp,
    LimitDuration,
    Order,
    RememberWord,
    SetBrake,
    WithdrawLease,
)

Command = tuple[str, tuple[tuple[str, str], ...]]

FAMILY = "enforcer"

# Server-side selection, for a user whose manager.conf has none (tried on 22.10; an Asterisk that does
# not know MatchCriteria refuses it, and we go on skipping what we do not read).
FILTERS: tuple[str, ...] = (
    "action(include),name(Newchannel)",
    "action(include),name(Hangup)",
    "action(include),name(UserEvent)",
    "action(include),name(FullyBooted)",
    "action(include),name(Shutdown)",
)
UP_FILTER = ("action(include),name(Newstate),header(ChannelStateDesc),method(exact)", "Up")


def heartbeat(at: float) -> Command:
    """The switch knows by this that somebody would answer. `at` is the switch's own time."""
    return _put("hb", str(int(at)))


def answer(channel: str, line: str) -> Command:
    """The answer to a question, where the dialplan waits for it."""
    return "Setvar", (("Channel", channel), ("Variable", "ENF_ANSWER"), ("Value", line))


def server_filters() -> list[Command]:
    """Actions that make the server send what we read and nothing else."""
    commands = [(criteria, "") for criteria in FILTERS]
    commands.append(UP_FILTER)
    return [
        ("Filter", (("Operation", "Add"), ("MatchCriteria", criteria), ("Filter", value)))
        for criteria, value in commands
    ]


def command_for(action: Order) -> Command:
    """The AMI action that does what the domain wants."""
    match action:
        case GrantLease(account, until):
            return _put(f"lease/{account}", str(until))
        case WithdrawLease(account):
            return "DBDel", (("Family", FAMILY), ("Key", f"lease/{account}"))
        case RememberWord(account, word, until):
            return _put(f"word/{account}", f"{until}:{word}")
        case SetBrake(account, max_calls, max_cps, until):
            return _put(f"brake/{account}", f"{until}:{max_calls}:{max_cps}")
        case HangUp(_call_id, channel, cause):
            return "Hangup", (("Channel", _plain(channel)), ("Cause", str(cause)))
        case LimitDuration(_call_id, channel, seconds):
            return "AbsoluteTimeout", (("Channel", channel), ("Timeout", str(seconds)))


def _put(key: str, value: str) -> Command:
    return "DBPut", (("Family", FAMILY), ("Key", key), ("Val", value))


def _plain(channel: str) -> str:
    """Hangup reads a channel between slashes as a pattern over all channels; we only ever mean one."""
    return channel.strip("/")
