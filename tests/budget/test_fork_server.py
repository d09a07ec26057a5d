"""The fork server: what a step saves by it, and that nothing but time depends on it. Real processes, signals and sockets."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.budget.conftest import ROOT
from tests.budget.test_budget import CLIENTS, HEAVY, REDIS, change_in_advoware, change_in_espocrm, pair, settle, step_of
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.budget.conftest import Budget

CANARY = "geheim-7731"

FORK = """
import json, sys
from services import fork_server, step_work
fork_server.load()
before = set(sys.modules)
ids = {"ids": json.loads(sys.argv[1]), "quelle": "reconcile"}
for work, args in [("detect", [ids]), ("sync", [ids, "to_advoware"]), ("sync", [ids, "to_espocrm"]), ("notify", [ids]),
                   ("reconcile", []), ("cleanup", [])]:
    assert "result" in step_work.answer(work, args), work
print(json.dumps(sorted(set(sys.modules) - before)))
"""


class Server:
    """A fork server as the gate starts it."""

    def __init__(self, folder: Path, env: dict[str, str], root: Path = ROOT) -> None:
        self.path = folder / "fork"
        self.said = folder / "said"
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.fork_server", str(self.path)],
                cwd=root,
                env=env,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
            )
        self.env = env | {"KOMM_FORK_SOCKET": str(self.path)}
        eventually(lambda: self.path.exists() and self._listens())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.forks():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.path)) == 0

    def forks(self) -> list[int]:
        """Those that live."""
        with contextlib.suppress(OSError):
            pid = self.process.pid
            return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def connect(self) -> socket.socket:
        """A fork that has said that it is there."""
        step = socket.socket(socket.AF_UNIX)
        step.settimeout(20)
        step.connect(str(self.path))
        assert step.recv(1) == b"\n"
        return step

    def send(self, request: bytes) -> bytes:
        """What a fork answers until it ends."""
        with self.connect() as step:
            step.sendall(request)
            return read(step)

    def ask(self, work: str, *args: Any) -> Any:
        """Let a fork do this."""
        return json.loads(self.send(asked(work, *args)))


def asked(work: str, *args: Any) -> bytes:
    return json.dumps({"work": work, "args": args}).encode() + b"\n"


def read(step: socket.socket) -> bytes:
    parts = []
    while part := step.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


@pytest.fixture
def server(budget: Budget, tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, budget.env) as made:
        eventually(lambda: made.forks() == [])  # the one that found out whether it listens
        yield made


@pytest.fixture
def slow(budget: Budget) -> Iterator[Any]:
    """A linked pair whose look waits for Advoware."""
    one = pair(budget)
    settle(budget, one)
    budget.ring(one)
    budget.sandbox.advoware.fault("slow", method="GET", path=f"Beteiligte/{one.betnr}", seconds=4)
    yield one
    budget.sandbox.advoware.fresh()


def waits(budget: Budget, one: Any) -> bool:
    """Whether the sandbox has got the request that it answers late."""
    return bool(budget.sandbox.espocrm.requests("GET", f"CBeteiligte/{one.espo_id}"))


# --- what it saves ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [change_in_advoware, change_in_espocrm])
def test_a_step_loads_nothing_of_what_its_work_needs_and_the_change_arrives(
    budget: Budget, server: Server, change: Any
) -> None:
    forking = replace(budget, env=server.env)
    one = pair(budget)
    settle(budget, one)
    change(budget, one)
    seen = forking.step("detect_komm_changes", budget.ring(one))
    [event] = seen.emitted
    done = forking.step(step_of(event), event["data"])
    for told in (seen, done):
        assert told.modules & (HEAVY | CLIENTS | REDIS | {"pydantic"}) == set()
        assert {name for name in told.modules if name.startswith("services.")} == {"services.errors", "services.step_work"}
    assert (
        budget.sandbox.advoware.entries(one.betnr)[0]["tlf"] == budget.sandbox.espocrm.phones(one.espo_id)[0]["phoneNumber"]
    )
    assert server.said.read_bytes() == b""


@pytest.mark.parametrize("notices", ["off", "task"])
def test_a_fork_has_everything_loaded(budget: Budget, notices: str) -> None:
    ours, theirs, held = (pair(budget) for _ in range(3))
    settle(budget, ours, theirs, held)
    change_in_advoware(budget, ours)
    change_in_espocrm(budget, theirs)
    budget.sandbox.advoware.change(
        held.betnr, budget.sandbox.advoware.entries(held.betnr)[0]["id"], tlf="0511 123 Durchwahl 4"
    )
    ids = budget.ring(ours, theirs, held)["ids"]
    done = subprocess.run(
        [sys.executable, "-c", FORK, json.dumps(ids)],
        env=budget.env | {"KOMM_NOTICES": notices},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []


def test_a_fork_costs_no_more_questions_than_a_process_of_its_own(budget: Budget, server: Server) -> None:
    one = pair(budget)
    settle(budget, one)
    told = replace(budget, env=server.env).step("detect_komm_changes", budget.ring(one))
    assert (told.trips, budget.requests()) == (3, 2)


# --- without it ------------------------------------------------------------------------------------------------------


def test_where_there_is_none_a_step_does_its_work_itself(budget: Budget, tmp_path: Path) -> None:
    one = pair(budget)
    settle(budget, one)
    alone = replace(budget, env=budget.env | {"KOMM_FORK_SOCKET": str(tmp_path / "nothing")})
    told = alone.step("detect_komm_changes", budget.ring(one))
    assert "services.flow" in told.modules
    assert budget.requests() == 2


def test_one_that_hangs_is_left_alone_and_nothing_is_done_twice(budget: Budget, server: Server) -> None:
    one = pair(budget)
    settle(budget, one)
    server.process.send_signal(signal.SIGSTOP)
    try:
        told = replace(budget, env=server.env).step("detect_komm_changes", budget.ring(one))
        assert "services.flow" in told.modules
        assert budget.requests() == 2
    finally:
        server.process.send_signal(signal.SIGCONT)
    server.ask("reconcile")  # it has taken, and dropped, whoever waited before
    eventually(lambda: server.forks() == [])
    assert len(budget.sandbox.advoware.requests("GET", f"Beteiligte/{one.betnr}")) == 1


def test_a_fork_that_is_killed_fails_its_step_and_the_record_stays_due(budget: Budget, server: Server, slow: Any) -> None:
    command = [sys.executable, str(ROOT / "tests" / "budget" / "step_process.py")]
    step = subprocess.Popen(
        [
            *command,
            str(ROOT / "steps" / "kommunikation" / "detect_komm_changes_step.py"),
            json.dumps({"ids": [slow.espo_id], "quelle": "espocrm"}),
        ],
        env=server.env,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: waits(budget, slow))
    [fork] = server.forks()
    assert Path(f"/proc/{fork}/comm").read_text() == "detect\n"
    os.kill(fork, signal.SIGKILL)
    _, said = step.communicate(timeout=20)
    assert step.returncode != 0
    assert "StepFailed: The process of this call ended before it was through." in said
    assert slow.espo_id in {entry.key for entry in budget.state.due_entries(1000)}


def test_a_step_that_is_ended_ends_its_fork(budget: Budget, server: Server, slow: Any) -> None:
    with server.connect() as step:
        step.sendall(asked("detect", {"ids": [slow.espo_id], "quelle": "espocrm"}))
        eventually(lambda: waits(budget, slow))
        assert len(server.forks()) == 1
    eventually(lambda: server.forks() == [], seconds=2)
    assert slow.espo_id in {entry.key for entry in budget.state.due_entries(1000)}


def test_it_ends_with_its_standard_input_and_a_fork_brings_its_work_to_an_end(
    budget: Budget, server: Server, slow: Any
) -> None:
    with server.connect() as step:
        step.sendall(asked("detect", {"ids": [slow.espo_id], "quelle": "espocrm"}))
        eventually(lambda: waits(budget, slow))
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(timeout=2) == 0
        assert not server.path.exists()
        assert json.loads(read(step))["result"]["summary"]["records"] == 1


def test_it_ends_when_a_file_it_has_loaded_has_changed(budget: Budget, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "services", copy / "services", ignore=shutil.ignore_patterns("__pycache__"))
    with Server(tmp_path, budget.env, root=copy) as server:
        assert "result" in server.ask("reconcile")
        with (copy / "services" / "flow_batch.py").open("a") as file:
            file.write("# new\n")
        with socket.socket(socket.AF_UNIX) as step:
            step.settimeout(20)
            step.connect(str(server.path))
            with contextlib.suppress(ConnectionResetError):
                assert step.recv(1) == b""
        assert server.process.wait(timeout=5) == 0
        assert not server.path.exists()


# --- what it says ----------------------------------------------------------------------------------------------------


def test_unusable_input_and_failures_are_told_as_a_step_tells_them(budget: Budget, tmp_path: Path) -> None:
    with Server(tmp_path, budget.env | {"REDIS_URL": "redis://127.0.0.1:1/0"}) as server:
        assert server.ask("detect", {"ids": [CANARY + " "], "quelle": "espocrm"}).keys() == {"unusable"}
        [(kind, text)] = server.ask("reconcile").items()
        assert kind == "failed"
        assert text == "Unreachable: Redis can't be reached."


@pytest.mark.parametrize("request_", [b"\n", CANARY.encode() + b"\n", b'"' + CANARY.encode() + b'"\n'])
def test_what_is_no_call_gets_no_answer_and_is_not_quoted(server: Server, request_: bytes) -> None:
    with server.connect() as step:
        step.sendall(request_)
        step.shutdown(socket.SHUT_WR)
        assert read(step) == b""
    eventually(lambda: server.said.read_bytes().endswith(b"\n"))
    assert CANARY.encode() not in server.said.read_bytes()
    assert "result" in server.ask("reconcile")


def test_a_work_that_is_none_fails_and_is_not_quoted(server: Server) -> None:
    assert server.send(asked(CANARY)).startswith(b'{"failed": "KeyError in answer')
    assert server.said.read_bytes() == b""
