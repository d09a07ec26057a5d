"""Prometheus' form of what the sync counts: `python -m services.metrics` prints it, and `GET /metrics` (gate/metrics.ts).

All processes and instances add to the same counters in Redis, so every instance tells the same, whole figures: scrape one of
them, or take `max`, not `sum`, over instances. What each metric means: docs/metrics.md.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest

from services.errors import SyncError, Unconfigured
from services.tally import BUCKETS_MS, LEASE_BUSY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client.core import Metric

    from services.state_redis_figures import Figures

_PREFIX = "kommunikation_"
_LABEL = re.compile(r"[A-Za-z0-9_]{1,40}")

# Family: labels, help, and those sets of labels that are told from the start, as a rate needs a first value.
_SYSTEMS = ("advoware", "espocrm")
_WRITES = {
    "advoware": ("create_entry", "write_entry", "empty_entry", "set_marker", "restore_entry"),
    "espocrm": ("add_item", "replace_item", "remove_item"),
}
_OUTCOMES = ("equal", "written", "pending", "failed", "parked", "postponed", "bug")
_COUNTERS: dict[str, tuple[tuple[str, ...], str, list[tuple[str, ...]]]] = {
    "runs": (
        ("kind", "outcome"),
        "Looks at one record and syncs of one, by what came of them.",
        [(kind, outcome) for kind in ("look", "sync") for outcome in _OUTCOMES],
    ),
    "writes": (
        ("system", "kind"),
        "Changes carried out in a system, read back.",
        [(system, kind) for system, kinds in _WRITES.items() for kind in kinds],
    ),
    "failures": (("system", "kind"), "Failures by system and class of error.", []),
    "requests": (
        ("system", "answer"),
        "Requests to a system by class of their answer.",
        [(system, answer) for system in _SYSTEMS for answer in ("2xx", "4xx", "5xx", "none")],
    ),
    "ticks": (("outcome",), "Runs of reconcile.", [("done",), ("failed",)]),
    "webhooks": (("quelle", "status"), "Webhooks answered by the gate, by HTTP status.", []),
    "webhook_ids": (("quelle",), "Ids noted as due from webhooks.", [("espocrm",), ("advoware",)]),
}


class Collector:
    """Makes the families from what `read` gives, anew with each scrape."""

    def __init__(self, read: Callable[[], Figures]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """All families. Raises what `read` raises: no figures at all are better than some."""
        figures = self._read()
        for family, (labels, text, known) in _COUNTERS.items():
            yield _counter(family, labels, text, _of(figures.counters, family, len(labels)), known)
        yield _counter("lease_busy", (), "Records that another worker had.", {(): figures.counters.get(LEASE_BUSY, 0)}, [])
        yield _histogram(figures.counters)
        yield from _gauges(figures)


def _of(counters: Mapping[str, int], family: str, labels: int) -> dict[tuple[str, ...], int]:
    """The counters of a family by their labels. A name that is not made of the code's own words is left out."""
    found = {}
    for name, number in counters.items():
        first, *rest = name.split(":")
        if first == family and len(rest) == labels and all(_LABEL.fullmatch(one) for one in rest):
            found[tuple(rest)] = number
    return found


def _counter(
    family: str, labels: tuple[str, ...], text: str, found: dict[tuple[str, ...], int], known: list[tuple[str, ...]]
) -> CounterMetricFamily:
    made = CounterMetricFamily(_PREFIX + family, text, labels=labels)
    for values, number in sorted({**dict.fromkeys(known, 0), **found}.items()):
        made.add_metric(values, number)
    return made


def _histogram(counters: Mapping[str, int]) -> HistogramMetricFamily:
    made = HistogramMetricFamily(_PREFIX + "run_seconds", "Time a look or a sync of one record took.", labels=("kind",))
    within, summed = _of(counters, "run_le", 2), _of(counters, "run_ms", 1)
    for kind in ("look", "sync"):
        buckets, total = [], 0
        for bound in (*BUCKETS_MS, "inf"):
            total += within.get((kind, str(bound)), 0)
            buckets.append(("+Inf" if isinstance(bound, str) else str(bound / 1000), float(total)))
        made.add_metric((kind,), buckets=buckets, sum_value=summed.get((kind,), 0) / 1000)
    return made


def _gauges(figures: Figures) -> Iterator[GaugeMetricFamily]:
    yield _gauge("records", "Records by how they stand.", figures.records, "state")
    yield _gauge("linked_records", "Records linked to a Beteiligter.", figures.links)
    yield _gauge("due", "Keys of the due list.", figures.due, "state")
    yield _gauge("due_overdue_seconds", "How long the key due first has been due.", figures.overdue_seconds)
    yield _gauge("listed", "Entries of the lists that nobody acknowledged.", figures.listed, "list")
    yield _gauge("listed_records", "Records with such entries.", figures.listed_records, "list")
    yield _gauge("withheld_records", "Records whose removals wait for a release.", figures.withheld_records)
    yield _gauge("slots", "Slots, as the last clean-up counted them.", figures.slots, "kind")
    yield _gauge("slot_records", "Beteiligte to be cleaned up by hand.", figures.slot_records, "reason")
    yield _gauge("last_tick_timestamp_seconds", "When reconcile ran last.", figures.ticked_at)
    yield _gauge("last_cleanup_timestamp_seconds", "When slots were counted last.", figures.cleaned_at)
    yield _gauge("last_pass_timestamp_seconds", "When the last full pass began.", figures.pass_begun_at)
    yield _gauge("last_pass_records", "Records of the last full pass.", figures.pass_records)
    yield _gauge("last_pass_written", "Written since the last full pass began.", figures.pass_written, "what")


def _gauge(name: str, text: str, value: float | Mapping[str, int], label: str = "") -> GaugeMetricFamily:
    made = GaugeMetricFamily(_PREFIX + name, text, labels=(label,) if label else ())
    values = {(): value} if isinstance(value, int | float) else {(key,): number for key, number in value.items()}
    for labels, number in values.items():
        made.add_metric(labels, number)
    return made


def exposition(read: Callable[[], Figures]) -> bytes:
    """The text Prometheus reads (`text/plain; version=0.0.4`)."""
    registry = CollectorRegistry()
    registry.register(Collector(read))
    return generate_latest(registry)


def main() -> int:
    """Print the metrics. Exit code 1 with a sentence where Redis or its address is missing."""
    from services.state_redis_figures import RedisFigures

    try:
        url = os.environ.get("REDIS_URL", "").strip() or _from_file()
        if not url:
            raise Unconfigured("REDIS_URL is not set.")
        told = exposition(RedisFigures.connect(url).figures)
    except SyncError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.buffer.write(told)
    return 0


def _from_file() -> str:
    """The address in `.env`. The gate knows it already, and its scrapes need not load the settings' package."""
    from services.config import environment

    return environment().get("REDIS_URL", "").strip()


if __name__ == "__main__":
    sys.exit(main())
