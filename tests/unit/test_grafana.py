"""The dashboard and the alerts speak of metrics that an enforcer has, and Prometheus takes the rules."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from enforcer.domain.call import CallAttempt, Direction
from enforcer.telemetry import Telemetry
from lab.provision import ROOT
from tests.support.house import House, one_rule
from tests.support.parts import provided
from tests.support.running import built

GRAFANA = ROOT / "docker" / "grafana"
NOW = 1_795_309_510.0
PACK = one_rule()
MORE = """
[[switch]]
name = "pbx1"
secret_env = "TEST_AMI_SECRET"
[door.agi]
enabled = true
[mqtt]
url = "mqtt://127.0.0.1:1"
"""
WORDS = {"by", "le", "and", "rate", "sum", "abs", "increase", "histogram_quantile"}


@pytest.fixture
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, set[str]]:
    """Each series that an enforcer can have, and its labels."""
    monkeypatch.setenv("TEST_AMI_SECRET", "s3cret-of-the-test")
    site = House(tmp_path, PACK, MORE)
    telemetry = Telemetry(CollectorRegistry())
    found: dict[str, set[str]] = {"up": {"job", "instance"}}
    with built(site.config, lambda: NOW, telemetry) as house:
        call = CallAttempt(
            call_id="pbx1/1", account="acme", number="911", caller="", at=NOW, direction=Direction.OUTBOUND,
            switch="pbx1",
        )
        house.admission.admit(call)
        house.readings.take(NOW)
        house.watching.measure()
        telemetry.fault("x")
        telemetry.notices.labels("ops", "delivered").inc()
        telemetry.breaker_share.labels("calls").set(0)
        assert house.room.mqtt is not None
        house.room.mqtt.messages.labels("told").inc()
        for family in telemetry.registry.collect():
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> Iterator[tuple[str, str]]:
    dashboard = json.loads((GRAFANA / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    query = dashboard["templating"]["list"][1]["query"]["query"]
    yield "switch", re.sub(r"label_values\((.*), .*", r"\1", query)
    for group in yaml.safe_load((GRAFANA / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def test_every_expression_names_metrics_and_labels_that_exist(metrics: Mapping[str, set[str]]) -> None:
    asked = list(expressions())
    assert len(asked) > 40
    for where, expression in asked:
        names = set(re.findall(r"\b(enforcer_\w+|up)\b(?=[{\[ )]|$)", expression))
        assert names, (where, expression)
        assert names <= metrics.keys(), (where, names - metrics.keys())
        labels = {name for some in re.findall(r"by \(([^)]*)\)", expression) for name in some.split(", ")}
        labels |= set(re.findall(r'(\w+)(?:=~|!=|=)"', expression))
        assert labels <= set().union(*(metrics[name] for name in names)), (where, labels)


def test_legends_and_summaries_name_labels_that_their_expression_keeps(
    metrics: Mapping[str, set[str]],
) -> None:
    for group in yaml.safe_load((GRAFANA / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("page", "ticket")
            told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
            kept = {name for some in re.findall(r"by \(([^)]*)\)", rule["expr"]) for name in some.split(", ")}
            names = set(re.findall(r"\benforcer_\w+\b", rule["expr"]))
            assert told <= (kept or set().union(*(metrics[name] for name in names), set())), rule["alert"]


def test_the_dashboard_is_what_its_script_writes() -> None:
    made: Any = runpy.run_path(str(GRAFANA / "make_dashboard.py"))["text"]()
    assert (GRAFANA / "dashboard.json").read_text() == made


def test_no_panel_lies_upon_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((GRAFANA / "dashboard.json").read_text())["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_what_the_graphs_mount_is_there() -> None:
    services = yaml.safe_load((ROOT / "docker" / "compose.graphs.yml").read_text())["services"]
    for told in services.values():
        assert (told["read_only"], told["cap_drop"]) == (True, ["ALL"])
        assert "ports" not in told
        for volume in told["volumes"]:
            assert (ROOT / "docker" / volume.split(":")[0]).exists()
            assert volume.endswith(":ro")


@pytest.mark.parametrize("words", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml"),
                                   ("check", "config", "--syntax-only", "prometheus.yml")])
def test_prometheus_takes_the_rules_and_they_fire_when_they_should(words: tuple[str, ...]) -> None:
    promtool = provided("prometheus")["prometheus"].command("promtool")
    done = subprocess.run([*promtool, *words], cwd=GRAFANA, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
