"""A short form of the chaos run: `python -m tests.chaos` is the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.run import CONVERGE_SECONDS, DUE_SECONDS, Chaos

if TYPE_CHECKING:
    from pathlib import Path


def test_two_instances_killed_at_will_lose_double_and_resurrect_nothing(tmp_path: Path) -> None:
    # Without reports: one whose event got lost comes again after 90 s, which is nothing for a short form.
    with Chaos(tmp_path, seed=3, pairs=8, reported=0) as chaos:
        outcome = chaos.run(12)
    assert (outcome.lost, outcome.doubled, outcome.resurrected, outcome.texts) == ([], [], [], [])
    assert outcome.stuck == 0
    assert outcome.converged <= CONVERGE_SECONDS
    assert outcome.drained <= DUE_SECONDS
    assert outcome.late_writes == 0
    # The run was no quiet one: people worked, and something was killed.
    counts = outcome.counts
    assert counts["edits by people"] > 10
    assert outcome.values > 48
    ends = ("(SIGKILL)", "(SIGTERM)", "lost power")
    assert sum(number for name, number in counts.items() if name.endswith(ends)) >= 1
