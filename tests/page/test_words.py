"""What the page says in German, and its small plots."""

from __future__ import annotations

from pathlib import Path

import pytest

from page import plots, words
from page.render import dauer, wert, zeit
from services import errors
from services.kommunikation_judge import Fate
from services.kommunikation_report import _NAMES
from services.kommunikation_table import Act
from services.secrecy import Wert
from services.state import RecordState, Sample

SOURCES = "\n".join(path.read_text() for path in (Path(__file__).parents[2] / "services").glob("*.py"))
NOON = 1_800_000_000 // 3600 * 3600


@pytest.mark.parametrize("act", Act)
def test_every_decision_has_german_words(act: Act) -> None:
    assert words.reason(act.value) != act.value


def test_nothing_is_translated_that_nobody_says_any_more() -> None:
    known = {act.value for act in Act}
    for english in words.REASONS:
        if english not in known and not english.startswith("EspoCRM takes"):
            assert f'"{english}' in SOURCES, english


def test_every_state_operation_and_outcome_has_a_word() -> None:
    assert {state.value for state in RecordState} <= set(words.STATES)
    assert set(_NAMES.values()) == set(words.OPERATIONS)
    assert {fate.value for fate in Fate} - {"go"} <= set(words.OUTCOMES)


def test_every_error_is_said_without_english() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.RetryLater | errors.NeedsPerson | errors.Bug):
            known = any(issubclass(kind, one) for one, _ in words._ERRORS) or issubclass(kind, errors.RecordProblem)
            assert known or kind is errors.NeedsPerson, kind


def test_an_unknown_cause_is_shown_as_it_is() -> None:
    assert words.cause("something new") == "something new"
    assert words.cause("betnr linked twice: Beteiligter 1 is linked to a and to b.").startswith("Zwei Datensätze")


def test_a_value_is_shown_plainly_and_harmless() -> None:
    assert wert(Wert("0511 1")) == "0511 1"
    assert wert("a\u202eb\x00\n") == "a\ufffdb\ufffd\ufffd"
    assert wert(None) == ""


def test_times_are_those_of_german_clocks() -> None:
    assert zeit(1_800_000_000).startswith("15.01.2027, 09:00:00")
    assert [dauer(s) for s in (0, 1, 59, 60, 3700, 2 * 86400)] == [
        "0 Sekunden",
        "1 Sekunde",
        "59 Sekunden",
        "1 Minute",
        "1 Stunde",
        "2 Tagen",
    ]


def test_throughput_is_the_difference_of_counters_and_a_lost_redis_counts_from_zero() -> None:
    made = [Sample(NOON - 100 * 3600, 10, 5, None), Sample(NOON - 3600, 12, 9, None), Sample(NOON, 3, 0, None)]
    plot = plots.throughput(made, now=NOON + 60)
    assert len(plot["bars"]) == 72
    assert (plot["out"], plot["into"], plot["top"]) == (2 + 3, 4 + 0, 6)
    assert plot["bars"][-2] == {"x": pytest.approx(623.2, abs=0.1), "out": 50.0, "into": 100.0}
    assert plots.throughput([])["top"] == 1


def test_slots_are_one_point_a_day() -> None:
    day = 24 * 3600
    start = NOON // day * day
    made = [Sample(start, 0, 0, None), Sample(start + 3600, 0, 0, 4), Sample(start + 7200, 0, 0, 5)]
    assert plots.slots(made[:1]) is None
    assert plots.slots(made) == {"line": "0.0,0.0 640.0,0.0", "top": 5, "now": 5, "before": 5, "since": start + 7200}
    assert (plots.slots([*made, Sample(start + day, 0, 0, 10)]) or {})["line"] == "0.0,75.0 640.0,0.0"
