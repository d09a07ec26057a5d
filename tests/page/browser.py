"""Chromium, and what it must not do: complain, ask another machine, or find the page hard to use."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from tests.page.support import AT, ROOT, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Page

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
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = ROOT / "docs" / "images"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of the system's."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def window(browser: Browser, url: str, *, token: str = TOKEN, but: str = "\0", **options: Any) -> Iterator[Page]:
    """A window of somebody who has logged in by the form.

    It must not complain, `but` of what the test itself brings about, nor ask anybody but the page.
    """
    context = browser.new_context(**options)
    view = context.new_page()
    complaints: list[str] = []
    view.on("console", lambda said: complaints.append(_told(said)) if said.type in {"error", "warning"} else None)
    view.on("pageerror", lambda error: complaints.append(str(error)))
    view.on("request", lambda asked: None if asked.url.startswith(url) else complaints.append(asked.url))
    view.goto(url + AT)
    view.get_by_label("Zugangswort").fill(token)
    view.get_by_role("button", name="Anmelden").click()
    view.wait_for_url(url + AT)
    yield view
    complaints = [one for one in complaints if but not in one]
    assert complaints == [], "\n".join(complaints)
    context.close()


def _told(said: ConsoleMessage) -> str:
    return f"{said.text} ({said.location['url']})"


def findings(view: Page) -> list[str]:
    """What axe finds serious or critical on the page as it is."""
    view.evaluate(AXE.read_text())  # not as a script of the page: that is what its policy forbids
    result = view.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        json.dumps({"rule": one["id"], "where": [node["html"][:200] for node in one["nodes"]]})
        for one in result["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


def fits(view: Page) -> bool:
    """Whether nothing sticks out at the side."""
    return bool(view.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def picture(view: Page, folder: Path, name: str) -> None:
    """Keep a picture of the whole page."""
    folder.mkdir(parents=True, exist_ok=True)
    view.screenshot(path=folder / f"{name}.png", full_page=True)
