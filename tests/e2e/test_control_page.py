"""The control page in front of the real system: what people do in both systems appears, and a click goes all the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.page.browser import DESK, window
from tests.page.support import AT
from tests.support.browser import barriers, running_browser
from tests.support.sandbox import email, entry
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Running
    from tests.support.sandbox import Pair

BEFORE, MINE, THEIRS = ("gemeinsam@example.com", "advoware.neu@example.com", "espocrm.neu@example.com")


def _addresses(running: Running, pair: Pair) -> tuple[set[str], set[str]]:
    left = {one["tlf"] for one in running.advoware.entries(pair.betnr) if one["tlf"]}
    return left, {one["emailAddress"] for one in running.espocrm.emails(pair.espo_id)}


def test_a_conflict_of_two_people_appears_is_decided_by_click_and_both_systems_follow(
    running: Running, pair: Callable[..., Pair]
) -> None:
    made = pair(entry(BEFORE, 4))
    eventually(lambda: _addresses(running, made)[1] == {BEFORE})
    eventually(lambda: "[ESPOCRM:" in (running.advoware.entries(made.betnr)[0]["bemerkung"] or ""))
    with running_browser() as browser, window(browser, running.url, token="sandbox-page-token", viewport=DESK) as view:
        tile: Any = view.locator(".tile", has_text="Konflikt")
        expect(tile.locator("b")).to_have_text("0")
        view.goto(running.url + AT + "/liste/konflikte")
        view.evaluate("window.since = 'the beginning'")
        komm_id = running.advoware.entries(made.betnr)[0]["id"]
        running.advoware.change(made.betnr, komm_id, tlf=MINE)
        running.espocrm.put(made.espo_id, emailAddressData=[email(THEIRS, primary=True)])
        card = view.locator("article.conflict", has_text=MINE)
        expect(card).to_contain_text(THEIRS, timeout=60_000)
        assert view.evaluate("window.since") == "the beginning"  # no reload in between
        assert barriers(view) == []
        card.get_by_role("button", name="Wert aus Advoware behalten").click()
        expect(view.get_by_text("Entschieden.")).to_be_visible(timeout=30_000)
        assert _addresses(running, made) == ({MINE}, {MINE})
        view.goto(f"{running.url}{AT}/satz/{made.espo_id}")
        expect(view.get_by_text("Ein Mensch hat den Konflikt entschieden.").first).to_be_visible()
        view.goto(running.url + AT)
        expect(view.get_by_text("Der Abgleich läuft.")).to_be_visible()
