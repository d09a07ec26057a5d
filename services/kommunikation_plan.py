"""From rows to operations: what a run will do, why, and what it leaves to people. Pure.

Two passes. The first judges each line: may its value go to EspoCRM at all, does the valve let a removal pass, does the
run's direction cover it. Only then is it known which items must stay in EspoCRM, and the second pass makes operations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.kommunikation_diff import Comparison, compare
from services.kommunikation_entry import Entry
from services.kommunikation_judge import Fate, Judge
from services.kommunikation_rows import Rows
from services.kommunikation_rules import SHORT_MARKER, Answers, Finding, Rules, finding
from services.kommunikation_types import MarkerForm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.kommunikation_diff import Line
    from services.kommunikation_entry import BaseView
    from services.kommunikation_ops import Arrays, Operation
    from services.kommunikation_types import Art, Beteiligter, EspoRecord

__all__ = ["Answers", "Finding", "Plan", "Rules", "make_plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do. `fates`: what becomes of each line of the comparison.

    `operations` in order of execution; `arrays` what EspoCRM gets, computed from them.

    `questions`: numbers and addresses to ask EspoCRM about before the plan can be carried out (key, value as EspoCRM
    spells it). `moves`: changes of type under way after this run. `withheld`: canonical keys the valve kept.
    `removals`: different values that rows 2, 8 and 11 remove; `linked`: different values that have a base.
    `absence`: decided by what is not there, so both sides have to be read a second time.
    """

    comparison: Comparison
    fates: tuple[tuple[Line, Fate], ...]
    operations: tuple[Operation, ...]
    arrays: Arrays
    conflicts: tuple[Finding, ...]
    held_back: tuple[Finding, ...]
    notices: tuple[Finding, ...]
    pending: tuple[Finding, ...]
    valve: tuple[Finding, ...]
    questions: Mapping[Art, tuple[tuple[str, str], ...]] = field(repr=False)
    moves: Mapping[int, int]
    absence: bool
    unfinished: frozenset[int]
    withheld: frozenset[str] = field(repr=False, default=frozenset())
    removals: int = 0
    linked: int = 0


def _short_markers(comparison: Comparison) -> list[Finding]:
    """Entries whose remark has no room for the whole marker: without the base store their base would be lost."""
    short = [line for line in comparison.lines if isinstance(line.subject, Entry) and not line.subject.blank]
    return [
        finding("marker", line, SHORT_MARKER[line.entry.form]) for line in short if line.entry.form is not MarkerForm.FULL
    ]


def make_plan(beteiligter: Beteiligter, record: EspoRecord, view: BaseView, rules: Rules, answers: Answers) -> Plan:
    """The plan for one pair of records: a pure function of what was read, the base, the rules and EspoCRM's answers."""
    comparison = compare(beteiligter, record, view)
    judge = Judge(comparison, view, rules, answers)
    rows = Rows(comparison, record, view, judge)
    rows.make()
    return Plan(
        comparison=comparison,
        fates=tuple(judge.fates),
        operations=rows.operations(),
        arrays=rows.edit.arrays(),
        conflicts=tuple(judge.conflicts),
        held_back=tuple(judge.held_back),
        notices=(*rows.types.notices, *_short_markers(comparison)),
        pending=tuple(judge.pending),
        valve=tuple(judge.valve),
        questions=rows.questions(),
        moves=rows.types.moves,
        absence=judge.needs_second_reading(),
        unfinished=frozenset(rows.types.unfinished),
        removals=judge.removals,
        linked=judge.linked,
        withheld=judge.withheld(),
    )
