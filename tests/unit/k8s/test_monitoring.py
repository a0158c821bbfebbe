"""Dashboard and alerts ask for what the dispatcher exports, by its names and labels."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pinnace.dispatcher.metrics import Metrics
from pinnace.dispatcher.upkeep_metrics import UpkeepMetrics

_FOLDER = Path(__file__).parents[3] / "k8s" / "monitoring"
_DASHBOARD = json.loads((_FOLDER / "dashboard.json").read_text())
_RULE, _MONITOR = yaml.safe_load_all((_FOLDER / "prometheus-rule.yaml").read_text())
_TRIALS = yaml.safe_load((_FOLDER / "alerts_test.yaml").read_text())
_ALERTS = [rule for group in _RULE["spec"]["groups"] for rule in group["rules"]]
_METRIC = re.compile(r"\b(?:velero|pinnace)_[a-z_]+")
_SELECTED = re.compile(r"((?:velero|pinnace)_[a-z_]+)\{([a-z_]+)")


def exported() -> dict[str, set[str]]:
    """The labels of each series that the dispatcher can export, by its name."""
    metrics = Metrics()
    UpkeepMetrics(metrics.registry)
    names: dict[str, set[str]] = {}
    for family in metrics.registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        for suffix in suffixes:
            names[family.name + suffix] = set(labels_of(metrics, family.name))
    return names


def labels_of(metrics: Metrics, name: str) -> Iterator[str]:
    collectors: Any = metrics.registry._names_to_collectors
    yield from collectors[name]._labelnames


def expressions() -> list[str]:
    """Every query of the dashboard, its variables included, and of the alerts."""
    panels = [target["expr"] for panel in _DASHBOARD["panels"] for target in panel["targets"]]
    variables = [v["query"]["query"] for v in _DASHBOARD["templating"]["list"] if v["type"] == "query"]
    return [*panels, *variables, *(alert["expr"] for alert in _ALERTS)]


@pytest.mark.parametrize("expression", expressions())
def test_each_query_names_series_that_are_exported_and_their_labels(expression: str) -> None:
    known = exported()
    assert _METRIC.findall(expression)
    assert [name for name in _METRIC.findall(expression) if name not in known] == []
    assert [(name, label) for name, label in _SELECTED.findall(expression) if label not in known[name]] == []
    assert expression.count("(") == expression.count(")")


def test_each_alert_says_what_it_is_and_what_to_do() -> None:
    known = exported()
    for alert in _ALERTS:
        assert set(alert) - {"for"} == {"alert", "expr", "labels", "annotations"}
        assert alert["labels"]["severity"] in ("critical", "warning", "info")
        assert set(alert["annotations"]) == {"summary", "description"}
        labels = set.union(*(known[name] for name in _METRIC.findall(alert["expr"])))
        assert set(re.findall(r"\$labels\.(\w+)", str(alert["annotations"]))) <= labels
    assert len({alert["alert"] for alert in _ALERTS}) == len(_ALERTS)


def test_every_family_is_on_the_dashboard_or_in_an_alert() -> None:
    asked = set(_METRIC.findall(" ".join(expressions())))
    unseen = {name for name in exported() if name not in asked}
    assert unseen == {
        "velero_backup_duration_seconds_sum",
        "velero_backup_duration_seconds_count",
        "velero_backup_deletion_attempt_total",
        "pinnace_backup_page_bytes",
    }


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in _DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells
    assert len({panel["id"] for panel in _DASHBOARD["panels"]}) == len(_DASHBOARD["panels"])


def test_the_service_is_scraped_at_the_port_that_it_has() -> None:
    service = yaml.safe_load((_FOLDER.parent / "base" / "service.yaml").read_text())
    assert _MONITOR["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [each["port"] for each in _MONITOR["spec"]["endpoints"]] == [p["name"] for p in service["spec"]["ports"]]


def test_each_alert_is_tried_firing_and_is_named_as_it_is() -> None:
    """`./just promtool` runs these; that they are all there is seen without it."""
    trials = [trial for test in _TRIALS["tests"] for trial in test["alert_rule_test"]]
    assert {trial["alertname"] for trial in trials if trial.get("exp_alerts")} == {each["alert"] for each in _ALERTS}
    known = exported()
    for test in _TRIALS["tests"]:
        for series in test["input_series"]:
            name, _, label = series["series"].partition("{")
            assert {label.partition("=")[0]} - {""} <= known[name], series
