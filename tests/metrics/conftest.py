"""Step processes, both sandboxes and a real Redis, as for the budget; and the exposition, read as Prometheus reads it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from tests.budget.conftest import ROOT, budget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client.core import Metric

__all__ = ["budget"]


class Scrape(NamedTuple):
    """One scrape: all samples by name and labels, and the families."""

    samples: dict[str, float]
    families: dict[str, Metric]

    def __sub__(self, before: Scrape) -> dict[str, float]:
        """What has changed since another scrape."""
        grown = {name: value - before.samples.get(name, 0.0) for name, value in self.samples.items()}
        return {name: change for name, change in grown.items() if change}


def read(text: str) -> Scrape:
    """Parse an exposition. Samples are named as PromQL names them, labels sorted."""
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = {}
    for family in families.values():
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in samples, f"told twice: {name}"
            samples[name] = sample.value
    return Scrape(samples, families)


def scrape(env: Mapping[str, str]) -> Scrape:
    """What `GET /metrics` gives."""
    command = [sys.executable, "-m", "services.metrics"]
    done = subprocess.run(command, env=dict(env), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return read(done.stdout)
