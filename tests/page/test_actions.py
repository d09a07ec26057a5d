"""Each action over HTTP, against both systems of the sandbox: decisions and refusals are those of the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from services import standing
from services.state import ListKind
from services.state_forms import notice_key
from tests.http.support import address, number
from tests.page.support import AT, Person, text_of
from tests.support.sandbox import Pair, email, entry

if TYPE_CHECKING:
    import httpx

    from tests.page.conftest import Office


@dataclass
class Conflict:
    """Both sides of a record changed one value."""

    pair: Pair
    mine: str
    theirs: str


def conflict(office: Office) -> Conflict:
    """Make one, as two people would."""
    mine, theirs = address("mine"), address("theirs")
    pair = office.sandbox.pair(entry(address(), 4), entry(number(), 1))
    office.hand.sync_record(pair.espo_id, "both")
    old = next(one for one in office.sandbox.advoware.entries(pair.betnr) if "@" in one["tlf"])
    office.sandbox.advoware.change(pair.betnr, old["id"], tlf=mine)
    office.sandbox.espocrm.put(pair.espo_id, emailAddressData=[email(theirs, primary=True)])
    office.hand.sync_record(pair.espo_id, "both")
    return Conflict(pair, mine, theirs)


def name_of(office: Office, pair: Pair, kind: ListKind) -> str:
    """The name of the first entry of a list."""
    return str(standing.named(office.state, pair.espo_id, kind)[0]["name"])


def values(office: Office, pair: Pair) -> tuple[set[str], set[str]]:
    """Addresses in Advoware, and in EspoCRM."""
    left = {one["tlf"] for one in office.sandbox.advoware.entries(pair.betnr) if "@" in (one["tlf"] or "")}
    return left, {one["emailAddress"] for one in office.sandbox.espocrm.emails(pair.espo_id)}


def fields(answer: httpx.Response, action: str) -> dict[str, str]:
    """The hidden fields of the form with this action."""
    form = re.search(rf'action="[^"]*/{action}">(.*?)</form>', answer.text, re.DOTALL)
    assert form, action
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form[1])}


def send(person: Person, pair: Pair, action: str, **form: Any) -> httpx.Response:
    return person.post(f"/satz/{pair.espo_id}/{action}", **form)


def went_to(answer: httpx.Response) -> str:
    assert answer.status_code == 303, text_of(answer)
    return answer.headers["location"].removeprefix(AT)


@pytest.mark.parametrize("choice", ["espocrm", "advoware", "both"])
def test_a_conflict_is_shown_with_both_values_and_decided(office: Office, choice: str) -> None:
    made, person = conflict(office), office.person()
    shown = text_of(person.get("/liste/konflikte"))
    assert made.mine in shown
    assert made.theirs in shown
    name = name_of(office, made.pair, ListKind.CONFLICTS)
    answer = send(person, made.pair, "konflikt", eintrag=name, wahl=choice, von="konflikte")
    assert went_to(answer) == "/liste/konflikte?m=entschieden"
    kept = {"espocrm": {made.theirs}, "advoware": {made.mine}, "both": {made.mine, made.theirs}}[choice]
    assert values(office, made.pair) == (kept, kept)
    after = person.http.get(answer.headers["location"])
    assert "Entschieden." in text_of(after)
    assert made.mine not in text_of(after)
    assert send(person, made.pair, "konflikt", eintrag=name, wahl=choice).status_code == 409  # by somebody else meanwhile


def test_a_conflict_can_only_be_taken_off_the_list(office: Office) -> None:
    made, person = conflict(office), office.person()
    both = values(office, made.pair)
    name = name_of(office, made.pair, ListKind.CONFLICTS)
    assert went_to(send(person, made.pair, "gesehen", eintrag=name, liste="konflikte")).endswith("m=gesehen")
    assert office.state.lists(made.pair.espo_id)["conflicts"] == []
    assert values(office, made.pair) == both


@pytest.mark.parametrize("form", [{"wahl": "neither"}, {"wahl": "both", "eintrag": "ffffff"}, {}])
def test_a_decision_that_makes_no_sense_changes_nothing(office: Office, form: dict[str, str]) -> None:
    made, person = conflict(office), office.person()
    before = values(office, made.pair)
    name = name_of(office, made.pair, ListKind.CONFLICTS)
    assert send(person, made.pair, "konflikt", **{"eintrag": name, **form}).status_code == 409
    assert values(office, made.pair) == before
    assert len(office.state.lists(made.pair.espo_id)["conflicts"]) == 1


def test_a_plan_is_shown_and_exactly_that_is_carried_out(office: Office) -> None:
    pair, person = office.sandbox.pair(entry(number(), 1), emails=[email(address())]), office.person()
    office.sandbox.fresh()
    plan = send(person, pair, "plan")
    assert "Das würde geschehen" in text_of(plan)
    assert "Neu in EspoCRM: der Wert kommt nach Advoware." in text_of(plan)
    assert [one for one in office.sandbox.espocrm.requests() if one["method"] != "GET"] == []
    form = fields(plan, "ausfuehren")
    assert went_to(send(person, pair, "ausfuehren", betnr=form["betnr"], plan=form["plan"])).endswith("?m=abgeglichen")
    assert len(office.sandbox.espocrm.phones(pair.espo_id)) == 1
    assert len(values(office, pair)[0]) == 1


def test_a_plan_is_refused_when_a_side_moved_since(office: Office) -> None:
    pair, person = office.sandbox.pair(entry(number(), 1)), office.person()
    form = fields(send(person, pair, "plan"), "ausfuehren")
    office.sandbox.advoware.add(pair.betnr, entry(address(), 4))
    answer = send(person, pair, "ausfuehren", betnr=form["betnr"], plan=form["plan"])
    assert answer.status_code == 409
    assert "Seit dem Plan hat sich etwas geändert." in text_of(answer)
    assert office.sandbox.espocrm.phones(pair.espo_id) == []


def test_a_record_is_synchronised_and_its_run_taken_back_after_a_look(office: Office) -> None:
    value = number()
    pair, person = office.sandbox.pair(entry(value, 1)), office.person()
    assert went_to(send(person, pair, "abgleich")).endswith("?m=abgeglichen")
    assert went_to(send(person, pair, "abgleich")).endswith("?m=nichts")
    page = person.get(f"/satz/{pair.espo_id}")
    assert "Neu in Advoware: der Wert kommt nach EspoCRM." in text_of(page)
    run = fields(page, "ruecknahme")["durchgang"]
    looked = send(person, pair, "ruecknahme", durchgang=run)
    assert "Rücknahme: das würde geschehen" in text_of(looked)
    assert len(office.sandbox.espocrm.phones(pair.espo_id)) == 1
    form = fields(looked, "zuruecknehmen")
    assert went_to(send(person, pair, "zuruecknehmen", durchgang=form["durchgang"])).endswith("?m=zurueckgenommen")
    assert office.sandbox.espocrm.phones(pair.espo_id) == []
    assert f"Rücknahme von {run}" in text_of(person.get(f"/satz/{pair.espo_id}"))


def test_what_was_taken_back_is_listed_and_tried_again(office: Office) -> None:
    pair, person = office.sandbox.pair(entry(number(), 1)), office.person()
    run = office.hand.sync_record(pair.espo_id, "both")["run"]
    office.hand.undo(run, dry_run=False)
    office.hand.sync_record(pair.espo_id, "both")
    assert "Von Hand zurückgenommen" in text_of(person.get("/liste/zurueckgehalten"))
    name = name_of(office, pair, ListKind.HELD_BACK)
    assert went_to(send(person, pair, "erneut", eintrag=name, von="zurueckgehalten")) == "/liste/zurueckgehalten?m=erneut"
    assert len(office.sandbox.espocrm.phones(pair.espo_id)) == 1


def test_a_run_of_another_record_is_not_taken_back(office: Office) -> None:
    pair, other = (office.sandbox.pair(entry(number(), 1)) for _ in range(2))
    run = office.hand.sync_record(other.espo_id, "both")["run"]
    person = office.person()
    for action in ("ruecknahme", "zuruecknehmen"):
        assert send(person, pair, action, durchgang=run).status_code == 409
        assert send(person, pair, action, durchgang="").status_code == 409
    assert len(office.sandbox.espocrm.phones(other.espo_id)) == 1


def test_the_valve_is_shown_with_what_would_go_and_released(office: Office) -> None:
    gone = [address() for _ in range(5)]
    pair, person = office.sandbox.pair(*(entry(one, 4) for one in gone)), office.person()
    office.hand.sync_record(pair.espo_id, "both")
    office.sandbox.espocrm.put(pair.espo_id, emailAddressData=[])
    office.hand.sync_record(pair.espo_id, "both")
    shown = text_of(person.get("/liste/ventil"))
    assert all(one in shown for one in gone)
    assert "5 Löschungen freigeben" in shown
    assert gone[0] not in text_of(person.get("/liste/zurueckgehalten"))
    assert values(office, pair)[0] == set(gone)
    assert went_to(send(person, pair, "freigabe", von="ventil")) == "/liste/ventil?m=freigegeben"
    assert values(office, pair) == (set(), set())


def test_a_held_back_value_is_seen_and_counts_no_longer(office: Office) -> None:
    pair, person = office.sandbox.pair(entry("keine Nummer", 1)), office.person()
    office.hand.sync_record(pair.espo_id, "both")
    assert "Buchstaben oder eine Durchwahl in der Nummer." in text_of(person.get("/liste/zurueckgehalten"))
    name = name_of(office, pair, ListKind.HELD_BACK)
    assert went_to(send(person, pair, "gesehen", eintrag=name, liste="zurueckgehalten", von="zurueckgehalten"))
    assert pair.espo_id not in office.state.listed(ListKind.HELD_BACK)
    assert "Gesehen." in text_of(person.get(f"/satz/{pair.espo_id}"))


def test_a_person_is_found_by_name_number_and_id_and_no_word_of_it_is_in_an_address(office: Office) -> None:
    pair, person = office.sandbox.pair(entry(number(), 1)), office.person()
    office.sandbox.espocrm.put(pair.espo_id, lastName="Änderungsschneiderei")
    for asked in ("nderungsschneid", str(pair.betnr), pair.espo_id):
        answer = person.post("/suche", suche=asked)
        assert answer.status_code == 200
        assert "Änderungsschneiderei" in text_of(answer)
        assert f"{AT}/satz/{pair.espo_id}" in answer.text
        assert str(answer.url).endswith("/suche")
    assert "Nichts gefunden." in text_of(person.post("/suche", suche="gibtesnicht"))
    assert person.post("/suche", suche="x").status_code == 409


def test_a_full_pass_is_asked_for(office: Office) -> None:
    office.state.set_mark("pass_wanted", None)
    answer = office.person().post("/gesamtabgleich")
    assert went_to(answer) == "?m=gesamt"
    assert office.state.get_mark("pass_wanted") == "1"


def test_a_system_that_is_down_is_said_and_all_else_is_shown(office: Office) -> None:
    pair, person = office.sandbox.pair(entry(number(), 1)), office.person()
    office.hand.sync_record(pair.espo_id, "both")
    office.sandbox.advoware.fault("status", count=50, status=503)
    page = person.get(f"/satz/{pair.espo_id}")
    assert page.status_code == 200
    assert "Das hat gerade nicht geklappt" in text_of(page)
    assert "Neu in Advoware" in text_of(page)
    assert send(person, pair, "abgleich").status_code == 503


def test_an_unknown_record_is_told_in_a_sentence(office: Office) -> None:
    unknown, person = Pair(0, "6b05265061e5d435a"), office.person()
    assert "In EspoCRM nicht (mehr) vorhanden" in text_of(person.get(f"/satz/{unknown.espo_id}"))
    for action in ("plan", "abgleich", "freigabe"):
        answer = send(person, unknown, action)
        assert answer.status_code in {404, 422}
        assert "Das ging nicht" in text_of(answer)


def test_causes_are_grouped_and_lead_to_their_records(office: Office) -> None:
    pairs = [office.sandbox.pair(entry(number(), 1)) for _ in range(2)]
    for pair in pairs:
        office.sandbox.advoware.remove(pair.betnr)
        with pytest.raises(Exception, match="Advoware has no Beteiligter"):
            office.hand.sync_record(pair.espo_id, "both")
    page = office.person().get()
    assert "2 In Advoware gibt es diesen Beteiligten nicht" in text_of(page)
    assert all(f"{AT}/satz/{pair.espo_id}" in page.text for pair in pairs)


def test_what_waits_after_a_failure_is_grouped_too_whatever_its_key_is(office: Office) -> None:
    pair = office.sandbox.pair(entry(number(), 1))
    keys = [notice_key(pair.espo_id), "betnr:987654"]
    office.state.ring(keys, delay=1000)
    for key in keys:
        office.state.park(key, "EspoCRM does not allow it (403).")
    try:
        page = office.person().get()
    finally:
        office.state.settle_all(office.state.due_token(keys))
    assert "1 Ein Hinweis für die Mitarbeiter konnte nicht nach EspoCRM geschrieben werden" in text_of(page)
    assert f'{AT}/satz/{pair.espo_id}"' in page.text
    assert "Beteiligter 987654 geparkt" in text_of(page)
    assert "hinweis:" not in page.text
