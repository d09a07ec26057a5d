"""EspoCRM's arrays: shared objects, primary, what is held back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.kommunikation_mapper import canonical_key
from services.kommunikation_plan import Answers, Plan, Rules
from services.kommunikation_table import Direction
from services.kommunikation_types import Art, Beteiligter, EspoItem
from tests.core.apply import World, run, settle
from tests.core.builders import (
    NO_STORE,
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

A, B, C = "+49511123456", "+49511123457", "+49511123458"
MAX, NEU, KANZLEI = "max@example.com", "neu@example.com", "kanzlei@example.org"
TO_ESPOCRM = Rules(direction=Direction.TO_ESPOCRM)


def tlf(world: World) -> dict[int, str]:
    return {raw.id: raw.tlf or "" for raw in world.advoware.kommunikation}


def both(world: World) -> set[str]:
    """The values of both sides, which have to be the same."""
    advoware, espocrm = world.values()
    assert advoware == espocrm
    return advoware


def keys(*values: str) -> set[str]:
    return {canonical_key(value) for value in values}


# ------------------------------------------------------------------------------------------------------- shared objects


def answered(advoware: Beteiligter, items: tuple[EspoItem, ...], **holders: EspoItem) -> Plan:
    known = AskNobody({canonical_key(holder.value): holder for holder in holders.values()})
    return plan_for(advoware, record(*items), answers=Answers(holders=known))


def test_before_a_value_is_added_other_holders_are_asked_for_once_per_kind() -> None:
    plan = plan_for(person(entry(1, "0511 123456"), entry(2, A), entry(3, MAX)), record(), answers=Answers())
    assert plan.questions == {Art.PHONE: ((canonical_key(A), A),), Art.EMAIL: ((canonical_key(MAX), MAX),)}


def test_known_values_are_not_asked_for() -> None:
    plan = plan_for(person(entry(1, A, base=A)), record(phone(A, primary=True)), answers=Answers())
    assert not plan.questions


def test_of_a_value_another_record_holds_its_type_flags_and_spelling_are_sent() -> None:
    holder = mail("Max@Example.com", opt_out=True, invalid=True, primary=True)
    plan = answered(person(entry(1, MAX), entry(2, A)), (), one=holder, two=phone(A, "Home", opt_out=True))
    assert plan.arrays.emails == (holder,)
    assert plan.arrays.phones == (phone(A, "Home", opt_out=True, primary=True),)


def test_a_replaced_item_keeps_primary_and_type_carries_opt_out_and_never_invalid() -> None:
    old = phone(A, "Home", primary=True, opt_out=True, invalid=True)
    plan = answered(person(entry(1, B, base=A)), (phone(C), old))
    assert plan.arrays.phones is not None
    assert plan.arrays.phones[-1] == phone(B, "Home", primary=True, opt_out=True)


def test_an_opt_out_is_not_carried_to_a_value_somebody_else_holds() -> None:
    old = mail(MAX, primary=True, opt_out=True)
    plan = answered(person(entry(1, NEU, base=MAX, kz=4)), (old,), holder=mail(NEU))
    assert plan.arrays.emails == (mail(NEU, primary=True),)


def test_untouched_items_are_carried_over_as_they_are() -> None:
    foreign = phone(C, "Fax", opt_out=True, invalid=True)
    items = record(phone(B, primary=True), foreign, mail(MAX, primary=True))
    plan = plan_for(person(entry(1, A)), items, rules=TO_ESPOCRM)
    assert plan.arrays.phones == (phone(B, primary=True), foreign, phone(A))
    assert plan.arrays.emails is None


# -------------------------------------------------------------------------------------------------------------- primary


def test_the_first_value_of_a_kind_is_primary() -> None:
    plan = plan_for(person(entry(1, A), entry(2, B), entry(3, MAX)), record())
    assert plan.arrays.phones == (phone(A, primary=True), phone(B))
    assert plan.arrays.emails == (mail(MAX, primary=True),)


def test_a_record_without_a_primary_gets_one_when_the_array_is_written() -> None:
    plan = plan_for(person(entry(1, A, base=A), entry(2, B)), record(phone(A)))
    assert plan.arrays.phones == (phone(A, primary=True), phone(B))


def test_an_added_value_leaves_the_primary_alone() -> None:
    plan = plan_for(
        person(entry(1, A)), record(phone(B), phone(C, primary=True)), rules=Rules(direction=Direction.TO_ESPOCRM)
    )
    assert plan.arrays.phones == (phone(B), phone(C, primary=True), phone(A))


def test_a_removed_primary_passes_to_the_first_that_stays() -> None:
    before = person(entry(1, "", base=A), entry(2, B, base=B), entry(3, C, base=C))
    plan = plan_for(before, record(phone(A, primary=True), phone(B), phone(C)))
    assert plan.arrays.phones == (phone(B, primary=True), phone(C))


def test_of_two_old_spellings_that_become_one_number_the_primary_stays_primary() -> None:
    old = record(phone(B), phone("0511 123456"), phone("0511/123456", primary=True))
    plan = plan_for(person(entry(1, A, base=A), entry(2, B, base=B), entry(3, C)), old)
    assert plan.arrays.phones == (phone(B), phone(A, primary=True), phone(C))


def test_an_old_spelling_that_was_primary_passes_it_to_the_object_it_becomes() -> None:
    old = record(phone(B), phone("0511 123456", primary=True), phone(A, "Home"))
    plan = plan_for(person(entry(1, A, base=A, kz=6), entry(2, B, base=B), entry(3, C)), old)
    assert plan.arrays.phones == (phone(B), phone(A, "Home", primary=True), phone(C))


def test_a_primary_whose_new_value_is_there_already_passes_to_it() -> None:
    before = person(entry(1, C, base=A), entry(2, B, base=B))
    plan = plan_for(before, record(phone(A, primary=True), phone(B), phone(C)))
    assert plan.arrays.phones == (phone(B), phone(C, primary=True))


# ------------------------------------------------------------------------------------------------------------ held back

BAD = [
    ("jürgen@example.com", "umlaut before the @"),
    ("a@example.com; b@example.com", "two values in one field"),
    ("kein@", "no valid e-mail address"),
    ("0511 123456 (Büro)", "letters or an extension in the number"),
    ("0511 123456, 0511 123457", "two values in one field"),
    ("nur nachts", "letters or an extension in the number"),
    ("1" * 20, "too long"),
    ("a" * 70 + "@example.com", "too long"),
]


@pytest.mark.parametrize(("value", "reason"), BAD)
def test_a_value_espocrm_would_refuse_is_listed_and_the_rest_goes_on(value: str, reason: str) -> None:
    before = World(person(entry(1, value), entry(2, A)), record(), NO_STORE)
    assert [(f.entry_id, f.reason, f.values["value"]) for f in before.plan().held_back] == [(1, reason, value)]
    after = settle(before)
    assert after.espocrm.phones == (phone(A, primary=True),)
    assert tlf(after) == {1: value, 2: A}
    assert after.advoware.kommunikation[0].bemerkung == ""


@pytest.mark.parametrize(("value", "_reason"), BAD)
def test_while_a_changed_value_is_held_back_the_old_item_stays(value: str, _reason: str) -> None:
    before = World(person(entry(1, value, base=A)), record(phone(A, primary=True)), filled(e1=(A, 1)))
    after = settle(before)
    assert after.espocrm == before.espocrm
    assert tlf(after) == {1: value}
    mended = replace(after, advoware=person(entry(1, B, base=A)))
    assert both(settle(mended)) == keys(B)


def test_a_held_back_value_deleted_again_leaves_nothing_behind() -> None:
    before = World(person(entry(1, "0511 12 (Büro)", base=A)), record(phone(A, primary=True)), filled(e1=(A, 1)))
    emptied = replace(settle(before), advoware=person(entry(1, "", base=A)))
    assert both(settle(emptied)) == set()


def test_a_value_espocrm_refused_is_held_back_and_the_rest_goes_on() -> None:
    refused = Answers(holders=AskNobody(), refused=frozenset({canonical_key(A)}))
    plan = plan_for(person(entry(1, A), entry(2, B)), record(), answers=refused)
    assert [(f.entry_id, f.reason) for f in plan.held_back] == [(1, "EspoCRM refused it")]
    assert plan.arrays.phones == (phone(B, primary=True),)


def test_a_value_advoware_refused_is_held_back_and_the_rest_goes_on() -> None:
    refused = Answers(holders=AskNobody(), refused_by_advoware=frozenset({canonical_key(A)}))
    plan = plan_for(person(), record(phone(A, primary=True), phone(B)), answers=refused)
    assert [(f.reason, f.values["value"]) for f in plan.held_back] == [("Advoware refused it", A)]
    assert done(plan) == [(16, "CreateEntry")]


def test_of_more_than_ten_linked_ones_stay_and_the_order_of_ids_decides_the_same_each_time() -> None:
    numbers = [f"+4951112346{n:02}" for n in range(14)]
    linked = [entry(20 + n, numbers[n], base=numbers[n]) for n in range(8)]
    new = [entry(5 - n, numbers[8 + n]) for n in range(5)]
    world = World(person(*new, *linked), record(*(phone(v, primary=v == numbers[0]) for v in numbers[:8])), NO_STORE)
    after = run(world)
    assert {item.value for item in after.espocrm.phones} == {*numbers[:8], numbers[12], numbers[11]}
    again = after.plan()
    assert not again.operations
    held = [(f.entry_id, f.reason) for f in again.held_back]
    assert held == [(n, "more than 10 of a kind in EspoCRM") for n in (3, 4, 5)]
    # Ten of a kind: addresses have their own ten.
    mails = replace(after, advoware=person(*after.advoware.kommunikation, entry(99, MAX)))
    assert run(mails).espocrm.emails == (mail(MAX, primary=True),)


def test_room_made_by_a_removal_is_used_at_once() -> None:
    numbers = [f"+4951112346{n:02}" for n in range(10)]
    linked = [entry(20 + n, v if n else "", base=v) for n, v in enumerate(numbers)]
    plan = plan_for(person(entry(1, A), *linked), record(*(phone(v, primary=v == numbers[0]) for v in numbers)))
    assert not plan.held_back
    assert plan.arrays.phones is not None
    assert {item.value for item in plan.arrays.phones} == {*numbers[1:], A}
