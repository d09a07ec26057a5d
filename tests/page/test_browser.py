"""The page in a real browser: live without reload, decisions by click, on a phone, with a keyboard, without script."""

from __future__ import annotations

import os
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.http.support import address, number
from tests.page.browser import DESK, PHONE, fits, picture, window
from tests.page.conftest import environ_of
from tests.page.support import AT, TOKEN, serving
from tests.page.test_actions import conflict, values
from tests.state.support import free_port
from tests.support.browser import barriers, running_browser
from tests.support.sandbox import email, entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.page.conftest import Office
    from tests.support.sandbox import Pair

PICTURES = os.environ.get("KOMM_PICTURES", "")
"""With KOMM_PICTURES=docs/images the pictures of the documents are made anew."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as made:
        yield made


@pytest.fixture
def busy(office: Office) -> Pair:
    """An installation with something of everything."""
    sandbox, hand = office.sandbox, office.hand
    made = conflict(office)
    sandbox.espocrm.put(made.pair.espo_id, firstName="Erika", lastName="Musterfrau")
    held = sandbox.pair(entry("0511 1234 Frau Beispiel", 1), entry(number(), 3))
    sandbox.espocrm.put(held.espo_id, lastName="Beispiel & Söhne GmbH")
    hand.sync_record(held.espo_id, "both")
    valve = sandbox.pair(*(entry(address(), 4) for _ in range(5)))
    hand.sync_record(valve.espo_id, "both")
    sandbox.espocrm.put(valve.espo_id, emailAddressData=[])
    hand.sync_record(valve.espo_id, "both")
    gone = sandbox.pair(entry(number(), 1))
    sandbox.advoware.remove(gone.betnr)
    with pytest.raises(Exception, match="no Beteiligter"):
        hand.sync_record(gone.espo_id, "both")
    _history(office)
    return made.pair


def _history(office: Office) -> None:
    """Hours and nights gone by, as `reconcile` and the clean-up would have noted them."""
    real, now = office.state._clock, office.state._clock()
    start = office.state.counters()
    try:
        for hours in range(72, -1, -1):
            office.state._clock = lambda at=now - hours * 3600: at
            weekday = 1 if hours % 24 < 10 else 0
            office.state.count(values_to_espocrm=weekday * (hours * 7 % 11), values_to_advoware=weekday * (hours * 5 % 13))
            office.state.set_mark("slots", str(410 - 2 * hours))
            office.state.note_tick({}, through=True)
    finally:
        office.state._clock = real
        back = {name: start.get(name, 0) - office.state.counters()[name] for name in office.state.counters()}
        office.state.count(**back)


PAGES = {"overview": "", "conflicts": "/liste/konflikte", "held-back": "/liste/zurueckgehalten", "valve": "/liste/ventil"}


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_every_page_is_usable_for_everybody(
    browser: Browser, office: Office, busy: Pair, size: str, scheme: Any, tmp_path: Path
) -> None:
    folder = Path(PICTURES) if PICTURES else tmp_path
    viewport: Any = PHONE if size == "phone" else DESK
    with window(browser, office.url, viewport=viewport, color_scheme=scheme, device_scale_factor=1) as view:
        for name, path in {**PAGES, "notices": "/liste/hinweise", "record": f"/satz/{busy.espo_id}"}.items():
            view.goto(office.url + AT + path)
            expect(view.locator("main")).to_be_visible()
            assert barriers(view) == []
            assert fits(view)
            if name in {"overview", "conflicts", "record"}:
                picture(view, folder, f"control-{name}-{size}")
        view.get_by_role("button", name="Plan ansehen").click()
        assert barriers(view) == []
        view.get_by_label("Beteiligten suchen").fill("Muster")
        view.get_by_role("button", name="Suchen").click()
        expect(view.locator(".hits")).to_be_visible()
        assert barriers(view) == []
        assert fits(view)
        red = int(view.evaluate("getComputedStyle(document.body).backgroundColor").removeprefix("rgb(").split(",")[0])
        assert (red > 128) is (scheme == "light")
        view.get_by_role("button", name="Abmelden").click()
        assert barriers(view) == []


def test_a_conflict_appears_without_reload_is_decided_by_click_and_both_sides_follow(
    browser: Browser, office: Office
) -> None:
    with window(browser, office.url, viewport=DESK) as view:
        view.goto(office.url + AT + "/liste/konflikte")
        view.evaluate("window.never = 'reloaded'")
        made = conflict(office)
        card = view.locator("article.conflict", has_text=made.mine)
        expect(card).to_contain_text(made.theirs, timeout=10_000)
        assert view.evaluate("window.never") == "reloaded"
        card.get_by_role("button", name="Wert aus EspoCRM behalten").click()
        expect(view.get_by_text("Entschieden.")).to_be_visible()
        assert values(office, made.pair) == ({made.theirs}, {made.theirs})


def test_a_record_shows_what_is_written_meanwhile(browser: Browser, office: Office) -> None:
    pair = office.sandbox.pair(entry(number(), 1))
    with window(browser, office.url, viewport=DESK) as view:
        view.goto(f"{office.url}{AT}/satz/{pair.espo_id}")
        expect(view.get_by_text("Noch nichts geschrieben.")).to_be_visible()
        office.hand.sync_record(pair.espo_id, "both")
        expect(view.locator(".timeline > li")).to_have_count(1, timeout=10_000)


def test_nothing_moves_under_a_hand(browser: Browser, office: Office) -> None:
    first = conflict(office)
    with window(browser, office.url, viewport=DESK) as view:
        view.goto(office.url + AT + "/liste/konflikte")
        view.locator("article.conflict", has_text=first.mine).get_by_role("button", name="Beide behalten").focus()
        second = conflict(office)
        expect(view.get_by_text("Es gibt Neues.")).to_be_visible(timeout=10_000)
        expect(view.get_by_text(second.mine)).to_have_count(0)
        view.get_by_role("button", name="Anzeigen").click()
        expect(view.get_by_text(second.mine).first).to_be_visible()


def test_it_can_be_used_with_a_keyboard_alone(browser: Browser, office: Office) -> None:
    pair = office.sandbox.pair(entry(number(), 1))
    with window(browser, office.url, viewport=DESK) as view:
        view.get_by_label("Beteiligten suchen").focus()
        view.keyboard.type(str(pair.betnr))
        view.keyboard.press("Enter")
        view.locator(".hits a").first.focus()
        view.keyboard.press("Enter")
        view.get_by_role("button", name="Jetzt abgleichen").focus()
        view.keyboard.press("Enter")
        expect(view.get_by_text("Abgeglichen.")).to_be_visible()
    assert len(office.sandbox.espocrm.phones(pair.espo_id)) == 1


def test_it_works_without_script(browser: Browser, office: Office) -> None:
    pair = office.sandbox.pair(entry(number(), 1), emails=[email(address())])
    with window(browser, office.url, viewport=PHONE, java_script_enabled=False) as view:
        view.goto(f"{office.url}{AT}/satz/{pair.espo_id}")
        view.get_by_role("button", name="Plan ansehen").click()
        view.get_by_role("button", name="Genau das ausführen").click()
        expect(view.get_by_text("Abgeglichen.")).to_be_visible()
        view.get_by_role("button", name="Zurücknehmen …").click()
        view.get_by_role("button", name="Ja, zurücknehmen").click()
        expect(view.get_by_text("Zurückgenommen.")).to_be_visible()
    assert office.sandbox.espocrm.phones(pair.espo_id) == []


def test_a_session_that_has_ended_leads_to_the_login(browser: Browser, office: Office) -> None:
    with window(browser, office.url, but="status of 403", viewport=DESK) as view:
        for key in office.state._redis.scan_iter("komm:page:session:*"):
            office.state._redis.delete(key)
        expect(view.get_by_label("Zugangswort")).to_be_visible(timeout=20_000)


def test_a_page_that_was_away_is_live_again_by_itself(browser: Browser, office: Office, tmp_path: Path) -> None:
    port, env = free_port(), environ_of(office)
    context = browser.new_context(viewport=DESK)
    view = context.new_page()
    with serving(env, tmp_path / "one.log", port) as url:
        view.goto(url + AT)
        view.get_by_label("Zugangswort").fill(TOKEN)
        view.get_by_role("button", name="Anmelden").click()
        view.goto(url + AT + "/liste/konflikte")
        view.evaluate("window.since = 'the beginning'")
    expect(view.get_by_text("Keine Verbindung")).to_be_visible(timeout=10_000)
    # Something else answers there for a while, as the gate does: that is no stream.
    with not_a_stream(port):
        view.wait_for_timeout(8000)
    made = conflict(office)
    with serving(env, tmp_path / "two.log", port):
        expect(view.get_by_text(made.mine).first).to_be_visible(timeout=20_000)
        expect(view.get_by_text("Keine Verbindung")).to_be_hidden()
        assert view.evaluate("window.since") == "the beginning"
    context.close()


@contextmanager
def not_a_stream(port: int) -> Iterator[None]:
    """A server that answers everything with 503."""

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - the name is the library's

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Busy)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
