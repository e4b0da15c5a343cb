"""FreeSWITCH's own call records: the lines of mod_cdr_csv's `Master.csv` to call facts.

In: the lines of a file, in order. Out: per good row the end of a call (`CallEvent`, told by a CDR),
per bad row a `BadInput` that names file and line; the caller decides what to do with those.
Refuses to know: where the file is, the ledger, columns, and what events have already told.

Each channel leaves a row of its own. With our template each row says which call it is a leg of, and the
ledger joins them: the leg that lasted longest tells how long the call did. The stock templates are for
`legs = a`, where a row is a call; of `example`, rows of legs that another row names are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import tzinfo

from enforcer.domain.call import CallAttempt, CallEvent, Direction, Phase, Refusal, Source
from enforcer.errors import BadInput
from enforcer.wire.answer import parse_userfield
from enforcer.wire.cdr_csv_clock import WallClock
from enforcer.wire.cdr_csv_kin import Kin
from enforcer.wire.cdr_csv_rows import read
from enforcer.wire.cdr_csv_templates import DIRECTIONS, Leg, Templates
from enforcer.wire.channel import Identity, account_name


def read_rows(
    lines: Iterable[str], identity: Identity, zone: tzinfo, name: str = "Master.csv", kin: Kin | None = None
) -> Iterator[CallEvent | BadInput]:
    """The calls in the lines of one file; rows of foreign contexts are no calls.

    `zone` is the time zone of the switch's process, in which the stock templates write their times.
    `kin` is what a first look at all files told. Streams: holds one row at a time.
    """
    directions = identity.directions()
    templates = Templates(identity.account_from, WallClock(zone), kin or Kin())

    def event(text: str) -> CallEvent | None:
        leg = templates.leg(text)
        if leg is None:
            return None
        direction = DIRECTIONS[leg.direction] if leg.direction else directions.get(leg.context)
        return None if direction is None else _event(leg, identity.switch, direction)

    return read(lines, event, _unfinished, name)


def _unfinished(text: str) -> bool:
    """mod_cdr_csv does not double quotes, so counting them says nothing."""
    return text.startswith('"') and not text.rstrip().endswith('"')


def _event(leg: Leg, switch: str, direction: Direction) -> CallEvent:
    inbound = direction is Direction.INBOUND
    if leg.ended < leg.started:
        raise ValueError("ends before it starts")
    answer = parse_userfield(leg.userfield) if leg.userfield else None
    refusal = Refusal.NONE
    if answer is not None and leg.answered is None:
        refusal = answer.refusal or Refusal.WENT
    attempt = CallAttempt(
        call_id=f"{switch}/{leg.call}",
        switch=switch,
        account=account_name(leg.accounts[inbound]),
        direction=direction,
        number=leg.number,
        caller=leg.caller,
        at=leg.started,
        channel=leg.uuid if leg.leads else "",
        route=leg.routes[inbound],
    )
    return CallEvent(
        Phase.ENDED,
        attempt,
        leg.ended,
        answered_at=leg.answered,
        billsec=leg.billsec if leg.answered is not None else 0.0,
        hangup_cause=leg.cause,
        sip_code=leg.sip_code,
        refusal=refusal,
        source=Source.CDR,
        legs=leg.dialled,
    )
