"""Crash anywhere, same end (I7): a part of the corpus with every test run, all of it with `python -m tests.simulation.kills`."""

from __future__ import annotations

import itertools

import pytest

from tests.simulation import corpus
from tests.simulation.kills import try_all

PART = 4
"""Every fourth scenario of the big corpora."""


@pytest.mark.parametrize("part", range(2))
def test_a_crash_at_any_call_of_any_row_changes_nothing_in_the_end(part: int) -> None:
    points, found = try_all(itertools.islice(corpus.singles(), part, None, 4))
    assert not found, found[0]
    assert points > 500


def test_a_crash_at_any_call_of_a_mixed_plan_changes_nothing_in_the_end() -> None:
    points, found = try_all(itertools.islice(corpus.crowds(), 0, None, PART))
    assert not found, found[0]
    assert points > 200


def test_two_crashes_in_a_row_change_nothing_either() -> None:
    # An adopted entry whose kind does not fit its item must not be taken for one of a change of type.
    adopted = (one for one in corpus.singles() if one.name.startswith("row 14, both"))
    points, found = try_all(itertools.islice(adopted, 1), twice=True)
    assert not found, found[0]
    assert points > 500
