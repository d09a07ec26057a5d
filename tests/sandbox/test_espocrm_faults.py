"""Faults on demand and the request log do what they are told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.espocrm_server import Espo, running, unique

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[Espo]:
    with running() as server:
        yield server


@pytest.fixture
def espo(server: Espo) -> Espo:
    server.reset()
    server.control.delete("/requests")
    return server


@pytest.fixture
def record(espo: Espo) -> str:
    return espo.create(emailAddress=f"a.{unique()}@example.com")


def fault(espo: Espo, kind: str, **more: Any) -> None:
    rule = {"system": "espocrm", "method": "PUT", "path": "/CBeteiligte/", "kind": kind, **more}
    espo.control.post("/faults", json=rule).raise_for_status()


def test_a_status_comes_instead_of_the_call(espo: Espo, record: str) -> None:
    fault(espo, "status", status=429, body='{"a":1}', headers={"Retry-After": "7"})
    answer = espo.sync.put(f"CBeteiligte/{record}", json={"betnr": 1})
    assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (429, {"a": 1}, "7")
    assert espo.get(record)["betnr"] is None
    assert espo.put(record, betnr=1)["betnr"] == 1


@pytest.mark.parametrize(("kind", "effect"), [("drop_before", None), ("drop_after", 1)])
def test_the_connection_closes_without_an_answer(espo: Espo, record: str, kind: str, effect: int | None) -> None:
    fault(espo, kind)
    with pytest.raises(httpx.TransportError):
        espo.sync.put(f"CBeteiligte/{record}", json={"betnr": 1})
    assert espo.get(record)["betnr"] == effect


def test_a_status_after_the_effect(espo: Espo, record: str) -> None:
    fault(espo, "status_after", status=504)
    assert espo.sync.put(f"CBeteiligte/{record}", json={"betnr": 1}).status_code == 504
    assert espo.get(record)["betnr"] == 1


@pytest.mark.parametrize(("kind", "effect"), [("slow", None), ("slow_after", 1)])
def test_slow_calls_take_effect_late_or_early(espo: Espo, record: str, kind: str, effect: int | None) -> None:
    fault(espo, kind, seconds=0.5)
    with pytest.raises(httpx.ReadTimeout):
        espo.sync.put(f"CBeteiligte/{record}", json={"betnr": 1}, timeout=0.1)
    assert espo.get(record)["betnr"] == effect
    time.sleep(0.6)


def test_an_answer_is_cut(espo: Espo, record: str) -> None:
    fault(espo, "truncate", method="GET")
    answer = espo.sync.get(f"CBeteiligte/{record}")
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()


def test_a_member_is_left_out_and_an_array_shortened(espo: Espo, record: str) -> None:
    fault(espo, "omit", method="GET", member="emailAddressData")
    assert "emailAddressData" not in espo.get(record)
    fault(espo, "shorten", method="GET", member="emailAddressData", keep=0)
    assert espo.get(record)["emailAddressData"] == []
    assert len(espo.get(record)["emailAddressData"]) == 1


def test_rules_count_and_skip(espo: Espo, record: str) -> None:
    fault(espo, "status", status=500, after=1, count=2)
    statuses = [espo.sync.put(f"CBeteiligte/{record}", json={}).status_code for _ in range(4)]
    assert statuses == [200, 500, 500, 200]
    [rule] = espo.control.get("/faults").json()
    assert rule["hit"] == 2
    fault(espo, "status", status=503, count=-1)
    assert {espo.sync.put(f"CBeteiligte/{record}", json={}).status_code for _ in range(5)} == {503}
    espo.control.delete("/faults")
    assert espo.put(record)["id"] == record


def test_rules_of_the_other_system_do_not_strike(espo: Espo, record: str) -> None:
    fault(espo, "status", system="advoware")
    assert espo.put(record)["id"] == record


@pytest.mark.parametrize(
    "rule", [{}, {"system": "espocrm"}, {"system": "x", "kind": "slow"}, {"system": "espocrm", "kind": "slow", "x": 1}, 5]
)
def test_rules_that_make_no_sense_are_refused(espo: Espo, rule: Any) -> None:
    assert espo.control.post("/faults", json=rule).status_code == 400


def test_the_log_names_calls_without_values(espo: Espo, record: str) -> None:
    espo.control.delete("/requests")
    espo.sync.get("CBeteiligte", params={"maxSize": 1, "select": "name"})
    espo.sync.put(f"CBeteiligte/{record}", json={"lastName": ""})
    assert espo.control.get("/requests").json() == [
        {"method": "GET", "path": "/api/v1/CBeteiligte", "query_keys": ["maxSize", "select"], "status": 200},
        {"method": "PUT", "path": f"/api/v1/CBeteiligte/{record}", "query_keys": [], "status": 400},
    ]
