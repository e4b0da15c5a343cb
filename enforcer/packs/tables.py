"""What a policy pack may say: its tables and keys, each with its type and its default.

In: TOML as Python values. Out: checked tables, and the JSON Schema that editors use. Numbers are exact: 0.1
in a pack is one tenth. Refuses to know: which keys go together, and what a rule does.
"""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from enforcer.domain.account import AccountType
from enforcer.domain.call import Direction, NumberClass
from enforcer.domain.charge import On, Per
from enforcer.domain.cycle import Period
from enforcer.domain.decision import OnFailure
from enforcer.domain.measure import Scope
from enforcer.domain.rules import KINDS
from enforcer.settings_fields import Zone
from enforcer.spans import LONGEST_SPAN, seconds_of
from enforcer.toml_models import Table, Wrong

SHORT_CALL = Decimal(6)         # seconds; IP2Call, Answer to Seizure Ratio
MAX_HOLD = Decimal(2)           # seconds; callers hear nothing meanwhile and give up soon after
NEAR = Decimal(3)               # seconds above the cut-off in which a call was completed only just
REDIAL = Decimal(60)            # seconds in which a call to the same number is a redial


def _exact(value: Any) -> Any:
    """A TOML number as it was written: int or Decimal, finite. True is no number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


def _amount(value: Any) -> Any:
    """Money in quotes, as people write it who do not trust a number with it: "0.005"."""
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", value):
            raise Wrong('must be an exact amount, such as "0.005"')
        return Decimal(value)
    return value


def _span(value: Any) -> Any:
    """A span of time, "24h", or a whole number of seconds."""
    if isinstance(value, str):
        try:
            return seconds_of(value)
        except ValueError as problem:
            raise Wrong(str(problem)) from None
    return value


def _window(value: Any) -> Any:
    """A window in one word: "cycle", "day", "week", or the length of a rolling one: "24h"."""
    if not isinstance(value, str):
        return value
    if value == "cycle":
        return {}
    if value in (Period.DAY, Period.WEEK, Period.MONTH):
        return {"period": value}
    try:
        return {"rolling": seconds_of(value)}
    except ValueError:
        words = "cycle, day, week, or the length of a rolling one, such as 24h"
        raise Wrong(f"{value!r} is no window: {words}") from None


def _no_notice(value: Any) -> Any:
    """`notice = "none"` says on purpose what leaving it out says by default."""
    if isinstance(value, str):
        if value != "none":
            raise Wrong('must be "none" or a table, such as { grace = "7d" }')
        return None
    return value


_NUMBER = {"type": "number", "minimum": 0}
Number = Annotated[
    Decimal, BeforeValidator(_exact), Field(strict=True, ge=0, le=10**12, allow_inf_nan=False),
    WithJsonSchema(_NUMBER),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# A rule's id is a tag on the switch, a name on the command line and a label of metrics.
RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")]
VerdictWord = Literal["allow", "tag", "throttle", "block"]
Span = Annotated[
    StrictInt, BeforeValidator(_span), Field(ge=1, le=LONGEST_SPAN),
    WithJsonSchema({
        "anyOf": [{"type": "string", "examples": ["24h", "7d"]}, {"type": "integer", "minimum": 1}],
    }),
]


class Or:
    """In the JSON Schema: this, or what the type itself says."""

    def __init__(self, other: dict[str, Any]) -> None:
        self._other = other

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """See the class."""
        return {"anyOf": [self._other, handler(core)]}


# Any name is read, so that a kind that there is not is answered with what was probably meant.
KindName = Annotated[Name, WithJsonSchema({"type": "string", "enum": sorted(KINDS)})]


class StepTable(Table):
    """`warning` and `critical`: where a level begins, and what it asks for."""

    at: Number
    verdict: VerdictWord = "tag"
    sip_code: StrictInt | None = None


class PaceTable(Table):
    """How THROTTLE lets calls through, and for how many seconds it may hold one."""

    calls_per_second: Number | None = None
    max_hold: Annotated[Number, Field(le=30)] = MAX_HOLD


class ChargeTable(Table):
    """What a breach costs when the cycle is settled, in the currency of the pack."""

    amount: Annotated[
        Number, BeforeValidator(_amount), Field(gt=0), WithJsonSchema({"type": ["string", "number"]}),
    ]
    per: Per
    on: On = On.ALL


class NoticeTable(Table):
    """The customer is told first: `grace` after delivery the rule may act, and for `holds` after that a
    further breach needs no new notice."""

    grace: Span = 7 * 86_400
    holds: Span = 90 * 86_400


class WindowTable(Table):
    """Over which stretch of time: cycles of a calendar, the last so many seconds, or (strikes) so many
    billing cycles."""

    rolling: Span | None = None
    period: Period = Period.MONTH
    anchor: Annotated[StrictInt, Field(ge=1, le=31)] | None = None
    timezone: Zone | None = None
    cycles: Annotated[StrictInt, Field(ge=1, le=60)] | None = None


Window = Annotated[
    WindowTable, BeforeValidator(_window),
    Or({"type": "string", "examples": ["cycle", "day", "week", "24h"]}),
]


class CountedTable(Table):
    """What a rule, or one of its signals, counts."""

    directions: Annotated[frozenset[Direction], Field(min_length=1)] = frozenset({Direction.OUTBOUND})
    counts: frozenset[Literal["calls", "messages"]] = frozenset()
    attempt: Literal["call", "leg"] = "call"
    short_call_seconds: Number = SHORT_CALL
    short_is: Literal["<", "<="] = "<"
    only: frozenset[NumberClass] = frozenset()
    without: frozenset[NumberClass] = frozenset()
    without_inbound: frozenset[NumberClass] = frozenset()
    routes: frozenset[Name] = frozenset()
    window: Window = Field(default_factory=WindowTable)
    min_attempts: Annotated[StrictInt, Field(ge=0)] = 0
    min_answered: Annotated[StrictInt, Field(ge=0)] = 0
    breached: Literal[">", ">="] | None = None
    of: Literal["answered", "attempts"] = "answered"
    classes: frozenset[NumberClass] = frozenset()
    near_seconds: Annotated[Number, Field(gt=0, le=3600)] = NEAR
    redial_seconds: Annotated[Number, Field(gt=0, le=86_400)] = REDIAL


class SignalTable(CountedTable):
    """One more thing that has to be there before the rule speaks. What it does not say of what it counts, it
    has from its rule."""

    kind: KindName
    at: Number


class RuleTable(CountedTable):
    """One clause as a rule."""

    id: RuleId
    kind: KindName
    clause: Name
    text: str = ""
    scope: Scope = Scope.ACCOUNT
    warning: StepTable | None = None
    critical: StepTable
    signals: tuple[SignalTable, ...] = Field(default=(), alias="and")
    on_failure: OnFailure = OnFailure.OPEN
    pace: PaceTable | None = None
    hang_up: StrictBool = False
    types: frozenset[AccountType] = frozenset()
    plans: frozenset[Name] = frozenset()
    customers: frozenset[Name] = frozenset()
    accounts: frozenset[Name] = frozenset()
    charge: ChargeTable | None = None
    notice: Annotated[NoticeTable | None, BeforeValidator(_no_notice), Or({"const": "none"})] = None
    strike: StrictBool = False
    strikes: frozenset[Name] = frozenset()
    propose: Literal["suspend", "terminate"] | None = None
    contended: Annotated[Number, Field(gt=0, le=1)] = Decimal("0.8")


class PackTable(Table):
    """Whose rules these are, and since when."""

    name: RuleId
    revision: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")]
    effective: datetime.date | None = None
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    source: str = ""
    contact: str = ""


class PackFile(Table):
    """A whole pack."""

    pack: PackTable
    rules: tuple[RuleTable, ...] = Field(default=(), alias="rule")
