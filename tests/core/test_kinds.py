"""Kinds: every kommKz both ways, all levels of detection, types of EspoCRM, change of type."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.kommunikation_mapper import KINDS, TOP_LEVEL_KZ, Kind, KindLevel, detect_kind, make_marker
from services.kommunikation_plan import Answers, Plan, Rules
from services.kommunikation_table import Direction
from services.kommunikation_types import Art, BaseEntry, EspoItem
from tests.core.apply import World, interrupted, run, settle, steps
from tests.core.builders import (
    KNOWS_NOTHING,
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

NUMBER, OTHER, ADDRESS = "+49511123456", "+49511123457", "max@example.com"

# The table of reference/advoware-api 4.4: kommKz, array, type, and what a new item of that type becomes in Advoware.
TABLE = [
    (1, "phone", "Office", 1),
    (2, "phone", "Fax", 2),
    (3, "phone", "Mobile", 3),
    (4, "email", "", 4),
    (6, "phone", "Home", 6),
    (7, "phone", "Fax", 2),
    (8, "email", "", 4),
    (9, "phone", "Mobile", 3),
    (10, "phone", "Other", 10),
    (11, "email", "", 4),
    (12, "email", "", 4),
]
NAMES = ["TelGesch", "FaxGesch", "Mobil", "MailGesch", "Internet", "TelPrivat"]
NAMES += ["FaxPrivat", "MailPrivat", "AutoTelefon", "Sonstige", "EPost", "Bea"]


def value_of(array: str) -> str:
    return NUMBER if array == "phone" else ADDRESS


def kinds(plan: Plan) -> list[int]:
    return [op.kz for op in plan.operations if hasattr(op, "kz")]


def test_the_kinds_have_the_names_of_the_reference() -> None:
    assert [info.name for info in KINDS.values()] == NAMES


@pytest.mark.parametrize(("kz", "array", "kind", "_new"), TABLE)
def test_an_entry_of_every_kind_becomes_the_item_of_its_array_and_type(kz: int, array: str, kind: str, _new: int) -> None:
    after = run(World(person(entry(1, value_of(array), base="", slot=True, kz=kz)), record(), NO_STORE))
    items = after.espocrm.phones if array == "phone" else after.espocrm.emails
    assert items == (EspoItem(Art(array), value_of(array), kind, primary=True),)
    assert after.advoware.kommunikation[0].bemerkung == make_marker(value_of(array), kz)


@pytest.mark.parametrize(("_kz", "array", "kind", "new"), TABLE)
def test_an_item_of_every_type_becomes_an_entry_of_its_kind(_kz: int, array: str, kind: str, new: int) -> None:
    after = run(World(person(), record(EspoItem(Art(array), value_of(array), kind, primary=True)), NO_STORE))
    assert list(after.kinds.values()) == [new]
    assert after.advoware.kommunikation[0].bemerkung == make_marker(value_of(array), new)


def test_an_unknown_type_becomes_sonstige() -> None:
    assert kinds(plan_for(person(), record(phone(NUMBER, "Pager", primary=True)))) == [10]


@pytest.mark.parametrize("how", ["answer", "marker", "top level"])
def test_internet_is_never_synchronised(how: str) -> None:
    site = "https://kanzlei.example"
    entries = {
        "answer": entry(1, site, komm_kz=5),
        "marker": entry(1, site, remark=f"[ESPOCRM-SLOT:5] {how}"),
        "top level": entry(1, site),
    }
    plan = plan_for(person(entries[how], Internet=site), record())
    assert not plan.operations
    assert not plan.held_back
    assert not plan.comparison.lines


# ------------------------------------------------------------------------------------------------------------ detection


MOBILE_ABOVE = {"mobil": "0171 3920001"}


@pytest.mark.parametrize(
    ("tlf", "answer", "marker", "store", "kind"),
    [
        ("0171 3920001", 7, 2, 6, Kind(7, KindLevel.ANSWER)),
        ("0171 3920001", 0, 2, 6, Kind(2, KindLevel.MARKER)),
        ("0171 3920001", 0, None, 6, Kind(6, KindLevel.MARKER)),
        ("+491713920001", 0, None, None, Kind(3, KindLevel.TOP_LEVEL)),
        (ADDRESS, 0, None, None, Kind(4, KindLevel.PATTERN)),
        ("kein@", 0, None, None, Kind(4, KindLevel.PATTERN)),
        ("0511 123456", 0, None, None, Kind(1, KindLevel.DEFAULT)),
        ("irgendwas", 0, None, None, Kind(1, KindLevel.DEFAULT)),
        ("", 0, None, None, Kind(1, KindLevel.DEFAULT)),
        (None, 0, None, None, Kind(1, KindLevel.DEFAULT)),
        (ADDRESS, 0, None, 0, Kind(4, KindLevel.PATTERN)),
    ],
)
def test_the_levels_of_detection_are_asked_in_their_order(
    tlf: str | None, answer: int, marker: int | None, store: int | None, kind: Kind
) -> None:
    assert detect_kind(tlf, answer, marker, MOBILE_ABOVE, store) == kind


def test_an_empty_member_of_the_beteiligter_equals_nothing() -> None:
    assert detect_kind("", 0, None, {"mobil": "", "telprivat": " "}).level is KindLevel.DEFAULT


@pytest.mark.parametrize("komm_kz", [0, 13, -1, 99])
def test_a_kind_that_does_not_exist_in_the_answer_is_not_believed(komm_kz: int) -> None:
    assert detect_kind(ADDRESS, komm_kz, None, {}).kz == 4


@pytest.mark.parametrize(("name", "kz"), TOP_LEVEL_KZ.items())
@pytest.mark.parametrize("write", [str.lower, str.upper, str.title])
def test_a_value_equal_to_a_member_of_the_beteiligter_has_its_kind(name: str, kz: int, write: object) -> None:
    assert callable(write)
    found = detect_kind("0511 / 12 34 56", 0, None, {write(name): " +49511123456"})
    assert (found.kz, found.level, found.guessed) == (kz, KindLevel.TOP_LEVEL, False)


def test_only_pattern_and_default_are_guesses() -> None:
    assert [level.name for level in KindLevel if Kind(1, level).guessed] == ["PATTERN", "DEFAULT"]


@pytest.mark.parametrize(
    ("kind", "kz"), [("Office", 1), ("Fax", 2), ("Mobile", 3), ("Home", 6), ("Other", 10), ("Pager", 10)]
)
def test_at_adoption_the_items_type_decides_a_guessed_kind(kind: str, kz: int) -> None:
    plan = plan_for(person(entry(1, "0511 123456")), record(phone(NUMBER, kind, primary=True)))
    assert done(plan) == [(14, "SetMarker")]
    assert kinds(plan) == [kz]
    assert not plan.notices


def test_at_adoption_a_known_kind_that_does_not_fit_is_listed_and_left() -> None:
    plan = plan_for(person(entry(1, "0171 3920001"), mobil="+491713920001"), record(phone("+491713920001", "Office")))
    assert kinds(plan) == [3]
    assert [f.reason for f in plan.notices] == ["the type does not fit the kind in Advoware"]


def test_an_address_in_an_entry_of_a_phone_kind_is_an_email_and_the_marker_keeps_the_kind() -> None:
    after = run(World(person(entry(1, ADDRESS, slot=True, kz=3)), record(), NO_STORE, {1: 3}))
    assert after.espocrm.emails == (mail(ADDRESS, primary=True),)
    assert after.advoware.kommunikation[0].bemerkung == make_marker(ADDRESS, 3)
    assert not after.plan().notices


def test_a_number_in_an_entry_of_an_email_kind_is_a_phone_of_type_other() -> None:
    after = run(World(person(entry(1, NUMBER, slot=True, kz=8)), record(), NO_STORE, {1: 8}))
    assert after.espocrm.phones == (phone(NUMBER, "Other", primary=True),)
    assert after.advoware.kommunikation[0].bemerkung == make_marker(NUMBER, 8)


@pytest.mark.parametrize("kind", ["Office", "Mobile", "Fax", "Home", "Other"])
def test_an_entry_whose_value_and_kind_disagree_takes_no_part_in_type_comparison(kind: str) -> None:
    known = filled(e1=BaseEntry(NUMBER, 8, "ROW1", NUMBER, "Other"))
    plan = plan_for(person(entry(1, NUMBER, base=NUMBER, kz=8)), record(phone(NUMBER, kind, primary=True)), known)
    assert not plan.operations
    assert not plan.notices


# ------------------------------------------------------------------------------------------------------- change of type

ALLOWED = {"Office": {1}, "Fax": {2, 7}, "Mobile": {3, 9}, "Home": {6}, "Other": {10}, "Pager": {10}}
NEW_KIND = {"Office": 1, "Fax": 2, "Mobile": 3, "Home": 6, "Other": 10, "Pager": 10}


def changed(kz: int, old: str, new: str, text: str = "") -> World:
    known = filled(e1=BaseEntry(NUMBER, kz, "ROW1", NUMBER, old))
    return World(
        person(entry(1, NUMBER, base=NUMBER, kz=kz, text=text)), record(phone(NUMBER, new, primary=True)), known, {1: kz}
    )


@pytest.mark.parametrize("kz", [1, 2, 3, 6, 7, 9, 10])
@pytest.mark.parametrize("kind", ["Office", "Fax", "Mobile", "Home", "Other"])
def test_a_type_changed_in_espocrm_moves_the_value_to_the_kind_it_allows(kz: int, kind: str) -> None:
    before = changed(kz, KINDS[kz].espo_type, kind, "Sekretariat")
    after = settle(before)
    live = {after.kinds[raw.id]: raw for raw in after.live()}
    assert list(live) == [kz if kz in ALLOWED[kind] else NEW_KIND[kind]]
    assert after.texts() == ["Sekretariat"]
    assert "Sekretariat" in (next(iter(live.values())).bemerkung or "")
    assert after.espocrm == before.espocrm
    if kz not in ALLOWED[kind]:
        assert after.advoware.kommunikation[0].bemerkung == f"[ESPOCRM-SLOT:{kz}]"
        assert [f.reason for f in before.plan().notices] == [
            "the type was changed in EspoCRM: the value moves to another entry"
        ]


def test_a_change_of_type_takes_a_free_slot_of_the_new_kind() -> None:
    before = changed(1, "Office", "Mobile")
    slot = entry(2, "", slot=True, kz=3)
    before = replace(before, advoware=person(*before.advoware.kommunikation, slot), kinds={1: 1, 2: 3})
    after = settle(before)
    assert [(raw.id, raw.tlf) for raw in after.advoware.kommunikation] == [(1, ""), (2, NUMBER)]


def test_a_change_of_type_survives_a_crash_after_any_request_and_a_restart_in_the_middle() -> None:
    before = changed(1, "Office", "Mobile", "Sekretariat")
    for cut in range(len(steps(before.plan())) + 1):
        after = settle(interrupted(before, cut))
        assert [after.kinds[raw.id] for raw in after.live()] == [3]
        assert after.texts() == ["Sekretariat"]


def test_a_misfit_that_was_always_there_is_listed_and_left() -> None:
    plan = changed(1, "Mobile", "Mobile").plan()
    assert not plan.operations
    assert [f.reason for f in plan.notices] == ["the type does not fit the kind in Advoware"]


@pytest.mark.parametrize("view", [NO_STORE, KNOWS_NOTHING], ids=["no store", "store knows nothing"])
def test_without_a_base_store_a_misfit_is_listed_and_left(view: object) -> None:
    world = replace(changed(1, "Office", "Mobile"), view=view)
    assert not world.plan().operations
    assert [f.reason for f in world.plan().notices] == ["the type does not fit the kind in Advoware"]


def test_a_misfit_of_a_number_that_another_record_holds_is_listed_and_never_carried_over() -> None:
    before = changed(1, "Office", "Mobile")
    asked = plan_for(before.advoware, before.espocrm, before.view, answers=Answers())
    assert [value for _, value in asked.questions[Art.PHONE]] == [NUMBER]
    held = AskNobody({f"tel:{NUMBER}": phone(NUMBER, "Mobile")})
    after = settle(replace(before, holders=held))
    assert after.advoware == before.advoware
    assert after.espocrm == before.espocrm
    assert [f.reason for f in after.plan().notices] == ["the type does not fit the kind in Advoware"]


def test_a_twin_of_the_new_kind_means_nothing_has_to_move() -> None:
    known = filled(e1=BaseEntry(NUMBER, 1, "ROW1", NUMBER, "Office"), e2=BaseEntry(NUMBER, 3, "ROW2", NUMBER, "Office"))
    twins = person(entry(1, NUMBER, base=NUMBER, kz=1), entry(2, NUMBER, base=NUMBER, kz=3))
    plan = plan_for(twins, record(phone(NUMBER, "Mobile", primary=True)), known)
    assert not plan.operations
    assert not plan.notices


def test_a_change_of_type_waits_for_its_direction_and_is_not_forgotten() -> None:
    before = changed(1, "Office", "Mobile")
    waiting = run(before, Rules(direction=Direction.TO_ESPOCRM))
    assert waiting.advoware == before.advoware
    assert [f.values["direction"] for f in before.plan(Rules(direction=Direction.TO_ESPOCRM)).pending] == ["to_advoware"]
    after = settle(waiting, Rules(direction=Direction.TO_ADVOWARE))
    assert [after.kinds[raw.id] for raw in after.live()] == [3]


def test_a_type_changed_back_before_the_move_was_finished_loses_nothing() -> None:
    cut = interrupted(changed(1, "Office", "Mobile"), after=1)
    after = settle(replace(cut, espocrm=record(phone(NUMBER, "Office", primary=True))))
    assert set(after.advoware_keys()) == {f"tel:{NUMBER}"}
    assert 1 in [after.kinds[raw.id] for raw in after.live()]


def test_a_changed_item_is_paired_only_where_its_type_fits() -> None:
    before = person(entry(1, NUMBER, base=NUMBER, kz=1))
    fits = plan_for(before, record(phone(OTHER, "Office", primary=True)))
    assert done(fits) == [(3, "WriteEntry")]
    misfits = plan_for(before, record(phone(OTHER, "Mobile", primary=True)))
    assert sorted(done(misfits)) == [(2, "EmptyEntry"), (16, "CreateEntry")]


def test_changed_items_are_paired_in_the_order_of_the_array() -> None:
    third, fourth = "+49511123458", "+49511123459"
    before = person(entry(1, NUMBER, base=NUMBER, kz=1), entry(2, OTHER, base=OTHER, kz=1))
    after = run(World(before, record(phone(third, primary=True), phone(fourth)), NO_STORE))
    assert [raw.tlf for raw in after.advoware.kommunikation] == [third, fourth]


def test_an_address_is_never_paired_with_a_number() -> None:
    plan = plan_for(person(entry(1, NUMBER, base=NUMBER)), record(mail(ADDRESS, primary=True)))
    assert sorted(done(plan)) == [(2, "EmptyEntry"), (16, "CreateEntry")]
