"""Staff see in EspoCRM what needs their hand, through a real Motia."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.notice_texts import CLOSED, Topic, title_of
from tests.support.sandbox import JSON, Pair, entry
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Running


def tasks(running: Running, pair: Pair) -> list[JSON]:
    where = f"where[0][type]=equals&where[0][attribute]=parentId&where[0][value]={pair.espo_id}"
    rows: list[JSON] = running.espocrm.call("GET", f"Task?{where}").json()["list"]
    return rows


def test_a_value_held_back_becomes_a_task_and_putting_it_right_completes_it(
    running: Running, pair: Callable[..., Pair]
) -> None:
    made = pair(entry("0511 123 Durchwahl 4"), entry("gerda@example.com", 4))
    (task,) = eventually(lambda: tasks(running, made))
    assert (task["name"], task["status"]) == (title_of(Topic.HELD_LETTERS), "Not Started")
    assert "„0511 123 Durchwahl 4“" in task["description"]
    wrong = next(one["id"] for one in running.advoware.entries(made.betnr) if "Durchwahl" in (one["tlf"] or ""))
    running.advoware.change(made.betnr, wrong, tlf="0511 1234994")
    (ended,) = eventually(lambda: [one for one in tasks(running, made) if one["status"] == "Completed"], 90)
    assert ended["id"] == task["id"]
    assert ended["description"].endswith(CLOSED)
    assert "[ERROR]" not in running.log()
