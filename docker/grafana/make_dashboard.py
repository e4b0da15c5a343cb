#!/usr/bin/env python3
"""Writes dashboard.json from the panels below: `python docker/grafana/make_dashboard.py`.

In: nothing. Out: a Grafana dashboard (10 or newer) whose data source is a variable. Refuses to know: Grafana.
A test compares the metrics named here with those that an enforcer has.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

OUT = Path(__file__).with_name("dashboard.json")
SWITCH = 'switch=~"$switch"'
SOURCE = {"type": "prometheus", "uid": "${source}"}
COLOURS = {"allow": "green", "tag": "blue", "throttle": "orange", "block": "red"}
Target = tuple[str, str]            # expression, legend


def panel(kind: str, title: str, text: str, unit: str, *targets: Target, **more: Any) -> dict[str, Any]:
    """One panel; `text` is its description."""
    defaults: dict[str, Any] = {"unit": unit, "min": 0}
    if kind == "timeseries":
        lines = {"fillOpacity": 10, "lineWidth": 1, "showPoints": "never"}
        defaults["custom"] = lines | more.pop("custom", {})
    return {
        "type": kind, "title": title, "description": text, "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults | more, "overrides": [
            {"matcher": {"id": "byName", "options": name},
             "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}]}
            for name, colour in COLOURS.items() if any(legend == "{{verdict}}" for _, legend in targets)
        ]},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if kind == "timeseries" else
                   {"colorMode": "background", "reduceOptions": {"calcs": ["lastNotNull"]}},
        "targets": [
            {"refId": chr(65 + n), "expr": expr, "legendFormat": legend, "datasource": SOURCE}
            for n, (expr, legend) in enumerate(targets)
        ],
    }


def lamp(title: str, text: str, expr: str, legend: str, bad: str, good: str, well: int) -> dict[str, Any]:
    """A stat that is green at `well`, and red otherwise."""
    names = {str(well): {"text": good, "color": "green"}, str(1 - well): {"text": bad, "color": "red"}}
    return panel("stat", title, text, "none", (expr, legend), mappings=[{"type": "value", "options": names}],
                 noValue="-")


def quantile(share: str, name: str, by: str) -> str:
    """A quantile of a histogram, over five minutes."""
    rate = f"rate({name}_bucket{{{SWITCH}}}[5m])"
    return f"histogram_quantile({share}, sum by ({by}, le) ({rate}))"


ROWS: list[tuple[str, list[tuple[int, dict[str, Any]]]]] = [
    ("At a glance", [
        (4, lamp("Links", "Whether each switch's link is logged in.", f"enforcer_switch_up{{{SWITCH}}}",
                 "{{switch}}", "down", "up", 1)),
        (4, lamp("Ledger", "Whether calls reach the disk.", "enforcer_ledger_degraded", "ledger", "degraded",
                 "writes", 0)),
        (4, lamp("Breaker", "Tripped, it holds the site at monitor.", "enforcer_breaker_tripped", "breaker",
                 "tripped", "armed", 0)),
        (4, panel("stat", "Mode", "The mode that holds where nobody set another, below the ceiling.", "none",
                  ("enforcer_mode == 1", "{{mode}}"))),
        (4, panel("stat", "Ceiling", "No verdict anywhere goes beyond it.", "none",
                  ("enforcer_ceiling == 1", "{{mode}}"))),
        (4, panel("stat", "Version", "What runs.", "none", ("enforcer_build_info", "{{version}}"))),
    ]),
    ("Calls", [
        (12, panel("timeseries", "Decisions by verdict", "Calls and messages that asked, a second.", "cps",
                   (f"sum by (verdict) (rate(enforcer_decisions_total{{{SWITCH}}}[1m]))", "{{verdict}}"),
                   custom={"stacking": {"mode": "normal"}, "fillOpacity": 60})),
        (12, panel("timeseries", "What block mode would do", "The same calls, had nobody held it back.", "cps",
                   (f"sum by (would_be) (rate(enforcer_decisions_total{{{SWITCH}}}[1m]))", "{{would_be}}"))),
        (8, panel("timeseries", "Live calls", "Calls in progress on each switch.", "none",
                  (f"enforcer_live_calls{{{SWITCH}}}", "{{switch}}"))),
        (8, panel("timeseries", "By rule", "Decisions that a rule had a say in, a minute.", "none",
                  (f'60 * sum by (rule) (rate(enforcer_decisions_total{{{SWITCH}, rule!=""}}[5m]))', "{{rule}}"))),
        (8, panel("timeseries", "Exempt and leased", "Calls no rule was read for, a second; accounts that call "
                  "without asking.", "none",
                  (f"sum by (why) (rate(enforcer_exempt_calls_total{{{SWITCH}}}[5m]))", "exempt: {{why}}"),
                  (f"enforcer_leases{{{SWITCH}}}", "leases on {{switch}}"))),
    ]),
    ("How long it takes", [
        (8, panel("timeseries", "Answers, door to door", "From the bytes of a question to those of its answer.", "s",
                  (quantile("0.5", "enforcer_answer_seconds", "switch, door"), "{{switch}} {{door}} p50"),
                  (quantile("0.99", "enforcer_answer_seconds", "switch, door"), "{{switch}} {{door}} p99"))),
        (8, panel("timeseries", "Decisions", "Of that, counting the attempt and deciding on it.", "s",
                  (quantile("0.5", "enforcer_decision_seconds", "switch"), "{{switch}} p50"),
                  (quantile("0.99", "enforcer_decision_seconds", "switch"), "{{switch}} p99"))),
        (8, panel("timeseries", "Events", "How late events come, and how far the switch's clock is ahead.", "s",
                  (f"enforcer_event_lag_seconds{{{SWITCH}}}", "{{switch}} lag"),
                  (f"enforcer_clock_offset_seconds{{{SWITCH}}}", "{{switch}} clock"), min=None)),
    ]),
    ("What waits, what is missing", [
        (6, panel("timeseries", "Ledger", "Rows that are not on the disk yet, and that never will be.", "none",
                  ("enforcer_ledger_waiting_rows", "{{kind}}"), ("enforcer_ledger_lost_rows_total", "lost"))),
        (6, panel("timeseries", "Orders to switches", "Bytes that a switch has not taken yet.", "bytes",
                  (f"enforcer_link_unsent_bytes{{{SWITCH}}}", "{{switch}}"))),
        (6, panel("timeseries", "Gaps", "Time that was not heard and that no CDRs have filled.", "s",
                  (f"enforcer_gap_seconds{{{SWITCH}}}", "{{switch}}"))),
        (6, panel("timeseries", "Followers", "Happenings that the slowest of them was not told yet.", "none",
                  ("enforcer_feed_waiting", "behind"), ("enforcer_feed_watchers", "who follows"))),
    ]),
    ("Doors, links, messages", [
        (8, panel("timeseries", "Connections to doors", "By what became of them, a second.", "cps",
                  ("sum by (door, outcome) (rate(enforcer_door_connections_total[5m])) > 0",
                   "{{door}} {{outcome}}"))),
        (8, panel("timeseries", "Troubles of links", "In ten minutes.", "none",
                  (f"sum by (switch, kind) (increase(enforcer_link_troubles_total{{{SWITCH}}}[10m])) > 0",
                   "{{switch}} {{kind}}"),
                  (f"increase(enforcer_link_connects_total{{{SWITCH}}}[10m]) > 0", "{{switch}} connects"),
                  (f"increase(enforcer_switch_restarts_total{{{SWITCH}}}[10m]) > 0", "{{switch}} restarts"))),
        (8, panel("timeseries", "Faults", "In ten minutes; the log has a line of that name each time.", "none",
                  ("sum by (kind) (increase(enforcer_faults_total[10m])) > 0", "{{kind}}"))),
        (8, panel("timeseries", "Notices", "Waiting, and delivered or failed in an hour.", "none",
                  ("enforcer_notices_pending", "waiting"),
                  ("sum by (audience, outcome) (increase(enforcer_notices_total[1h]))",
                   "{{audience}} {{outcome}}"))),
        (8, panel("timeseries", "Breaker", "Share that block mode would refuse, of calls and of accounts.",
                  "percentunit", ("enforcer_breaker_refused_ratio", "{{of}}"), max=1)),
        (8, panel("timeseries", "MQTT", "Messages a second, by what became of them; 1 while the broker has us.",
                  "none", ("sum by (outcome) (rate(enforcer_mqtt_messages_total[5m]))", "{{outcome}}"),
                  ("enforcer_mqtt_up", "connected"))),
    ]),
]


def dashboard() -> dict[str, Any]:
    """The whole."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS:
        panels.append({"type": "row", "title": title, "collapsed": False,
                       "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        x, y = 0, y + 1
        height = 4 if row[0][1]["type"] == "stat" else 8
        for width, one in row:
            if x + width > 24:
                x, y = 0, y + height
            panels.append(one | {"gridPos": {"x": x, "y": y, "w": width, "h": height}})
            x += width
        y += height
    numbered = [one | {"id": number} for number, one in enumerate(panels, 1)]
    for one in numbered:                # a lamp shows words, not a name and a number
        if one["type"] == "stat" and one["title"] in ("Mode", "Ceiling", "Version"):
            one["options"] = one["options"] | {"textMode": "name", "colorMode": "none"}
    return {
        "title": "Enforcer", "uid": "enforcer", "schemaVersion": 39, "version": 1, "editable": True,
        "tags": ["telephony"], "timezone": "browser", "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [
            {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"},
            {"name": "switch", "label": "Switch", "type": "query", "datasource": SOURCE, "multi": True,
             "includeAll": True, "allValue": ".*", "refresh": 2,
             "query": {"query": "label_values(enforcer_switch_up, switch)", "refId": "switches"},
             "current": {"text": "All", "value": "$__all"}},
        ]},
        "panels": numbered,
    }


def text() -> str:
    """The file."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    OUT.write_text(text())
