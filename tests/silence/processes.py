"""Looks at every process of the machine again and again: arguments of all, environment of those a run has started."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Self

_EVERY_SECONDS = 0.003
_YOUNG_SECONDS = 1.0
"""So long after its first sight a process is looked at each time: it becomes another program by exec."""


class Watch:
    """Collects what `ps` would show. `mark`: a text in the environment of all processes of the run."""

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self.arguments: set[bytes] = set()
        self.environments: set[bytes] = set()
        self.looks = 0
        self.seen: dict[int, float] = {}
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
            self.looks += 1

    def _look(self, pid: int) -> None:
        with contextlib.suppress(OSError):
            self.arguments.add(Path(f"/proc/{pid}/cmdline").read_bytes())
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            if self._mark in environment:
                self.environments.add(environment)
