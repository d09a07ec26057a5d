"""The page of the sandbox, in a real browser."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.sandbox.program import Sandbox, running

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Keeps the browser from asking the internet for anything.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path")


@pytest.fixture(scope="module")
def systems() -> Iterator[Sandbox]:
    with running("--count", "30") as systems:
        yield systems


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def pair(systems: Sandbox) -> tuple[int, str]:
    """A new person in both systems: number in Advoware, id in EspoCRM."""
    body = {"name": "Probe", "kommunikation": [{"tlf": "0511 123400", "kommKz": 1, "bemerkung": "nur vormittags"}]}
    betnr = systems.people.post("/beteiligte", json=body).raise_for_status().json()["betNr"]
    record = {"lastName": "Probe", "betnr": betnr, "emailAddressData": [{"emailAddress": "probe@example.com"}]}
    answer = systems.staff.post("/CBeteiligte", json=record, headers={"X-Skip-Duplicate-Check": "true"})
    return betnr, answer.raise_for_status().json()["id"]


@pytest.fixture
def page(browser: Browser, systems: Sandbox, pair: tuple[int, str]) -> Iterator[Page]:
    """The page, showing only that person; it must not complain nor ask anybody but the sandbox."""
    complaints: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(systems.espocrm) else complaints.append(r.url))
    page.goto(systems.espocrm)
    page.get_by_role("searchbox").fill(str(pair[0]))
    expect(page.locator("article")).to_have_count(1)
    yield page
    page.close()
    assert [text for text in complaints if "status of 400" not in text] == []


def side(page: Page, name: str) -> Any:
    return page.get_by_role("region", name=name)


def entries(systems: Sandbox, betnr: int) -> list[dict[str, Any]]:
    answer = systems.people.get(f"/beteiligte/{betnr}").raise_for_status()
    return list(answer.json()["kommunikation"])


def test_both_ports_serve_the_same_page_in_german(systems: Sandbox) -> None:
    pages = [httpx.get(root + "/", trust_env=False) for root in (systems.advoware, systems.espocrm)]
    assert pages[0].text == pages[1].text
    assert '<html lang="de">' in pages[0].text
    assert "default-src 'self'" in pages[0].headers["content-security-policy"]


def test_a_person_changes_an_advoware_value_on_the_page(page: Page, systems: Sandbox, pair: tuple[int, str]) -> None:
    side(page, "Advoware").get_by_role("button", name="Ändern").click()
    page.get_by_label("Wert", exact=True).fill("0511 123499")
    page.get_by_role("button", name="Speichern").click()
    expect(side(page, "Advoware").locator(".value")).to_have_text("0511 123499")
    assert [(e["tlf"], e["bemerkung"]) for e in entries(systems, pair[0])] == [("0511 123499", "nur vormittags")]


def test_a_person_adds_doubles_empties_and_deletes_advoware_entries(
    page: Page, systems: Sandbox, pair: tuple[int, str]
) -> None:
    advoware = side(page, "Advoware")
    advoware.get_by_label("Art").select_option("Mobil")
    advoware.get_by_label("Neuer Wert").fill("0171 3920010")
    advoware.get_by_role("button", name="Hinzufügen").click()
    expect(advoware.locator(".item")).to_have_count(2)
    advoware.get_by_role("button", name="Verdoppeln, samt Bemerkung").first.click()
    expect(advoware.locator(".item")).to_have_count(3)
    advoware.get_by_role("button", name="Wert leeren, die Bemerkung bleibt").last.click()
    expect(advoware.locator(".value").last).to_have_text("leer")
    advoware.get_by_role("button", name="Löschen").first.click()
    expect(advoware.locator(".item")).to_have_count(2)
    assert [(e["kommKz"], e["tlf"], e["bemerkung"]) for e in entries(systems, pair[0])] == [
        (3, "0171 3920010", None),
        (1, "", "nur vormittags"),
    ]


def test_a_person_adds_a_number_to_espocrm_and_makes_an_opt_out(page: Page, systems: Sandbox, pair: tuple[int, str]) -> None:
    espocrm = side(page, "EspoCRM")
    espocrm.get_by_label("Art").select_option("Fax")
    espocrm.get_by_label("Neuer Wert").fill("+49 511 123401")
    espocrm.get_by_role("button", name="Hinzufügen").click()
    expect(espocrm.locator(".value").last).to_have_text("+49511123401")
    espocrm.get_by_role("button", name="Ändern").first.click()
    espocrm.get_by_label("abgemeldet").check()
    page.get_by_role("button", name="Speichern").click()
    expect(espocrm.get_by_text("abgemeldet")).to_be_visible()
    record = systems.staff.get(f"/CBeteiligte/{pair[1]}").json()
    assert record["emailAddressData"][0]["optOut"] is True
    assert [(p["phoneNumber"], p["type"]) for p in record["phoneNumberData"]] == [("+49511123401", "Fax")]
    assert record["modifiedByName"] == "staff"


def test_what_espocrm_refuses_is_said_and_what_was_typed_stays(page: Page) -> None:
    espocrm = side(page, "EspoCRM")
    espocrm.get_by_label("Art").select_option("Office")
    espocrm.get_by_label("Neuer Wert").fill("0511 123401")
    espocrm.get_by_role("button", name="Hinzufügen").click()
    expect(page.get_by_text("EspoCRM lehnt ab: 400")).to_be_visible()
    expect(espocrm.get_by_label("Neuer Wert")).to_have_value("0511 123401")


def test_an_edit_made_elsewhere_appears_by_itself_and_is_marked(page: Page, systems: Sandbox, pair: tuple[int, str]) -> None:
    expect(page.locator(".badge")).to_have_text("2 nur einseitig")
    mirror = [{"phoneNumber": "+49511123400", "type": "Office", "primary": True}]
    systems.staff.put(f"/CBeteiligte/{pair[1]}", json={"emailAddressData": [], "phoneNumberData": mirror}).raise_for_status()
    expect(page.locator(".badge")).to_have_text("gleich")
    expect(side(page, "EspoCRM").locator(".item.flash .value")).to_have_text("+49511123400")


def test_an_open_edit_survives_changes_from_elsewhere(page: Page, systems: Sandbox, pair: tuple[int, str]) -> None:
    side(page, "Advoware").get_by_role("button", name="Ändern").click()
    page.get_by_label("Wert", exact=True).fill("halb getippt")
    systems.staff.put(f"/CBeteiligte/{pair[1]}", json={"emailAddressData": []}).raise_for_status()
    page.wait_for_timeout(2000)
    expect(page.get_by_label("Wert", exact=True)).to_have_value("halb getippt")
    page.keyboard.press("Escape")
    expect(side(page, "EspoCRM").get_by_text("Keine Einträge")).to_be_visible()


def test_a_new_person_is_made_in_both_and_shown(page: Page) -> None:
    page.get_by_role("button", name="Neuer Beteiligter").click()
    page.get_by_label("Nachname oder Firma").fill("Ganzneu <b>&")
    page.get_by_role("button", name="Anlegen", exact=True).click()
    expect(page.locator("article h2")).to_contain_text("Ganzneu <b>&")
    expect(side(page, "EspoCRM").get_by_text("Keine Einträge")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_follows_the_colour_scheme(browser: Browser, systems: Sandbox, scheme: Any) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 780}, color_scheme=scheme)
    page = context.new_page()
    page.goto(systems.advoware)
    expect(page.locator("article")).to_have_count(25)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    red = int(page.evaluate("getComputedStyle(document.body).backgroundColor").removeprefix("rgb(").split(",")[0])
    assert (red > 128) is (scheme == "light")
    page.get_by_role("button", name="Weiter").click()
    expect(page.locator("#where")).to_contain_text("26 bis")
    context.close()
