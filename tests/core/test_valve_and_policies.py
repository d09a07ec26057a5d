"""The valve against mass removal, and the three ways out of a conflict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.kommunikation_mapper import canonical_key, make_marker
from services.kommunikation_ops import ReplaceItem
from services.kommunikation_plan import Rules
from services.kommunikation_table import ConflictPolicy, Direction
from tests.core.apply import World, run, settle
from tests.core.builders import (
    NO_STORE,
    entry,
    filled,
    mail,
    person,
    phone,
    plan_for,
    record,
)

A, B, C = "+49511123456", "+49511123457", "+49511123458"
MAX, NEU, KANZLEI = "max@example.com", "neu@example.com", "kanzlei@example.org"


def tlf(world: World) -> dict[int, str]:
    return {raw.id: raw.tlf or "" for raw in world.advoware.kommunikation}


def both(world: World) -> set[str]:
    """The values of both sides, which have to be the same."""
    advoware, espocrm = world.values()
    assert advoware == espocrm
    return advoware


def keys(*values: str) -> set[str]:
    return {canonical_key(value) for value in values}


# ---------------------------------------------------------------------------------------------------------------- valve


def removing(linked: int, removed: int, how: str) -> World:
    numbers = [f"+4951112346{n:02}" for n in range(linked)]
    lost = numbers[:removed]
    known = filled(**{f"e{n + 1}": (v, 1) for n, v in enumerate(numbers)})
    kept = [(n + 1, v) for n, v in enumerate(numbers)]
    if how == "row 2":
        advoware, items = [entry(i, v, base=v) for i, v in kept], [v for v in numbers if v not in lost]
    elif how == "row 8":
        advoware, items = [entry(i, "" if v in lost else v, base=v) for i, v in kept], numbers
    else:
        advoware, items = [entry(i, v, base=v) for i, v in kept if v not in lost], numbers
    found = [phone(v, primary=n == 0) for n, v in enumerate(items)]
    return World(person(*advoware), record(*found), known)


ROWS = pytest.mark.parametrize("how", ["row 2", "row 8", "row 11"])


@ROWS
@pytest.mark.parametrize(
    ("linked", "removed", "shut"),
    [
        (1, 1, False),
        (2, 1, False),
        (2, 2, True),
        (3, 2, False),
        (3, 3, True),
        (4, 3, False),
        (6, 3, False),
        (7, 4, True),
        (8, 4, False),
        (9, 5, True),
        (10, 5, False),
        (10, 6, True),
        (10, 10, True),
    ],
)
def test_the_valve_shuts_beyond_three_and_more_than_half_or_at_all_of_several(
    how: str,
    linked: int,
    removed: int,
    shut: bool,
) -> None:
    before = removing(linked, removed, how)
    plan = before.plan()
    assert len(plan.valve) == (removed if shut else 0)
    after = settle(before)
    assert len(after.values()[0] & after.values()[1]) == linked - removed
    assert len(after.values()[0] | after.values()[1]) == (linked if shut else linked - removed)


@ROWS
def test_a_release_lets_all_removals_pass(how: str) -> None:
    after = settle(removing(7, 6, how), Rules(allow_removals=True))
    assert len(both(after)) == 1


@ROWS
def test_a_shut_valve_stays_shut_run_after_run_and_everything_else_goes_on(how: str) -> None:
    before = removing(5, 5, how)
    more = replace(before, advoware=person(*before.advoware.kommunikation, entry(77, MAX)))
    after = settle(more)
    assert after.espocrm.emails == (mail(MAX, primary=True),)
    assert len(after.plan().valve) == 5
    assert not after.plan().operations
    assert both(settle(after, Rules(allow_removals=True))) == keys(MAX)


def test_the_valve_counts_different_values_not_entries() -> None:
    same = [entry(n, A, base=A, kz=kz) for n, kz in enumerate((1, 2, 3, 6), start=1)]
    other = entry(9, B, base=B)
    plan = plan_for(person(*same, other), record(phone(B, primary=True)))
    assert not plan.valve
    assert len(plan.operations) == 4


def test_both_sides_empty_is_no_alarm() -> None:
    before = World(person(*(entry(n, "", base=f"+4951112346{n:02}") for n in range(1, 7))), record(), NO_STORE)
    assert not before.plan().valve
    assert both(settle(before)) == set()


@pytest.mark.parametrize("direction", list(Direction))
def test_the_valve_is_shut_in_every_direction(direction: Direction) -> None:
    before = removing(7, 6, "row 8")
    assert len(before.plan(Rules(direction=direction)).valve) == 6


# ------------------------------------------------------------------------------------------------------------- policies

CONFLICT = World(
    person(entry(1, NEU, base=MAX, kz=4, text="privat")), record(mail(KANZLEI, primary=True, opt_out=True)), NO_STORE
)


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (ConflictPolicy.KEEP_BOTH, (NEU, KANZLEI)),
        (ConflictPolicy.ESPOCRM_WINS, (KANZLEI,)),
        (ConflictPolicy.ADVOWARE_WINS, (NEU,)),
    ],
)
@pytest.mark.parametrize("direction", list(Direction))
def test_each_policy_keeps_its_values_and_lists_the_conflict_in_every_direction(
    policy: ConflictPolicy, kept: tuple[str, ...], direction: Direction
) -> None:
    assert both(settle(CONFLICT, Rules(policy))) == keys(*kept)
    found = CONFLICT.plan(Rules(policy, direction)).conflicts
    assert [(f.values["base"], f.values["advoware"], f.values["espocrm"]) for f in found] == [(MAX, NEU, KANZLEI)]


def test_a_conflict_has_one_name_in_every_run_until_a_value_changes() -> None:
    names = {CONFLICT.plan(Rules(direction=way)).conflicts[0].id for way in Direction}
    assert len(names) == 1
    other = replace(CONFLICT, espocrm=record(mail("x@example.com", primary=True)))
    assert other.plan().conflicts[0].id not in names


def test_of_keep_both_each_direction_does_its_half() -> None:
    to_espocrm = run(CONFLICT, Rules(direction=Direction.TO_ESPOCRM))
    assert to_espocrm.values() == (keys(NEU), keys(NEU, KANZLEI))
    to_advoware = run(CONFLICT, Rules(direction=Direction.TO_ADVOWARE))
    assert to_advoware.values() == (keys(NEU, KANZLEI), keys(KANZLEI))


def test_where_advoware_wins_its_value_takes_the_items_place() -> None:
    plan = CONFLICT.plan(Rules(ConflictPolicy.ADVOWARE_WINS))
    assert plan.arrays.emails == (mail(NEU, primary=True, opt_out=True),)
    assert any(isinstance(op, ReplaceItem) for op in plan.operations)


def test_where_espocrm_wins_its_value_is_written_over_and_the_users_text_stays() -> None:
    after = settle(CONFLICT, Rules(ConflictPolicy.ESPOCRM_WINS))
    assert [(raw.tlf, raw.bemerkung) for raw in after.advoware.kommunikation] == [
        (KANZLEI, make_marker(KANZLEI, 4) + " privat")
    ]


def test_in_a_conflict_a_value_espocrm_would_refuse_is_held_back_and_the_other_kept() -> None:
    before = World(person(entry(1, "jürgen@example.com", base=MAX, kz=4)), record(mail(KANZLEI, primary=True)), NO_STORE)
    after = settle(before)
    assert set(tlf(after).values()) == {"jürgen@example.com", KANZLEI}
    assert after.espocrm == before.espocrm
    assert len(before.plan().conflicts) == len(before.plan().held_back) == 1


# ---------------------------------------------------------------------------------------------------- second readings


def test_what_the_valve_stops_is_read_twice_until_it_is_known_to_be_stopped() -> None:
    world = removing(4, 4, "row 2")
    plan = world.plan()
    assert plan.withheld
    assert plan.absence
    again = replace(world, view=replace(world.view, withheld=plan.withheld)).plan()
    assert again.withheld == plan.withheld
    assert not again.absence


@pytest.mark.parametrize("new", [B, "0511 123456 oder 123457"], ids=["for the other direction", "held back"])
def test_a_change_of_which_the_old_value_is_missing_is_read_twice_before_its_base_is_given_up(new: str) -> None:
    world = World(person(entry(1, new, base=A)), record(), filled(e1=(A, 1)))
    plan = world.plan(Rules(direction=Direction.TO_ADVOWARE))
    assert [line.number for line in plan.comparison.lines] == [6]
    assert plan.absence
