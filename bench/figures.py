"""What a bench gives: rows of a table, each with its floor and target, and the little arithmetic behind them."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_HEAD = ("figure", "median", "floor", "ratio", "target", "")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    `value` and `floor` are in `unit`. The target (`at_most`, `at_least` or `exactly`) is for `ratio` where there is one,
    else for the value. Without a target a figure only informs.
    """

    name: str
    value: float
    unit: str = ""
    floor: float | None = None
    ratio: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    exactly: float | None = None
    note: str = ""

    @property
    def target(self) -> str:
        """The target in words, '' without one."""
        for word, limit in (("<=", self.at_most), (">=", self.at_least), ("=", self.exactly)):
            if limit is not None:
                return f"{word} {short(limit)}"
        return ""

    @property
    def met(self) -> bool:
        """Whether the target is met; True without one."""
        judged = self.value if self.ratio is None else self.ratio
        if self.exactly is not None:
            return judged == self.exactly
        if self.at_most is not None:
            return judged <= self.at_most
        return self.at_least is None or judged >= self.at_least

    @property
    def verdict(self) -> str:
        """`ok` or `MISSED` where there is a target."""
        return "" if not self.target else "ok" if self.met else "MISSED"

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        floor = "" if self.floor is None else f"{short(self.floor)} {self.unit}".strip()
        ratio = "" if self.ratio is None else short(self.ratio)
        last = "; ".join(part for part in (self.verdict, self.note) if part)
        return (self.name, f"{short(self.value)} {self.unit}".strip(), floor, ratio, self.target, last)


@dataclass(slots=True)
class Result:
    """All figures of one bench. `about`: one sentence on how they were measured."""

    name: str
    about: str
    figures: list[Figure] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str = "", **more: Any) -> None:
        """Add a figure; `more` as for `Figure`."""
        self.figures.append(Figure(name, value, unit, **more))

    def count(self, name: str, found: int, floor: int, note: str = "") -> None:
        """Add a count that has to be its floor exactly."""
        self.add(name, found, floor=floor, ratio=found / floor, exactly=1, note=note)

    def lines(self) -> list[str]:
        """The table as Markdown, the form of the page in docs."""
        rows = [_HEAD, *(figure.cells() for figure in self.figures)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        told = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
        told.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return [f"### {self.name}", "", self.about, "", *told, ""]

    def as_json(self) -> dict[str, Any]:
        """The form for comparison over time."""
        figures = [asdict(figure) | {"target": figure.target, "verdict": figure.verdict} for figure in self.figures]
        return {"name": self.name, "about": self.about, "figures": figures}


def short(value: float) -> str:
    """A figure with the three digits that a measurement has."""
    if value == int(value) and abs(value) < 1e9:  # noqa: PLR2004 - up to here a float shows all its digits
        return f"{int(value):,}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"  # noqa: PLR2004 - three digits are what is measured


def seconds(work: Callable[[], object], *, clock: Callable[[], float] = time.perf_counter) -> float:
    """How long `work` takes by this clock (`time.process_time`: what it used of the processor, whoever else runs)."""
    started = clock()
    work()
    return clock() - started


def in_turns(works: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """The measurements of each of `works`, taken in turns, so that a machine that slows down slows all of them down."""
    found: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        for position in range(len(works)):
            chosen = (position + number) % len(works)
            found[chosen].append(works[chosen]())
    return found


def median(values: Iterable[float]) -> float:
    """The median; of nothing it is 0."""
    found = list(values)
    return statistics.median(found) if found else 0.0


def ratio(ours: Sequence[float], floors: Sequence[float]) -> float:
    """The median of the ratios of what was measured side by side."""
    return median(mine / floor for mine, floor in zip(ours, floors, strict=True))


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """The `k` of `time = c * size ** k`: the slope of the least-squares line through the logarithms."""
    xs, ys = [math.log(size) for size in sizes], [math.log(value) for value in times]
    return statistics.linear_regression(xs, ys).slope
