"""Small plots as SVG, made of numbers only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from services.state_types import HOUR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.state import Sample

WIDTH, HEIGHT = 640, 150
HOURS = 72
_DAY = 24


def throughput(samples: Sequence[Sample], now: float | None = None) -> dict[str, Any]:
    """Bars: values carried over in each of the last 72 hours. Counters that begin anew (Redis was lost) count from 0."""
    last = int((time.time() if now is None else now) // HOUR)
    by_hour = {sample.at // HOUR: sample for sample in samples}
    hours = range(last - HOURS + 1, last + 1)
    amounts = []
    before = next((s for s in reversed(samples) if s.at // HOUR < hours[0]), None)
    for hour in hours:
        sample = by_hour.get(hour)
        amounts.append((_more(sample, before, "to_espocrm"), _more(sample, before, "to_advoware")))
        before = sample or before
    top = max((sum(pair) for pair in amounts), default=0) or 1
    step = WIDTH / HOURS
    bars = []
    for at, (out, into) in enumerate(amounts):
        low, high = HEIGHT * out / top, HEIGHT * into / top
        bars.append({"x": round(at * step + 1, 1), "out": round(low, 1), "into": round(high, 1)})
    totals = [sum(side) for side in zip(*amounts, strict=True)]
    return {"bars": bars, "top": top, "width": round(step - 2, 1), "out": totals[0], "into": totals[1], "hours": HOURS}


def _more(sample: Sample | None, before: Sample | None, name: str) -> int:
    if sample is None:
        return 0
    now, then = int(getattr(sample, name)), int(getattr(before, name)) if before is not None else 0
    return now - then if now >= then else now


def slots(samples: Sequence[Sample]) -> dict[str, Any] | None:
    """A line: slots of all Beteiligte as the nightly clean-up counted them, at most one point a day. None: never counted."""
    by_day = {sample.at // (HOUR * _DAY): (sample.at, sample.slots) for sample in samples if sample.slots is not None}
    points = [(at, count or 0) for at, count in by_day.values()]
    if not points:
        return None
    first, last = points[0][0], max(points[-1][0], points[0][0] + 1)
    top = max(count for _, count in points) or 1
    line = [
        (round((at - first) / (last - first) * WIDTH, 1), round(HEIGHT - count / top * HEIGHT, 1)) for at, count in points
    ]
    if len(line) == 1:
        line.append((float(WIDTH), line[0][1]))
    return {
        "line": " ".join(f"{x},{y}" for x, y in line),
        "top": top,
        "now": points[-1][1],
        "before": points[0][1],
        "since": points[0][0],
    }
