"""`/health` for load balancers, `/metrics` for Prometheus: who may ask, what they say, and that two instances add up."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from scripts.launch.processes import session_members
from scripts.launch.stack import motia_port
from tests.gate.conftest import HOOK, TOKEN, signature
from tests.metrics.conftest import Scrape, read
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gate.conftest import Gate

FLUSH_SECONDS = 6
"""The gate adds what it counted every five seconds."""
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def second(gate: Gate) -> Iterator[httpx.Client]:
    """A second instance on the same Redis, with a token of its own for the metrics."""
    port = motia_port()
    gate.stack.env["KOMM_METRICS_TOKEN"] = "only-for-prometheus"
    child = gate.stack.start_motia(port)
    del gate.stack.env["KOMM_METRICS_TOKEN"]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:
        yield http
    gate.stack.drop(child)


def scraped(http: httpx.Client, token: str = TOKEN) -> Scrape:
    """One scrape, as Prometheus makes it."""
    answer = http.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read(answer.text)


def test_metrics_are_for_holders_of_the_token(gate: Gate) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": "Bearer"}):
        answer = gate.http.get("/metrics", headers=headers)
        assert answer.status_code == 401
        assert "kommunikation_" not in answer.text
    assert gate.http.get("/metrics", params={"token": TOKEN}).status_code == 401
    assert "kommunikation_runs" in scraped(gate.http).families


def test_webhooks_of_two_instances_add_up_and_each_tells_the_whole(gate: Gate, second: httpx.Client) -> None:
    time.sleep(FLUSH_SECONDS)  # what other tests sent is counted by now
    before = scraped(gate.http)
    body = b'[{"id": "66b0c0ffee00000a1"}, {"id": "66b0c0ffee00000a2"}]'
    for http in (gate.http, second, second):
        assert http.post(HOOK, content=body, headers={"Signature": signature(body)}).status_code == 200
    assert second.post(HOOK, content=body, headers={"Signature": "x"}).status_code == 401
    assert gate.http.post("/webhooks/advoware/beteiligte", json={"ids": [4711]}, headers=BEARER).status_code == 200
    assert gate.http.post("/webhooks/other/beteiligte", json={}).status_code == 404

    expected = {
        'kommunikation_webhooks_total{quelle="espocrm",status="200"}': 3,
        'kommunikation_webhooks_total{quelle="espocrm",status="401"}': 1,
        'kommunikation_webhooks_total{quelle="advoware",status="200"}': 1,
        'kommunikation_webhooks_total{quelle="unknown",status="404"}': 1,
        'kommunikation_webhook_ids_total{quelle="espocrm"}': 6,
        'kommunikation_webhook_ids_total{quelle="advoware"}': 1,
    }

    def grown(http: httpx.Client, token: str) -> dict[str, float]:
        changed = scraped(http, token) - before
        return {name: value for name, value in changed.items() if "webhook" in name}

    eventually(lambda: grown(gate.http, TOKEN) == expected, every=0.3)
    assert grown(second, "only-for-prometheus") == expected
    assert second.get("/metrics", headers=BEARER).status_code == 401  # it has a token of its own


def test_health_says_whether_reconcile_runs(gate: Gate) -> None:
    def health() -> tuple[int, Any]:
        time.sleep(1.1)  # an answer is kept for a second
        answer = gate.http.get("/health")
        assert answer.headers["cache-control"] == "no-store"
        return answer.status_code, answer.json()

    gate.redis.hdel("komm:marks", "ticked")
    assert health() == (503, {"redis": True, "tick": False})
    gate.redis.hset("komm:marks", "ticked", f"{time.time() - 290:.0f}")
    assert health() == (200, {"redis": True, "tick": True})
    gate.redis.hset("komm:marks", "ticked", f"{time.time() - 310:.0f}")
    assert health() == (503, {"redis": True, "tick": False})
    assert gate.http.head("/health").status_code == 503


def test_while_redis_hangs_both_answer_and_say_so(gate: Gate) -> None:
    gate.redis.hset("komm:marks", "ticked", f"{time.time():.0f}")
    redis_pid = next(child.pid for child in gate.stack.children if child.name == "redis")
    os.kill(redis_pid, signal.SIGSTOP)
    try:
        time.sleep(1.1)
        begun = time.monotonic()
        answer = gate.http.get("/health")
        assert (answer.status_code, answer.json()) == (503, {"redis": False, "tick": False})
        assert time.monotonic() - begun < 4
        assert gate.http.get("/metrics", headers=BEARER).status_code == 503
    finally:
        os.kill(redis_pid, signal.SIGCONT)
    eventually(lambda: gate.http.get("/health").status_code == 200, every=0.3)


def test_many_who_ask_at_once_cost_one_process(gate: Gate) -> None:
    """A look at the processes of the session while twenty scrapes are under way."""
    most = 0
    usual = len(session_members(gate.pid))
    with ThreadPoolExecutor(20) as pool:
        scrapes = [pool.submit(scraped, gate.http) for _ in range(20)]
        while not all(one.done() for one in scrapes):
            most = max(most, len(session_members(gate.pid)) - usual)
            time.sleep(0.005)
    assert len({tuple(one.result().samples) for one in scrapes}) == 1
    assert most == 1


def test_health_costs_no_process(gate: Gate) -> None:
    usual = len(session_members(gate.pid))
    for _ in range(50):
        gate.http.get("/health")
        assert len(session_members(gate.pid)) <= usual
