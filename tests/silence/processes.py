"""Looks at every process of the machine again and again: what can be seen of those that a run has started."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Self

from tests.support.processes import parent_of

_EVERY_SECONDS = 0.003
_YOUNG_SECONDS = 1.0
"""So long after its first sight a process is looked at each time: it becomes another program by exec."""


class Watch:
    """Collects what `ps` would show of a run: of the processes with `mark` in their environment, and of their children.

    Of these only, because another run on this machine has canaries of its own.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self.arguments: set[bytes] = set()
        self.environments: set[bytes] = set()
        self.looks = 0
        self.seen: dict[int, float] = {}
        self._ours: set[int] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(_EVERY_SECONDS):
            now = time.monotonic()
            pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - a hot loop
            for pid in pids:
                if now - self.seen.setdefault(pid, now) < _YOUNG_SECONDS:
                    self._look(pid)
            for pid in self.seen.keys() - pids:
                del self.seen[pid]  # its number may come again
                self._ours.discard(pid)
            self.looks += 1

    def _look(self, pid: int) -> None:
        with contextlib.suppress(OSError):
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            if self._mark in environment or parent_of(pid) in self._ours:
                self._ours.add(pid)
                self.arguments.add(arguments)
                self.environments.add(environment)
