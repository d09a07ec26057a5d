"""Counts of what happens, for the metrics. They ride along with what a run stores anyway: no question to Redis is for them.

A counter is a field of one hash in Redis, so that all processes and instances add to it. Its name is the metric's family and
its labels with `:` between them ('runs:look:equal'). Labels come from the code and are few; never an id, never a value.
`services/metrics.py` makes Prometheus' form of them.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter

BUCKETS_MS = (50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000)
"""Upper bounds of the histogram of run times; what is slower stands under 'inf'."""

LEASE_BUSY = "lease_busy"
"""Counter of leases that another worker had (in `services/state_redis_lease.py`'s script as well)."""


def run_counts(kind: str, outcome: str, seconds: float) -> Counter[str]:
    """One run over one record. `kind`: look or sync; `outcome`: as in the table of metrics (docs/metrics.md)."""
    took = round(seconds * 1000)
    place = bisect_left(BUCKETS_MS, took)
    bound = BUCKETS_MS[place] if place < len(BUCKETS_MS) else "inf"
    return Counter({f"runs:{kind}:{outcome}": 1, f"run_ms:{kind}": took, f"run_le:{kind}:{bound}": 1})


def failure_counts(error: Exception) -> Counter[str]:
    """One failure, by the system it is about and the class of its error (`services/errors.py`)."""
    system = str(getattr(error, "system", "")).lower() or "none"
    return Counter({f"failures:{system}:{type(error).__name__}": 1})


def value_failures(system: str, number: int) -> Counter[str]:
    """Single values a system did not take in a run that went on."""
    return Counter({f"failures:{system}:SingleValue": number} if number else {})


class Tally:
    """Counts of this process that wait to be stored. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def request(self, system: str, status: int | None) -> None:
        """One request to a system was answered with this status, or (None) not at all."""
        answer = "none" if status is None else f"{status // 100}xx"
        with self._lock:
            self._counts[f"requests:{system.lower()}:{answer}"] += 1

    def take(self) -> Counter[str]:
        """Give what has been counted since the last time."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken


REQUESTS = Tally()
"""Requests of this process to both systems."""
