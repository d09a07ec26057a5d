"""Beteiligte and their entries, as a client of the API meets them, by default and with each switch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.advoware_server import Advoware, running

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMBERS = {
    1: "telGesch",
    2: "faxGesch",
    3: "mobil",
    4: "emailGesch",
    5: "internet",
    6: "telPrivat",
    7: "faxPrivat",
    8: "email",
    9: "autotelefon",
    10: "sonstige",
    11: "ePost",
    12: "bea",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Advoware]:
    with running() as advoware:
        yield advoware


@pytest.fixture
def advoware(server: Advoware) -> Iterator[Advoware]:
    server.sign_in()
    yield server
    server.reset()


def entry(kind: int = 1, tlf: str = "0511 1234-56", **more: Any) -> dict[str, Any]:
    return {"tlf": tlf, "bemerkung": None, "kommKz": kind, "online": True, **more}


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_a_beteiligter_comes_with_all_its_entries_and_their_kind_hidden(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(entry(3, "0171 3920010", bemerkung="privat"), entry(4, "max@example.com", online=False))
    read = advoware.read(betnr)
    assert read["betNr"] == betnr
    assert [set(e) for e in read["kommunikation"]] == [
        {"id", "betNr", "rowId", "kommArt", "kommKz", "tlf", "bemerkung", "online"}
    ] * 2
    assert [(e["tlf"], e["bemerkung"], e["online"], e["kommKz"]) for e in read["kommunikation"]] == [
        ("0171 3920010", "privat", True, 0),
        ("max@example.com", None, False, 0),
    ]


def test_a_release_without_the_bug_shows_the_kind(advoware: Advoware) -> None:
    advoware.switch(kommKzInGet="correct")
    betnr = advoware.beteiligter(*(entry(kind) for kind in range(1, 13)))
    assert [e["kommKz"] for e in advoware.read(betnr)["kommunikation"]] == list(range(1, 13))


def test_each_convenience_member_is_the_first_value_of_its_kind(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(
        *(entry(kind, tlf) for kind in MEMBERS for tlf in ("", f"erster {kind}", f"zweiter {kind}"))
    )
    read = advoware.read(betnr)
    assert {name: read[name] for name in MEMBERS.values()} == {name: f"erster {kind}" for kind, name in MEMBERS.items()}


def test_a_beteiligter_without_entries_has_an_empty_list_and_null_members(advoware: Advoware) -> None:
    read = advoware.read(advoware.beteiligter())
    assert read["kommunikation"] == []
    assert {read[name] for name in MEMBERS.values()} == {None}


def test_versions_are_forty_letters_a_to_p(advoware: Advoware) -> None:
    read = advoware.read(advoware.beteiligter(entry()))
    for row in (read, *read["kommunikation"]):
        assert re.fullmatch("[A-P]{40}", row["rowId"])


def test_both_prefixes_and_stray_slashes_lead_to_the_same_beteiligter(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(entry())
    paths = ("/api/v1/advonet/Beteiligte/%d", "/api/v1/Beteiligte/%d", "//api/v1/advonet/Beteiligte/%d/")
    answers = [advoware.http.get(advoware.root + path % betnr, headers=advoware.api.headers) for path in paths]
    assert [answer.json() for answer in answers] == [advoware.read(betnr)] * 3


def test_an_answer_can_come_wrapped_in_a_list(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(entry())
    plain = advoware.read(betnr)
    advoware.switch(getAnswer="list")
    assert advoware.api.get(f"/Beteiligte/{betnr}").json() == [plain]


@pytest.mark.parametrize("number", ["4711000", "0", "abc", "-1", "9" * 30])
def test_an_unknown_number_is_a_404(advoware: Advoware, number: str) -> None:
    answer = advoware.api.get(f"/Beteiligte/{number}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"message"}


def test_the_list_ignores_query_names_it_does_not_know(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(entry())
    everybody = advoware.api.get("/Beteiligte").json()
    assert {"betNr", "name", "rowId", "geaendertAm"} == set(everybody[0])
    assert betnr in [row["betNr"] for row in everybody]
    assert advoware.api.get("/Beteiligte", params={"betNr": betnr, "geaendertNach": "2099"}).json() == everybody


# --- Writing entries --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", range(1, 13))
def test_a_post_honours_every_kind(advoware: Advoware, kind: int) -> None:
    betnr = advoware.beteiligter()
    answer = advoware.create(betnr, **entry(kind))
    assert answer.status_code == 200
    assert answer.json()["kommKz"] == 0
    assert [e["kommKz"] for e in advoware.true(betnr)] == [kind]


@pytest.mark.parametrize("kind", [None, 0, 13, -1, "1", 1.0, True, []])
def test_a_kind_that_is_no_number_from_1_to_12_is_refused_and_nothing_stored(advoware: Advoware, kind: Any) -> None:
    betnr = advoware.beteiligter()
    answer = advoware.create(betnr, **entry() | {"kommKz": kind})
    assert answer.status_code == 400
    assert "kommKz" in answer.json()["message"]
    assert advoware.true(betnr) == []


@pytest.mark.parametrize("change", [{"tlf": 5}, {"bemerkung": []}, {"online": "true"}, {"online": 1}])
def test_a_member_of_the_wrong_type_is_refused_in_post_and_put(advoware: Advoware, change: dict[str, Any]) -> None:
    betnr = advoware.beteiligter(entry())
    before = advoware.true(betnr)
    assert advoware.create(betnr, **entry() | change).status_code == 400
    assert advoware.change(betnr, before[0]["id"], **entry() | change).status_code == 400
    assert advoware.true(betnr) == before


def test_half_a_character_is_refused(advoware: Advoware) -> None:
    betnr = advoware.beteiligter()
    body = '{"kommKz": 1, "tlf": "\\ud83d"}'
    assert advoware.api.post(f"/Beteiligte/{betnr}/Kommunikationen", content=body).status_code == 400


@pytest.mark.parametrize("body", ["{", "[]", "1", '"text"', ""])
def test_a_body_that_is_no_json_object_is_a_400(advoware: Advoware, body: str) -> None:
    betnr = advoware.beteiligter()
    assert advoware.api.post(f"/Beteiligte/{betnr}/Kommunikationen", content=body).status_code == 400


@pytest.mark.parametrize(
    "text", ["0511/123-456 (Büro)", "  mit Rand  ", "Grüße, ☎ 😀", "zwei\nZeilen\t", "[ESPOCRM:bWF4QGV4YW1wbGUuY29t:4] x"]
)
def test_texts_are_stored_to_the_letter(advoware: Advoware, text: str) -> None:
    betnr = advoware.beteiligter()
    created = advoware.create(betnr, **entry(tlf=text, bemerkung=text)).json()
    changed = advoware.change(betnr, created["id"], **entry(tlf=text + "!", bemerkung=text + "!")).json()
    assert (created["tlf"], created["bemerkung"]) == (text, text)
    assert (changed["tlf"], changed["bemerkung"]) == (text + "!", text + "!")
    assert advoware.read(betnr)["kommunikation"] == [changed]


def test_keys_are_read_in_any_case(advoware: Advoware) -> None:
    betnr = advoware.beteiligter()
    advoware.create(betnr, Tlf="0511 123400", KOMMKZ=2, Bemerkung="Fax", Online=True)
    (stored,) = advoware.true(betnr)
    assert (stored["tlf"], stored["kommKz"], stored["bemerkung"], stored["online"]) == ("0511 123400", 2, "Fax", True)


def test_one_value_can_stand_in_two_entries_with_ids_of_one_counter(advoware: Advoware) -> None:
    first, second = advoware.beteiligter(), advoware.beteiligter()
    ids = [advoware.create(betnr, **entry()).json()["id"] for betnr in (first, second, first)]
    assert ids == sorted(set(ids))
    assert [e["tlf"] for e in advoware.read(first)["kommunikation"]] == [entry()["tlf"]] * 2


def test_a_put_changes_value_remark_and_online_but_never_the_kind(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(entry(3, "0171 3920010"))
    (old,) = advoware.true(betnr)
    answer = advoware.change(betnr, old["id"], tlf="neu", bemerkung="b", kommKz=6, online=False)
    (new,) = advoware.true(betnr)
    assert answer.status_code == 200
    assert (new["tlf"], new["bemerkung"], new["online"], new["kommKz"]) == ("neu", "b", False, 3)
    assert new["id"] == old["id"]


@pytest.mark.parametrize("empty", ["", None])
def test_an_emptied_entry_stays_in_the_list(advoware: Advoware, empty: str | None) -> None:
    betnr = advoware.beteiligter(entry(3, "0171 3920010"))
    (old,) = advoware.true(betnr)
    slot = {"tlf": empty, "bemerkung": "[ESPOCRM-SLOT:3]", "kommKz": 3, "online": False}
    assert advoware.change(betnr, old["id"], **slot).status_code == 200
    (new,) = advoware.read(betnr)["kommunikation"]
    assert (new["id"], new["tlf"], new["bemerkung"]) == (old["id"], empty, "[ESPOCRM-SLOT:3]")
    assert new["rowId"] != old["rowId"]
    assert advoware.read(betnr)["mobil"] is None


def test_a_write_renews_the_entrys_version_and_leaves_the_beteiligter_as_it_was(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(entry(), entry())
    before = advoware.read(betnr)
    first, second = before["kommunikation"]
    advoware.change(betnr, first["id"], **entry(tlf="neu"))
    advoware.create(betnr, **entry())
    after = advoware.read(betnr)
    assert after["kommunikation"][0]["rowId"] != first["rowId"]
    assert after["kommunikation"][1] == second
    assert (after["rowId"], after["geaendertAm"]) == (before["rowId"], before["geaendertAm"])


def test_the_beteiligters_version_moves_with_its_entries_where_switched_on(advoware: Advoware) -> None:
    advoware.switch(parentRowIdOnKommChange="changed")
    betnr = advoware.beteiligter(entry())
    before = advoware.read(betnr)
    advoware.change(betnr, before["kommunikation"][0]["id"], **entry(tlf="neu"))
    assert advoware.read(betnr)["rowId"] != before["rowId"]


@pytest.mark.parametrize("renewed", [True, False])
def test_a_put_of_the_stored_values_renews_the_version_by_switch(advoware: Advoware, renewed: bool) -> None:
    advoware.switch(noopPutNewRowId=renewed)
    betnr = advoware.beteiligter(entry())
    (old,) = advoware.true(betnr)
    advoware.change(betnr, old["id"], **entry())
    assert (advoware.true(betnr)[0]["rowId"] != old["rowId"]) is renewed


def test_members_left_out_of_a_put_stay_unless_switched_to_null(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(entry(bemerkung="b"))
    (old,) = advoware.true(betnr)
    advoware.change(betnr, old["id"], tlf="neu")
    (kept,) = advoware.true(betnr)
    advoware.switch(putOmitted="null")
    advoware.change(betnr, old["id"], tlf="neuer")
    (nulled,) = advoware.true(betnr)
    assert (kept["bemerkung"], kept["online"]) == ("b", True)
    assert (nulled["tlf"], nulled["bemerkung"], nulled["online"], nulled["kommKz"]) == ("neuer", None, False, 1)


@pytest.mark.parametrize(("switch", "status", "kind"), [("ignore", 200, 1), ("apply", 200, 6), ("reject400", 400, 1)])
def test_another_kind_in_a_put_does_what_the_switch_says(advoware: Advoware, switch: str, status: int, kind: int) -> None:
    advoware.switch(putKommKz=switch)
    betnr = advoware.beteiligter(entry(1))
    (old,) = advoware.true(betnr)
    assert advoware.change(betnr, old["id"], **entry(6)).status_code == status
    assert advoware.true(betnr)[0]["kommKz"] == kind


def test_write_answers_take_each_form(advoware: Advoware) -> None:
    betnr = advoware.beteiligter()
    advoware.switch(writeAnswer="list", postStatus=201)
    answer = advoware.create(betnr, **entry())
    assert (answer.status_code, answer.json()) == (201, advoware.read(betnr)["kommunikation"])
    advoware.switch(writeAnswer="empty")
    assert advoware.change(betnr, advoware.true(betnr)[0]["id"], **entry(tlf="neu")).content == b""
    assert advoware.true(betnr)[0]["tlf"] == "neu"


def test_delete_is_forbidden_and_leaves_the_entry(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(entry())
    before = advoware.true(betnr)
    assert advoware.api.delete(f"/Beteiligte/{betnr}/Kommunikationen/{before[0]['id']}").status_code == 403
    assert advoware.api.delete(f"/Beteiligte/{betnr}").status_code == 403
    assert advoware.true(betnr) == before


def test_a_future_release_can_delete(advoware: Advoware) -> None:
    advoware.switch(delete=204)
    betnr = advoware.beteiligter(entry())
    path = f"/Beteiligte/{betnr}/Kommunikationen/{advoware.true(betnr)[0]['id']}"
    assert [advoware.api.delete(path).status_code for _ in range(2)] == [204, 404]
    assert advoware.true(betnr) == []


def test_an_entry_of_somebody_else_or_of_nobody_is_a_404(advoware: Advoware) -> None:
    mine, other = advoware.beteiligter(entry()), advoware.beteiligter()
    komm_id = advoware.true(mine)[0]["id"]
    assert advoware.change(other, komm_id, **entry()).status_code == 404
    assert advoware.change(mine, komm_id + 100000, **entry()).status_code == 404
    assert advoware.create(4711000, **entry()).status_code == 404


@pytest.mark.parametrize("limit", ["5:reject400", 5, {"length": 5, "mode": "reject400"}])
def test_a_remark_beyond_the_limit_is_refused(advoware: Advoware, limit: Any) -> None:
    advoware.switch(bemerkungMax=limit)
    betnr = advoware.beteiligter()
    assert advoware.create(betnr, **entry(bemerkung="123456")).status_code == 400
    assert advoware.create(betnr, **entry(bemerkung="12345")).status_code == 200


def test_a_text_beyond_the_limit_can_be_cut_without_a_word(advoware: Advoware) -> None:
    advoware.switch(bemerkungMax="5:truncate", tlfMax="3:truncate")
    betnr = advoware.beteiligter()
    assert advoware.create(betnr, **entry(tlf="abcdef", bemerkung="äöüßéè")).status_code == 200
    assert [(e["tlf"], e["bemerkung"]) for e in advoware.true(betnr)] == [("abc", "äöüßé")]


def test_a_database_of_windows_times_loses_what_its_code_page_lacks(advoware: Advoware) -> None:
    advoware.switch(charset="windows1252")
    betnr = advoware.beteiligter()
    advoware.create(betnr, **entry(bemerkung="Büro € 😀 ☎"))
    assert advoware.true(betnr)[0]["bemerkung"] == "Büro € ? ?"


def test_a_row_id_in_a_put_is_ignored_unless_strict(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(entry())
    (old,) = advoware.true(betnr)
    assert advoware.change(betnr, old["id"], **entry(tlf="neu", rowId="STALE")).status_code == 200
    advoware.switch(strictRowId=True)
    assert advoware.change(betnr, old["id"], **entry(rowId=old["rowId"])).status_code == 409
    assert advoware.change(betnr, old["id"], **entry(rowId=advoware.true(betnr)[0]["rowId"])).status_code == 200


def test_errors_can_be_bare_text(advoware: Advoware) -> None:
    advoware.switch(errorBody="text")
    answer = advoware.api.get("/Beteiligte/4711000")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == "Beteiligter 4711000 wurde nicht gefunden."


# --- Beteiligte -------------------------------------------------------------------------------------------------------


def test_a_beteiligter_made_by_the_api_has_a_number_and_no_entries(advoware: Advoware) -> None:
    answer = advoware.api.post("/Beteiligte", json={"name": "Muster", "vorname": "Erika", "kommunikation": [entry()]})
    read = advoware.read(answer.json()["betNr"])
    assert (read["name"], read["vorname"], read["kommunikation"]) == ("Muster", "Erika", [])


def test_a_put_of_stammdaten_renews_their_version_and_touches_no_entry(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(entry())
    before = advoware.read(betnr)
    advoware.api.put(f"/Beteiligte/{betnr}", json={"name": "Neu", "telGesch": "0511 9", "kommunikation": []})
    after = advoware.read(betnr)
    assert (after["name"], after["telGesch"], after["kommunikation"]) == ("Neu", entry()["tlf"], before["kommunikation"])
    assert after["rowId"] != before["rowId"]


# --- Faults -----------------------------------------------------------------------------------------------------------


def test_a_post_whose_answer_is_lost_has_been_carried_out(advoware: Advoware) -> None:
    betnr = advoware.beteiligter()
    rule = {"system": "advoware", "method": "POST", "path": "Kommunikationen", "kind": "drop_after", "count": 1}
    advoware.people.post("/faults", json=rule).raise_for_status()
    with pytest.raises(httpx.TransportError):
        advoware.create(betnr, **entry())
    assert [e["tlf"] for e in advoware.true(betnr)] == [entry()["tlf"]]


def test_an_answer_can_lack_its_entries_or_some_of_them(advoware: Advoware) -> None:
    betnr = advoware.beteiligter(entry(), entry())
    rules = [
        {"system": "advoware", "method": "GET", "path": f"Beteiligte/{betnr}$", "kind": "omit", "member": "kommunikation"},
        {"system": "advoware", "path": str(betnr), "kind": "shorten", "member": "kommunikation", "keep": 1},
    ]
    advoware.people.post("/faults", json=rules).raise_for_status()
    assert "kommunikation" not in advoware.read(betnr)
    assert len(advoware.read(betnr)["kommunikation"]) == 1
    assert len(advoware.read(betnr)["kommunikation"]) == 2


def test_the_request_log_counts_calls_without_their_contents(advoware: Advoware) -> None:
    betnr = advoware.beteiligter()
    advoware.people.delete("/requests")
    advoware.read(betnr)
    advoware.create(betnr, **entry(tlf="0511 123499"))
    log = advoware.people.get("/requests")
    path = f"/api/v1/advonet/Beteiligte/{betnr}"
    assert [(r["method"], r["path"], r["status"]) for r in log.json()] == [
        ("GET", path, 200),
        ("POST", f"{path}/Kommunikationen", 200),
    ]
    assert "123499" not in log.text
