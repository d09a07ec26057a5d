"""The simulation as part of the tests: 1,000 histories, the kept cases, and that a seed tells its history for certain."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.__main__ import cases
from tests.simulation.draw import run
from tests.simulation.espocrm import MOST_ITEMS
from tests.simulation.history import replay

ROOT = Path(__file__).resolve().parents[2]
HISTORIES = 1000
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_no_history_with_people_faults_and_kills_violates_an_invariant(part: int) -> None:
    failed = []
    for seed in range(part, HISTORIES, PARTS):
        _, violation = run(seed)
        if violation is not None:
            failed.append(f"seed {seed}: {violation} (python -m tests.simulation --histories 1 --seed {seed})")
    assert not failed, "\n".join(failed)


def test_in_the_histories_pairs_lose_and_find_each_other_and_records_are_overfull() -> None:
    done, most = set(), 0
    for seed in range(60):
        history, _ = run(seed)
        done |= {tuple(action[:2]) for action in history.done}
        most = max(most, *(len({row.letter for row in rows.values()}) for rows in history.world.advoware.people.values()))
    assert done >= {("A", "vanish"), ("A", "return"), ("E", "vanish"), ("E", "return"), ("E", "link")}
    assert most > MOST_ITEMS


@pytest.mark.parametrize(("name", "case"), list(cases()), ids=lambda one: one if isinstance(one, str) else "")
def test_what_once_went_wrong_stays_right(name: str, case: dict[str, Any]) -> None:
    history, violation = replay(case["init"], case["actions"])
    assert violation is None, f"{name}: {case['story']}: {violation}"
    # A case whose actions no longer fit would show nothing.
    assert len(history.done) >= len(case["actions"]), name


def test_a_seed_gives_the_same_history_to_the_byte_in_every_process() -> None:
    told = set()
    for hash_seed in ("1", "2"):
        # Another hash seed: no decision may hang on the order of a set.
        environ = {"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        for seed in ("3", "11"):
            command = [sys.executable, "-m", "tests.simulation", "--tell", seed]
            done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
            told.add((seed, done.stdout))
    assert len(told) == 2
    assert all("worker 0" in text for _, text in told)
