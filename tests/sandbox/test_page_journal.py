"""The journal below the pair: read from the sync's own Redis, where the sandbox is told of one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography.fernet import Fernet
from playwright.sync_api import expect

from services.kommunikation_table import TABLE
from services.state import RecordState, RecordStatus
from services.state_redis import RedisState
from services.state_seal import seal_from
from tests.sandbox.conftest import make_person
from tests.sandbox.program import running
from tests.state.support import running as running_redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.sandbox.program import Sandbox
    from tests.state.support import Server

KEY = Fernet.generate_key().decode()
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def told(redis_server: Server) -> Iterator[Sandbox]:
    """A sandbox that knows the sync's Redis."""
    with running("--count", "0", env={**os.environ, "REDIS_URL": redis_server.url, "KOMM_DATA_KEY": KEY}) as systems:
        yield systems


@pytest.fixture(scope="module")
def state(redis_server: Server) -> RedisState:
    """The sync's store, sealed with the same key."""
    return RedisState.connect(redis_server.url, seal=seal_from(KEY))


def write(row: int, operation: str, system: str, before: str | None, after: str, **more: Any) -> dict[str, Any]:
    reason = next((one.act.value for one in TABLE if one.number == row), "undo of run r.1")
    told = {"row": row, "reason": reason, "operation": operation, "system": system, "before": before, "after": after}
    return told | more


def opened(browser: Browser, address: str) -> Page:
    page = browser.new_page()
    page.goto(address)
    expect(page.locator("#shown")).to_be_visible()
    return page


def test_a_write_appears_by_itself_with_row_reason_before_and_after(
    browser: Browser, told: Sandbox, state: RedisState
) -> None:
    person = make_person(told, "Journal")
    page = opened(browser, person.address)
    expect(page.locator("#journal")).to_contain_text("Noch hat der Abgleich hier nichts geschrieben.")
    state.journal(person.espo_id, [write(4, "replace_item", "espocrm", "alt@example.com", HOSTILE, run="r.1")])
    state.set_status(person.espo_id, RecordStatus(person.betnr, RecordState.EQUAL))
    person.put(description="x")  # the sync has called: the page looks at the journal
    run = page.locator(".run")
    expect(run).to_contain_text("Lauf r.1")
    expect(run).to_contain_text("EspoCRM")
    expect(run).to_contain_text("Wert ersetzt")
    expect(run.locator(".change")).to_have_text(f"alt@example.com → {HOSTILE}")
    expect(run).to_contain_text("Zeile 4: In Advoware geändert: der neue Wert kommt nach EspoCRM.")
    expect(page.locator("#journal .note")).to_contain_text("zuletzt gleich gefunden")

    state.journal(person.espo_id, [write(0, "restore_entry", "advoware", "a", "", run="r.2")])
    expect(page.locator(".run")).to_have_count(2)
    expect(page.locator(".run.flash").first).to_contain_text("Rücknahme von r.1.")
    page.close()


def test_conflicts_and_values_held_back_are_shown_with_both_values(
    browser: Browser, told: Sandbox, state: RedisState
) -> None:
    person = make_person(told, "Konflikt")
    state.set_lists(
        person.espo_id,
        conflicts=[{"id": "c", "row": 7, "advoware": "a@example.com", "espocrm": "e@example.com"}],
        held_back=[{"id": "h", "row": 15, "reason": "x", "value": "0511 halb"}],
    )
    page = opened(browser, person.address)
    expect(page.locator("#journal")).to_contain_text("Konflikt: Advoware „a@example.com“, EspoCRM „e@example.com“")
    expect(page.locator("#journal")).to_contain_text("Zurückgehalten: „0511 halb“")
    page.close()


def test_only_records_of_this_sandbox_are_told_of(told: Sandbox, state: RedisState) -> None:
    state.journal("66aelsewhere", [write(4, "replace_item", "espocrm", "secret@example.com", "x", run="r.1")])
    with httpx.stream("GET", f"{told.espocrm}/_sandbox/page/live?record=1-66aelsewhere", trust_env=False) as answer:
        said = ""
        for line in answer.iter_lines():
            said += line
            if line.startswith("data:") and "trouble" in line:
                break
    assert "secret@example.com" not in said
    assert '"entries": []' in said


def test_a_journal_that_cannot_be_read_is_said_to_be(browser: Browser, redis_server: Server, told: Sandbox) -> None:
    person = make_person(told, "Anderer Schlüssel")
    other = RedisState.connect(redis_server.url, seal=seal_from(Fernet.generate_key().decode()))
    other.journal(person.espo_id, [write(4, "replace_item", "espocrm", None, "x", run="r.1")])
    page = opened(browser, person.address)
    expect(page.locator("#journal")).to_contain_text("mit einem anderen Schlüssel verschlossen")
    page.close()


def test_a_redis_that_is_gone_harms_nothing_but_the_panel(browser: Browser, tmp_path: Path) -> None:
    with running_redis(tmp_path) as server, running("--count", "0", env={**os.environ, "REDIS_URL": server.url}) as systems:
        person = make_person(systems, "Weg", {"tlf": "0511 1", "kommKz": 1})
        page = opened(browser, person.address)
        expect(page.locator("#journal")).to_contain_text("nichts geschrieben")
        server.kill()
        person.put(emailAddressData=[{"emailAddress": "weg@example.com"}])
        expect(page.locator(".cell.right .value")).to_have_text("weg@example.com")
        expect(page.locator("#journal")).to_contain_text("Redis antwortet gerade nicht.", timeout=15_000)
        page.close()


def test_without_a_redis_the_panel_says_how_to_get_one(page: Page) -> None:
    expect(page.locator("#journal")).to_contain_text("make run")


def test_an_unusable_address_of_redis_is_said_at_the_start() -> None:
    with (
        pytest.raises(AssertionError, match="ended before it was ready"),
        running(env={**os.environ, "REDIS_URL": "nonsense"}),
    ):
        pass
