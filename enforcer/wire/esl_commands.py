"""What we say on FreeSWITCH's event socket: commands to bytes.

In: words and values. Out: the bytes of one command, or WireError(remote=False) where they would not be one.
Refuses to know: why a command is sent, and what is answered.

A command ends with an empty line and its arguments are cut at blanks, so nothing that might hold a blank
or a line break gets in: words are made of characters that neither the socket, `api` nor an application
reads as its own. That leaves out quotes, backslash and "$", with which FreeSWITCH would unquote and expand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from enforcer.errors import WireError

# The longest of ours is an answer line with its verdict, some 300 bytes.
LONGEST_COMMAND = 4096

_WORD = re.compile(r"[A-Za-z0-9_.,:;=+@*#/~^!-]{1,1024}", re.ASCII)
_EVENT = re.compile(r"[A-Z][A-Z0-9_]{1,63}", re.ASCII)
_SUBCLASS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:.-]{0,127}", re.ASCII)
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,79}", re.ASCII)
_SECRET = re.compile(r"[!-~]{1,256}", re.ASCII)
_VALUE = re.compile(r"""(?! )[^\x00-\x1f\x7f-\U0010ffff"'\\$`]{0,1024}(?<! )""", re.ASCII)
# A channel's id is a UUID, unless the dialplan chose it (`origination_uuid`) or the profile takes the SIP
# Call-ID for it: then it is what a caller wrote.
_CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._:+~=*!-]{0,127}", re.ASCII)
_APPLICATION = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_DELIMITERS = ";|~!#"
_SECONDS_OF_A_DAY = 86_400


def auth(password: str) -> bytes:
    """The log-in. The error never holds the password."""
    if not _SECRET.fullmatch(password):
        raise WireError("the event socket's password: 1 to 256 printable characters, no blanks", remote=False)
    return f"auth {password}\n\n".encode()


def connect() -> bytes:
    """Asks, on an outbound socket, for the channel that has called us."""
    return b"connect\n\n"


def events(names: Iterable[str], subclasses: Iterable[str] = ()) -> bytes:
    """Asks for the events of these names, and for the CUSTOM events of these subclasses."""
    words = [_checked(_EVENT, name, "name of an event") for name in names]
    custom = [_checked(_SUBCLASS, name, "subclass of an event") for name in subclasses]
    if custom:
        words += ["CUSTOM", *custom]        # what follows CUSTOM are subclasses, so it comes last
    if not words:
        raise WireError("no events to ask for", remote=False)
    return _command("event plain", words)


def api(command: str, *arguments: str) -> bytes:
    """A command that is answered with `api/response`; the switch's socket thread waits for it."""
    return _command("api", [_checked(_APPLICATION, command, "command"), *map(word, arguments)])


def bgapi(command: str, *arguments: str, job: str = "") -> bytes:
    """The same in the background: answered by an event BACKGROUND_JOB with this id."""
    words = [_checked(_APPLICATION, command, "command"), *map(word, arguments)]
    line = _command("bgapi", words)
    return line[:-1] + f"Job-UUID: {channel_id(job)}\n\n".encode() if job else line


def fire(subclass: str, headers: Mapping[str, str]) -> bytes:
    """Sends an event of our own through the switch: it comes to all who asked for CUSTOM of that subclass."""
    lines = ["sendevent CUSTOM", f"Event-Subclass: {_checked(_SUBCLASS, subclass, 'subclass of an event')}"]
    for name, value in headers.items():
        lines.append(f"{_checked(_HEADER, name, 'name of a header')}: {word(value)}")
    return _capped("\n".join(lines) + "\n\n")


def execute(application: str, argument: str = "", *, channel: str = "") -> bytes:
    """`sendmsg`: has a channel run an application; on an outbound socket it is the one that called us."""
    lines = ["sendmsg" + (f" {channel_id(channel)}" if channel else "")]
    lines += ["call-command: execute"]
    lines += [f"execute-app-name: {_checked(_APPLICATION, application, 'application')}"]
    if argument:
        lines += [f"execute-app-arg: {_checked(_VALUE, argument, 'argument')}"]
    return _capped("\n".join(lines) + "\n\n")


def linger(seconds: int) -> bytes:
    """Asks that the socket stay open for so long after the channel has hung up."""
    if not 0 <= seconds <= _SECONDS_OF_A_DAY:
        raise WireError(f"linger {seconds}", remote=False)
    return f"linger {seconds}\n\n".encode()


def leave() -> bytes:
    """Ends the connection, and with an outbound socket gives the call back to its dialplan."""
    return b"exit\n\n"


def multiset(values: Mapping[str, str]) -> str:
    """The argument of `multiset` (and `uuid_setvar_multi`, without its first three characters): name=value
    by name=value, with a delimiter that is in none of them.

    >>> multiset({"ENF_ANSWER": "allow:0:0:0::d1-2f", "ENF_TAG": ""})
    '^^;ENF_ANSWER=allow:0:0:0::d1-2f;ENF_TAG='
    """
    pairs = [
        f"{_checked(_NAME, name, 'name of a variable')}={_checked(_VALUE, value, f'value for {name}')}"
        for name, value in values.items()
    ]
    text = "".join(pairs)
    delimiter = next((one for one in _DELIMITERS if one not in text), None)
    if not pairs or delimiter is None:
        raise WireError("values that no delimiter can part", remote=False)
    return f"^^{delimiter}{delimiter.join(pairs)}"


def channel_id(text: str) -> str:
    """The text, where it is a channel's id that may stand in a command. Raises WireError (ours)."""
    return _checked(_CHANNEL, text, "id of a channel")


def word(text: str) -> str:
    """The text, where it is one word of a command and not read as more. Raises WireError (ours)."""
    return _checked(_WORD, text, "word of a command")


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise WireError(f"not a {what} that FreeSWITCH may be sent: {text[:40]!a}", remote=False)
    return text


def _command(verb: str, words: Iterable[str]) -> bytes:
    return _capped(f"{verb} {' '.join(words)}\n\n")


def _capped(command: str) -> bytes:
    if len(command) > LONGEST_COMMAND:
        raise WireError(f"a command of more than {LONGEST_COMMAND} bytes", remote=False)
    return command.encode("ascii")
