"""Remarks belong to people: their text survives to the byte, whatever marker stands before it or was damaged in it."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.http.support import address, item, marker, number, slot
from tests.support.sandbox import entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.http.support import World

TEXTS = {
    "umlauts": "Büro, täglich ab 8 Uhr (€) Frau Groß 🙂",
    "lines": "erste Zeile\r\nzweite\n\tdritte",
    "blanks": "  zwei davor, zwei danach  ",
    "brackets": "[privat] [ESPOCRM] [ESPOCRM:] [ESPOCRM::4]",
    "damaged": "[ESPOCRM:bWF4QGV4YW1wbGUuY29t:4",
    "no kind": "[ESPOCRM:bWF4QGV4YW1wbGUuY29t:13] [ESPOCRM:bWF4QGV4YW1wbGUuY29t:0]",
    "no base64": "[ESPOCRM:nicht base64!:4]",
    "foreign": "[OTHERCRM:bWF4QGV4YW1wbGUuY29t:4]",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_users_text_survives_adoption_change_deletion_and_return_to_the_byte(world: World, text: str) -> None:
    first, second, third = address(), address(), address()
    pair = world.pair([entry(first, 4, text)], [item(first), item(address())])
    komm_id = world.entry_of(pair, first)["id"]

    def remark() -> str:
        found: str = world.entry(pair, komm_id)["bemerkung"]
        return found

    world.sync(pair)
    assert remark() == f"{marker(first, 4)} {text}"
    world.swap_item(pair, first, second)
    world.sync(pair)
    assert remark() == f"{marker(second, 4)} {text}"
    world.sandbox.advoware.change(pair.betnr, komm_id, tlf=third)
    world.sync(pair)
    assert remark() == f"{marker(third, 4)} {text}"
    world.swap_item(pair, third, None)
    world.sync(pair)
    assert remark() == f"{slot(4)} {text}"
    world.sandbox.advoware.fill(pair.betnr, komm_id, first)
    world.sync(pair)
    assert remark() == f"{marker(first, 4)} {text}"
    world.assert_quiet(pair)


def test_a_marker_moved_into_the_text_is_written_back_at_the_start(world: World) -> None:
    old, new = number(), number()
    pair = world.pair([entry(old, 6, f"vorn {marker(old, 6)} hinten")], [item(old, "Home")])
    world.sync(pair)
    world.swap_item(pair, old, new)
    world.sync(pair)
    assert world.entry_of(pair, new)["bemerkung"] == f"{marker(new, 6)} vorn hinten"
    world.assert_quiet(pair)


def test_of_two_markers_the_first_counts_and_the_second_is_text(world: World) -> None:
    old, new = address(), address()
    second = marker(address(), 8)
    pair = world.pair([entry(old, 4, f"{marker(old, 4)} {second} Text")], [item(old)])
    world.sync(pair)
    world.swap_item(pair, old, new)
    world.sync(pair)
    assert world.entry_of(pair, new)["bemerkung"] == f"{marker(new, 4)} {second} Text"
    world.assert_quiet(pair)


@pytest.mark.parametrize("make", [hashlib.sha256, hashlib.sha1, hashlib.md5])
def test_an_older_marker_with_a_hash_links_and_is_rewritten(world: World, make: Callable[[bytes], hashlib._Hash]) -> None:
    value = number()
    old = f"[ESPOCRM:{make(value.encode()).hexdigest()[:8]}:7] Fax daheim"
    pair = world.pair([entry(value, 7, old)], [item(value, "Fax")])
    world.sync(pair)
    assert world.entry_of(pair, value)["bemerkung"] == marker(value, 7, "Fax daheim")
    world.assert_quiet(pair)


def test_an_older_marker_whose_value_was_changed_is_none_so_nothing_is_removed(storeless: World) -> None:
    old, new = number(), number()
    damaged = f"[ESPOCRM:{hashlib.sha256(old.encode()).hexdigest()[:8]}:1] Zentrale"
    pair = storeless.pair([entry(new, 1, damaged)], [item(old)])
    storeless.sync(pair)
    assert storeless.advoware_values(pair) == storeless.espo_values(pair) == sorted([old, new])
    assert storeless.entry_of(pair, new)["bemerkung"] == f"{marker(new, 1)} {damaged}"
    storeless.assert_quiet(pair)


def test_without_a_marker_the_base_store_still_knows(stored: World) -> None:
    old, new = number(), number()
    pair = stored.pair([entry(old, 6, "abends")], [item(old, "Home")])
    stored.sync(pair)
    komm_id = stored.entry_of(pair, old)["id"]
    stored.sandbox.advoware.change(pair.betnr, komm_id, bemerkung="nur noch morgens")
    stored.swap_item(pair, old, new)
    stored.sync(pair)
    after = stored.entry(pair, komm_id)
    assert (after["tlf"], after["bemerkung"]) == (new, marker(new, 6, "nur noch morgens"))
    assert stored.advoware_values(pair) == stored.espo_values(pair) == [new]
    stored.assert_quiet(pair)


def test_a_lost_marker_alone_is_put_back(stored: World) -> None:
    value = number()
    pair = stored.pair([entry(value, 6, "abends")], [item(value, "Home")])
    stored.sync(pair)
    komm_id = stored.entry_of(pair, value)["id"]
    stored.sandbox.advoware.change(pair.betnr, komm_id, bemerkung="nur noch morgens")
    stored.sync(pair)
    assert stored.entry(pair, komm_id)["bemerkung"] == marker(value, 6, "nur noch morgens")
    stored.assert_quiet(pair)


def test_a_change_of_spelling_alone_causes_no_write_and_keeps_the_marker(world: World) -> None:
    value = number()
    pair = world.pair([entry(value)], [item(value)])
    world.sync(pair)
    komm_id = world.entry_of(pair, value)["id"]
    other = f"+49 (511) {value.removeprefix('+49511')}"
    world.sandbox.advoware.change(pair.betnr, komm_id, tlf=other)
    world.sync(pair)
    assert world.writes() == []
    assert world.entry(pair, komm_id)["bemerkung"] == marker(value, 1)
    assert world.espo_values(pair) == [value]
    world.assert_quiet(pair)


def test_a_value_removed_on_one_side_and_respelled_on_the_other_is_removed(world: World) -> None:
    value, anchor = number(), number()
    pair = world.pair([entry(value, 1, "Zentrale"), entry(anchor)], [item(value), item(anchor)])
    world.sync(pair)
    komm_id = world.entry_of(pair, value)["id"]
    world.sandbox.advoware.change(pair.betnr, komm_id, tlf=f"0{value.removeprefix('+49')}")
    world.swap_item(pair, value, None)
    world.sync(pair)
    assert world.advoware_values(pair) == world.espo_values(pair) == [anchor]
    assert world.slots(pair) == [slot(1, "Zentrale")]


@pytest.mark.parametrize("online", [True, False])
def test_online_stays_as_read_where_only_the_marker_is_set(world: World, *, online: bool) -> None:
    value = address()
    pair = world.pair([entry(value, 4, online=online)], [item(value)])
    world.sync(pair)
    assert world.entry_of(pair, value)["online"] is online


def test_online_is_set_with_a_value_from_espocrm_and_cleared_on_a_slot(world: World) -> None:
    old, new, anchor = address(), address(), address()
    pair = world.pair([entry(old, 4, online=False)], [item(old), item(anchor)])
    world.sync(pair)
    world.swap_item(pair, old, new)
    world.sync(pair)
    assert world.entry_of(pair, new)["online"] is True
    assert world.entry_of(pair, anchor)["online"] is True
    komm_id = world.entry_of(pair, new)["id"]
    world.swap_item(pair, new, None)
    world.sync(pair)
    assert world.entry(pair, komm_id)["online"] is False


def test_a_slot_with_a_users_text_waits_for_a_person_and_takes_no_value(world: World) -> None:
    value = number()
    pair = world.pair([entry("", 3, slot(3, "Nummer von Frau M.")), entry("", 3, slot(3))], [item(value, "Mobile")])
    world.sync(pair)
    assert world.slots(pair) == [slot(3, "Nummer von Frau M.")]
    assert world.entry_of(pair, value)["bemerkung"] == marker(value, 3)
    assert len(world.entries(pair)) == 2
    world.assert_quiet(pair)


def test_a_slot_of_another_kind_is_not_reused(world: World) -> None:
    value = number()
    pair = world.pair([entry("", 1, slot(1))], [item(value, "Mobile")])
    world.sync(pair)
    assert world.slots(pair) == [slot(1)]
    assert world.entry_of(pair, value)["kommKz"] == 3
    world.assert_quiet(pair)


def test_base64_of_values_beyond_ascii_is_utf8_with_its_padding(world: World) -> None:
    value = f"erika.{number()[-6:]}@bücher.example"
    pair = world.pair([entry(value, 4, "Büro")], [])
    world.sync(pair)
    expected = base64.b64encode(value.encode("utf-8")).decode("ascii")
    assert world.entry_of(pair, value)["bemerkung"] == f"[ESPOCRM:{expected}:4] Büro"
    domain = "xn--bcher-kva.example"
    assert world.espo_values(pair) == [f"{value.partition('@')[0]}@{domain}"]
    world.assert_quiet(pair)
