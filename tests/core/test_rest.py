"""What a record at rest is known by: a look may leave out the comparison only where all it compares is the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.kommunikation_rest import rest_text
from services.kommunikation_types import Art, Beteiligter, EspoItem, EspoRecord, Kommunikation
from services.secrecy import Wert

ENTRY = Kommunikation(7, "AAAB", Wert("+49511123456"), Wert("[ESPOCRM:KzQ5NTExMTIzNDU2:1]"), online=True)
PERSON = Beteiligter(4711, "ROW", (ENTRY,), {"telgesch": Wert("+49511123456")})
ITEM = EspoItem(Art.PHONE, Wert("+49511123456"), "Office")
RECORD = EspoRecord("r1", 4711, (), (ITEM,))

ENTRIES: list[dict[str, Any]] = [
    {"id": 8},
    {"row_id": "AAAC"},
    {"tlf": "0511 123456"},
    {"tlf": None},
    {"bemerkung": None},
    {"bemerkung": ""},
    {"online": False},
    {"komm_kz": 3},
]
ITEMS: list[dict[str, Any]] = [
    {"value": "+49511123457"},
    {"type": "Mobile"},
    {"primary": True},
    {"opt_out": True},
    {"invalid": True},
]


@pytest.mark.parametrize("change", ENTRIES, ids=str)
def test_whatever_changes_in_an_entry_ends_the_rest(change: dict[str, Any]) -> None:
    changed = replace(PERSON, kommunikation=(replace(ENTRY, **change),))
    assert rest_text(RECORD, changed) != rest_text(RECORD, PERSON)


@pytest.mark.parametrize("change", ITEMS, ids=str)
def test_whatever_changes_in_an_item_ends_the_rest(change: dict[str, Any]) -> None:
    assert rest_text(replace(RECORD, phones=(replace(ITEM, **change),)), PERSON) != rest_text(RECORD, PERSON)


def test_an_entry_an_item_or_a_member_more_or_less_ends_the_rest() -> None:
    rest = rest_text(RECORD, PERSON)
    assert rest_text(RECORD, replace(PERSON, kommunikation=())) != rest
    assert rest_text(RECORD, replace(PERSON, top_level={"mobil": Wert("+49511123456")})) != rest
    assert rest_text(replace(RECORD, phones=()), PERSON) != rest
    assert rest_text(replace(RECORD, emails=(EspoItem(Art.EMAIL, Wert("a@example.com")),)), PERSON) != rest
    assert rest_text(replace(RECORD, betnr=4712), PERSON) != rest


def test_every_member_of_an_entry_and_an_item_is_looked_at() -> None:
    # A member that is added one day has to be looked at as well.
    assert {name for change in ENTRIES for name in change} == set(Kommunikation.__dataclass_fields__)
    assert {name for change in ITEMS for name in change} | {"art"} == set(EspoItem.__dataclass_fields__)
