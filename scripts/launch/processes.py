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
    """A program of ours with its log file. `ready` tells from what it printed since its start that it can be used."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        env: Mapping[str, str],
        *,
        logs: Path = RUNTIME / "logs",
        cwd: Path = ROOT,
        ready: Callable[[str], bool] = bool,
    ) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        self._command = [*_dies_with_us(), *command]
        self._env, self._cwd, self._ready = dict(env), cwd, ready
        self._start()

    def _start(self) -> None:
        self._words_from = self.log.stat().st_size
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def restart(self) -> None:
        """Start it once more, after ending what an end of its own may have left."""
        self.stop()
        self._start()

    @property
    def pid(self) -> int:
        """Process id, and id of the session."""
        return self._process.pid

    def ended(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._process.poll()

    def words(self) -> str:
        """Return what it has printed since its start."""
        return self.log.read_bytes()[self._words_from :].decode("utf-8", errors="replace")

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait until it can be used; False when it ended or the time is over."""
        _wait_until(lambda: self.ended() is not None or self._ready(self.words()), seconds)
        return self.ended() is None and self._ready(self.words())

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


def _dies_with_us() -> list[str]:
    """Start of a command line for what is to end when we are killed: the kernel sends it a SIGTERM then.

    The story: we fork, are killed, and only now the child asks for that signal: it would never come. So the child looks who
    its parent is after having asked.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    ours = '[ "$PPID" = "$0" ] && exec "$@"'
    return [setpriv, "--pdeathsig", "TERM", "--", "sh", "-c", ours, str(os.getpid())]


def session_members(session: int) -> list[int]:
    """List the live processes of a session (Linux). The dead ones that nobody has fetched yet don't count."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = stat_of(int(stat.parent.name))
            if int(fields[3]) == session and fields[0] not in {"Z", "X"}:
                members.append(int(stat.parent.name))
    return members


def stat_of(pid: int) -> list[str]:
    """Read what Linux tells of a process: state, parent, group, session, and so on. Raises `OSError` where it has ended."""
    # pid (name) state ...; the name may hold spaces and brackets
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


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
