"""The demonstration: people edit on the sandbox's page, a real Motia carries it over, and the page shows it by itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import barriers, running_browser, watched
from tests.support.sandbox import Pair, email, entry, phone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.e2e.conftest import Running

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"
SOON = 100_000  # milliseconds. A few seconds as a rule; a minute where two workers met at the record and one stepped back
NAMES = ("Ahrens, Jonas", "Bergmann, Ida", "Cordes GmbH", "Dietz, Emil", "Engel, Lotte", "Falk, Oskar", "Groth, Ella")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


def people(running: Running, name: str, *entries: dict[str, Any], **arrays: Any) -> Pair:
    """A person by name in both systems."""
    body = {"name": name, "kommunikation": list(entries)}
    betnr = running.advoware.control("POST", "/_sandbox/beteiligte", json=body).json()["betNr"]
    last, _, first = name.partition(", ")
    return Pair(betnr, running.espocrm.create(betnr=betnr, lastName=last, firstName=first or None, **arrays))


@pytest.fixture(scope="module")
def clara(running: Running) -> Pair:
    """Somebody whose values are in sync."""
    for number, name in enumerate(NAMES):
        people(running, name, entry(f"0511 12340{number}"), emails=[email(f"{name[:4].lower()}@example.com", primary=True)])
    return people(
        running,
        "Lindner, Clara",
        entry("0511 / 555-010", 1, "Sekretariat, nur vormittags"),
        entry("0171 3920055", 3),
        entry("clara.lindner@example.com", 4),
        entry("www.lindner.example", 5),
        emails=[email("clara.lindner@example.com", primary=True), email("kanzlei@example.org", opt_out=True)],
        phones=[phone("+49511555010", "Office", primary=True)],
    )


@pytest.fixture(scope="module")
def page(browser: Browser, running: Running, clara: Pair) -> Iterator[Page]:
    """Her page, once all is equal."""
    page = browser.new_page(viewport={"width": 1280, "height": 960})
    with watched(page, running.espocrm.url):
        page.goto(f"{running.espocrm.url}/#{clara.betnr}-{clara.espo_id}")
        expect(page.locator("#name .badge")).to_have_text("gleich", timeout=SOON)
        page.evaluate("window.neverLeft = true")
        yield page
        assert page.evaluate("window.neverLeft") is True, "the page was loaded anew"
        page.close()


def change(page: Page, side: str, old: str, new: str) -> None:
    """A person changes a value by click."""
    item = page.locator(f".cell.{side} .item").filter(has_text=old)
    item.get_by_role("button", name="Ändern").click()
    item.get_by_label("Wert", exact=True).fill(new)
    item.get_by_role("button", name="Speichern").click()


def save(page: Page, name: str, fallback: Path) -> None:
    """KOMM_PICTURE=1 renews the ones in docs/."""
    target = (PICTURES if os.environ.get("KOMM_PICTURE") else fallback) / name
    page.screenshot(path=target, full_page=True)
    assert target.stat().st_size > 10_000


def test_an_edit_in_advoware_arrives_in_espocrm_with_its_line_in_the_journal(page: Page, tmp_path: Path) -> None:
    change(page, "left", "0171 3920055", "0171 3920077")
    row = page.locator(".pair-row").filter(has_text="0171 3920077")
    expect(row.locator(".link.to_espocrm")).to_be_visible()
    expect(row.locator(".cell.right.flash .value")).to_have_text("+491713920077", timeout=SOON)
    expect(row.locator(".link.equal")).to_be_visible()
    write = page.locator(".write").filter(has_text="+491713920077").filter(has_text="Zeile 4")
    expect(write).to_contain_text("ersetzt", timeout=SOON)
    expect(write.locator(".change")).to_have_text("+491713920055 → +491713920077")
    expect(page.locator(".run").first).to_contain_text("Lauf ")
    save(page, "sandbox-desktop.png", tmp_path)


def test_an_edit_in_espocrm_arrives_in_advoware_with_its_line_in_the_journal(page: Page) -> None:
    change(page, "right", "kanzlei@example.org", "buero@example.org")
    value = page.locator(".cell.left.flash .value").filter(has_text="buero@example.org")
    expect(value).to_be_visible(timeout=SOON)
    write = page.locator(".write").filter(has_text="buero@example.org").filter(has_text="Zeile 3")
    expect(write.first).to_contain_text("geschrieben", timeout=SOON)
    expect(page.locator("#name .badge")).to_have_text("gleich", timeout=SOON)


def test_a_fault_by_click_holds_the_sync_up_and_its_end_lets_the_value_through(page: Page, running: Running) -> None:
    page.get_by_role("button", name="Störungen").click()
    page.get_by_role("button", name="Antwort auf Schreiben geht verloren").last.click()
    expect(page.get_by_role("button", name="Störungen 1 aktiv")).to_be_visible()
    change(page, "left", "0511 / 555-010", "0511 / 555-011")
    expect(page.locator(".cell.right .value").filter(has_text="+49511555011")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Alle beenden").click()
    page.get_by_role("button", name="Störungen").click()
    expect(page.locator("#name .badge")).to_have_text("gleich", timeout=SOON)
    assert running.espocrm.control("GET", "/_sandbox/faults").json() == []


def test_it_is_open_to_everybody_at_both_sizes_light_and_dark(
    browser: Browser, running: Running, clara: Pair, tmp_path: Path
) -> None:
    for name, scheme, width in (("phone", "light", 390), ("desktop-dark", "dark", 1280)):
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce")
        other = context.new_page()
        other.goto(f"{running.espocrm.url}/#{clara.betnr}-{clara.espo_id}")
        expect(other.locator(".run").first).to_be_visible(timeout=SOON)
        assert other.evaluate("document.documentElement.scrollWidth") <= width
        assert barriers(other) == []
        save(other, f"sandbox-{name}.png", tmp_path)
        context.close()
