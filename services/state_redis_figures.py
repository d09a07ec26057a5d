"""What the store can say of itself in one question to Redis, for the metrics: numbers and times, no ids and no values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.state_redis import RedisState
from services.state_types import ListKind, RecordState

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARKS = ("ticked", "pass", "cleaned")
_COUNTED_BY_PASS = ("writes", "values_to_espocrm", "values_to_advoware")


def _zeros(*names: str) -> Any:
    return field(default_factory=lambda: dict.fromkeys(names, 0))


@dataclass(frozen=True, slots=True)
class Figures:
    """How the installation stands. Times are seconds since 1970, 0 where there is none yet. Without arguments: empty."""

    counters: Mapping[str, int] = field(default_factory=dict)
    records: Mapping[str, int] = _zeros(*(state.value for state in RecordState))
    links: int = 0
    due: Mapping[str, int] = _zeros("waiting", "retrying", "parked")
    """`retrying`: after a failure of its own."""
    overdue_seconds: float = 0.0
    """How long the key due first has been due: `reconcile` takes it up within a tick."""
    listed: Mapping[str, int] = _zeros(*(kind.value for kind in ListKind))
    listed_records: Mapping[str, int] = _zeros(*(kind.value for kind in ListKind))
    withheld_records: int = 0
    slots: Mapping[str, int] = _zeros("all", "surplus")
    """As the last clean-up counted them."""
    slot_records: Mapping[str, int] = _zeros("above_limit", "with_text")
    """Beteiligte with more slots than the limit, and those with a text behind a slot."""
    ticked_at: float = 0.0
    cleaned_at: float = 0.0
    pass_begun_at: float = 0.0
    pass_records: int = 0
    pass_written: Mapping[str, int] = _zeros(*_COUNTED_BY_PASS)
    """Since the last full pass began: requests that wrote (`writes`), values to each side."""


class RedisFigures(RedisState):
    """The store with eyes on the whole of it."""

    def figures(self) -> Figures:
        """Ask Redis once. Raises as every method of `StateStore`."""
        answers = iter(
            self._all(
                lambda pipe: (
                    pipe.hgetall(self._key("counters")),
                    *(pipe.scard(self._key(f"status:{state.value}")) for state in RecordState),
                    pipe.zcard(self._key("links")),
                    pipe.zcard(self._due_key),
                    pipe.smembers(self._parked_key),
                    pipe.hkeys(self._attempts_key),
                    pipe.zrange(self._due_key, 0, 0, withscores=True),
                    *(pipe.hvals(self._count_key(kind)) for kind in ListKind),
                    pipe.scard(self._key("withheld")),
                    pipe.hmget(self._key("marks"), _MARKS),
                    pipe.hvals(self._key("slots:reports")),
                )
            )
        )
        counters = {name: int(number) for name, number in next(answers).items()}
        records = {state.value: int(next(answers)) for state in RecordState}
        links, due, parked, attempts = next(answers), next(answers), next(answers), next(answers)
        first = next(answers)
        listed = {kind.value: [int(number) for number in next(answers)] for kind in ListKind}
        withheld, marks, reports = next(answers), next(answers), [json.loads(text) for text in next(answers)]
        ticked = marks[0]
        last_pass, slots = (json.loads(mark or "{}") for mark in marks[1:])
        retrying = set(attempts) - parked
        return Figures(
            counters=counters,
            records=records,
            links=int(links),
            due={"waiting": due - len(parked | retrying), "retrying": len(retrying), "parked": len(parked)},
            overdue_seconds=max(0.0, self._clock() - first[0][1]) if first else 0.0,
            listed={kind: sum(numbers) for kind, numbers in listed.items()},
            listed_records={kind: len(numbers) for kind, numbers in listed.items()},
            withheld_records=int(withheld),
            slots={"all": slots.get("slots", 0), "surplus": slots.get("surplus", 0)},
            slot_records={
                "above_limit": sum(bool(report.get("above_limit")) for report in reports),
                "with_text": sum(bool(report.get("with_text")) for report in reports),
            },
            ticked_at=float(ticked or 0),
            cleaned_at=float(slots.get("at", 0)),
            pass_begun_at=float(last_pass.get("begun", 0)),
            pass_records=int(last_pass.get("total", 0)),
            pass_written={
                name: max(0, counters.get(name, 0) - int(last_pass.get(name, 0))) if last_pass else 0
                for name in _COUNTED_BY_PASS
            },
        )
