"""The decision table, row by row: what stands on both sides before, and what has to stand there after one run.

The rows are taken from the table in the code, the expectations are written by hand from the specification.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from services.kommunikation_plan import Plan, Rules
from services.kommunikation_table import ROWS, TABLE, Direction, look_up
from tests.core.apply import World, apply, run, steps
from tests.core.builders import NO_STORE, entry, filled, mail, person, phone, record

if TYPE_CHECKING:
    from services.kommunikation_entry import BaseView
    from services.kommunikation_types import Beteiligter, EspoItem, EspoRecord

OLD, NEW, OTHER = "max@example.com", "max.neu@example.com", "kanzlei@example.org"


def linked(value: str, kz: int = 4) -> str:
    return f"[ESPOCRM:{base64.b64encode(value.encode()).decode()}:{kz}]"


SLOT = "[ESPOCRM-SLOT:4]"
STORE = filled(e1=(OLD, 4))


@dataclass(frozen=True)
class Case:
    """`after`: entry id -> (tlf, bemerkung, online); 900 is the id of the first new entry."""

    advoware: Beteiligter
    espocrm: EspoRecord
    after: dict[int, tuple[str, str, bool]]
    items: tuple[EspoItem, ...]
    view: BaseView = field(default=NO_STORE)

    def world(self) -> World:
        """The state before."""
        return World(self.advoware, self.espocrm, self.view, {1: 4})


def has(value: str, *, base: str | None = OLD, slot: bool = False) -> Beteiligter:
    return person(entry(1, value, base=base, slot=slot, kz=4, text="privat", online=False))


def holds(*values: str) -> EspoRecord:
    return record(*(mail(value, primary=number == 0) for number, value in enumerate(values)))


def only(*values: str) -> tuple[EspoItem, ...]:
    return tuple(mail(value, primary=number == 0) for number, value in enumerate(values))


GONE = person()
CASES = {
    1: Case(has(OLD), holds(OLD), {1: (OLD, f"{linked(OLD)} privat", False)}, only(OLD)),
    2: Case(has(OLD), holds(), {1: ("", f"{SLOT} privat", False)}, ()),
    3: Case(has(OLD), holds(NEW), {1: (NEW, f"{linked(NEW)} privat", True)}, only(NEW)),
    4: Case(has(NEW), holds(OLD), {1: (NEW, f"{linked(NEW)} privat", False)}, only(NEW)),
    5: Case(has(NEW), holds(NEW), {1: (NEW, f"{linked(NEW)} privat", False)}, only(NEW)),
    6: Case(has(NEW), holds(), {1: (NEW, f"{linked(NEW)} privat", False)}, only(NEW)),
    7: Case(
        has(NEW),
        holds(OTHER),
        {1: (NEW, f"{linked(NEW)} privat", False), 900: (OTHER, linked(OTHER), True)},
        only(OTHER, NEW),
    ),
    8: Case(has(""), holds(OLD), {1: ("", f"{SLOT} privat", False)}, ()),
    9: Case(has(""), holds(), {1: ("", f"{SLOT} privat", False)}, ()),
    10: Case(has(""), holds(NEW), {1: (NEW, f"{linked(NEW)} privat", True)}, only(NEW)),
    11: Case(GONE, holds(OLD), {}, (), STORE),
    12: Case(GONE, holds(), {}, (), STORE),
    13: Case(GONE, holds(NEW), {900: (NEW, linked(NEW), True)}, only(NEW), STORE),
    14: Case(has(NEW, base=None), holds(NEW), {1: (NEW, f"{linked(NEW)} privat", False)}, only(NEW)),
    15: Case(has(NEW, base=None), holds(), {1: (NEW, f"{linked(NEW)} privat", False)}, only(NEW)),
    16: Case(GONE, holds(NEW), {900: (NEW, linked(NEW), True)}, only(NEW)),
    17: Case(has("", base=None, slot=True), holds(), {1: ("", f"{SLOT} privat", False)}, ()),
    18: Case(has(NEW, base=None, slot=True), holds(), {1: (NEW, f"{linked(NEW)} privat", False)}, only(NEW)),
}

TO_ESPOCRM, TO_ADVOWARE, ANY = {4, 6, 8, 11, 15, 18}, {2, 3, 10, 13, 16}, {5, 9, 12, 14}
"""Which direction a row belongs to (the specification, "Direction"); 1 and 17 do nothing, 7 has a half in each."""

each_row = pytest.mark.parametrize("number", [row.number for row in TABLE], ids=[f"row {row.number}" for row in TABLE])


def numbers(plan: Plan) -> list[int]:
    return [line.number for line in plan.comparison.lines]


def stands(world: World) -> dict[int, tuple[str, str, bool]]:
    return {r.id: (r.tlf or "", r.bemerkung or "", r.online) for r in world.advoware.kommunikation}


def test_the_table_has_all_rows_of_the_specification_in_their_order() -> None:
    assert [row.number for row in TABLE] == list(range(1, 19))
    states = [(row.base, row.advoware, row.espo) for row in TABLE]
    assert len(set(states)) == len(states)
    assert all(look_up(row.base, row.advoware, row.espo) is row for row in TABLE if row.espo is not None)


@each_row
def test_a_row_is_found_where_its_states_meet(number: int) -> None:
    assert numbers(CASES[number].world().plan()) == [number]


@each_row
def test_a_row_leaves_both_sides_as_the_specification_says(number: int) -> None:
    case = CASES[number]
    after = run(case.world())
    assert stands(after) == case.after
    assert after.espocrm.emails == case.items


@each_row
def test_after_a_row_nothing_is_left_to_do(number: int) -> None:
    after = run(CASES[number].world())
    assert after.plan().operations == ()
    assert not after.plan().conflicts


@each_row
def test_a_row_is_carried_out_in_its_direction_and_pending_in_the_other(number: int) -> None:
    world = CASES[number].world()
    doing = {way for way in (Direction.TO_ESPOCRM, Direction.TO_ADVOWARE) if not world.plan(Rules(direction=way)).pending}
    expected = {Direction.TO_ESPOCRM, Direction.TO_ADVOWARE}
    if number == 7:
        expected = set()  # a half stays pending in each
    elif number in TO_ESPOCRM:
        expected = {Direction.TO_ESPOCRM}
    elif number in TO_ADVOWARE:
        expected = {Direction.TO_ADVOWARE}
    assert doing == expected
    assert bool(number in ANY | {1, 17}) == (len(doing) == 2)


@pytest.mark.parametrize("number", sorted(TO_ESPOCRM | TO_ADVOWARE), ids=lambda number: f"row {number}")
def test_what_a_direction_leaves_out_changes_nothing_on_either_side(number: int) -> None:
    world = CASES[number].world()
    other = Direction.TO_ADVOWARE if number in TO_ESPOCRM else Direction.TO_ESPOCRM
    after = run(world, Rules(direction=other))
    assert stands(after) == stands(world)
    assert after.espocrm == world.espocrm


@each_row
def test_a_row_ends_the_same_by_the_two_directions_one_after_the_other(number: int) -> None:
    world, case = CASES[number].world(), CASES[number]
    for way in (Direction.TO_ESPOCRM, Direction.TO_ADVOWARE):
        world = run(world, Rules(direction=way))
    assert {tlf for tlf, _, _ in stands(world).values()} == {tlf for tlf, _, _ in case.after.values()}
    assert {item.value for item in world.espocrm.emails} == {item.value for item in case.items}


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], ids=lambda number: f"row {number}")
def test_where_the_marker_is_missing_the_base_store_decides(number: int) -> None:
    case = CASES[number]
    tlf = case.advoware.kommunikation[0].tlf or ""
    for remark in ("privat", "[ESPOCRM:bWF4QG:4 privat", "[ESPOCRM:####:4] privat"):
        bare = person(entry(1, tlf, kz=4, remark=remark))
        assert numbers(World(bare, case.espocrm, STORE, {1: 4}).plan()) == [number]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], ids=lambda number: f"row {number}")
def test_the_marker_counts_before_the_base_store(number: int) -> None:
    case = CASES[number]
    stale = filled(e1=("laengst.vorbei@example.com", 4))
    assert numbers(World(case.advoware, case.espocrm, stale, {1: 4}).plan()) == [number]


def test_row_4_only_removes_the_old_value_where_the_new_one_is_there_already() -> None:
    before = World(has(NEW), holds(OLD, NEW), NO_STORE)
    after = run(before)
    assert after.espocrm.emails == only(NEW)
    assert stands(after) == {1: (NEW, f"{linked(NEW)} privat", False)}
    # The marker waits until EspoCRM shows that the old value has left.
    unproved = apply(before, steps(before.plan())[1])
    assert stands(unproved) == stands(before)


def test_row_7_lists_both_values_with_the_entry() -> None:
    found = CASES[7].world().plan().conflicts
    assert [(f.row, f.entry_id, f.values["base"], f.values["advoware"], f.values["espocrm"]) for f in found] == [
        (7, 1, OLD, NEW, OTHER)
    ]


@pytest.mark.parametrize("number", [2, 11], ids=lambda number: f"row {number}")
def test_what_is_decided_by_something_missing_asks_for_a_second_reading(number: int) -> None:
    assert CASES[number].world().plan().absence


def test_row_13_is_forgotten_once_it_was_created() -> None:
    after = run(CASES[13].world())
    assert after.view.base is not None
    assert set(after.view.base.entries) == {900}


def test_row_16_takes_a_slot_of_its_kind_before_it_creates() -> None:
    advoware = person(
        entry(7, "", slot=True, kz=8), entry(8, "", slot=True, kz=4, text="Notiz"), entry(9, "", slot=True, kz=4)
    )
    after = run(World(advoware, holds(NEW), NO_STORE, {7: 8, 8: 4, 9: 4}))
    assert stands(after) == {
        7: ("", "[ESPOCRM-SLOT:8]", True),
        8: ("", f"{SLOT} Notiz", True),
        9: (NEW, linked(NEW), True),
    }


def test_row_18_takes_the_kind_from_the_slot() -> None:
    typed = person(entry(1, "+49511123456", slot=True, kz=3))
    after = run(World(typed, record(), NO_STORE, {1: 3}))
    assert after.espocrm.phones == (phone("+49511123456", "Mobile", primary=True),)
    assert stands(after)[1][1] == linked("+49511123456", 3)


def test_every_operation_names_its_row_and_the_rows_words_as_reason() -> None:
    for number, case in CASES.items():
        for operation in case.world().plan().operations:
            assert operation.row == number
            # A typed-into slot is reported under 18 with the words of the row that applies to it.
            assert operation.reason == ROWS[15 if number == 18 else number].act.value
