"""Faults by click: they strike the sync's calls, not people's edits, and end by click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.sandbox.conftest import Person, left, make_person, right
from tests.sandbox.program import ENV

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.sandbox.program import Sandbox


@pytest.fixture
def sync(systems: Sandbox) -> Iterator[httpx.Client]:
    """EspoCRM as the sync calls it; afterwards nothing is wrong any more."""
    with httpx.Client(
        base_url=f"{systems.espocrm}/api/v1", headers={"X-Api-Key": ENV["ESPOCRM_API_KEY"]}, trust_env=False
    ) as client:
        yield client
    change(systems, end="all")


def change(systems: Sandbox, **wanted: str) -> httpx.Response:
    return httpx.post(f"{systems.espocrm}/_sandbox/page/faults", json=wanted, trust_env=False)


def active(systems: Sandbox) -> list[str]:
    told = httpx.get(f"{systems.espocrm}/_sandbox/page/faults", trust_env=False).json()
    return [one["name"] for one in told["offered"] if one["active"]]


def test_a_fault_by_click_strikes_the_sync_and_not_the_person_and_ends_by_click(
    page: Page, person: Person, sync: httpx.Client
) -> None:
    page.get_by_role("button", name="Störungen").click()
    group = page.get_by_role("group", name="EspoCRM").filter(has_text="503")
    group.get_by_role("button", name="503").click()
    expect(group.get_by_role("button", name="503")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Störungen 1 aktiv")).to_be_visible()
    assert sync.get(f"/CBeteiligte/{person.espo_id}").status_code == 503
    expect(group.get_by_role("button", name="503: überlastet 1")).to_be_visible()

    right(page).first.get_by_role("button", name="Löschen").click()
    expect(right(page)).to_have_count(0)
    left(page).first.get_by_role("button", name="Löschen").click()
    expect(left(page)).to_have_count(0)

    page.get_by_role("button", name="Alle beenden").click()
    expect(page.get_by_role("button", name="Alle beenden")).to_be_disabled()
    assert sync.get(f"/CBeteiligte/{person.espo_id}").status_code == 200


def test_faults_of_elsewhere_are_counted_and_end_with_the_others(page: Page, person: Person, sync: httpx.Client) -> None:
    rule = {"system": "espocrm", "kind": "status", "status": 500, "count": -1}
    httpx.post(f"{person.systems.espocrm}/_sandbox/faults", json=rule, trust_env=False).raise_for_status()
    page.get_by_role("button", name="Störungen 1 aktiv").click()
    expect(page.locator("#faults-others")).to_contain_text("1 Regel")
    page.get_by_role("button", name="Alle beenden").click()
    expect(page.get_by_role("button", name="Störungen", exact=True)).to_be_visible()
    assert sync.get(f"/CBeteiligte/{person.espo_id}").status_code == 200


def answer_to(systems: Sandbox, person: Person, client: httpx.Client, name: str) -> Any:
    """What the sync meets with a read (or a write, where its answer is lost): a status, a list's length, or why none."""
    system, _, _ = name.partition("-")
    try:
        if system == "advoware":
            url = f"{systems.advoware}/api/v1/advonet/Beteiligte/{person.betnr}"
            if name.endswith("lost"):
                url += f"/Kommunikationen/{person.entries()[0]['id']}"
            answer = client.request("PUT" if name.endswith("lost") else "GET", url, json={"tlf": "1"})
        else:
            method = "PUT" if name.endswith("lost") else "GET"
            answer = client.request(method, f"/CBeteiligte/{person.espo_id}", json={"description": "x"})
        if name.endswith("short"):
            return len(answer.json()["kommunikation" if system == "advoware" else "emailAddressData"])
        if answer.status_code < 400:
            answer.json()
    except httpx.TransportError:
        return "no answer"
    except ValueError:
        return "no JSON"
    return (answer.status_code, "slow") if answer.elapsed.total_seconds() > 2 else answer.status_code


@pytest.mark.parametrize(
    ("name", "met"),
    [
        ("advoware-offline", 503),
        ("advoware-401", 401),
        ("advoware-429", 429),
        ("advoware-503", 503),
        ("advoware-lost", "no answer"),
        ("espocrm-401", 401),
        ("espocrm-429", 429),
        ("espocrm-503", 503),
        ("espocrm-slow", (200, "slow")),
        ("espocrm-lost", "no answer"),
        ("espocrm-cut", "no JSON"),
        ("espocrm-short", 0),
    ],
)
def test_each_fault_does_what_it_says(systems: Sandbox, person: Person, sync: httpx.Client, name: str, met: Any) -> None:
    record = f"{person.betnr}-{person.espo_id}"
    assert change(systems, start=name, record=record).status_code == 200
    assert active(systems) == [name]
    assert answer_to(systems, person, sync, name) == met
    change(systems, end=name)
    assert active(systems) == []


def test_an_empty_list_comes_once_and_for_the_open_record_only(systems: Sandbox, person: Person, sync: httpx.Client) -> None:
    change(systems, start="espocrm-short", record=f"{person.betnr}-{person.espo_id}")
    other = make_person(systems, "Andere", emailAddressData=[{"emailAddress": "other@example.com"}])
    assert len(sync.get(f"/CBeteiligte/{other.espo_id}").json()["emailAddressData"]) == 1
    assert answer_to(systems, person, sync, "espocrm-short") == 0
    assert answer_to(systems, person, sync, "espocrm-short") == 1


def test_what_is_no_fault_is_refused(systems: Sandbox) -> None:
    assert change(systems, start="no-such").status_code == 400
    assert httpx.post(f"{systems.espocrm}/_sandbox/page/faults", content=b"[1", trust_env=False).status_code == 400
