"""Every row of the decision table acted out on numbers beside a value both sides agree on, and each direction by itself.

The rows and what they mean come from `TABLE`; what has to come out of each is written down here, from the specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from services.kommunikation_table import TABLE, Act, AdvowareIs, BaseIs, Direction, EspoIs, Row
from tests.http.support import World, item, marker, number, slot
from tests.support.sandbox import Pair, entry

if TYPE_CHECKING:
    from tests.support.sandbox import JSON

KZ = 1
"""Office numbers: the kind that Advoware's answers leave open is then guessed right."""

B, A, E = "b", "a", "e"
"""Base, the value in Advoware, the value in EspoCRM."""

END: dict[int, tuple[str, str]] = {
    1: (B, B),
    2: ("", ""),
    3: (E, E),
    4: (A, A),
    5: (A, A),
    6: (A, A),
    7: (A + E, A + E),
    8: ("", ""),
    9: ("", ""),
    10: (E, E),
    11: ("", ""),
    12: ("", ""),
    13: (E, E),
    14: (A, A),
    15: (A, A),
    16: (E, E),
    17: ("", ""),
    18: (A, A),
}
"""What Advoware and EspoCRM hold after the run, beside the value both agreed on all the time."""

SLOTS = {2, 8, 9, 17}
"""Rows that leave the entry behind as a slot."""

KEEPS_ENTRY = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 17, 18}
"""Rows whose value stays in the entry it was in."""


@dataclass
class Case:
    """One row acted out: values by their letters, the pair, the entry the row is about (0: none)."""

    row: Row
    values: dict[str, str]
    anchor: str
    pair: Pair
    entry_id: int = 0

    def meant(self, letters: str) -> list[str]:
        """The values these letters stand for, with the anchor, sorted."""
        return sorted([self.anchor, *(self.values[letter] for letter in letters)])


def act_out(world: World, row: Row) -> Case:
    """Bring both sides to the row's base by a sync, then let people do what the row says."""
    values = {B: number(), A: number(), E: number()}
    anchor = number()
    with_base = row.base is BaseIs.VALUE
    entries = [entry(anchor), *([entry(values[B])] if with_base else [])]
    items = [item(anchor, primary=True), *([item(values[B])] if with_base else [])]
    case = Case(row, values, anchor, world.pair(entries, items))
    if row.base is BaseIs.SLOT:
        _make_slot(world, case)
    world.sync(case.pair)
    if with_base:
        case.entry_id = world.entry_of(case.pair, values[B])["id"]
    _edit_advoware(world, case)
    _edit_espocrm(world, case)
    return case


def _make_slot(world: World, case: Case) -> None:
    case.entry_id = world.sandbox.advoware.add(case.pair.betnr, entry(case.values[B]))
    world.add_items(case.pair, item(case.values[B]))
    world.sync(case.pair)
    world.swap_item(case.pair, case.values[B], None)
    world.sync(case.pair)
    assert world.slots(case.pair) == [slot(KZ)]


def _edit_advoware(world: World, case: Case) -> None:
    people, betnr = world.sandbox.advoware, case.pair.betnr
    match case.row.base, case.row.advoware:
        case BaseIs.VALUE, AdvowareIs.CHANGED:
            people.change(betnr, case.entry_id, tlf=case.values[A])
        case BaseIs.VALUE, AdvowareIs.MISSING:
            people.clear(betnr, case.entry_id)
        case BaseIs.VALUE, AdvowareIs.GONE:
            people.delete(betnr, case.entry_id)
        case BaseIs.NONE, AdvowareIs.VALUE:
            case.entry_id = people.add(betnr, entry(case.values[A]))
        case BaseIs.SLOT, AdvowareIs.VALUE:
            people.fill(betnr, case.entry_id, case.values[A])


def _edit_espocrm(world: World, case: Case) -> None:
    pair, values = case.pair, case.values
    match case.row.base, case.row.espo:
        case BaseIs.VALUE, EspoIs.CHANGED:
            world.swap_item(pair, values[B], values[E])
        case BaseIs.VALUE, EspoIs.AS_ADVOWARE:
            world.swap_item(pair, values[B], values[A])
        case BaseIs.VALUE, EspoIs.MISSING:
            world.swap_item(pair, values[B], None)
        case BaseIs.NONE, EspoIs.AS_ADVOWARE:
            world.add_items(pair, item(values[A]))
        case BaseIs.NONE, EspoIs.VALUE:
            world.add_items(pair, item(values[E]))


def assert_at_the_end(world: World, case: Case) -> None:
    """Both sides hold what the row means, linked by whole markers, and nothing is left to do."""
    in_advoware, in_espocrm = END[case.row.number]
    assert world.advoware_values(case.pair) == case.meant(in_advoware)
    assert world.espo_values(case.pair) == case.meant(in_espocrm)
    for one in world.entries(case.pair):
        if one["tlf"]:
            assert one["bemerkung"] == marker(one["tlf"], KZ)
    assert world.slots(case.pair) == ([slot(KZ)] if case.row.number in SLOTS else [])
    if case.row.number in KEEPS_ENTRY:
        letter = (in_advoware or " ")[0]
        assert world.entry(case.pair, case.entry_id)["tlf"] == case.values.get(letter, "")
    world.assert_quiet(case.pair)


def needs_store(row: Row) -> bool:
    """Only a base store knows of an entry that is gone."""
    return row.advoware is AdvowareIs.GONE


ROWS = [pytest.param(row, id=f"row{row.number}") for row in TABLE]


def with_what_it_needs(request: pytest.FixtureRequest, row: Row, world: World) -> World:
    """Only a base store knows of an entry that is gone."""
    made: World = request.getfixturevalue("stored") if row.advoware is AdvowareIs.GONE else world
    return made


def test_every_row_of_the_table_is_acted_out_here() -> None:
    assert set(END) == {row.number for row in TABLE}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_ends_as_the_table_says_and_leaves_its_neighbour_alone(
    request: pytest.FixtureRequest, row: Row, world: World
) -> None:
    world = with_what_it_needs(request, row, world)
    case = act_out(world, row)
    result = world.sync(case.pair)
    told = {operation["row"] for operation in result["plan"]}
    assert told == (set() if row.number in {1, 12, 17} else {row.number})
    assert len(result["conflicts"]) == (row.act is Act.CONFLICT)
    assert result["pending"] == []
    assert_at_the_end(world, case)


@pytest.mark.parametrize("direction", ["to_espocrm", "to_advoware"])
@pytest.mark.parametrize("row", ROWS)
def test_a_direction_leaves_the_others_rows_pending_and_overwrites_nothing(stored: World, row: Row, direction: str) -> None:
    case = act_out(stored, row)
    mine = row.direction in {None, Direction(direction)}
    if row.number == 18:  # typed into a slot: on its way to EspoCRM, whatever row it counts as
        mine = direction == "to_espocrm"
    before = (stored.advoware_values(case.pair), stored.espo_values(case.pair))
    result = stored.sync(case.pair, direction)
    if row.act is Act.CONFLICT:
        _assert_half_a_conflict(stored, case, direction, result)
    elif mine:
        assert result["pending"] == []
        assert_at_the_end(stored, case)
    else:
        other = "to_advoware" if direction == "to_espocrm" else "to_espocrm"
        assert [(one["row"], one["direction"]) for one in result["pending"]] == [(row.number, other)]
        assert stored.writes() == []
        assert (stored.advoware_values(case.pair), stored.espo_values(case.pair)) == before
    stored.sync(case.pair)
    assert_at_the_end(stored, case)


def _assert_half_a_conflict(world: World, case: Case, direction: str, result: JSON) -> None:
    """Of keep-both each direction does its half; nothing is lost, and the conflict is listed."""
    assert len(result["conflicts"]) == 1
    assert len(result["pending"]) == 1
    out = direction == "to_espocrm"
    assert world.espo_values(case.pair) == case.meant(A + E if out else E)
    assert world.advoware_values(case.pair) == case.meant(A if out else A + E)
