"""What the gauges say of a store, and that nothing but the code's own words gets into labels."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from services.errors import Unreachable
from services.metrics import exposition
from services.state import RecordState, RecordStatus
from services.state_redis_figures import RedisFigures
from services.tally import run_counts
from tests.metrics.conftest import Scrape, read
from tests.state.support import Clock, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> Clock:
    """The store's clock."""
    return Clock()


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[RedisFigures]:
    """A store in a Redis of its own."""
    with running(tmp_path_factory.mktemp("redis-figures")) as server:
        state = RedisFigures.connect(server.url, clock=clock)
        yield state
        state.close()


def told(state: RedisFigures) -> Scrape:
    """The exposition of the store."""
    return read(exposition(state.figures).decode())


def nonzero(state: RedisFigures, *names: str) -> dict[str, float]:
    """The gauges of these names that are not 0, without the common prefix."""
    pattern = re.compile(rf"kommunikation_({'|'.join(names)})(\{{|$)")
    found = {name: value for name, value in told(state).samples.items() if pattern.match(name) and value}
    return {name.removeprefix("kommunikation_"): value for name, value in found.items()}


def test_an_empty_store_tells_zeros_for_all_that_is_known_beforehand(state: RedisFigures) -> None:
    samples = told(state).samples
    assert set(samples.values()) == {0.0}
    assert 'kommunikation_runs_total{kind="sync",outcome="written"}' in samples
    assert 'kommunikation_requests_total{answer="5xx",system="advoware"}' in samples


def test_due_parked_and_overdue(state: RedisFigures, clock: Clock) -> None:
    state.ring(["a", "b", "c", "d"], delay=10)
    state.postpone("b", "x", counts=True)
    state.park("c", "x")
    state.postpone("d", "x", counts=False)
    clock.advance(40)
    assert nonzero(state, "due", "due_overdue_seconds") == {
        'due{state="waiting"}': 2,
        'due{state="retrying"}': 1,
        'due{state="parked"}': 1,
        "due_overdue_seconds": 30,
    }
    for attempt in range(6):
        state.postpone("b", f"x{attempt}", counts=True)
    assert nonzero(state, "due")['due{state="parked"}'] == 2


def test_records_lists_and_withheld_removals(state: RedisFigures) -> None:
    state.register_links([("a", 1), ("b", 2)])
    state.set_status("a", RecordStatus(1, RecordState.PENDING, counts={"withheld": 4}))
    state.set_status("b", RecordStatus(2, RecordState.EQUAL, counts={"withheld": 0}))
    state.set_lists("a", conflicts=[{"id": "1"}, {"id": "2"}], held_back=[{"id": "3"}])
    names = ("records", "linked_records", "listed", "listed_records", "withheld_records")
    expected = {
        'records{state="pending"}': 1,
        'records{state="equal"}': 1,
        "linked_records": 2,
        'listed{list="conflicts"}': 2,
        'listed{list="held_back"}': 1,
        'listed_records{list="conflicts"}': 1,
        'listed_records{list="held_back"}': 1,
        "withheld_records": 1,
    }
    assert nonzero(state, *names) == expected
    state.set_status("a", RecordStatus(1, RecordState.FAILED, "EspoCRM failed"))  # tells nothing of the valve
    assert nonzero(state, "withheld_records") == {"withheld_records": 1}
    state.set_status("a", RecordStatus(1, RecordState.EQUAL, counts={"withheld": 0}))
    assert nonzero(state, "withheld_records") == {}
    state.set_status("a", RecordStatus(1, RecordState.PENDING, counts={"withheld": 1}))
    state.erase("a", 1)
    assert nonzero(state, *names) == {'records{state="equal"}': 1, "linked_records": 1}


def test_slots_and_the_last_pass(state: RedisFigures, clock: Clock) -> None:
    state.set_slot_report(1, {"above_limit": True, "with_text": []})
    state.set_slot_report(2, {"above_limit": False, "with_text": [7]})
    state.note("cleaned", json.dumps({"slots": 9, "surplus": 2, "at": clock.now}), {})
    state.count(writes=5, values_to_espocrm=3)
    state.set_mark("pass", json.dumps({"begun": str(clock.now), "total": 200, "writes": 1, "values_to_espocrm": 3}))
    state.note_tick({"ticks:done": 1}, through=False)
    assert nonzero(state, "slots", "slot_records", "last_.*") == {
        'slots{kind="all"}': 9,
        'slots{kind="surplus"}': 2,
        'slot_records{reason="above_limit"}': 1,
        'slot_records{reason="with_text"}': 1,
        "last_tick_timestamp_seconds": clock.now,
        "last_cleanup_timestamp_seconds": clock.now,
        "last_pass_timestamp_seconds": clock.now,
        "last_pass_records": 200,
        'last_pass_written{what="writes"}': 4,
    }


def test_the_histogram_adds_up(state: RedisFigures) -> None:
    for seconds in (0.01, 0.05, 0.2, 2, 90):
        state.count(**run_counts("look", "equal", seconds))
    samples = told(state).samples
    bucket = 'kommunikation_run_seconds_bucket{kind="look",le="%s"}'
    counts = [samples[bucket % bound] for bound in ("0.05", "0.1", "0.25", "1.0", "2.5", "60.0", "+Inf")]
    assert counts == [2, 2, 3, 3, 4, 4, 5]
    assert samples['kommunikation_run_seconds_count{kind="look"}'] == 5
    assert samples['kommunikation_run_seconds_sum{kind="look"}'] == pytest.approx(92.26)


def test_names_follow_prometheus_convention(state: RedisFigures) -> None:
    state.count(**{"failures:espocrm:ServerError": 1, "webhooks:espocrm:200": 1})
    for name, family in told(state).families.items():
        assert re.fullmatch(r"kommunikation_[a-z_]+", name)
        assert not name.endswith(("_total", "_count", "_bucket", "_sum"))
        assert family.documentation.endswith(".")
        if family.type == "counter":
            assert all(sample.name == f"{name}_total" for sample in family.samples)
        assert family.type in {"counter", "gauge", "histogram"}


def test_what_is_not_of_the_codes_own_making_is_not_told(state: RedisFigures) -> None:
    state.count(**{
        "runs:look:mueller@example.org": 1,
        "runs:look:+49 511 1234567": 1,
        'failures:espocrm:Say "hi"\n': 1,
        "unknown:family:x": 1,
        "runs:one_label": 1,
    })  # fmt: skip
    assert set(told(state).samples.values()) == {0.0}


def test_without_redis_there_are_no_figures_instead_of_zeros() -> None:
    with pytest.raises(Unreachable):
        exposition(RedisFigures.connect("redis://127.0.0.1:9/0").figures)
