"""What belongs together stands in one row, and the row says which side is behind."""

from __future__ import annotations

import base64
from typing import Any

from sandbox.page.pair import in_rows, marker_of


def entry(
    number: int, tlf: str | None, kz: int = 1, agreed: str | None = None, bemerkung: str | None = None
) -> dict[str, Any]:
    if agreed is not None:
        bemerkung = f"[ESPOCRM:{base64.b64encode(agreed.encode()).decode()}:{kz}]"
    return {"id": number, "betNr": 1, "kommKz": kz, "tlf": tlf, "bemerkung": bemerkung, "online": False}


def mail(address: str) -> dict[str, Any]:
    return {"emailAddress": address, "primary": False, "optOut": False, "invalid": False}


def phone(number: str) -> dict[str, Any]:
    return {"phoneNumber": number, "type": "Office", "primary": False, "optOut": False, "invalid": False}


def rows(left: list[dict[str, Any]] | None, emails: Any = (), phones: Any = ()) -> list[tuple[Any, Any, str]]:
    other = {"id": "e1", "name": "x", "emails": list(emails), "phones": list(phones)}
    told = in_rows({"key": "1-e1", "betnr": 1, "name": "x", "state": "", "advoware": left, "espocrm": other})
    return [(row["left"] and row["left"]["id"], row["right"] and row["right"]["value"], row["link"]) for row in told["rows"]]


def test_equal_values_stand_in_one_row_however_they_are_spelled() -> None:
    assert rows([entry(1, "0511/1234"), entry(2, "A@Example.com", 4)], [mail("a@example.com")], [phone("+495111234")]) == [
        (1, "+495111234", "equal"),
        (2, "a@example.com", "equal"),
    ]


def test_what_stands_on_one_side_only_is_on_its_way_to_the_other() -> None:
    assert rows([entry(1, "0511 1")], [mail("a@example.com")]) == [
        (1, None, "to_espocrm"),
        (None, "a@example.com", "to_advoware"),
    ]


def test_a_changed_or_emptied_entry_stays_beside_its_item_by_its_marker() -> None:
    left = [entry(1, "new@example.com", 4, "old@example.com"), entry(2, "", 1, "0511 1234")]
    assert rows(left, [mail("old@example.com")], [phone("+495111234")]) == [
        (1, "old@example.com", "to_espocrm"),
        (2, "+495111234", "to_espocrm"),
    ]


def test_a_changed_item_stays_beside_its_entry_where_only_one_can_be_meant() -> None:
    one = entry(1, "old@example.com", 4, "old@example.com")
    assert rows([one], [mail("new@example.com")]) == [(1, "new@example.com", "to_advoware")]
    assert rows([one], [mail("new@example.com"), mail("other@example.com")]) == [
        (1, None, "to_advoware"),
        (None, "new@example.com", "to_advoware"),
        (None, "other@example.com", "to_advoware"),
    ]
    assert rows([one], (), [phone("+49511")])[0] == (1, None, "to_advoware")


def test_a_second_entry_of_one_value_is_a_twin_and_slots_stand_last() -> None:
    slot = entry(1, "", bemerkung="[ESPOCRM-SLOT:1]")
    left = [slot, entry(2, "0511 1234"), entry(3, "0511/1234"), entry(4, "www.example.com", 5)]
    assert rows(left, (), [phone("+495111234")]) == [
        (2, "+495111234", "equal"),
        (3, None, "twin"),
        (4, None, "none"),
        (1, None, "none"),
    ]


def test_without_a_second_side_nothing_is_on_its_way() -> None:
    assert rows(None, [mail("a@example.com")]) == [(None, "a@example.com", "none")]


def test_a_remark_is_taken_apart() -> None:
    assert marker_of("vor [ESPOCRM:YQ==:4] nach") == (
        {"kind": "linked", "value": "a", "raw": "[ESPOCRM:YQ==:4]"},
        "vor nach",
    )
    assert marker_of("[ESPOCRM-SLOT:4]") == ({"kind": "slot", "value": "", "raw": "[ESPOCRM-SLOT:4]"}, "")
    assert marker_of("[ESPOCRM:1a2b3c4d:4]")[0] == {"kind": "short", "value": "", "raw": "[ESPOCRM:1a2b3c4d:4]"}
    assert marker_of("[ESPOCRM:]") == (None, "[ESPOCRM:]")
    assert marker_of(None) == (None, "")
