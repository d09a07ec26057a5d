"""Undo over random histories: both sides are back as they were, people's edits since are kept, nothing is done again."""

from __future__ import annotations

import os

import pytest

from services.kommunikation_types import Art
from tests.by_hand.histories import Past

FACTOR = int(os.environ.get("PROPERTY_FACTOR", "1"))
POLICIES = ("keep_both", "keep_both", "espocrm_wins", "advoware_wins")


@pytest.mark.parametrize("chunk", range(10))
def test_after_an_undo_both_sides_are_as_they_were_and_stay_so(chunk: int) -> None:
    undone = 0
    for seed in range(chunk * 40 * FACTOR, (chunk + 1) * 40 * FACTOR):
        past = Past(seed, POLICIES[seed % 4])
        if seed % 5:
            past.settle()
            past.edit(1 + seed % 6)
        before = past.advoware(), past.espocrm()
        result = past.sync()
        if not result["run"]:
            continue
        shown = past.hand.undo(result["run"], dry_run=True)
        told = past.hand.undo(result["run"], dry_run=False)
        assert told["errors"] == [], seed
        assert [op["operation"] for op in told["plan"]] == [op["operation"] for op in shown["plan"]], seed
        assert (past.advoware(), past.espocrm()) == before, f"seed {seed}"
        past.settle()
        assert (past.advoware(), past.espocrm()) == before, f"seed {seed}: the next sync did it again"
        undone += bool(told["plan"])
    assert undone > 10


@pytest.mark.parametrize("chunk", range(10))
def test_what_people_edited_since_is_kept_by_an_undo(chunk: int) -> None:
    met = 0
    for seed in range(chunk * 40 * FACTOR, (chunk + 1) * 40 * FACTOR):
        past = Past(seed + 100_000, POLICIES[seed % 4])
        past.settle()
        at_rest = past.keys()
        past.edit(1 + seed % 4)
        gone = _gone(at_rest, past.keys())
        run = past.sync()["run"]
        if not run:
            continue
        left, keys = (past.rows(), past.espocrm()), past.keys()
        past.edit(1 + seed % 3)
        gone |= _gone(keys, past.keys())
        edited = past.rows(), past.espocrm()
        past.hand.undo(run, dry_run=False)
        now = past.rows(), past.espocrm()
        for entry_id, row in edited[0].items():
            old = left[0].get(entry_id)
            if old is None or old.tlf != row.tlf:
                assert now[0][entry_id].tlf == row.tlf, f"seed {seed}: entry {entry_id} was written over"
                met += 1
        assert all(entry_id in edited[0] for entry_id in now[0]), "nothing a person deleted comes back"
        for key, looks in edited[1].items():
            if key not in left[1] or left[1][key][:4] != looks[:4]:
                assert now[1].get(key, ())[:4] == looks[:4], f"seed {seed}: an item was changed"
                met += 1
        wanted = set().union(*past.keys())
        past.settle()
        lost = wanted - set().union(*past.keys()) - past.listed() - gone
        assert not lost, f"seed {seed}: {len(lost)} values are nowhere any more, and nobody removed them"
    assert met > 10


def _gone(before: tuple[set[str], set[str]], after: tuple[set[str], set[str]]) -> set[str]:
    """What people took away from either side."""
    return (before[0] - after[0]) | (before[1] - after[1])


@pytest.mark.parametrize("chunk", range(4))
def test_an_undo_can_be_undone(chunk: int) -> None:
    again = 0
    for seed in range(chunk * 40 * FACTOR, (chunk + 1) * 40 * FACTOR):
        past = Past(seed + 200_000)
        past.settle()
        past.edit(1 + seed % 4)
        run = past.sync()["run"]
        if not run:
            continue
        after = past.advoware(), set(past.espocrm())
        undo = past.hand.undo(run, dry_run=False)["run"]
        if not undo:
            continue
        past.hand.undo(undo, dry_run=False)
        assert (past.advoware(), set(past.espocrm())) == after, f"seed {seed}"
        again += 1
    assert again > 5


def test_the_arrays_of_an_undo_hold_one_primary_each() -> None:
    for seed in range(60):
        past = Past(seed + 300_000)
        past.settle()
        past.edit(3)
        run = past.sync()["run"]
        if run:
            past.hand.undo(run, dry_run=False)
        for art in Art:
            items = past.world.espocrm.items(1, art)
            assert sum(item.primary for item in items) == bool(items)


class _Died(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("chunk", range(4))
def test_an_undo_that_dies_half_way_loses_nothing_and_is_finished_by_the_next(chunk: int) -> None:
    cuts = 0
    for seed in range(chunk * 15 * FACTOR, (chunk + 1) * 15 * FACTOR):
        for cut in range(6):
            past = Past(seed + 400_000)
            past.settle()
            past.edit(1 + seed % 5)
            before = past.advoware(), past.espocrm()
            run = past.sync()["run"]
            if not run or not past.hand.undo(run, dry_run=True)["plan"]:
                break
            if not _undo_up_to(past, run, cut):
                break
            cuts += 1
            there = set().union(*past.keys())
            if cut % 2:
                past.hand.undo(run, dry_run=False)
                assert (past.advoware(), past.espocrm()) == before, f"seed {seed}, write {cut}: not finished"
                continue
            past.settle()
            assert there <= set().union(*past.keys()), f"seed {seed}, write {cut}: the next sync removed something"
    assert cuts > 5


def _undo_up_to(past: Past, run: str, cut: int) -> bool:
    """Undo, and die before the write with this number. False: there were not so many."""
    left = [cut]

    def before_write(_: object) -> None:
        if not left[0]:
            raise _Died
        left[0] -= 1

    past.world.a.before_write = past.world.e.before_write = before_write
    try:
        past.hand.undo(run, dry_run=False)
    except _Died:
        return True
    finally:
        past.world.a.before_write = past.world.e.before_write = lambda _: None
    return False


@pytest.mark.parametrize("chunk", range(4))
def test_an_undo_leaves_other_records_alone_that_share_a_number(chunk: int) -> None:
    shared = 0
    for seed in range(chunk * 40 * FACTOR, (chunk + 1) * 40 * FACTOR):
        past = Past(seed + 500_000, records=2)
        past.settle()
        past.hand.sync_bidirectional("rec2", 2, allow_removals=True)
        past.edit(1 + seed % 4)
        before = past.advoware(), set(past.espocrm())
        run = past.sync()["run"]
        if not run:
            continue
        other = past.world.espocrm.letters(2), dict(past.world.advoware.people[2])
        past.hand.undo(run, dry_run=False)
        past.settle()
        assert (past.advoware(), set(past.espocrm())) == before, f"seed {seed}"
        assert (past.world.espocrm.letters(2), dict(past.world.advoware.people[2])) == other
        shared += bool(past.world.espocrm.letters(1) & past.world.espocrm.letters(2))
    assert shared > 3


def test_if_redis_loses_what_was_undone_values_are_added_and_none_is_lost() -> None:
    for seed in range(80 * FACTOR):
        past = Past(seed + 600_000)
        past.settle()
        past.edit(1 + seed % 4)
        run = past.sync()["run"]
        if not run:
            continue
        past.hand.undo(run, dry_run=False)
        there = set().union(*past.keys())
        past.world.store.wipe()
        past.settle()
        assert there <= set().union(*past.keys()) | past.listed(), f"seed {seed}"
