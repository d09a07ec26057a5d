"""Makes `docs/metrics.md`: every metric as `GET /metrics` tells it, with its labels and what their values are."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from services.metrics import Collector
from services.state_redis_figures import Figures

if TYPE_CHECKING:
    from prometheus_client.core import Metric

HEAD = """# Metrics

*Made by `scripts/generate_docs.py` from `services/metrics.py`; a test fails when it is stale. Do not edit.*

`GET /metrics` with the bearer token `KOMM_METRICS_TOKEN` (else `KOMM_API_TOKEN`), in Prometheus' text format. Counters live
in Redis and ride along with what a run stores anyway, so all processes and instances add up, and **every instance tells the
figures of all**: scrape one, or take `max`, never `sum`, over instances. They begin anew where Redis is lost. No label ever
holds an id or a value. Without Redis there is a 503 instead of figures.

Alert rules are in `ops/prometheus/`, a dashboard is in `ops/grafana/`; what to do about each alert stands in
[BETRIEB.md](BETRIEB.md). The figures of one installation by hand: `python_modules/bin/python -m services.metrics`.

`GET /health` needs no token and says no more than `{"redis": true, "tick": true}`: Redis answers, and `reconcile` has run
within `KOMM_HEALTH_SECONDS` (300). 200 if both are true, else 503. It starts no process.

| metric | type | labels | what |
|---|---|---|---|
"""

FOOT = """
| outcome of a run | means |
|---|---|
| `equal` | nothing to do |
| `written` | written and read back |
| `pending` | there is work this run was not to do: a look; the other direction; withheld removals; shadow mode |
| `failed` | single values were not taken |
| `postponed` | tried again later: a system is down, the record moved |
| `parked` | only a person can help |
| `bug` | the program's own fault |

`failures` has the classes of `services/errors.py` as `kind`, and `SingleValue` for values a system did not take in a run
that went on. `system` is `advoware`, `espocrm`, `redis`, or `none` where it is the pair of records. `answer` is the class of
the HTTP status, `none` without an answer.
"""


def metrics_page() -> str:
    """The whole page."""
    return HEAD + "\n".join(_line(family) for family in Collector(Figures).collect()) + "\n" + FOOT


def _line(family: Metric) -> str:
    name = family.name + ("_total" if family.type == "counter" else "")
    values: dict[str, list[str]] = defaultdict(list)
    for sample in family.samples:
        for label, value in sample.labels.items():
            if label != "le" and value not in values[label]:
                values[label].append(value)
    labels = [f"`{label}`: {', '.join(found)}" for label, found in values.items()]
    labels = labels or [f"`{label}`" for label in getattr(family, "_labelnames", ())]
    return f"| `{name}` | {family.type} | {'; '.join(labels)} | {family.documentation} |"
