"""Gateways ask: may this call be set up, may this message go; and report what became of a call.

In: one JSON object a question. Out: the same answer as at the other doors, under names. Refuses to know:
rules.

Emergency calls go before anything else: a question about one is answered "allow" whatever else is wrong with
it, and whatever is wrong with us. A gateway whose question has no answer of status 200 follows its failure
policy.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from enforcer.control.gateways import Conflict, Unknown
from enforcer.control.http.front import Door, Front, Gateway
from enforcer.control.http.problems import DESCRIBED, Problem
from enforcer.domain.call import CallAttempt, Direction, Phase
from enforcer.domain.decision import Decision
from enforcer.domain.stop_words import LONGEST_TEXT
from enforcer.errors import BadInput
from enforcer.wire.answer import BLOCK_CODE, SHED_CODE, SIP_CODES, answer_line, parse_answer
from enforcer.wire.channel import account_name
from enforcer.wire.message_line import LONGEST_REASON, MessageQuestion

CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {**DESCRIBED[422], "description": "The id is another call's."}
}

routes = APIRouter(prefix="/v1", tags=["gateways"], responses=DESCRIBED | CONFLICT)

_ID = r"[!-~]{1,120}"
Id = Annotated[str, Field(
    pattern=rf"^{_ID}$", description="Of the call, unique at the gateway; its Call-ID will do.")]
Switch = Annotated[str, Field(
    pattern=r"^[A-Za-z0-9_.-]{1,40}$", description="The [[switch]] with kind = \"gateway\" that it is at.")]
Number = Annotated[str, Field(min_length=1, max_length=80, description="As dialled.")]
Told = Annotated[str, Field(max_length=80)]
Moment = Annotated[float | None, Field(
    ge=0, le=1e11, allow_inf_nan=False, description="Unix seconds; now, unless named.")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @field_validator("*")
    @classmethod
    def _printable(cls, value: Any, field: ValidationInfo) -> Any:
        if isinstance(value, str) and field.field_name != "text" and not value.isprintable():
            raise ValueError("holds characters that cannot be printed")
        return value


class Call(_Strict):
    """A call that somebody wants to make. An account that no switch could carry counts as none."""

    switch: Switch
    id: Id
    account: Annotated[str, Field(max_length=200)] = ""
    number: Number
    caller: Told = ""
    direction: Annotated[Direction, Field(strict=False)] = Direction.OUTBOUND
    route: Told = ""

    def attempt(self, at: float) -> CallAttempt:
        """The call as any door would ask about it."""
        return CallAttempt(
            f"{self.switch}/{self.id}", self.switch, account_name(self.account), self.direction, self.number,
            self.caller, at, route=account_name(self.route),
        )


class Answer(BaseModel):
    """What to do. `go`: whether the call or message may go on, after `hold` seconds, and for `max_duration`
    seconds at most (null: as long as it likes). Else it is refused with `sip_code` (Q.850: `cause`)."""

    id: str
    go: bool
    verdict: str
    sip_code: int
    cause: int
    hold: float
    max_duration: int | None
    tags: list[str]
    reason: str
    decision: str


class Message(_Strict):
    """A text message. `text` is read for STOP and START, of inbound messages only, and never kept."""

    switch: Switch
    id: Id
    account: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@+-]{1,80}$")]
    to: Annotated[str, Field(pattern=r"^[0-9A-Za-z+*#.() -]{1,64}$")]
    sender: Annotated[str, Field(alias="from", pattern=r"^[0-9A-Za-z+*#.() -]{0,64}$")] = ""
    direction: Annotated[Direction, Field(strict=False)] = Direction.OUTBOUND
    text: Annotated[str, Field(max_length=2000)] = ""

    def question(self) -> MessageQuestion:
        """As at the door for messages."""
        inbound = self.direction is Direction.INBOUND
        return MessageQuestion(
            self.id, self.account, self.to, self.sender or (self.to if inbound else ""), self.direction,
            self.text[:LONGEST_TEXT],
        )


class Report(_Strict):
    """What became of a call. Where it was never asked about, say what it was."""

    switch: Switch
    id: Id
    at: Moment = None
    number: Annotated[str, Field(max_length=80)] = ""
    account: Annotated[str, Field(max_length=200)] = ""
    caller: Told = ""
    direction: Annotated[Direction, Field(strict=False)] = Direction.OUTBOUND
    started: Moment = None


class Answered(Report):
    """Somebody took it."""


class Ended(Report):
    """It is over, or never came about."""

    sip_code: Annotated[int | None, Field(ge=100, le=699)] = None
    hangup_cause: Annotated[int | None, Field(ge=0, le=127)] = None


class Noted(BaseModel):
    """The report is counted."""

    noted: bool = True


@routes.post("/admit")
async def admit(door: Door, caller: Gateway, call: Call) -> Answer:
    """May this call be set up? It is counted by being asked about; the same id again gets the same answer."""
    try:
        door.gateways.known(call.switch)
        return answer(call.id, door.gateways.admit(call.attempt(door.clock())))
    except Exception as error:
        if door.emergency(call.number):
            return allowed(call.id)
        raise _told(door, error) from None


@routes.post("/message")
async def message(door: Door, caller: Gateway, message: Message) -> Answer:
    """May this message go? The same id again gets the same answer."""
    question = message.question()
    try:
        attempt = question.attempt(door.gateways.known(message.switch), door.clock())
        return answer(message.id, door.gateways.message(attempt, question.text))
    except Exception as error:
        if door.emergency(message.to):
            return allowed(message.id)
        raise _told(door, error) from None


@routes.post("/calls/answered")
async def answered(door: Door, caller: Gateway, report: Answered) -> Noted:
    """A call was answered: from now on its minutes count."""
    return _report(door, report, Phase.ANSWERED)


@routes.post("/calls/ended")
async def ended(door: Door, caller: Gateway, report: Ended) -> Noted:
    """A call is over, answered or not: it holds no channel any more."""
    return _report(door, report, Phase.ENDED, report.hangup_cause, report.sip_code)


def _report(
    door: Front, report: Report, phase: Phase, cause: int | None = None, sip_code: int | None = None
) -> Noted:
    try:
        switch = door.gateways.known(report.switch)
        call_id = f"{switch}/{report.id}"
        began = next((at for at in (report.started, report.at) if at is not None), door.clock())
        attempt = CallAttempt(
            call_id, switch, account_name(report.account), report.direction, report.number, report.caller,
            began,
        ) if report.number else None
        door.gateways.report(call_id, phase, report.at, attempt, cause, sip_code)
    except Exception as error:
        raise _told(door, error) from None
    return Noted()


def answer(name: str, decision: Decision) -> Answer:
    """The decision, as the answer line of the other doors has it."""
    line = parse_answer(answer_line(decision))
    code = 0
    if decision.refused:
        fallback = SHED_CODE if decision.shed else BLOCK_CODE
        code = decision.sip_code if decision.sip_code in SIP_CODES else fallback
    return Answer(
        id=name, go=not line.cause, verdict=decision.verdict.word, sip_code=code, cause=line.cause,
        hold=line.hold, max_duration=line.cap or None, tags=line.tag.split("+") if line.tag else [],
        reason=decision.reason[:LONGEST_REASON], decision=line.decision_id,
    )


def allowed(name: str) -> Answer:
    """An emergency, with nothing looked at."""
    return Answer(
        id=name, go=True, verdict="allow", sip_code=0, cause=0, hold=0.0, max_duration=None, tags=[],
        reason="exempt: emergency", decision="",
    )


def emergency_in(door: Front, told: object) -> Answer | None:
    """The answer to a question that cannot be read but for its number, which is an emergency's."""
    if not isinstance(told, dict):
        return None
    number = told.get("number", told.get("to"))
    if not isinstance(number, str) or len(number) > 80 or not door.emergency(number):
        return None
    name = told.get("id")
    sound = isinstance(name, str) and re.fullmatch(_ID, name)
    return allowed(name if sound and isinstance(name, str) else "")


def _told(door: Front, error: Exception) -> Problem:
    match error:
        case Conflict():
            return Problem(409, str(error))
        case Unknown():
            return Problem(404, str(error))
        case BadInput():
            return Problem(422, str(error))
        case _:
            door.fault("door could not decide", problem=repr(error))
            return Problem(503, "we could not decide: go on as your failure policy says")


