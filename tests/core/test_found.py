"""Minimal worlds in which the core once broke a promise, found by the property tests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from services.kommunikation_entry import BaseView
from services.kommunikation_mapper import canonical_key, held_back_reason, make_hash_marker, phone_form
from services.kommunikation_plan import Answers, Rules
from services.kommunikation_table import ConflictPolicy, Direction
from services.kommunikation_types import Art, Base, BaseEntry
from tests.core.apply import World, interrupted, run, settle, steps
from tests.core.builders import (
    BETNR,
    KNOWS_NOTHING,
    AskNobody,
    done,
    entry,
    filled,
    mail,
    person,
    phone,
    plan_for,
    record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

A, B, C = "+49511123456", "+49511123457", "+49511123458"


def test_a_copied_entry_whose_value_could_not_be_sent_yet_is_not_taken_for_a_deletion_later() -> None:
    world = World(person(entry(1, A, base=A)), record(), filled())
    pending = run(world, Rules(direction=Direction.TO_ADVOWARE))
    after = settle(pending)
    assert after.values() == ({canonical_key(A)}, {canonical_key(A)})


def test_an_emptied_twin_is_not_filled_again_while_another_entry_holds_the_value() -> None:
    twins = person(entry(1, A), entry(2, "", base=A))
    assert done(plan_for(twins, record(), KNOWS_NOTHING)) == [(15, "AddItem"), (15, "SetMarker")]


def test_two_emptied_twins_get_the_value_back_only_once() -> None:
    twins = person(entry(1, "", base=A), entry(2, "", base=A))
    assert done(plan_for(twins, record(phone(A, primary=True)), KNOWS_NOTHING)) == [(10, "WriteEntry")]


def test_a_base_stays_while_the_item_it_names_has_still_to_leave_espocrm() -> None:
    # No marker tells the base here. The entry's new value is in EspoCRM already; removing the old one is for the other run.
    world = World(person(entry(1, B)), record(phone(A, primary=True), phone(B)), filled(e1=(A, 1)))
    pending = run(world, Rules(direction=Direction.TO_ADVOWARE))
    after = settle(pending)
    assert after.values() == ({canonical_key(B)}, {canonical_key(B)})


def test_a_value_given_back_to_an_emptied_entry_stays_in_espocrm_when_its_twin_changed() -> None:
    twins = person(entry(1, "", base=A), entry(2, B, base=A))
    after = run(World(twins, record(phone(A, primary=True)), KNOWS_NOTHING))
    assert after.values() == ({canonical_key(A), canonical_key(B)},) * 2


def test_a_run_that_died_before_its_first_request_does_not_make_a_replaced_value_come_back() -> None:
    world = World(person(entry(1, B, base=A)), record(phone(A, primary=True), phone(B)), filled(e1=(A, 1)))
    after = settle(interrupted(world, after=0))
    assert after.values() == ({canonical_key(B)},) * 2


def test_entries_with_one_value_all_follow_a_change_although_the_run_died_between_them() -> None:
    twins = person(entry(1, A, base=A, kz=1), entry(2, A, base=A, kz=3))
    world = World(twins, record(phone(B, primary=True)), filled(e1=(A, 1), e2=(A, 3)))
    for cut in range(len(steps(world.plan())) + 1):
        after = settle(interrupted(world, cut))
        assert after.advoware_keys() == [canonical_key(B)] * 2, f"after {cut} requests"


def test_a_legacy_marker_of_the_old_value_is_understood_through_the_base_store() -> None:
    changed = entry(1, B, remark=make_hash_marker(A, 1) + " Büro")
    after = settle(World(person(changed), record(phone(A, primary=True)), filled(e1=(A, 1))))
    assert after.values() == ({canonical_key(B)},) * 2
    assert after.texts() == ["Büro"]


def test_a_changed_value_keeps_the_items_place_although_its_twin_was_emptied() -> None:
    twins = person(entry(1, "", base=A), entry(2, B, base=A, kz=3))
    plan = plan_for(twins, record(phone(A, "Mobile", primary=True, opt_out=True)))
    assert plan.arrays.phones == (phone(B, "Mobile", primary=True, opt_out=True),)


def test_of_more_than_ten_a_linked_value_keeps_its_place_before_new_ones() -> None:
    full = [phone(f"+4951112346{n:02}", primary=n == 0) for n in range(10)]
    linked = [entry(10 + n, item.value, base=item.value) for n, item in enumerate(full)]
    linked[9] = entry(19, B, base=full[9].value)
    plan = plan_for(person(entry(1, A), entry(2, B), *linked), record(*full))
    assert plan.arrays.phones is not None
    assert {item.value for item in plan.arrays.phones} == {item.value for item in full[:9]} | {B}
    assert [(f.entry_id, f.reason) for f in plan.held_back] == [(1, "more than 10 of a kind in EspoCRM")]


def test_a_value_that_changes_its_array_is_held_back_where_that_array_is_full() -> None:
    full = [phone(f"+4951112346{n:02}", primary=n == 0) for n in range(10)]
    linked = [entry(10 + n, item.value, base=item.value) for n, item in enumerate(full)]
    changed = entry(1, A, base="max@example.com", kz=4)
    plan = plan_for(person(changed, *linked), record(mail("max@example.com", primary=True), *full))
    assert [(f.entry_id, f.reason) for f in plan.held_back] == [(1, "more than 10 of a kind in EspoCRM")]
    assert plan.operations == ()


def test_a_change_of_type_that_comes_with_a_changed_value_is_not_forgotten() -> None:
    known = BaseEntry(A, 1, "ROW1", A, "Office")
    world = World(person(entry(1, B, base=A)), record(phone(A, "Mobile", primary=True)), filled(e1=known))
    after = settle(world)
    assert [after.kinds.get(raw.id) for raw in after.live()] == [3]
    assert after.espocrm.phones == (phone(B, "Mobile", primary=True),)


def test_of_two_entries_with_one_number_the_one_of_the_old_type_moves() -> None:
    known = {"e1": BaseEntry(A, 3, "ROW1", A, "Office"), "e2": BaseEntry(A, 1, "ROW2", A, "Office")}
    twins = person(entry(1, A, base=A, kz=3), entry(2, A, base=A, kz=1))
    world = World(twins, record(phone(A, "Home", primary=True)), filled(**known), {1: 3, 2: 1})
    assert sorted(world.kinds[raw.id] for raw in world.live()) == [1, 3]
    after = settle(world)
    assert sorted(after.kinds[raw.id] for raw in after.live()) == [3, 6]


def test_a_users_text_that_did_not_move_with_its_value_stays_on_the_old_entry() -> None:
    known = filled(e1=BaseEntry(A, 1, "ROW1", A, "Office"))
    world = World(person(entry(1, A, base=A, text="alt")), record(phone(A, "Mobile", primary=True)), known)
    cut = interrupted(world, after=1)
    edited = [replace(r, bemerkung=f"{r.bemerkung} und neu") if r.id == 1 else r for r in cut.advoware.kommunikation]
    after = settle(replace(cut, advoware=person(*edited)))
    assert sorted(after.texts()) == ["alt", "alt und neu"]


def test_a_number_stored_twice_in_two_spellings_stays_primary_when_one_spelling_goes() -> None:
    old = record(phone(B, primary=False), phone("0511 123456"), phone(A, "Home", primary=True, opt_out=True))
    plan = plan_for(person(entry(1, A, base=A, kz=6), entry(2, B, base=B), entry(3, "+49511123458")), old)
    assert plan.arrays.phones is not None
    # The object that keeps its spelling is the one whose flags are sent: nobody's opt-out is undone by the other.
    assert [i for i in plan.arrays.phones if i.value == A] == [phone(A, "Home", primary=True, opt_out=True)]


def test_an_old_national_number_takes_type_and_flags_of_the_holder_of_its_new_spelling() -> None:
    world = person(entry(1, A, base="0511 123456"), entry(2, B))
    old = record(phone("0511 123456", "Office", primary=True))
    asked = plan_for(world, old, answers=Answers())
    assert {value for _, value in asked.questions[Art.PHONE]} == {A, B}
    holder = AskNobody({canonical_key(A): phone(A, "Home", opt_out=True, primary=True)})
    plan = plan_for(world, old, answers=Answers(holders=holder))
    assert plan.arrays.phones == (phone(A, "Home", primary=True, opt_out=True), phone(B, "Office"))


@pytest.mark.parametrize("policy", list(ConflictPolicy))
def test_half_an_emoji_breaks_nothing(policy: ConflictPolicy) -> None:
    half = "\ud83d"
    advoware = person(entry(1, half), entry(2, half, base=A), entry(3, A, remark=f"[ESPOCRM:12345678:1] {half}"))
    plan = plan_for(advoware, record(phone(B, primary=True)), rules=Rules(policy))
    assert {f.entry_id for f in plan.held_back} == {1, 2}


def test_two_numbers_on_two_lines_are_no_number() -> None:
    assert phone_form("0511 1234\n5678") is None
    assert held_back_reason("0511 1234\n5678", Art.PHONE) == "two values in one field"


@pytest.mark.parametrize("order", [list(Direction), list(reversed(Direction))])
def test_the_directions_agree_where_one_twin_changed_and_the_other_has_to_follow(order: Iterable[Direction]) -> None:
    twins = person(entry(1, A, base=A), entry(2, B, base=A))
    world = World(twins, record(phone("+49511123458", primary=True)), filled(e1=(A, 1), e2=(A, 1)))
    rules = {way: Rules(ConflictPolicy.ADVOWARE_WINS, way) for way in Direction}
    both = settle(world, rules[Direction.BOTH])
    for direction in order:
        if direction is not Direction.BOTH:
            world = run(world, rules[direction])
    assert world.values() == both.values()


def test_a_marker_pasted_over_from_another_entry_does_not_replace_what_the_base_store_knows() -> None:
    known = filled(e1=(A, 1), e2=(B, 3))
    # Somebody copied the whole remark of entry 2 into entry 1; then A was deleted, once in EspoCRM and once in Advoware.
    in_espocrm = World(person(entry(1, A, base=B, kz=3), entry(2, B, base=B, kz=3)), record(phone(B, "Mobile")), known)
    assert settle(in_espocrm).values() == ({canonical_key(B)},) * 2
    both = record(phone(A), phone(B, "Mobile", primary=True))
    in_advoware = World(person(entry(1, "", base=B, kz=3), entry(2, B, base=B, kz=3)), both, known)
    after = settle(in_advoware)
    assert after.values() == ({canonical_key(B)},) * 2
    assert after.advoware.kommunikation[0].bemerkung == "[ESPOCRM-SLOT:1]"


def test_an_emptied_entry_does_not_take_a_new_value_with_it_because_the_run_died_after_the_removal() -> None:
    emptied = person(entry(1, "", base=A, text="Büro"))
    world = World(emptied, record(phone(A, primary=True), phone(B)), filled(e1=(A, 1)))
    for cut in range(len(steps(world.plan())) + 1):
        after = settle(interrupted(world, cut))
        assert [(raw.tlf, after.texts_by_entry()[raw.id]) for raw in after.advoware.kommunikation] == [("", "Büro"), (B, "")]


def test_an_entry_whose_value_has_moved_is_not_filled_again_by_a_renewed_marker() -> None:
    # Somebody removed the old entry's marker while the move was under way.
    old, new = entry(1, A, remark="Büro"), entry(2, A, base=A, kz=3)
    base = Base(BETNR, {1: BaseEntry(A, 1, "ROW1", A, "Office"), 2: BaseEntry(A, 3, "ROW2", A, "Mobile")}, moves={1: 3})
    view = BaseView(keeps_base=True, base=base)
    after = settle(World(person(old, new), record(phone(A, "Mobile", primary=True)), view, {1: 1, 2: 3}))
    assert [raw.tlf for raw in after.advoware.kommunikation] == ["", A]


def test_an_entry_deleted_in_advoware_that_was_never_synchronised_removes_nothing() -> None:
    site = filled(e1=BaseEntry("max@example.com", 5, "ROW1"))
    assert not plan_for(person(), record(mail("max@example.com", primary=True)), site).arrays


def test_where_espocrm_wins_a_crash_does_not_let_the_loser_pass_for_agreed_on() -> None:
    # The same value was typed into a new entry as well, so the interrupted run had already brought it to EspoCRM.
    before = World(person(entry(1, B), entry(2, B, base=A)), record(phone(C, primary=True)), filled(e2=(A, 1)), {1: 1, 2: 1})
    wins = Rules(ConflictPolicy.ESPOCRM_WINS)
    assert settle(before, wins).advoware_keys() == sorted([canonical_key(B), canonical_key(C)])
    for cut in range(len(steps(before.plan(wins))) + 1):
        after = settle(interrupted(before, cut, wins), wins)
        assert after.advoware_keys() == sorted([canonical_key(B), canonical_key(C)]), f"after {cut} requests"
