"""Rows as FreeSWITCH's mod_cdr_csv writes them: templates filled with a channel's variables, as they are.

In: the variables of a channel. Out: a row. The template `enforcer` is the one that is shipped. The calls are
those that a FreeSWITCH 1.11 was seen to make.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
CONF = ROOT / "dialplan" / "freeswitch" / "cdr_csv.conf.xml.example"
ENFORCER = ElementTree.parse(CONF).findtext(".//template[@name='enforcer']") or ""


def _quoted(names: str) -> str:
    return ",".join(f'"${{{name}}}"' for name in names.split())


EXAMPLE = _quoted(
    "caller_id_name caller_id_number destination_number context start_stamp answer_stamp end_stamp duration "
    "billsec hangup_cause uuid bleg_uuid accountcode read_codec write_codec"
)
BUILT_IN = EXAMPLE.replace(',"${accountcode}","${read_codec}","${write_codec}"', ', "${accountcode}"')
ASTERISK = _quoted(
    "accountcode caller_id_number destination_number context caller_id channel_name bridge_channel last_app "
    "last_arg start_stamp answer_stamp end_stamp duration billsec hangup_cause amaflags uuid userfield"
)
TEMPLATES = {"enforcer": ENFORCER, "example": EXAMPLE, "built in": BUILT_IN, "asterisk": ASTERISK}

BEGAN = 1_795_312_195           # 22 November 2026, 01:09:55 UTC
A, B, C, D = (f"{letter * 8}-99bb-4fb8-a498-aaab407ebb3b" for letter in "abcd")


def row(template: str = "enforcer", **variables: object) -> str:
    """The row of a channel with these variables; what is not set is empty."""
    texts = {name: str(value) for name, value in variables.items()}
    return re.sub(r"\$\{(\w+)\}", lambda match: texts.get(match[1], ""), TEMPLATES[template])


def channel(
    uuid: str = A, start: float = BEGAN, answer: float | None = BEGAN + 2, end: float = BEGAN + 14,
    zone: tzinfo | None = None, **others: object,
) -> dict[str, object]:
    """The variables that FreeSWITCH sets on a channel, and `others`. Stamps are in `zone`, where given."""
    variables: dict[str, object] = {
        "uuid": uuid, "direction": "inbound", "context": "default", "accountcode": "acme",
        "caller_id_name": "Acme", "caller_id_number": "100", "destination_number": "12025550123",
        "caller_id": '"Acme" <100>', "channel_name": "sofia/internal/100@10.0.0.1",
        "bridge_channel": "sofia/external/12025550123@carrier", "last_app": "bridge",
        "amaflags": "DOCUMENTATION",
        "hangup_cause": "NORMAL_CLEARING", "hangup_cause_q850": 16, "sip_term_status": 200,
        "start_uepoch": round(start * 1e6), "answer_uepoch": round((answer or 0) * 1e6),
        "end_uepoch": round(end * 1e6), "duration": round(end - start),
        "billsec": round(end - answer) if answer else 0,
        "billmsec": round((end - answer) * 1e3) if answer else 0,
        "read_codec": "PCMU", "write_codec": "PCMU",
    }
    if zone is not None:
        for name, at in (("start", start), ("answer", answer), ("end", end)):
            stamp = "" if at is None else datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")
            variables[f"{name}_stamp"] = stamp
    return variables | others


def leg(uuid: str = B, of: str = A, **others: object) -> dict[str, object]:
    """The variables of a channel that was dialled for another."""
    return channel(uuid, **{
        "direction": "outbound", "originating_leg_uuid": of, "accountcode": "", "caller_id_number": "100",
        "destination_number": "12025550123", **others,
    })
