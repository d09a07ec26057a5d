"""The files for Prometheus and Grafana: they parse, and name what there is."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import yaml

from services.metrics import exposition
from services.state_redis_figures import Figures
from tests.metrics.conftest import read

if TYPE_CHECKING:
    from collections.abc import Iterator

OPS = Path(__file__).resolve().parents[2] / "ops"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((OPS / "prometheus" / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
PANELS: list[dict[str, Any]] = json.loads((OPS / "grafana" / "kommunikation.json").read_text())["panels"]
EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in RULES] + [
    (panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]
]
OF_PROMETHEUS = {"up": {"job", "instance"}}


@cache
def known() -> dict[str, set[str]]:
    """Every sample's name, with the names of its labels."""
    found: dict[str, set[str]] = {}
    counters = {"failures:espocrm:ServerError": 1, "webhooks:espocrm:200": 1, "runs:look:equal": 1}
    for family in read(exposition(lambda: Figures(counters)).decode()).families.values():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def selectors(node: Any) -> Iterator[promql_parser.VectorSelector]:
    """Every metric an expression asks for."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        if (inside := getattr(node, name, None)) is not None:
            yield from selectors(inside)
    for inside in getattr(node, "args", None) or ():
        yield from selectors(inside)


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_an_expression_parses_and_names_what_there_is(where: str, expression: str) -> None:
    parsed = promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    asked = list(selectors(parsed))
    assert asked, where
    assert {one.name for one in asked} == set(
        re.findall(r"\b(?:kommunikation_\w+|up)\b", re.sub(r'"[^"]*"', "", expression))
    )
    for one in asked:
        labels = (known() | OF_PROMETHEUS)[one.name]
        assert {matcher.name for matcher in one.matchers.matchers} <= labels, where


def test_values_of_labels_in_the_rules_are_values_there_are() -> None:
    text = exposition(Figures).decode()
    for _, expression in EXPRESSIONS:
        for name, value in re.findall(r'(outcome|state|list|reason|kind)="(\w+)"', expression):
            assert f'{name}="{value}"' in text


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(expression for _, expression in EXPRESSIONS[len(RULES) :])
    names = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in known()}
    assert {name for name in names if name not in shown} == set()


def test_every_instance_tells_the_whole_so_nothing_is_summed_over_instances() -> None:
    for where, expression in EXPRESSIONS:
        assert "max" in expression, where
        for grouping in re.findall(r"sum\b([^(]*)\(", expression):
            assert "by" in grouping or "without" in grouping, where


def test_alerts_have_a_severity_and_say_what_is_the_matter() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule["alert"].startswith("Kommunikation")
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"].endswith((".", "?"))
    quiet = (OPS / "prometheus" / "alerts-test.yml").read_text()
    assert f"value: {len(names)}}}" in quiet, "each alert has its figures of trouble there"
    assert yaml.safe_load(quiet)["rule_files"] == ["alerts.yml"]


def test_the_example_of_a_configuration_scrapes_the_job_the_rules_ask_for() -> None:
    example = yaml.safe_load((OPS / "prometheus" / "prometheus.yml").read_text())
    assert [job["job_name"] for job in example["scrape_configs"]] == ["kommunikation"]
    assert any('job="kommunikation"' in rule["expr"] for rule in RULES)
