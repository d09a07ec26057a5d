"""`python -m sandbox`: one program, two systems, gone when told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.sandbox.program import ENV, ROOT, Sandbox, running

if TYPE_CHECKING:
    from pathlib import Path


def beteiligte(systems: Sandbox) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = systems.people.get("/beteiligte").json()["list"]
    return rows


def espocrm_total(systems: Sandbox) -> int:
    return int(systems.staff.get("/CBeteiligte", params={"maxSize": 1}).raise_for_status().json()["total"])


def test_it_makes_as_many_pairs_as_asked_and_both_systems_answer_when_ready() -> None:
    with running("--count", "7") as systems:
        assert len(beteiligte(systems)) == 7
        assert espocrm_total(systems) == 7


def test_count_0_leaves_both_systems_empty() -> None:
    with running("--count", "0") as systems:
        assert beteiligte(systems) == []
        assert espocrm_total(systems) == 0


def test_the_same_seed_makes_the_same_people() -> None:
    names = []
    for number in ("5", "5", "6"):
        with running("--count", "3", "--seed", number) as systems:
            names.append([row["name"] for row in beteiligte(systems)])
    assert names[0] == names[1] != names[2]


def test_a_file_keeps_both_systems_over_a_restart_and_is_not_filled_again(tmp_path: Path) -> None:
    arguments = ("--db", str(tmp_path / "state" / "sandbox.db"), "--count", "3")
    with running(*arguments) as systems:
        first = beteiligte(systems)
        systems.people.delete(f"/beteiligte/{first[0]['betNr']}").raise_for_status()
        systems.staff.post("/CBeteiligte", json={"lastName": "Bleibt"}).raise_for_status()
    with running(*arguments) as systems:
        assert beteiligte(systems) == first[1:]
        assert espocrm_total(systems) == 4


def test_credentials_come_from_env_sandbox_and_from_the_environment_where_it_has_them() -> None:
    with running("--count", "0", env=os.environ | {"SANDBOX_ESPOCRM_STAFF_KEY": "anderer"}) as systems:
        assert systems.staff.get("/App/user").status_code == 401
        assert systems.staff.get("/App/user", headers={"X-Api-Key": "anderer"}).status_code == 200
        assert systems.staff.get("/App/user", headers={"X-Api-Key": ENV["ESPOCRM_API_KEY"]}).status_code == 200


def test_a_switch_can_be_set_at_the_start() -> None:
    switches = ("--advoware-switch", "kommKzInGet=correct", "--advoware-switch", "bemerkungMax=40:truncate")
    with running("--count", "0", *switches) as systems:
        shown = systems.people.get("/switches").json()
    assert shown["kommKzInGet"] == "correct"
    assert shown["bemerkungMax"] == {"length": 40, "mode": "truncate"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_two_seconds_also_with_a_call_under_way(number: signal.Signals) -> None:
    with running("--count", "0") as systems:
        slow = {"system": "espocrm", "kind": "slow", "seconds": 30, "count": -1}
        systems.people.post("/faults", json=slow).raise_for_status()
        with pytest.raises(httpx.TimeoutException):
            systems.staff.get("/App/user", timeout=0.2)
        call = socket.create_connection(systems.espocrm.removeprefix("http://").split(":"))  # type: ignore[arg-type]
        with call:
            call.sendall(b"GET /api/v1/App/user HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            started = time.monotonic()
            systems.process.send_signal(number)
            assert systems.process.wait(timeout=5) == 0
            assert time.monotonic() - started < 2


def refused(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)


def test_an_unusable_argument_ends_it_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("This is no database, and it is longer than a header of one. " * 10)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answers = [
            refused("--advoware-port", port, "--espocrm-port", "0"),
            refused("--advoware-port", "0", "--espocrm-port", "0", "--advoware-switch", "gibtEsNicht=1"),
            refused("--advoware-port", "0", "--espocrm-port", "70000"),
            refused("--advoware-port", "0", "--espocrm-port", "0", "--db", str(tmp_path / "text.db")),
        ]
    for answer, word in zip(answers, (port, "gibtEsNicht", "70000", "text.db"), strict=True):
        assert answer.returncode != 0
        assert word in answer.stderr
        assert "Traceback" not in answer.stderr
        assert answer.stdout == ""


def test_an_open_page_does_not_keep_it_from_ending() -> None:
    with (
        running("--count", "0") as systems,
        httpx.stream("GET", f"{systems.espocrm}/_sandbox/page/live", trust_env=False) as page,
    ):
        lines = page.iter_lines()
        assert next(lines).startswith("event: ")
        systems.process.terminate()
        started = time.monotonic()
        for _ in lines:
            pass  # to its proper end: a cut answer would raise
        assert systems.process.wait(5) == 0
        assert time.monotonic() - started < 5
