"""Pages made from the code are current, and say what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scripts.pictures import configs, imports, topics
from services.kommunikation_table import TABLE
from services.notice_texts import TEXTS, title_of

ROOT = Path(__file__).resolve().parent.parent


def test_the_generated_pages_are_current() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "generate_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, f"run scripts/generate_docs.py: {done.stdout}{done.stderr}"


def test_every_row_of_the_table_stands_on_its_page() -> None:
    page = (ROOT / "docs" / "decision-table.md").read_text(encoding="utf-8")
    for row in TABLE:
        assert f"\n| {row.number} | {row.base.value} | {row.advoware.value} | " in page
        assert row.act.value in page


def test_every_notice_stands_on_its_page_with_what_to_do() -> None:
    page = (ROOT / "docs" / "notices.md").read_text(encoding="utf-8")
    for topic, text in TEXTS.items():
        _, found, section = page.partition(f"\n### {title_of(topic)}\n")
        assert found, topic
        section = section.partition("\n### ")[0]
        assert all(f". {step}\n" in section for step in text.steps)


def test_the_pure_core_imports_nothing_of_the_world_outside() -> None:
    found = imports()
    assert ("flow", "store") in found, "the imports are read"
    assert {pair for pair in found if pair[0] == "pure core"} == set()


def test_every_topic_has_a_sender_and_a_receiver() -> None:
    sent = {topic for one in configs() for topic, _ in topics(one, "emits", "virtualEmits")}
    heard = {topic for one in configs() for topic, _ in topics(one, "subscribes", "virtualSubscribes")}
    assert sent == heard
