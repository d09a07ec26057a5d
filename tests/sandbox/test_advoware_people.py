"""What people do in Advoware's windows, which no API call can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.advoware.store import AdvowareStore
from tests.sandbox.advoware_server import Advoware, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARKED = {"tlf": "0171 3920010", "kommKz": 3, "bemerkung": "[ESPOCRM:MDE3MSAzOTIwMDEw:3] privat", "online": True}


@pytest.fixture(scope="module")
def advoware() -> Iterator[Advoware]:
    with running() as server:
        server.sign_in()
        yield server


@pytest.fixture
def betnr(advoware: Advoware) -> int:
    return advoware.beteiligter(MARKED)


def path(advoware: Advoware, betnr: int) -> str:
    return f"/beteiligte/{betnr}/kommunikation/{advoware.true(betnr)[0]['id']}"


def test_a_person_adds_an_entry_without_a_marker(advoware: Advoware, betnr: int) -> None:
    answer = advoware.people.post(f"/beteiligte/{betnr}/kommunikation", json={"tlf": "neu@example.com", "kommKz": 8})
    added = advoware.true(betnr)[1]
    assert answer.json() == added
    assert (added["tlf"], added["bemerkung"], added["kommKz"], added["online"]) == ("neu@example.com", None, 8, False)


def test_a_person_changes_only_what_the_edit_names_and_the_version_moves(advoware: Advoware, betnr: int) -> None:
    (before,) = advoware.true(betnr)
    advoware.people.patch(path(advoware, betnr), json={"tlf": "0171 3920011"}).raise_for_status()
    (after,) = advoware.true(betnr)
    assert after == before | {"tlf": "0171 3920011", "rowId": after["rowId"]}
    assert after["rowId"] != before["rowId"]


def test_clearing_leaves_the_remark(advoware: Advoware, betnr: int) -> None:
    advoware.people.post(path(advoware, betnr) + "/clear").raise_for_status()
    assert [(e["tlf"], e["bemerkung"]) for e in advoware.true(betnr)] == [("", MARKED["bemerkung"])]


def test_typing_into_a_slot_leaves_the_slot_marker(advoware: Advoware) -> None:
    betnr = advoware.beteiligter({"tlf": "", "kommKz": 3, "bemerkung": "[ESPOCRM-SLOT:3]"})
    advoware.people.post(path(advoware, betnr) + "/fill", json={"tlf": "0171 3920012"}).raise_for_status()
    assert [(e["tlf"], e["bemerkung"]) for e in advoware.true(betnr)] == [("0171 3920012", "[ESPOCRM-SLOT:3]")]


def test_a_duplicate_has_everything_but_the_id(advoware: Advoware, betnr: int) -> None:
    advoware.people.post(path(advoware, betnr) + "/duplicate").raise_for_status()
    first, second = advoware.true(betnr)
    assert second == first | {"id": second["id"], "rowId": second["rowId"]}
    assert second["id"] > first["id"]


def test_a_deleted_entry_is_gone_and_its_id_never_comes_again(advoware: Advoware, betnr: int) -> None:
    (old,) = advoware.true(betnr)
    advoware.people.delete(path(advoware, betnr)).raise_for_status()
    assert advoware.read(betnr)["kommunikation"] == []
    assert advoware.create(betnr, tlf="x", kommKz=1).json()["id"] > old["id"]


def test_a_deleted_beteiligter_is_a_404_for_the_api(advoware: Advoware, betnr: int) -> None:
    advoware.people.delete(f"/beteiligte/{betnr}").raise_for_status()
    assert advoware.api.get(f"/Beteiligte/{betnr}").status_code == 404
    assert advoware.people.get(f"/beteiligte/{betnr}").status_code == 404


def test_a_chosen_number_is_kept_and_a_taken_one_refused(advoware: Advoware) -> None:
    assert advoware.people.post("/beteiligte", json={"betNr": 104860, "name": "Muster"}).json()["betNr"] == 104860
    assert advoware.people.post("/beteiligte", json={"betNr": 104860, "name": "Muster"}).status_code == 400


def test_a_beteiligter_with_one_bad_entry_is_not_made_at_all(advoware: Advoware) -> None:
    before = advoware.people.get("/beteiligte").json()["total"]
    bad = {"name": "Muster", "kommunikation": [MARKED, {"tlf": "x"}]}
    assert advoware.people.post("/beteiligte", json=bad).status_code == 400
    assert advoware.people.get("/beteiligte").json()["total"] == before


def test_unknown_switches_and_values_are_refused_by_name(advoware: Advoware) -> None:
    before = advoware.people.get("/switches").json()
    for wrong in ({"kommKzInGet": "vielleicht"}, {"gibtEsNicht": 1}, {"bemerkungMax": "viel"}):
        answer = advoware.people.post("/switches", json=wrong)
        assert answer.status_code == 400
        assert next(iter(wrong)) in answer.json()["message"]
    assert advoware.people.get("/switches").json() == before


def test_edits_by_people_need_no_token(advoware: Advoware, betnr: int) -> None:
    assert advoware.http.get(f"/_sandbox/beteiligte/{betnr}").status_code == 200


def test_a_file_keeps_everything(tmp_path: Path) -> None:
    store = AdvowareStore(tmp_path / "advoware.db")
    betnr = store.add_beteiligter("Muster")
    entry = store.add_entry(betnr, komm_kz=12, tlf="x@bea.example", bemerkung="ä", online=True)
    store.close()
    again = AdvowareStore(tmp_path / "advoware.db")
    assert again.entries(betnr) == [entry]
    again.delete_entry(entry.id)
    assert again.add_entry(betnr, komm_kz=1, tlf="y").id == entry.id + 1
