"""The decision table over HTTP: a linked pair, what people do on each side, one run, and what stands there then.

Rows are taken from the table in the code; the expectations are written by hand from the specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from services.kommunikation_table import TABLE
from tests.http.support import ENTITY_OF_TYPE, address, item, marker, national, number, slot
from tests.support.sandbox import Pair, entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.http.support import World

ROWS = [row.number for row in TABLE]
GONE_ROWS = {11, 12, 13}
"""Only a base store knows that an entry is gone."""


@dataclass
class Values:
    """The values of one case: the base, and what each side changed it to."""

    old: str
    new: str
    other: str


def linked(world: World, values: Values) -> tuple[Pair, int]:
    """A pair both sides have agreed on; the entry has a user's text."""
    pair = world.pair([entry(values.old, 4, "privat")], [item(values.old)])
    world.sync(pair)
    return pair, world.entry_of(pair, values.old)["id"]


def edit(world: World, row: int, pair: Pair, komm_id: int, values: Values) -> None:
    """What people do to a linked pair before the row applies."""
    people = world.sandbox.advoware
    in_advoware: dict[int, Callable[[], None]] = {
        **dict.fromkeys((4, 5, 6, 7), lambda: people.change(pair.betnr, komm_id, tlf=values.new)),
        **dict.fromkeys((8, 9, 10), lambda: people.clear(pair.betnr, komm_id)),
        **dict.fromkeys((11, 12, 13), lambda: people.delete(pair.betnr, komm_id)),
    }
    in_espocrm: dict[int, str | None] = {
        **dict.fromkeys((2, 6, 9, 12)),
        **dict.fromkeys((3, 5, 10, 13), values.new),
        7: values.other,
    }
    in_advoware.get(row, lambda: None)()
    if row in in_espocrm:
        world.swap_item(pair, values.old, in_espocrm[row])


def first_meeting(world: World, row: int, values: Values) -> Pair:
    """Pairs of the rows without a base."""
    text = "privat" if row in {14, 15} else slot(4, "privat")
    entries = [] if row == 16 else [entry("" if row == 17 else values.old, 4, text)]
    return world.pair(entries, [item(values.old)] if row in {14, 16} else [])


def expected(row: int, v: Values) -> tuple[list[tuple[str, str]], list[str]]:
    """Entries (value, remark) and items after one run."""
    old, new = (v.old, marker(v.old, 4, "privat")), (v.new, marker(v.new, 4, "privat"))
    empty = ("", slot(4, "privat"))
    table: dict[int, tuple[list[tuple[str, str]], list[str]]] = {
        1: ([old], [v.old]),
        2: ([empty], []),
        3: ([new], [v.new]),
        4: ([new], [v.new]),
        5: ([new], [v.new]),
        6: ([new], [v.new]),
        7: ([new, (v.other, marker(v.other, 4))], [v.new, v.other]),
        8: ([empty], []),
        9: ([empty], []),
        10: ([new], [v.new]),
        11: ([], []),
        12: ([], []),
        13: ([(v.new, marker(v.new, 4))], [v.new]),
        14: ([old], [v.old]),
        15: ([old], [v.old]),
        16: ([(v.old, marker(v.old, 4))], [v.old]),
        17: ([empty], []),
        18: ([old], [v.old]),
    }
    return table[row]


def stands(world: World, pair: Pair) -> tuple[list[tuple[str, str]], list[str]]:
    entries = sorted((one["tlf"] or "", one["bemerkung"] or "") for one in world.entries(pair))
    return entries, world.espo_values(pair)


@pytest.mark.parametrize("row", ROWS, ids=[f"row {number}" for number in ROWS])
def test_each_row_ends_as_the_table_says_and_the_next_run_is_quiet(
    request: pytest.FixtureRequest, row: int, world: World
) -> None:
    if row in GONE_ROWS:
        world = request.getfixturevalue("stored")
    values = Values(address("old"), address("new"), address("other"))
    if row < 14:
        pair, komm_id = linked(world, values)
        edit(world, row, pair, komm_id, values)
    else:
        pair = first_meeting(world, row, values)
    result = world.sync(pair)
    entries, items = expected(row, values)
    assert stands(world, pair) == (sorted(entries), sorted(items))
    assert {told["row"] for told in result["plan"]} <= {row}
    assert [told["row"] for told in result["conflicts"]] == ([7] if row == 7 else [])
    world.assert_quiet(pair)


@pytest.mark.parametrize("row", ROWS, ids=[f"row {number}" for number in ROWS])
def test_one_direction_after_the_other_ends_like_both(request: pytest.FixtureRequest, row: int, world: World) -> None:
    if row in GONE_ROWS:
        world = request.getfixturevalue("stored")
    values = Values(address("old"), address("new"), address("other"))
    if row < 14:
        pair, komm_id = linked(world, values)
        edit(world, row, pair, komm_id, values)
    else:
        pair = first_meeting(world, row, values)
    world.sync(pair, "to_espocrm")
    world.sync(pair, "to_advoware")
    world.sync(pair, "to_espocrm")
    entries, items = expected(row, values)
    assert stands(world, pair) == (sorted(entries), sorted(items))
    world.assert_quiet(pair)


# --- the four scenarios --------------------------------------------------------------------------------------------------


def a_pair_of_three(world: World) -> tuple[Pair, list[str]]:
    values = [number(), number(), address()]
    pair = world.pair([entry(values[0], 1, "Zentrale"), entry(values[1], 3), entry(values[2], 4)], [])
    world.sync(pair)
    return pair, values


def test_deleted_in_espocrm_becomes_a_slot_that_keeps_the_users_text(world: World) -> None:
    pair, values = a_pair_of_three(world)
    world.swap_item(pair, values[0], None)
    result = world.sync(pair)
    assert result["espocrm_to_advoware"]["deleted"] == 1
    assert world.slots(pair) == [slot(1, "Zentrale")]
    assert world.advoware_values(pair) == sorted(values[1:])
    world.assert_quiet(pair)


def test_changed_in_espocrm_is_written_into_its_entry(world: World) -> None:
    pair, values = a_pair_of_three(world)
    changed = number()
    komm_id = world.entry_of(pair, values[0])["id"]
    world.swap_item(pair, values[0], changed)
    result = world.sync(pair)
    assert result["espocrm_to_advoware"]["updated"] == 1
    after = world.entry(pair, komm_id)
    assert (after["tlf"], after["bemerkung"], after["online"]) == (changed, marker(changed, 1, "Zentrale"), True)
    world.assert_quiet(pair)


def test_new_in_espocrm_takes_a_free_slot_of_its_kind_before_a_new_entry_is_made(world: World) -> None:
    pair, values = a_pair_of_three(world)
    world.swap_item(pair, values[1], None)
    world.sync(pair)
    first, second = number(), number()
    world.add_items(pair, item(first, "Mobile"), item(second, "Mobile"))
    result = world.sync(pair)
    assert result["espocrm_to_advoware"]["created"] == 2
    assert world.slots(pair) == []
    assert len(world.entries(pair)) == 4
    assert {world.entry_of(pair, value)["bemerkung"] for value in (first, second)} == {marker(first, 3), marker(second, 3)}
    world.assert_quiet(pair)


def test_new_in_advoware_comes_to_espocrm_in_its_spelling(world: World) -> None:
    pair, _ = a_pair_of_three(world)
    new = number()
    world.sandbox.advoware.add(pair.betnr, entry(national(new), 6, "abends"))
    result = world.sync(pair)
    assert result["advoware_to_espocrm"]["phones_synced"] == 3
    assert new in world.espo_values(pair)
    assert world.entry_of(pair, national(new))["bemerkung"].endswith("] abends")
    world.assert_quiet(pair)


# --- every kommKz ----------------------------------------------------------------------------------------------------------

ARRAY_AND_TYPE = {
    1: ("phone", "Office"),
    2: ("phone", "Fax"),
    3: ("phone", "Mobile"),
    4: ("email", None),
    6: ("phone", "Home"),
    7: ("phone", "Fax"),
    8: ("email", None),
    9: ("phone", "Mobile"),
    10: ("phone", "Other"),
    11: ("email", None),
    12: ("email", None),
}


@pytest.mark.parametrize("reading", ["zero", "correct"])
@pytest.mark.parametrize("komm_kz", ARRAY_AND_TYPE)
def test_every_kommkz_goes_into_its_array_with_its_type_and_is_remembered(world: World, komm_kz: int, reading: str) -> None:
    world.sandbox.advoware.switch(kommKzInGet=reading)
    array, kind = ARRAY_AND_TYPE[komm_kz]
    value = address() if array == "email" else number()
    pair = world.pair([entry(value, komm_kz)], [])
    world.sync(pair)
    assert world.item_of(pair, value).get("type") == kind
    assert world.entry_of(pair, value)["bemerkung"] == marker(value, komm_kz)
    world.assert_quiet(pair)


@pytest.mark.parametrize("value", ["https://www.example.com", "kanzlei@example.com"])
def test_internet_entries_are_never_synchronised(world: World, value: str) -> None:
    pair = world.pair([entry(value, 5)], [])
    world.assert_quiet(pair)
    assert world.espo_values(pair) == []


@pytest.mark.parametrize("kind", ENTITY_OF_TYPE)
def test_every_type_of_espocrm_makes_an_entry_of_its_kommkz(world: World, kind: str) -> None:
    value = number()
    pair = world.pair([], [item(value, kind)])
    world.sync(pair)
    made = world.entry_of(pair, value)
    assert (made["kommKz"], made["bemerkung"]) == (ENTITY_OF_TYPE[kind], marker(value, ENTITY_OF_TYPE[kind]))
    world.assert_quiet(pair)
