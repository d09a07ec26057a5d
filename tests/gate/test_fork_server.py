"""The fork server beside a real Motia: it is there, it comes back, it ends with it, and it can be left out."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.launch.processes import session_members
from scripts.launch.stack import Stack, motia_port
from tests.gate.conftest import TOKEN, Gate
from tests.support.processes import without_children
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


def fork_servers(session: int) -> list[tuple[int, Path]]:
    """Process id and socket of each, without its forks."""
    found = {}
    for pid in session_members(session):
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"services.fork_server" in arguments:
            found[pid] = Path(arguments[-2].decode())
    return [(pid, found[pid]) for pid in without_children(found)]


@pytest.fixture
def own(gate: Gate, tmp_path: Path) -> Iterator[Stack]:
    """What starts a second Motia, of this test alone, on the same Redis."""
    stack = Stack(gate.stack.env, runtime=tmp_path)
    yield stack
    stack.stop()


def test_one_runs_beside_motia_for_this_user_alone_and_comes_back(gate: Gate) -> None:
    eventually(lambda: any(path.exists() for _, path in fork_servers(gate.pid)))
    [(pid, path)] = fork_servers(gate.pid)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    os.kill(pid, signal.SIGKILL)
    assert gate.http.post("/webhooks/advoware/beteiligte", json={"ids": [12345]}, headers=bearer()).status_code == 200
    eventually(lambda: any(path.exists() and other != pid for other, path in fork_servers(gate.pid)))
    assert '"The fork server ended and is started again; steps load everything themselves until then."' in gate.log()
    assert [one for _, one in fork_servers(gate.pid)] == [path]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_motia_and_leaves_no_folder(own: Stack, number: int) -> None:
    motia = own.start_motia(motia_port())
    eventually(lambda: any(path.exists() for _, path in fork_servers(motia.pid)))
    [(pid, path)] = fork_servers(motia.pid)
    os.kill(motia.pid, number)
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    eventually(lambda: not path.parent.exists())


def test_it_can_be_left_out(own: Stack) -> None:
    own.env["KOMM_FORK_SERVER"] = "0"
    motia = own.start_motia(motia_port())
    assert fork_servers(motia.pid) == []


def test_a_setting_that_is_none_is_said(own: Stack) -> None:
    own.env["KOMM_FORK_SERVER"] = "ja"
    with pytest.raises(Exception, match="motia"):
        own.start_motia(motia_port())
    assert "KOMM_FORK_SERVER must be 0 or 1." in (own.runtime / "logs" / "motia.log").read_text()


def bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}
