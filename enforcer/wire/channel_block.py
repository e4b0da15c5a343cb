"""A channel's event as Asterisk writes it, taken apart in one go.

In: the bytes of one event. Out: its headers by place, where it is exactly what Asterisk writes.
Refuses to know: what a header means, and events of any other form: those are searched header by header.

Every event about one channel has the same lines in the same order (22.10: manager_channels.c, and what
Newchannel, Newstate and Hangup put behind them). An event that has just these has each exactly once, whatever
a caller wrote into a number: a line break in there would be a line too many.
"""

from __future__ import annotations

import re

# In their order; those in front of and behind the channel's own may be missing.
_BEFORE = ("Timestamp", "SystemName")
_CHANNEL = (
    "Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum",
    "ConnectedLineName", "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid",
)
_BEHIND = ("Cause", "Cause-txt")
_VALUE = r": ([^\r\n]*)"
_BLOCK = re.compile((
    r"Event: [A-Za-z]+\r\nPrivilege: [^\r\n]*"
    + "".join(rf"(?:\r\n{name}{_VALUE})?" for name in _BEFORE)
    + "".join(rf"\r\n{name}{_VALUE}" for name in _CHANNEL)
    + r"(?:\r\nChanVariable: [^\r\n]*)*"
    + "(?:" + "".join(rf"\r\n{name}{_VALUE}" for name in _BEHIND) + ")?"
    + rf"(?:\r\nTechCause{_VALUE})?"
).encode())
PLACES = {name: place for place, name in enumerate((*_BEFORE, *_CHANNEL, *_BEHIND, "TechCause"), 1)}


def taken_apart(raw: bytes) -> re.Match[bytes] | None:
    """The headers, each in its group of `PLACES`; None where the event has any other form."""
    return _BLOCK.fullmatch(raw)
