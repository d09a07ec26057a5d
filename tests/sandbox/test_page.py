"""The page of the sandbox, in a real browser: what people see and do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

from services.kommunikation_mapper import make_marker
from tests.sandbox.conftest import Person, left, make_person, right
from tests.support.browser import barriers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.sandbox.program import Sandbox

HOSTILE = '<img src=x onerror="document.title=1">"\'&amp;<script>document.title=2</script>'


def test_both_ports_serve_the_same_page_in_german(systems: Sandbox) -> None:
    pages = [httpx.get(root + "/", trust_env=False) for root in (systems.advoware, systems.espocrm)]
    assert pages[0].text == pages[1].text
    assert '<html lang="de">' in pages[0].text
    assert "default-src 'self'" in pages[0].headers["content-security-policy"]


def test_every_file_the_page_names_is_served_and_no_other(systems: Sandbox) -> None:
    for name in ("page.css", "record.css", "page.js", "dom.js", "edit.js", "words.js", "icon.svg"):
        answer = httpx.get(f"{systems.espocrm}/_sandbox/page/{name}", trust_env=False)
        assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")
    for name in ("__init__.py", "compare.py", "..%2f__main__.py"):
        assert httpx.get(f"{systems.espocrm}/_sandbox/page/{name}", trust_env=False).status_code == 404


# --- Advoware's side -------------------------------------------------------------------------------------------------


def test_a_person_changes_value_remark_and_online_in_advoware(page: Page, person: Person) -> None:
    left(page).get_by_role("button", name="Ändern").click()
    page.get_by_label("Wert", exact=True).fill("0511 123499")
    page.get_by_label("Bemerkung", exact=True).first.fill("nur abends")
    page.get_by_label("online").check()
    page.get_by_role("button", name="Speichern").click()
    expect(left(page).locator(".value")).to_have_text("0511 123499")
    expect(left(page).locator(".remark")).to_have_text("nur abends")
    assert [(e["tlf"], e["bemerkung"], e["online"]) for e in person.entries()] == [("0511 123499", "nur abends", True)]


def test_a_person_adds_doubles_empties_and_deletes_advoware_entries(page: Page, person: Person) -> None:
    form = page.get_by_role("form", name="Neuer Eintrag in Advoware")
    form.get_by_label("Art").select_option("Mobil")
    form.get_by_label("Neuer Wert").fill("0171 3920010")
    form.get_by_role("button", name="Hinzufügen").click()
    expect(left(page)).to_have_count(2)
    expect(form.get_by_label("Neuer Wert")).to_have_value("")
    left(page).first.get_by_role("button", name="Verdoppeln, samt Bemerkung").click()
    expect(left(page)).to_have_count(3)
    left(page).last.get_by_role("button", name="Wert leeren, die Bemerkung bleibt").click()
    expect(left(page).last.locator(".value")).to_have_text("leer")
    left(page).first.get_by_role("button", name="Löschen").click()
    expect(left(page)).to_have_count(2)
    assert [(e["kommKz"], e["tlf"], e["bemerkung"]) for e in person.entries()] == [
        (3, "0171 3920010", None),
        (1, "", "nur vormittags"),
    ]


# --- EspoCRM's side --------------------------------------------------------------------------------------------------


def test_a_person_adds_a_number_to_espocrm_and_makes_an_opt_out(page: Page, person: Person) -> None:
    form = page.get_by_role("form", name="Neuer Wert in EspoCRM")
    form.get_by_label("Art").select_option("Fax")
    form.get_by_label("Neuer Wert").fill("+49 511 123401")
    form.get_by_role("button", name="Hinzufügen").click()
    expect(right(page).last.locator(".value")).to_have_text("+49511123401")
    right(page).first.get_by_role("button", name="Ändern").click()
    page.get_by_label("abgemeldet").check()
    page.get_by_role("button", name="Speichern").click()
    # The open form has a label of that name, too.
    expect(right(page).locator(".tag.on", has_text="abgemeldet")).to_be_visible()
    record = person.record()
    assert record["emailAddressData"][0]["optOut"] is True
    assert [(p["phoneNumber"], p["type"]) for p in record["phoneNumberData"]] == [("+49511123401", "Fax")]
    assert record["modifiedByName"] == "staff"


def test_a_person_changes_type_and_primary_and_removes_items(page: Page, person: Person) -> None:
    numbers = [{"phoneNumber": f"+4951112340{n}", "type": "Office", "primary": n == 2} for n in (2, 3)]
    person.put(phoneNumberData=numbers)
    expect(right(page)).to_have_count(3)
    right(page).filter(has_text="+49511123403").get_by_label("Typ").select_option("Home")
    star = right(page).filter(has_text="+49511123403").get_by_role("button", name="Zum Hauptwert machen")
    star.click()
    expect(right(page).filter(has_text="+49511123403").get_by_text("Hauptwert")).to_be_visible()
    right(page).filter(has_text="+49511123402").get_by_role("button", name="Löschen").click()
    expect(right(page)).to_have_count(2)
    assert [(p["phoneNumber"], p["type"], p["primary"]) for p in person.record()["phoneNumberData"]] == [
        ("+49511123403", "Home", True)
    ]
    assert len(person.record()["emailAddressData"]) == 1


def test_what_espocrm_refuses_is_said_and_what_was_typed_stays(page: Page) -> None:
    form = page.get_by_role("form", name="Neuer Wert in EspoCRM")
    form.get_by_label("Art").select_option("Office")
    form.get_by_label("Neuer Wert").fill("0511 123401")
    form.get_by_role("button", name="Hinzufügen").click()
    expect(page.get_by_text("EspoCRM lehnt ab: 400")).to_be_visible()
    expect(form.get_by_label("Neuer Wert")).to_have_value("0511 123401")


# --- Live ------------------------------------------------------------------------------------------------------------


def test_an_edit_made_elsewhere_appears_at_once_and_is_marked(page: Page, person: Person) -> None:
    expect(page.locator(".badge")).to_have_text("2 nicht gleich")
    mirror = [{"phoneNumber": "+49511123400", "type": "Office", "primary": True}]
    person.put(emailAddressData=[], phoneNumberData=mirror)
    expect(page.locator(".badge")).to_have_text("gleich", timeout=1500)
    expect(page.locator(".cell.right.flash .value")).to_have_text("+49511123400")
    expect(page.locator(".cell.left.flash")).to_have_count(0)
    expect(page.locator("#said")).to_have_text("EspoCRM hat sich geändert.")
    # The marker, which the sync writes right after, draws the row anew.
    (komm_id,) = [entry["id"] for entry in person.entries() if entry["tlf"] == "0511 123400"]
    person.change(komm_id, bemerkung=make_marker("0511 123400", 1))
    expect(page.locator(".cell.left").filter(has_text="0511 123400").get_by_text("verknüpft")).to_be_visible()
    expect(page.locator(".cell.right.flash .value")).to_have_text("+49511123400", timeout=1000)


def test_the_page_asks_for_nothing_while_nothing_changes(page: Page) -> None:
    page.wait_for_timeout(1500)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2500)
    assert asked == []


def test_an_open_edit_survives_changes_from_elsewhere(page: Page, person: Person) -> None:
    left(page).get_by_role("button", name="Ändern").click()
    page.get_by_label("Wert", exact=True).fill("halb getippt")
    person.put(emailAddressData=[])
    expect(right(page)).to_have_count(0)
    person.change(person.entries()[0]["id"], bemerkung="von anderswo")
    expect(left(page).locator(".remark")).to_have_text("von anderswo")
    expect(page.get_by_label("Wert", exact=True)).to_have_value("halb getippt")
    expect(page.get_by_label("Wert", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Wert", exact=True)).to_have_count(0)


def test_a_button_keeps_the_focus_when_its_row_is_made_anew(page: Page, person: Person) -> None:
    button = left(page).get_by_role("button", name="Verdoppeln, samt Bemerkung")
    button.focus()
    person.change(person.entries()[0]["id"], bemerkung="von anderswo")
    expect(left(page).locator(".remark")).to_have_text("von anderswo")
    expect(button).to_be_focused()


def test_a_record_deleted_elsewhere_is_said_to_be_gone(page: Page, person: Person) -> None:
    person.systems.staff.delete(f"/CBeteiligte/{person.espo_id}").raise_for_status()
    expect(page.locator("#nothing")).to_contain_text("gibt es nicht (mehr)")
    expect(page.locator("#shown")).to_be_hidden()


# --- The list --------------------------------------------------------------------------------------------------------


def test_the_list_is_searched_filtered_and_walked_by_keyboard(page: Page, person: Person) -> None:
    page.get_by_role("searchbox").fill("probe@example.com")
    rows = page.locator("#rows li")
    expect(rows.filter(has_text=str(person.betnr))).to_have_count(1)
    page.get_by_role("searchbox").fill("")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Weiter").click()
    expect(page.locator("#where")).to_contain_text("51 bis")
    page.get_by_role("button", name="Zurück").click()
    rows.first.locator("a").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    second = rows.nth(1).locator(".who").inner_text()
    expect(page.locator("#name")).to_contain_text(second)
    expect(page.locator("#rows a[aria-current]")).to_have_count(1)
    expect(page.locator("#record")).to_be_focused()


def test_a_new_person_is_made_in_both_and_opened(page: Page) -> None:
    page.get_by_role("button", name="Neuer Beteiligter").click()
    page.get_by_label("Nachname oder Firma").fill("Ganzneu <b>&")
    page.get_by_role("button", name="Anlegen", exact=True).click()
    expect(page.locator("#name")).to_contain_text("Ganzneu <b>&")
    expect(page.locator("#left-count")).to_have_text("0 Einträge")
    expect(page.locator("#right-count")).to_have_text("0 Einträge")


# --- Looks, access, hostile text -------------------------------------------------------------------------------------


def test_hostile_values_show_as_text(browser: Browser, systems: Sandbox) -> None:
    record = {"emailAddressData": [{"emailAddress": "x@example.com"}], "firstName": HOSTILE[:50]}
    person = make_person(
        systems, HOSTILE, {"tlf": HOSTILE, "kommKz": 1, "bemerkung": f"[ESPOCRM:PGI+:1] {HOSTILE}"}, **record
    )
    page = browser.new_page()
    page.goto(person.address)
    expect(left(page).locator(".value")).to_have_text(HOSTILE)
    expect(left(page).locator(".remark")).to_have_text(HOSTILE)
    expect(left(page).locator(".tag.linked")).to_have_text("verknüpft: zuletzt <b>")
    expect(page.locator("#name")).to_contain_text(HOSTILE)
    page.get_by_role("searchbox").fill(str(person.betnr))
    expect(page.locator("#rows li")).to_have_count(1)
    expect(page.locator("#rows .who")).to_have_text(HOSTILE)
    assert page.title() == "Kommunikation: Advoware und EspoCRM"
    assert page.locator("img, b b").count() == 0
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nobody_is_kept_out(browser: Browser, person: Person, scheme: Any, width: int) -> None:
    """axe-core finds nothing serious: list, record, an open edit, faults, at both sizes, light and dark."""
    context = browser.new_context(viewport={"width": width, "height": 780}, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(person.systems.espocrm)
    expect(page.locator("#rows li").first).to_be_visible()
    assert barriers(page) == []
    page.goto(person.address)
    page.get_by_role("button", name="Störungen").click()
    page.get_by_role("button", name="Connector offline").click()
    left(page).get_by_role("button", name="Ändern").click()
    assert barriers(page) == []
    page.get_by_role("button", name="Alle beenden").click()
    expect(page.get_by_role("button", name="Connector offline")).to_have_attribute("aria-pressed", "false")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_follows_the_colour_scheme(browser: Browser, person: Person, scheme: Any) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 780}, color_scheme=scheme)
    page = context.new_page()
    page.goto(person.systems.advoware)
    expect(page.locator("#rows li")).to_have_count(50)
    expect(page.locator("main")).to_be_hidden()
    page.get_by_role("searchbox").fill(str(person.betnr))
    expect(page.locator("#rows li")).to_have_count(1)
    page.locator("#rows a").click()
    expect(left(page)).to_have_count(1)
    expect(page.locator("#rows")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    red = int(page.evaluate("getComputedStyle(document.body).backgroundColor").removeprefix("rgb(").split(",")[0])
    assert (red > 128) is (scheme == "light")
    page.get_by_role("link", name="Alle Beteiligten").click()
    expect(page.locator("#rows")).to_be_visible()
    context.close()
