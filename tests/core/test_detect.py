"""The two `detect_...` functions: rowIds in Advoware, arrays in EspoCRM."""

from __future__ import annotations

from typing import Any

import pytest

from services.kommunikation_sync_utils import detect_espocrm_kommunikation_changes, detect_kommunikation_changes


def person(*entries: tuple[int, str], **more: Any) -> dict[str, Any]:
    return {"betNr": 1, "rowId": "P", "kommunikation": [{"id": i, "rowId": r} for i, r in entries], **more}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (person((1, "A")), person((1, "A")), False),
        (person((1, "A"), (2, "B")), person((2, "B"), (1, "A")), False),
        (person((1, "A")), person((1, "B")), True),
        (person((1, "A")), person((1, "A"), (2, "B")), True),
        (person((1, "A"), (2, "B")), person((1, "A")), True),
        (person((1, "A")), person((1, "A"), rowId="Q", geaendertAm="2026-01-01"), False),
        (person(), person(), False),
    ],
)
def test_entries_that_came_went_or_changed_are_told_by_their_row_ids(old: Any, new: Any, changed: bool) -> None:
    assert detect_kommunikation_changes(old, new) is changed


def test_names_of_members_are_read_in_any_case() -> None:
    assert detect_kommunikation_changes({"Kommunikation": [{"Id": 1, "RowID": "A"}]}, person((1, "B")))
    assert not detect_kommunikation_changes({"Kommunikation": [{"Id": 1, "RowID": "A"}]}, person((1, "A")))


@pytest.mark.parametrize("bad", [{}, {"kommunikation": None}, {"kommunikation": "x"}])
def test_an_answer_without_its_entries_is_no_change(bad: Any) -> None:
    assert not detect_kommunikation_changes(person((1, "A")), bad)
    assert not detect_kommunikation_changes(bad, person((1, "A")))


def record(*emails: str, **more: Any) -> dict[str, Any]:
    items = [{"emailAddress": value, "primary": n == 0, "optOut": False} for n, value in enumerate(emails)]
    return {"emailAddressData": items, "phoneNumberData": [], **more}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (record("a@example.com"), record("a@example.com"), False),
        (record("a@example.com"), record("b@example.com"), True),
        (record("a@example.com"), record(), True),
        (record(), record(phoneNumberData=[{"phoneNumber": "+49511123456", "type": "Office"}]), True),
        (record(modifiedAt="2026-01-01 00:00:00"), record(modifiedAt="2026-01-02 00:00:00"), False),
    ],
)
def test_changed_arrays_of_espocrm_are_told(old: Any, new: Any, changed: bool) -> None:
    assert detect_espocrm_kommunikation_changes(old, new) is changed


def test_a_changed_flag_or_type_is_a_change_and_another_order_is_none() -> None:
    one, two = {"phoneNumber": "+1", "type": "Office"}, {"phoneNumber": "+2", "type": "Fax"}
    old = {"phoneNumberData": [one, two]}
    assert not detect_espocrm_kommunikation_changes(old, {"phoneNumberData": [two, one]})
    assert detect_espocrm_kommunikation_changes(old, {"phoneNumberData": [one, {**two, "type": "Home"}]})


def test_a_list_row_without_arrays_says_nothing() -> None:
    assert not detect_espocrm_kommunikation_changes(record("a@example.com"), {"id": "x"})
