"""Windows of the control page: they must not complain, nor ask another machine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.page.support import AT, ROOT, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Page

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
PICTURES = ROOT / "docs" / "images"


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


def fits(view: Page) -> bool:
    """Whether nothing sticks out at the side."""
    return bool(view.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def picture(view: Page, folder: Path, name: str) -> None:
    """Keep a picture of the whole page."""
    folder.mkdir(parents=True, exist_ok=True)
    view.screenshot(path=folder / f"{name}.png", full_page=True)
