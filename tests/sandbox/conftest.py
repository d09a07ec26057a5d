"""The page of the sandbox in a real browser, with people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, expect

from tests.sandbox.program import Sandbox, running
from tests.support.browser import running_browser, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


@dataclass
class Person:
    """A person in both systems, and how a test looks at them on the page and behind it."""

    systems: Sandbox
    betnr: int
    espo_id: str

    @property
    def address(self) -> str:
        """The page with this person opened."""
        return f"{self.systems.espocrm}/#{self.betnr}-{self.espo_id}"

    def entries(self) -> list[dict[str, Any]]:
        """Advoware's entries as stored."""
        answer = self.systems.people.get(f"/beteiligte/{self.betnr}").raise_for_status()
        return list(answer.json()["kommunikation"])

    def record(self) -> dict[str, Any]:
        """EspoCRM's record."""
        return dict(self.systems.staff.get(f"/CBeteiligte/{self.espo_id}").raise_for_status().json())

    def put(self, **attributes: Any) -> None:
        """Somebody else edits in EspoCRM."""
        self.systems.staff.put(f"/CBeteiligte/{self.espo_id}", json=attributes).raise_for_status()

    def change(self, entry_id: int, **members: Any) -> None:
        """Somebody else edits in Advoware."""
        path = f"/beteiligte/{self.betnr}/kommunikation/{entry_id}"
        self.systems.people.patch(path, json=members).raise_for_status()


def make_person(systems: Sandbox, name: str = "Probe", *entries: dict[str, Any], **record: Any) -> Person:
    """A new person in both systems, linked."""
    body = {"name": name, "kommunikation": list(entries)}
    betnr = systems.people.post("/beteiligte", json=body).raise_for_status().json()["betNr"]
    answer = systems.staff.post(
        "/CBeteiligte", json={"lastName": name, "betnr": betnr, **record}, headers={"X-Skip-Duplicate-Check": "true"}
    )
    return Person(systems, betnr, answer.raise_for_status().json()["id"])


@pytest.fixture(scope="module")
def systems() -> Iterator[Sandbox]:
    with running("--count", "60") as systems:
        yield systems


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def person(systems: Sandbox) -> Person:
    entry = {"tlf": "0511 123400", "kommKz": 1, "bemerkung": "nur vormittags"}
    return make_person(systems, "Probe", entry, emailAddressData=[{"emailAddress": "probe@example.com"}])


@pytest.fixture
def page(browser: Browser, systems: Sandbox, person: Person) -> Iterator[Page]:
    """The page with that person opened; it must not complain nor ask anybody but the sandbox."""
    page = browser.new_page()
    with watched(page, systems.espocrm):
        page.goto(person.address)
        expect(page.locator("#name")).to_contain_text("Probe")
        yield page
        page.close()


def left(page: Page) -> Locator:
    """Advoware's entries."""
    return page.locator(".cell.left .item")


def right(page: Page) -> Locator:
    """EspoCRM's items."""
    return page.locator(".cell.right .item")
