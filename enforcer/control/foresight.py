"""What an order would do, in numbers, before it is given: what a person reads before they press.

In: an order, a site's ledger and policy, a moment. Out: sentences, the numbers first. Nothing is changed.
Refuses to know: doors, and whether anybody should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from enforcer.control import opt_outs, strikes
from enforcer.control.acknowledging import known_notice, zone_of
from enforcer.control.acts import (
    Acknowledge,
    AddStrike,
    Announce,
    OptOutOrder,
    Order,
    Reload,
    RemoveOptOut,
    WithdrawStrike,
)
from enforcer.control.commands import SetMode, SetStanding, known_account, registered
from enforcer.control.effects import effects
from enforcer.control.subjects import Subjects
from enforcer.control.words import local
from enforcer.domain.account import Standing
from enforcer.domain.call import Direction, NumberClass
from enforcer.domain.cycle import Span
from enforcer.domain.mode import Mode, ModeSetting
from enforcer.domain.numbers import NumberPlan
from enforcer.domain.policy import Policy
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.spans import span_words

HOURS = 24
DAY = 86_400.0


class Scene(NamedTuple):
    """What an order is looked at against. The policy is read when it is needed: a pack that is wrong keeps
    nobody from pulling the ceiling down."""

    ledger: Ledger
    policy: Callable[[], Policy]
    plan: NumberPlan
    default: Mode
    now: float


def foreseen(order: Order, scene: Scene) -> dict[str, Any]:
    """{"words": sentences, "whatif": numbers of modes, or None}. Raises BadInput where it cannot be."""
    told: dict[str, Any] = {"words": [], "whatif": None}
    match order:
        case SetMode():
            told["words"], told["whatif"] = _mode(order, scene)
        case SetStanding(account, standing, _, _):
            told["words"] = list(_standing(account, standing, None, scene))
        case Announce(account, standing, after, _, _):
            told["words"] = list(_standing(account, standing, after, scene))
        case AddStrike():
            told["words"] = list(_strike(order, scene))
        case WithdrawStrike():
            told["words"] = list(_withdrawn(order, scene))
        case OptOutOrder():
            told["words"] = list(_opt_out(order, scene))
        case Acknowledge():
            told["words"] = list(_acknowledged(order, scene))
        case Reload():
            told["words"] = ["The packs are read again, all or nothing: one that is wrong leaves the policy "
                             "that is in force."]
        case _:
            told["words"] = []
    return told


def _mode(order: SetMode, scene: Scene) -> tuple[list[str], dict[str, Any]]:
    if order.account:
        known_account(scene.ledger, order.account)
    place = ModeSetting(order.mode, order.account, order.rule, order.switch, order.ceiling)
    found = effects(scene.ledger, scene.default, place, HOURS * 3600.0, scene.now)
    now = found["now"]
    then = next((one for one in found["modes"] if one["mode"] == order.mode.word), None)
    subject = "the site" if place.subject == "default" else place.subject
    if order.mode is Mode.OFF:
        return [f"Every verdict of {subject} is let go, and nothing is reported.", found["words"],
                f"Now {_numbers(now)} of them."], found
    assert then is not None
    words = [
        found["words"],
        f"Mode {order.mode.word} for {subject} would have {_did(then)} of them, on "
        f"{_many(then['accounts'], 'account')}; as it stands now, {_numbers(now)}.",
    ]
    if then["harder"] or then["softer"]:
        words.append(f"{_many(then['harder'], 'call')} would have fared worse than now, and "
                     f"{_many(then['softer'], 'call')} better.")
    else:
        words.append("No call of that time would have fared otherwise than now.")
    words.append("It ends by itself after " + span_words(order.seconds) + "." if order.seconds else
                 "It stays until somebody sets another.")
    return words, found


def _did(then: dict[str, Any]) -> str:
    return f"refused {then['refused']:,}, throttled {then['throttled']:,} and tagged {then['tagged']:,}"


def _numbers(now: dict[str, Any]) -> str:
    return f"{now['refused']:,} are refused, {now['throttled']:,} throttled and {now['tagged']:,} tagged"


def _standing(account: str, standing: Standing, after: float | None, scene: Scene) -> Iterator[str]:
    ledger, now = scene.ledger, scene.now
    found = registered(ledger, account)
    if found.standing is standing:
        raise BadInput("", f"account {account!r} is {standing.value} already")
    out = inbound = live = 0
    for record in ledger.calls(account, Span(now - HOURS * 3600, now + 1.0, "lately")):
        if record.number_class in (NumberClass.EMERGENCY, NumberClass.CALLBACK):
            continue
        out += record.direction is not Direction.INBOUND
        inbound += record.direction is Direction.INBOUND
        live += record.live
    lately = f"In the last {HOURS} hours it made {_many(out, 'call and message', 'calls and messages')}"
    if standing is Standing.ACTIVE:
        refused = sum(1 for one in ledger.decisions_in(Span(now - HOURS * 3600, now + 1.0, "lately"), account)
                      if one.rule == "standing" and one.refused)
        yield f"{lately}; {_many(refused, 'was', 'were')} refused because it is {found.standing.value}."
        yield "Its next call goes, as far as the rules and modes let it; what was announced is withdrawn."
        return
    if standing is Standing.SUSPENDED:
        yield f"{lately}: such calls will be refused. It can still be called ({inbound:,} lately)."
    else:
        yield f"{lately}, and {inbound:,} reached it: all such calls will be refused."
    yield f"{_many(live, 'call is', 'calls are')} in progress: they go on. Emergency calls always go."
    if after:
        yield f"It happens {span_words(after)} after the customer's notice is delivered, not before."
    ceiling = next((one for one in reversed(ledger.modes()) if one.ceiling), None)
    if ceiling is not None and ceiling.mode < Mode.BLOCK and (ceiling.until is None or ceiling.until > now):
        yield f"But the site's ceiling is {ceiling.mode.word}: while it is, no call is refused."


def _strike(order: AddStrike, scene: Scene) -> Iterator[str]:
    whose = Subjects(scene.ledger).find(order.account, order.customer, "strike.add")
    counted, policy = 0, scene.policy()
    for rule in strikes.strike_rules(policy):
        if rule.spec.strikes and order.kind.strip() not in rule.spec.strikes:
            continue
        counted += 1
        there = next((
            one for one in strikes.standings(
                scene.ledger, policy, scene.now, whose.customer, whose.account
            ) if one.rule is rule
        ), None)
        number, limit = (len(there.counted) if there else 0) + 1, rule.spec.critical.at
        reached = "the limit is reached: " + rule.spec.critical.verdict.word if number >= limit else (
            f"{int(limit) - number} more reach the limit")
        yield f"Rule {rule.spec.id} will count {number} of {limit} strikes in {rule.window}; {reached}."
    if not counted:
        yield strikes.unheard(policy, order.kind.strip()) or "No rule of the packs counts strikes."


def _withdrawn(order: WithdrawStrike, scene: Scene) -> Iterator[str]:
    strike = strikes.known_strike(scene.ledger, order.strike)
    found = strikes.standings(scene.ledger, scene.policy(), scene.now, strike.customer, strike.account)
    for one in found:
        if any(counted.strike.id == strike.id for counted in one.counted):
            limit = one.rule.spec.critical.at
            yield f"Rule {one.rule.spec.id} counts {len(one.counted)} of {limit} strikes now, one fewer then."
    if not found:
        yield "No rule counts it now."


def _opt_out(order: OptOutOrder, scene: Scene) -> Iterator[str]:
    whose = Subjects(scene.ledger).find(order.account, order.customer, "optout")
    number = opt_outs.telephone(scene.plan, order.number, "number")
    span = Span(scene.now - 30 * DAY, scene.now + 1.0, "lately")
    records = scene.ledger.calls(whose.account, span, "" if whose.account else whose.customer)
    times = sum(1 for one in records if one.direction is not Direction.INBOUND
                and scene.plan.canonical(one.number) == number)
    rules = [rule.spec.id for rule in scene.policy().rules if rule.spec.kind == "opt_out"]
    what = f"{whose.words} called or wrote to {number} {_many(times, 'time')} in the last 30 days"
    if isinstance(order, RemoveOptOut):
        yield f"{what}; from now on it may again."
    elif rules:
        yield f"{what}; from now on rule {', '.join(rules)} is about that, as far as its mode goes."
    else:
        yield f"{what}; no rule of the packs is about opt-outs, so it is only put on record."


def _acknowledged(order: Acknowledge, scene: Scene) -> Iterator[str]:
    notice = known_notice(scene.ledger, order.notice)
    if notice.told_at is not None:
        when = local(notice.told_at, zone_of(scene.ledger, notice))
        yield f"It was delivered on {when}: nothing else changes."
    elif notice.grace:
        ends = local(scene.now + notice.grace, zone_of(scene.ledger, notice))
        what = f"account {notice.account} is {notice.then}" if notice.then else f"rule {notice.rule} may act"
        yield f"That is delivery as well: its time of grace begins now, and from {ends} on {what}."
    else:
        yield "That is delivery as well; nothing waits for it."


def _many(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"
