"""The Workbench's page in a real browser: the flow is drawn with all its steps, each of them connected."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import running_browser
from tests.test_steps import CONFIGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.e2e.conftest import Running

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "images" / "flow.png"


@pytest.fixture(scope="module")
def page(running: Running) -> Iterator[Page]:
    """The page of the flow, drawn."""
    with running_browser() as browser:
        opened = browser.new_page(viewport={"width": 1760, "height": 1200})
        opened.goto(running.url)
        opened.wait_for_selector(".react-flow__edge", state="attached", timeout=60_000)
        yield opened


def test_the_page_draws_every_step_of_the_flow(page: Page) -> None:
    shown = page.locator(".react-flow__node").all_inner_texts()
    assert len(shown) == len(CONFIGS)
    for config in CONFIGS.values():
        assert any(text.split("\n")[0].strip() == config["name"] for text in shown), config["name"]


def test_every_step_on_the_page_is_connected(page: Page) -> None:
    nodes = {str(node.get_attribute("data-id")) for node in page.locator(".react-flow__node").all()}
    edges = [str(edge.get_attribute("data-id")) for edge in page.locator(".react-flow__edge").all()]
    for node in nodes:
        assert [edge for edge in edges if edge.startswith(node) or edge.endswith(node)], node


def test_the_flow_reads_from_left_to_right(page: Page) -> None:
    left = {}
    for node in page.locator(".react-flow__node").all():
        box = node.bounding_box()
        assert box is not None
        left[node.inner_text().split("\n")[0].strip()] = box["x"]
    order = ["EspoCRM", "beteiligte_webhook", "detect_komm_changes", "sync_to_advoware", "Advoware (Ziel)"]
    assert [left[name] for name in order] == sorted(left[name] for name in order)
    assert left["EspoCRM"] == left["Advoware"] == min(left.values())


def test_opening_the_page_leaves_the_layout_as_it_is_committed(page: Page, running: Running) -> None:
    """Where the page draws the steps before it knows their places, it would save a layout of its own."""
    committed = (ROOT / "motia-workbench.json").read_bytes()
    page.wait_for_timeout(1500)  # the page saves 0.3 s after it has moved something
    answer = running.http.post("/__motia/flows/kommunikation/config", json={"id": "kommunikation", "config": {}})
    assert answer.status_code == 403
    assert (ROOT / "motia-workbench.json").read_bytes() == committed


def test_the_five_plugins_are_there(page: Page) -> None:
    text = page.locator("body").inner_text()
    for label in ("Endpoints", "Queues", "Tracing", "States", "Logs"):
        assert label in text


def test_a_picture_of_the_flow_can_be_taken(page: Page, tmp_path: Path) -> None:
    """KOMM_PICTURE=1 renews the one in docs/."""
    target = PICTURE if os.environ.get("KOMM_PICTURE") else tmp_path / "flow.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    page.locator(".react-flow").screenshot(path=target)
    assert target.stat().st_size > 10_000
