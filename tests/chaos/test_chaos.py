"""A short form of the chaos run: `python -m tests.chaos` is the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.run import CONVERGE_SECONDS, Chaos

if TYPE_CHECKING:
    from pathlib import Path


def test_two_instances_killed_at_will_lose_double_and_resurrect_nothing(tmp_path: Path) -> None:
    with Chaos(tmp_path, seed=3, pairs=12) as chaos:
        outcome = chaos.run(25)
    counts = outcome.counts
    assert (outcome.lost, outcome.doubled, outcome.resurrected, outcome.texts) == ([], [], [], [])
    assert outcome.stuck == 0
    assert outcome.converged < CONVERGE_SECONDS
    # The run was no quiet one: people worked, and something was killed.
    assert counts["edits by people"] > 20
    assert outcome.values > 72
    assert sum(number for name, number in counts.items() if "killed" in name or "ended" in name) >= 1
