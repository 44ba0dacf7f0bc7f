"""The dashboard, the alerts and the docs name metrics that there are, with their labels."""

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from voiceagent.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "deploy" / "grafana" / "voiceagent.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
CASES = Path(__file__).with_name("alerts_cases.yaml")

OF_THE_SCRAPE = {"instance", "job", "worker"}
"""Labels that Prometheus adds, or the worker."""
NO_METRICS = {"voiceagent_token"}
"""Other things that are named so."""
SELECTOR = re.compile(r"\b((?:voiceagent|process|python)_[a-z0-9_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'([a-z_]+)\s*(=~|!=|=|!~)\s*"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")


@functools.cache
def series() -> dict[str, set[str]]:
    """The labels of every series that `/metrics` can have, by the series' name."""
    metrics = Metrics()
    found = {}
    for collector in metrics.collectors:
        labels = set(getattr(collector, "_labelnames", ()))
        for family in collector.collect():
            names = {
                "counter": [f"{family.name}_total"],
                "histogram": [f"{family.name}{end}" for end in ("_bucket", "_sum", "_count")],
            }.get(family.type, [family.name])
            for name in names:
                found[name] = labels | ({"le"} if name.endswith("_bucket") else set())
    return found


@functools.cache
def known_values() -> dict[tuple[str, str], set[str]]:
    """The values of labels that are there from the start."""
    found: dict[tuple[str, str], set[str]] = {}
    for family in text_string_to_metric_families(Metrics().text().decode()):
        for sample in family.samples:
            for label, value in sample.labels.items():
                found.setdefault((sample.name, label), set()).add(value)
    return found


def faults(expression: str) -> Iterator[str]:
    """What an expression names that is not there."""
    there, values = series(), known_values()
    labels_used = set(OF_THE_SCRAPE)
    selectors = SELECTOR.findall(expression)
    if not selectors:
        yield "names no metric"
    for name, matchers in selectors:
        if name not in there:
            yield f"there is no {name}"
            continue
        labels_used |= there[name]
        for label, operator, value in MATCHER.findall(matchers):
            if label not in there[name] | OF_THE_SCRAPE:
                yield f"{name} has no label {label}"
            known = values.get((name, label), set())
            if known and operator in {"=", "=~"} and not set(value.split("|")) <= known:
                yield f"{label} of {name} is never {value}"
    for group in GROUPING.findall(expression):
        for label in filter(None, (part.strip() for part in group.split(","))):
            if label not in labels_used:
                yield f"grouped by {label}, which none of its metrics has"


def panels() -> list[dict[str, Any]]:
    return json.loads(DASHBOARD.read_text())["panels"]


def rules() -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    ]


class TestTheReaderOfExpressions:
    @pytest.mark.parametrize(
        "expression",
        [
            "sum(voiceagent_calls)",
            'voiceagent_calls_ended_total{cause="error"}',
            'voiceagent_calls_ended_total{reason="errror"}',
            "sum by (engine) (rate(voiceagent_calls_ended_total[5m]))",
            "rate(voiceagent_response_seconds[5m])",
            "vector(1)",
        ],
    )
    def test_it_finds_what_is_wrong(self, expression: str) -> None:
        assert list(faults(expression))

    def test_it_lets_pass_what_is_right(self) -> None:
        expression = 'sum by (le) (rate(voiceagent_response_seconds_bucket{instance=~"a"}[5m]))'
        assert list(faults(expression)) == []


class TestTheDashboard:
    def test_names_metrics_that_there_are(self) -> None:
        found = {
            (panel["title"], fault)
            for panel in panels()
            for target in panel.get("targets", [])
            for fault in faults(target["expr"])
        }
        assert found == set()

    def test_shows_every_metric(self) -> None:
        text = " ".join(t["expr"] for panel in panels() for t in panel.get("targets", []))
        shown = {name for name, _ in SELECTOR.findall(text)}
        families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
        ours = {
            re.sub(r"_(bucket|sum|count)$", "", name)
            for name, labels in series().items()
            if name.startswith("voiceagent_")
        }
        assert ours - families == set()

    def test_its_panels_lie_side_by_side(self) -> None:
        assert len({panel["id"] for panel in panels()}) == len(panels())
        taken: set[tuple[int, int]] = set()
        for panel in panels():
            place = panel["gridPos"]
            cells = {
                (place["x"] + x, place["y"] + y)
                for x in range(place["w"])
                for y in range(place["h"])
            }
            assert not cells & taken, panel["title"]
            assert all(x < 24 for x, _ in cells)
            taken |= cells

    def test_asks_the_data_source_that_was_chosen(self) -> None:
        dashboard = json.loads(DASHBOARD.read_text())
        assert [v["name"] for v in dashboard["templating"]["list"]] == ["datasource", "instance"]
        for panel in panels():
            if panel["type"] != "row":
                assert panel["datasource"]["uid"] == "${datasource}"
                assert panel["fieldConfig"]["defaults"]["unit"]


class TestTheAlerts:
    def test_name_metrics_that_there_are(self) -> None:
        found = {(rule["alert"], fault) for rule in rules() for fault in faults(rule["expr"])}
        assert found == set()

    def test_each_says_how_bad_it_is_and_what_to_do(self) -> None:
        names = [rule["alert"] for rule in rules()]
        assert len(set(names)) == len(names)
        headings = re.findall(
            r"^### (\w+)$", (ROOT / "docs" / "operate.md").read_text(), re.MULTILINE
        )
        for rule in rules():
            assert rule["labels"]["severity"] in {"critical", "warning"}
            assert rule["annotations"]["summary"].endswith(".")
            assert rule["annotations"]["runbook"] == f"docs/operate.md#{rule['alert'].lower()}"
            assert rule["alert"] in headings
        assert {h for h in headings if h.startswith("Voiceagent")} == set(names)

    def test_each_has_a_case_in_which_it_is_raised(self) -> None:
        told = CASES.read_text()
        assert [rule["alert"] for rule in rules() if rule["alert"] not in told] == []

    @pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool here")
    @pytest.mark.parametrize(
        "command",
        [("check", "rules", str(ALERTS)), ("test", "rules", str(CASES))],
        ids=["check", "test"],
    )
    def test_as_prometheus_itself_reads_them(self, command: tuple[str, ...]) -> None:
        done = subprocess.run(
            ["promtool", *command], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


class TestTheDocs:
    def test_have_every_metric_and_no_other(self) -> None:
        text = (ROOT / "docs" / "metrics.md").read_text()
        told = {}
        for name, kind, labels, meaning in re.findall(
            r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.+) \|$", text, re.MULTILINE
        ):
            words = re.findall(r"`(\w+)`", labels)
            told[name] = (kind, set(words))
            assert meaning
        ours = {}
        metrics = Metrics()
        for collector in metrics.collectors:
            for family in collector.collect():
                if family.name.startswith("voiceagent_"):
                    name = f"{family.name}_total" if family.type == "counter" else family.name
                    ours[name] = (family.type, set(getattr(collector, "_labelnames", ())))
        assert told == ours

    def test_name_no_metric_that_is_not_there(self) -> None:
        there = set(series()) | {re.sub(r"_(bucket|sum|count)$", "", name) for name in series()}
        texts = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.y*ml")]
        named = {
            (path.name, name)
            for path in texts
            for name in re.findall(r"\bvoiceagent_[a-z0-9_]+", path.read_text())
            if name not in NO_METRICS
        }
        assert {(file, name) for file, name in named if name not in there} == set()
