"""One frame of `enforcer top`: the overview in as many lines and columns as there are.

In: an overview, what happened lately, a size. Out: lines of styled text, never wider or more than that.
Refuses to know: terminals and keys, and where the overview comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from enforcer.control.look import STRANGE
from enforcer.control.words import MORE_ON_RECORD, shown
from enforcer.errors import LinkError

ORDERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "nearest": lambda one: 0,           # as it comes: the nearest their limits first
    "account": lambda one: one["account"],
    "customer": lambda one: (one["customer"], one["account"]),
    "rule": lambda one: one["rule"],
}
STYLES = {
    "block": "bold red", "throttle": "yellow", "tag": "cyan", "allow": "green", "monitor": "green",
    "off": "bold magenta", "critical": "bold red", "warning": "yellow", "fine": "",
}
VERDICTS = ("allow", "tag", "throttle", "block", "exempt")
BLOCKS, PLAIN_BLOCKS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
BAR, PLAIN_BAR = "█░", "#."
LEAST = 3               # lines for what happened lately, as long as there is room at all


@dataclass(frozen=True, slots=True)
class Look:
    """How it is shown: the size, in which order (one of `ORDERS`), whether the terminal has more than ASCII,
    and what stands in the last line."""

    width: int = 80
    height: int = 24
    order: str = "nearest"
    ascii: bool = False
    keys: str = ""
    trouble: str = ""       # why this is not of this moment


def frame(view: Mapping[str, Any], happened: Sequence[Mapping[str, Any]], look: Look) -> list[Text]:
    """The frame: exactly so many lines where the terminal has keys, as many as are needed otherwise. Raises
    LinkError where what is shown there is no overview of this version."""
    try:
        return _frame(view, happened, look)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, OSError):
        raise LinkError(STRANGE) from None


def _frame(view: Mapping[str, Any], happened: Sequence[Mapping[str, Any]], look: Look) -> list[Text]:
    top = [*_head(view, look), *_plot(view, look), Text(), *_switches(view), Text()]
    bottom = [Text(f" {look.keys}", style="reverse")] if look.keys else []
    room = max(0, look.height - len(top) - len(bottom))
    lately = list(_lately(happened))
    nearest = _nearest(view, look)
    fit = max(2, room - 1 - min(LEAST, len(lately)))
    body = [*nearest[:fit], Text()] if len(nearest) > 1 else []
    left = max(0, room - len(body))
    body += lately[-left:] if left else []
    lines = [*top, *body][: look.height - len(bottom)]
    if bottom:
        lines += [Text()] * (look.height - len(bottom) - len(lines))
    all_lines = [line if line.plain.isprintable() else Text(shown(line.plain)) for line in lines + bottom]
    for line in all_lines:
        line.truncate(look.width, overflow="ellipsis" if not look.ascii else "crop")
    return all_lines


def _head(view: Mapping[str, Any], look: Look) -> Iterator[Text]:
    ceiling = view["ceiling"]
    default = next((one["mode"] for one in view["modes"] if one["subject"] == "default"), view["mode"])
    line = Text.assemble(("enforcer ", "bold"), (shown(view["site"]), "bold"), "  mode ", _word(default))
    if ceiling is not None:
        line.append("  ceiling ").append_text(_word(ceiling["mode"]))
        if ceiling["until"]:
            line.append(f" until {_clock(ceiling['until'])}")
    at = f"{_clock(view['at'])} UTC"
    line.append(" " * max(2, look.width - line.cell_len - len(at)) + at)
    yield line
    if ceiling is not None:
        why = f"  by {shown(ceiling['who'] or 'nobody')}: {shown(ceiling['why'] or 'no reason given')}"
        yield Text(why, style="dim")
    live = sum(one["live_calls"] for one in view["switches"])
    yield Text(
        f"{view['decisions_per_second']:.1f} decisions a second   {live:,} live calls   "
        f"policy {shown(view['policy'] or 'none')}"
    )
    for trouble in (look.trouble, view["degraded"] and f"ledger: {view['degraded']}", *_gaps(view)):
        if trouble:
            yield Text(f"! {shown(trouble)}", style="bold red")


def _gaps(view: Mapping[str, Any]) -> Iterator[str]:
    gaps = view.get("gaps") or []
    if gaps:
        switches = ", ".join(sorted({str(gap.get("switch", "?")) for gap in gaps}))
        noun = "gap" if len(gaps) == 1 else "gaps"
        yield f"{len(gaps)} open {noun} ({switches}): see `enforcer reconcile`"


def _plot(view: Mapping[str, Any], look: Look) -> Iterator[Text]:
    """Decisions a minute, one character a minute, and of how many each verdict was."""
    minutes = view["decisions"][-max(1, min(60, look.width - 20)):]
    blocks = PLAIN_BLOCKS if look.ascii else BLOCKS
    rows = [("all", [sum(one[verdict] for verdict in VERDICTS) for one in minutes])]
    rows += [(word, [one[word] for one in minutes]) for word in ("block", "throttle", "tag")]
    most = max(rows[0][1], default=0) or 1
    for word, counts in rows:
        if word != "all" and not any(counts):
            continue
        marks = "".join(blocks[-(-count * (len(blocks) - 1) // most)] for count in counts)
        name = "decisions" if word == "all" else word
        text = Text.assemble(f"{name:9} ", (marks, STYLES.get(word, "green")))
        yield text.append(f" {sum(counts):,}")


def _switches(view: Mapping[str, Any]) -> Iterator[Text]:
    yield _heading(f"{'switch':14} {'kind':10} {'link':8} {'live':>6} {'lag s':>6} {'clock s':>8} restart")
    for one in view["switches"]:
        link = "up" if one["level"] else "levels" if one["connected"] else "DOWN"
        style = {"up": "green", "levels": "yellow", "DOWN": "bold red"}[link]
        yield Text.assemble(
            f"{shown(one['switch'])[:14]:14} {one['kind']:10} ", (f"{link:8}", style),
            f" {one['live_calls']:6,} {one['lag']:6.2f} {one['clock_offset']:8.2f} {one['restarts']:7,}",
            (f"  {shown(one['problem'])}" if one["problem"] else "", "red"),
        )


def _nearest(view: Mapping[str, Any], look: Look) -> list[Text]:
    """The accounts nearest their limits."""
    bar, wide = 10, 14 if look.width < 100 else 24
    told = f"{'account':{wide}} {'rule':{wide}} {'used':>5} {'':{bar}} {'value':>9} of {'limit':6} passed UTC"
    lines = [_heading(told)]
    for one in sorted(view.get("nearest", ()), key=ORDERS[look.order]):
        used = float(one["used"])
        full, empty = tuple(PLAIN_BAR if look.ascii else BAR)
        filled = max(0, min(bar, round(used * bar)))
        value = str(one["value"]).rpartition("= ")[2]
        passed = one["passed"][5:16].replace("T", " ") if one["passed"] else "now" if used > 1 else "-"
        lines.append(Text.assemble(
            f"{shown(one['account'])[:wide]:{wide}} {shown(one['rule'])[:wide]:{wide}} ",
            (f"{min(used, 99.99):5.0%} {full * filled}{empty * (bar - filled)}", STYLES[one["level"]]),
            f" {value[:9]:>9} of {str(one['limit'])[:6]:6} {passed}",
        ))
    return lines


def _lately(happened: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """What happened, the latest last."""
    for one in happened:
        facts = one["facts"]
        at = datetime.fromtimestamp(one["at"], UTC).strftime("%H:%M:%S")
        words, style = _words(one["kind"], facts)
        yield Text.assemble((f"{at} ", "dim"), (shown(words), style))


def _words(kind: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    if kind == "decision":
        verdict = facts["verdict"]
        would = "" if verdict == facts["would_be"] else f" (block mode: {facts['would_be']})"
        said = f"{verdict}{would} {facts['account'] or 'nobody'} -> {facts['number']}  {facts['rule']}"
        return f"{said}  {facts['decision']}", STYLES.get(verdict, "")
    if kind == "mode":
        gone = "is over" if facts["gone"] else f"is {facts['mode']}"
        return f"mode: {facts['subject']} {gone} by {facts['who'] or 'the configuration'}", "bold"
    if kind == "switch":
        state = "up" if facts["connected"] else f"down: {facts['problem']}"
        return f"switch {facts['switch']} {state}", "bold"
    if kind == "order":
        answer = "accepted" if facts["accepted"] else "REFUSED"
        who = facts["who"] or "somebody"
        return f"order by {who} over {facts['door']}: {answer}: {facts['said']}", "bold"
    if kind == "fault":
        more = "  ".join(f"{key}={value}" for key, value in facts.items() if key not in ("fault", "at"))
        return f"fault: {facts['fault']}  {more}", "bold red"
    if kind == "level":
        level = "fine again" if facts["cleared"] else facts["level"]
        return f"{facts['account'] or facts['customer']} {level}: {facts['rule']}", "yellow"
    if kind == "record" and facts["record"] == "more":
        return f"record: {MORE_ON_RECORD}", ""
    if kind == "notice":
        return f"notice {facts['stage']} to {facts['audience']}: {facts['subject'] or facts['notice']}", ""
    return f"{kind}: {'  '.join(f'{key}={value}' for key, value in facts.items() if value)}", ""


def _heading(words: str) -> Text:
    return Text(words, style="bold underline")


def _word(mode: str) -> Text:
    return Text(mode, style=STYLES.get(mode, ""))


def _clock(iso: str) -> str:
    return iso[11:19]
