"""The rules beside the table: four scenarios, spelling, multiplicity, no base no deletion, remarks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from services.kommunikation_mapper import calculate_hash, canonical_key, make_marker
from services.kommunikation_plan import Rules
from services.kommunikation_table import Direction
from services.kommunikation_types import BaseEntry, EspoItem
from tests.core.apply import World, run, settle
from tests.core.builders import (
    KNOWS_NOTHING,
    NO_STORE,
    entry,
    filled,
    mail,
    person,
    phone,
    plan_for,
    record,
)

if TYPE_CHECKING:
    from services.kommunikation_entry import BaseView

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


# ------------------------------------------------------------------------------------------------------- four scenarios

VIEWS = pytest.mark.parametrize("view", [NO_STORE, filled(e1=(MAX, 4))], ids=["markers alone", "base store"])


@VIEWS
def test_deleted_in_espocrm_becomes_a_slot_in_advoware(view: BaseView) -> None:
    after = settle(World(person(entry(1, MAX, base=MAX, kz=4)), record(), view))
    assert both(after) == set()
    assert after.advoware.kommunikation[0].bemerkung == "[ESPOCRM-SLOT:4]"
    assert not after.advoware.kommunikation[0].online


@VIEWS
def test_changed_in_espocrm_is_changed_in_advoware(view: BaseView) -> None:
    after = settle(World(person(entry(1, MAX, base=MAX, kz=4)), record(mail(NEU, primary=True)), view))
    assert tlf(after) == {1: NEU}
    assert after.advoware.kommunikation[0].bemerkung == make_marker(NEU, 4)


@VIEWS
def test_new_in_espocrm_is_created_in_advoware(view: BaseView) -> None:
    before = record(mail(MAX, primary=True), phone(A, "Mobile", primary=True))
    after = settle(World(person(entry(1, MAX, base=MAX, kz=4)), before, view))
    assert tlf(after) == {1: MAX, 900: A}
    assert after.advoware.kommunikation[1].bemerkung == make_marker(A, 3)
    assert after.advoware.kommunikation[1].online


@VIEWS
def test_new_in_advoware_is_added_to_espocrm(view: BaseView) -> None:
    before = person(entry(1, MAX, base=MAX, kz=4), entry(2, "0171 3920001"), mobil="+491713920001")
    after = settle(World(before, record(mail(MAX, primary=True)), view))
    assert after.espocrm.phones == (phone("+491713920001", "Mobile", primary=True),)
    assert tlf(after) == {1: MAX, 2: "0171 3920001"}
    assert after.advoware.kommunikation[1].bemerkung == make_marker("0171 3920001", 3)


# ------------------------------------------------------------------------------------------------------------- spelling


@pytest.mark.parametrize("typed", ["0511 123-456", "0511/123456", " +49 511 123456 "])
def test_another_spelling_alone_causes_no_write(typed: str) -> None:
    plan = plan_for(person(entry(1, typed, base=A)), record(phone(A, primary=True)))
    assert not plan.operations
    assert not plan.arrays


def test_a_value_removed_on_one_side_and_respelled_on_the_other_is_removed() -> None:
    respelled = World(person(entry(1, "0511 123-456", base=A)), record(), NO_STORE)
    assert both(settle(respelled)) == set()
    upper = World(person(entry(1, "", base=MAX, kz=4)), record(mail("MAX@Example.com", primary=True)), NO_STORE)
    assert both(settle(upper)) == set()


def test_a_pair_that_a_new_normaliser_no_longer_sees_as_equal_stays_a_pair() -> None:
    # An older version took these two for one value; the base store remembers what the entry was linked to.
    linked = filled(e1=BaseEntry("0511 123456 (Büro)", 1, "ROW1", A, "Office"))
    advoware = person(entry(1, "0511 123456 (Büro)", base="0511 123456 (Büro)"))
    assert not plan_for(advoware, record(phone(A, primary=True)), linked).operations
    # But an item that another entry holds is that entry's.
    both_entries = person(*advoware.kommunikation, entry(2, A))
    plan = plan_for(both_entries, record(phone(A, primary=True)), linked)
    assert [line.number for line in plan.comparison.lines] == [2, 14]


def test_each_side_keeps_its_own_spelling() -> None:
    before = World(person(entry(1, "0511/12 34 56"), entry(2, "info@bücher.example")), record(), NO_STORE)
    after = settle(before)
    assert [item.value for item in after.espocrm.phones + after.espocrm.emails] == [A, "info@xn--bcher-kva.example"]
    assert tlf(after) == {1: "0511/12 34 56", 2: "info@bücher.example"}


def test_old_national_numbers_go_out_in_e164_when_the_array_is_written_anyway() -> None:
    old = record(phone("0511 123456", primary=True), phone("0511/123457", "Home", opt_out=True))
    linked = [entry(1, A, base=A), entry(2, B, base=B, kz=6)]
    assert not plan_for(person(*linked), old).arrays
    plan = plan_for(person(*linked, entry(3, C)), old)
    assert plan.arrays.phones == (phone(A, primary=True), phone(B, "Home", opt_out=True), phone(C))


# --------------------------------------------------------------------------------------------------------- multiplicity

TWINS = (entry(1, A, base=A, kz=1), entry(2, "0511 123456", base="0511 123456", kz=3))
TWIN_VIEWS = pytest.mark.parametrize("view", [NO_STORE, filled(e1=(A, 1), e2=(A, 3))], ids=["markers alone", "base store"])


@TWIN_VIEWS
def test_entries_with_one_value_mirror_one_item(view: BaseView) -> None:
    assert not plan_for(person(*TWINS), record(phone(A, primary=True)), view).operations


@TWIN_VIEWS
def test_a_change_or_deletion_of_the_item_applies_to_all_entries_with_its_value(view: BaseView) -> None:
    changed = settle(World(person(*TWINS), record(phone(B, primary=True)), view))
    assert tlf(changed) == {1: B, 2: B}
    assert both(settle(World(person(*TWINS), record(), view))) == set()


@TWIN_VIEWS
def test_an_item_stays_while_a_live_entry_holds_its_value(view: BaseView) -> None:
    items = record(phone(A, primary=True))
    emptied = settle(World(person(entry(1, "", base=A), TWINS[1]), items, view))
    assert emptied.espocrm == items
    assert tlf(emptied) == {1: "", 2: "0511 123456"}
    deleted = settle(World(person(TWINS[1]), items, view))
    assert deleted.espocrm == items
    assert tlf(deleted) == {2: "0511 123456"}


def test_an_emptied_entry_whose_value_another_holds_becomes_a_slot_in_any_direction() -> None:
    before = World(person(entry(1, "", base=A), TWINS[1]), record(phone(A, primary=True)), NO_STORE)
    for direction in Direction:
        after = run(before, Rules(direction=direction))
        assert after.advoware.kommunikation[0].bemerkung == "[ESPOCRM-SLOT:1]"
        assert not before.plan(Rules(direction=direction)).pending


@TWIN_VIEWS
def test_an_entry_that_changes_gets_an_item_of_its_own(view: BaseView) -> None:
    after = settle(World(person(entry(1, B, base=A), TWINS[1]), record(phone(A, "Mobile", primary=True)), view))
    assert after.espocrm.phones == (phone(A, "Mobile", primary=True), phone(B, "Office"))


def test_the_item_leaves_when_its_last_entry_goes() -> None:
    gone = settle(World(person(entry(1, "", base=A), entry(2, "", base=A, kz=3)), record(phone(A, primary=True)), NO_STORE))
    assert both(gone) == set()


def test_a_value_twice_in_advoware_goes_to_espocrm_once() -> None:
    after = settle(World(person(entry(1, "0511 123456"), entry(2, A)), record(), NO_STORE))
    assert after.espocrm.phones == (phone(A, primary=True),)
    assert len(after.live()) == 2


def test_two_entries_that_swap_their_values_lose_nothing() -> None:
    before = person(entry(1, B, base=A), entry(2, A, base=B))
    assert both(settle(World(before, record(phone(A, primary=True), phone(B)), NO_STORE))) == keys(A, B)


# ------------------------------------------------------------------------------------------------- no base, no deletion


def test_first_contact_removes_nothing_and_brings_what_is_missing_to_the_other_side() -> None:
    before = person(entry(1, A, base=A), entry(2, "", base=B), entry(3, "", base=C))
    after = settle(World(before, record(phone(B, primary=True)), KNOWS_NOTHING))
    assert both(after) == keys(A, B)
    assert tlf(after) == {1: A, 2: B, 3: ""}


def test_a_value_given_back_without_a_base_keeps_the_spelling_of_advoware() -> None:
    after = settle(World(person(entry(1, "", base="0511/123456")), record(phone(A, primary=True)), KNOWS_NOTHING))
    assert tlf(after) == {1: "0511/123456"}


def test_after_first_contact_deletions_are_believed() -> None:
    met = settle(World(person(entry(1, A, base=A)), record(phone(A, primary=True)), KNOWS_NOTHING))
    assert both(settle(replace(met, espocrm=record()))) == set()


def test_an_entry_deleted_in_advoware_is_noticed_by_the_base_store_alone() -> None:
    deleted = record(phone(A, primary=True))
    assert both(settle(World(person(), deleted, filled(e1=(A, 1))))) == set()
    assert both(settle(World(person(), deleted, NO_STORE))) == keys(A)
    assert both(settle(World(person(), deleted, KNOWS_NOTHING))) == keys(A)


@pytest.mark.parametrize("items", [(), (phone(A, primary=True),)], ids=["missing", "there"])
def test_a_copied_entry_has_no_base_whatever_its_marker_says(items: tuple[EspoItem, ...]) -> None:
    plan = plan_for(person(entry(7, A, base=A)), record(*items), filled())
    assert [line.number for line in plan.comparison.lines] == [14 if items else 15]


def test_the_copy_of_an_entry_that_somebody_changed_is_a_new_value() -> None:
    before = person(entry(1, A, base=A), entry(7, B, base=A))
    for view in (NO_STORE, filled(e1=(A, 1))):
        assert both(settle(World(before, record(phone(A, primary=True)), view))) == keys(A, B)


# -------------------------------------------------------------------------------------------------------------- remarks


def test_a_slot_with_a_users_text_is_never_reused() -> None:
    before = World(person(entry(1, "", slot=True, kz=4, text="nicht anrufen")), record(mail(MAX, primary=True)), NO_STORE)
    assert tlf(settle(before)) == {1: "", 900: MAX}


def test_the_users_text_stays_with_its_entry_through_change_and_deletion() -> None:
    text = "  [ruft zurück]\n:-)  "
    before = World(person(entry(1, MAX, base=MAX, kz=4, text=text)), record(mail(NEU, primary=True)), NO_STORE)
    changed = settle(before)
    assert changed.advoware.kommunikation[0].bemerkung == make_marker(NEU, 4) + " " + text
    emptied = settle(replace(changed, espocrm=record()))
    assert emptied.advoware.kommunikation[0].bemerkung == f"[ESPOCRM-SLOT:4] {text}"


def test_a_legacy_marker_is_rewritten_with_the_value_and_the_text_kept() -> None:
    old = entry(1, MAX, remark=f"Kanzlei [ESPOCRM:{calculate_hash(MAX)}:4] alt")
    after = settle(World(person(old), record(mail(MAX, primary=True)), NO_STORE))
    assert after.advoware.kommunikation[0].bemerkung == make_marker(MAX, 4) + " Kanzlei alt"
    assert after.advoware.kommunikation[0].online


def test_reused_slots_and_new_entries_go_online_slots_do_not_and_markers_leave_it() -> None:
    before = person(entry(1, "", slot=True, kz=4, online=False), entry(2, A, online=False), entry(3, B, base=B))
    after = settle(
        World(before, record(mail(MAX, primary=True), phone(C, primary=True)), filled(e3=BaseEntry(B, 1, "ROW3")))
    )
    online = {raw.tlf: raw.online for raw in after.advoware.kommunikation}
    assert online == {MAX: True, A: False, C: True}
