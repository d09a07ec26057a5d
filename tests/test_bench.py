"""The benches' own arithmetic, and the two of them that measure no other process."""

from __future__ import annotations

import cProfile
import json
from typing import TYPE_CHECKING

import pytest

from bench import core, requests
from bench.__main__ import main
from bench.figures import Figure, Result, exponent, in_turns, median, ratio, short

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_its_power(power: float) -> None:
    sizes = [1, 10, 100, 1000]
    assert exponent(sizes, [3 * size**power for size in sizes]) == pytest.approx(power)


def test_a_ratio_is_the_median_of_what_was_measured_side_by_side() -> None:
    assert ratio([2.0, 30.0, 9.0], [1.0, 10.0, 3.0]) == 3.0
    assert median([]) == 0.0


def test_what_is_compared_is_measured_in_turns() -> None:
    order: list[str] = []
    found = in_turns([lambda: order.append("a") or 1.0, lambda: order.append("b") or 2.0], 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("no target", 5), ""),
        (Figure("value", 0.9, "ms", at_most=1), "ok"),
        (Figure("value", 1.1, "ms", at_most=1), "MISSED"),
        (Figure("ratio counts, not the value", 100, floor=90, ratio=0.9, at_least=0.85), "ok"),
        (Figure("ratio counts, not the value", 100, floor=90, ratio=0.8, at_least=0.85), "MISSED"),
        (Figure("exact", 6, floor=5, ratio=6 / 5, exactly=1), "MISSED"),
    ],
)
def test_a_missed_target_is_shown_as_missed(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict
    result = Result("Name", "About.", [figure])
    assert verdict in result.lines()[-2]
    assert result.as_json()["figures"][0]["verdict"] == verdict


def test_figures_have_three_digits() -> None:
    assert [short(value) for value in (2.0, 12345.6, 0.12345, 1234567.0)] == ["2", "12,346", "0.123", "1,234,567"]


def test_the_floors_are_those_put_together_by_hand_in_the_docs() -> None:
    assert requests.FLOORS == {
        "unchanged record": 2,
        "one change in EspoCRM": 5,
        "one change in Advoware": 9,
        "one change on each side": 10,
        "five changes in EspoCRM": 9,
        "five changes in Advoware": 14,
        "first sync, five values in Advoware": 14,
        "first sync, five values in EspoCRM": 10,
    }
    # 1 for the newest change, 3 pages (200, 200, 100), 2 a record, 5 and 9 a change
    assert requests.full_pass_floor(500, changed_in_espocrm=25, changed_in_advoware=25) == 1 + 3 + 1000 + 125 + 225
    assert requests.full_pass_floor(400) == 1 + 3 + 800


def test_no_work_takes_a_request_more_than_its_floor() -> None:
    missed = [figure for figure in requests.measure(records=20).figures if not figure.met]
    assert missed == []


def test_the_core_is_measured_for_every_kind_of_record() -> None:
    figures = core.measure([1, 10, 20], rounds=1).figures
    assert {figure.name.split(",")[0] for figure in figures} == set(core.KINDS)
    assert all(figure.value > 0 for figure in figures if figure.unit == "ms")


def test_a_run_leaves_its_figures_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "figures.json"
    assert main(["core", "--quick", "--json", str(place)]) == 0
    told = json.loads(place.read_text(encoding="utf-8"))
    assert {"machine", "commit", "date", "benches"} <= set(told)
    assert told["benches"][0]["figures"][0]["name"] == "unchanged, 1 entries"
    assert "| unchanged, 1 entries" in capsys.readouterr().out


@pytest.mark.parametrize("kind", core.KINDS)
def test_a_diff_makes_no_more_calls_for_an_entry_of_a_large_record(kind: str) -> None:
    small, large = (_calls(core.Case(size, kind)) for size in (100, 1000))
    assert large < 10.2 * small


def _calls(case: core.Case) -> int:
    case.diff()
    profile = cProfile.Profile()
    profile.runcall(case.diff)
    return sum(entry.callcount for entry in profile.getstats())
