"""Real step processes count into one Redis, and what is told is what happened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.budget.test_budget import change_in_advoware, change_in_espocrm, pair, settle, step_of
from tests.metrics.conftest import scrape

if TYPE_CHECKING:
    from tests.budget.conftest import Budget

RUNS = "kommunikation_runs_total"


def test_processes_that_run_at_the_same_time_add_up(budget: Budget) -> None:
    pairs = [pair(budget) for _ in range(6)]
    settle(budget, *pairs)
    for one in pairs:
        change_in_espocrm(budget, one)
    before = scrape(budget.env)
    budget.clear_logs()
    events = [budget.ring(*half) for half in (pairs[:3], pairs[3:])]
    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(lambda event: budget.step("detect_komm_changes", event), events))
        emitted = [event for told in seen for event in told.emitted]
        list(pool.map(lambda event: budget.step(step_of(event), event["data"]), emitted))
    grown = scrape(budget.env) - before
    assert len(emitted) == 2
    assert grown[f'{RUNS}{{kind="look",outcome="pending"}}'] == 6
    assert grown[f'{RUNS}{{kind="sync",outcome="written"}}'] == 6
    assert grown['kommunikation_writes_total{kind="write_entry",system="advoware"}'] == 6
    for kind in ("look", "sync"):
        assert grown[f'kommunikation_run_seconds_count{{kind="{kind}"}}'] == 6
        assert grown[f'kommunikation_run_seconds_bucket{{kind="{kind}",le="+Inf"}}'] == 6
        assert 0 < grown[f'kommunikation_run_seconds_sum{{kind="{kind}"}}'] < 6 * 30


def test_every_request_is_counted(budget: Budget) -> None:
    one = pair(budget)
    settle(budget, one)
    change_in_advoware(budget, one)
    before = scrape(budget.env)
    budget.clear_logs()
    for event in budget.step("detect_komm_changes", budget.ring(one)).emitted:
        budget.step(step_of(event), event["data"])
    grown = scrape(budget.env) - before
    answered = {
        name: len(system.requests())
        for name, system in (("advoware", budget.sandbox.advoware), ("espocrm", budget.sandbox.espocrm))
    }
    counted = {name: grown[f'kommunikation_requests_total{{answer="2xx",system="{name}"}}'] for name in answered}
    assert counted == answered
    assert min(answered.values()) > 1


def test_a_record_without_changes_is_one_look_and_two_requests(budget: Budget) -> None:
    one = pair(budget)
    settle(budget, one)
    before = scrape(budget.env)
    budget.step("detect_komm_changes", budget.ring(one))
    grown = scrape(budget.env) - before
    counted = {name: value for name, value in grown.items() if name.endswith("}") and "_total" in name}
    assert counted == {
        f'{RUNS}{{kind="look",outcome="equal"}}': 1,
        'kommunikation_requests_total{answer="2xx",system="advoware"}': 1,
        'kommunikation_requests_total{answer="2xx",system="espocrm"}': 1,
    }


def test_failures_are_told_by_system_and_class(budget: Budget) -> None:
    one = pair(budget)
    settle(budget, one)
    before = scrape(budget.env)
    budget.sandbox.espocrm.fault("status", status=500, count=9)
    budget.step("detect_komm_changes", budget.ring(one))
    grown = scrape(budget.env) - before
    assert grown['kommunikation_failures_total{kind="ServerError",system="espocrm"}'] == 1
    assert grown[f'{RUNS}{{kind="look",outcome="postponed"}}'] == 1
    assert grown['kommunikation_requests_total{answer="5xx",system="espocrm"}'] >= 1
    assert grown['kommunikation_records{state="failed"}'] == 1
    assert grown['kommunikation_due{state="retrying"}'] == 1


def test_a_pair_that_cannot_be_is_parked_and_told(budget: Budget) -> None:
    one = pair(budget)
    settle(budget, one)
    before = scrape(budget.env)
    budget.sandbox.advoware.remove(one.betnr)
    budget.step("detect_komm_changes", budget.ring(one))
    grown = scrape(budget.env) - before
    assert grown['kommunikation_failures_total{kind="RecordProblem",system="none"}'] == 1
    assert grown[f'{RUNS}{{kind="look",outcome="parked"}}'] == 1
    assert grown['kommunikation_records{state="parked"}'] == 1


def test_a_record_another_worker_has_is_told(budget: Budget) -> None:
    one = pair(budget)
    settle(budget, one)
    change_in_espocrm(budget, one)  # a record at rest needs no lease
    before = scrape(budget.env)
    with budget.state.acquire(one.espo_id):
        budget.step("detect_komm_changes", budget.ring(one))
    assert (scrape(budget.env) - before)["kommunikation_lease_busy_total"] == 1


def test_a_tick_is_told_also_when_a_system_is_down(budget: Budget) -> None:
    before = scrape(budget.env)
    budget.step("reconcile", None)
    between = scrape(budget.env)
    assert (between - before)['kommunikation_ticks_total{outcome="done"}'] == 1
    budget.sandbox.espocrm.fault("status", status=500, count=20)
    with pytest.raises(AssertionError, match="ServerError"):  # the process's last words
        budget.step("reconcile", None)
    after = scrape(budget.env)
    grown = after - between
    assert grown['kommunikation_ticks_total{outcome="failed"}'] == 1
    assert grown['kommunikation_failures_total{kind="ServerError",system="espocrm"}'] == 1
    when = "kommunikation_last_tick_timestamp_seconds"
    assert after.samples[when] >= between.samples[when] > 1_700_000_000
