"""Children that leave nothing behind: each has a session of its own, and ending it ends everything in that session."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.launch.places import ROOT, RUNTIME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_GRACE_SECONDS = 6.0
_POLL_SECONDS = 0.05


class Child:
    """A program of ours with its log file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        env: Mapping[str, str],
        *,
        logs: Path = RUNTIME / "logs",
        cwd: Path = ROOT,
    ) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # Where we are killed ourselves, the kernel tells the child.
        setpriv = shutil.which("setpriv")
        prefix: list[str | Path] = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                [*prefix, *command],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id, and id of the session."""
        return self._process.pid

    def ended(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._process.poll()

    def words(self) -> str:
        """Return what it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait until `ready()`; False when the child ended or the time is over."""
        limit = time.monotonic() + seconds
        while not ready():
            if self.ended() is not None or time.monotonic() > limit:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def stop(self) -> None:
        """Ask the program to end, then whatever is left of its session, then insist.

        Motia ends at once on SIGTERM and leaves its running steps: they get the grace period to finish a write.
        """
        if self.ended() is None:
            self._process.terminate()
        _wait_until(lambda: not session_members(self.pid), _GRACE_SECONDS)
        for number in (signal.SIGTERM, signal.SIGKILL):
            members = session_members(self.pid)
            for pid in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            _wait_until(lambda: not session_members(self.pid), 2.0)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)


def session_members(session: int) -> list[int]:
    """List the live processes of a session (Linux). The dead ones that nobody has fetched yet don't count."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # pid (name) state ppid pgrp session ...; the name may hold spaces and brackets
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] not in {"Z", "X"}:
                members.append(int(stat.parent.name))
    return members


def free_port(preferred: int | None = None, *, also: int = 0) -> int:
    """Find a free port of 127.0.0.1: `preferred`, or one after it, or any (None).

    `also`: the port this far above must be free, too.
    """
    if preferred is None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])
    for port in range(preferred, preferred + 500):
        if _is_free(port) and (not also or _is_free(port + also)):
            return port
    raise OSError(f"no free port from {preferred} on")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _wait_until(done: Callable[[], bool], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not done() and time.monotonic() < limit:
        time.sleep(_POLL_SECONDS)
