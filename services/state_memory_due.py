"""The due list in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from services.state_forms import PARK_SECONDS, PAUSE_SECONDS, retry_after
from services.state_types import DueEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from threading import RLock


@dataclass(frozen=True, slots=True)
class _Rung:
    token: str = ""
    due_at: float = 0.0


class MemoryDueList:
    """The due list of `StateStore`, as a dict of `DueEntry`."""

    def __init__(self, lock: RLock, clock: Callable[[], float]) -> None:
        self._lock = lock
        self._clock = clock
        self._due: dict[str, DueEntry] = {}
        self._rung: dict[str, _Rung] = {}
        self._rings = 0

    def ring(self, keys: Sequence[str], *, delay: float = 0.0) -> None:
        """See `StateStore.ring`."""
        with self._lock:
            due_at = self._clock() + delay
            for key in keys:
                self._rings += 1
                self._rung[key] = _Rung(str(self._rings), due_at)
                self._bring_forward(key, due_at)

    def _bring_forward(self, key: str, due_at: float) -> None:
        entry = self._due.setdefault(key, DueEntry(key, due_at))
        if not entry.parked and due_at < entry.due_at:
            self._due[key] = replace(entry, due_at=due_at)

    def due(self, limit: int, *, now: float | None = None, hide: float = 120.0) -> list[str]:
        """See `StateStore.due`."""
        with self._lock:
            now = self._clock() if now is None else now
            keys = [entry.key for entry in self.due_entries(len(self._due)) if entry.due_at <= now][: max(0, limit)]
            for key in keys:
                self._due[key] = replace(self._due[key], due_at=now + hide, parked=False)
            return keys

    def due_token(self, keys: Sequence[str]) -> dict[str, str]:
        """See `StateStore.due_token`."""
        with self._lock:
            return {key: self._rung.get(key, _Rung()).token for key in keys}

    def settle(self, key: str, token: str) -> bool:
        """See `StateStore.settle`."""
        with self._lock:
            rung = self._rung.get(key, _Rung())
            if rung.token == token:
                self._due.pop(key, None)
                self._rung.pop(key, None)
            if rung.token in {token, ""}:
                return True
            entry = self._due.get(key, DueEntry(key, rung.due_at))
            self._due[key] = DueEntry(key, min(entry.due_at, rung.due_at))
            return False

    def settle_all(self, tokens: Mapping[str, str]) -> None:
        """See `StateStore.settle_all`."""
        for key, token in tokens.items():
            self.settle(key, token)

    def postpone(self, key: str, cause: str, *, counts: bool) -> DueEntry:
        """See `StateStore.postpone`."""
        with self._lock:
            now = self._clock()
            entry = self._due.get(key, DueEntry(key, now))
            if counts:
                attempts = entry.attempts + 1
                wait = retry_after(attempts)
                parked = wait is None
                entry = DueEntry(key, now + (PARK_SECONDS if wait is None else wait), attempts, cause, parked)
            elif not entry.parked:
                entry = replace(entry, due_at=now + PAUSE_SECONDS, cause=cause)
            self._due[key] = entry
            return entry

    def park(self, key: str, cause: str) -> None:
        """See `StateStore.park`."""
        with self._lock:
            entry = self._due.get(key, DueEntry(key, 0.0))
            self._due[key] = replace(entry, due_at=self._clock() + PARK_SECONDS, cause=cause, parked=True)

    def release(self, key: str) -> None:
        """See `StateStore.release`."""
        with self._lock:
            if key in self._due:
                self._due[key] = replace(self._due[key], due_at=self._clock(), attempts=0, parked=False)

    def parked(self) -> list[DueEntry]:
        """See `StateStore.parked`."""
        with self._lock:
            return [entry for entry in self.due_entries(len(self._due)) if entry.parked]

    def due_entries(self, limit: int) -> list[DueEntry]:
        """See `StateStore.due_entries`."""
        with self._lock:
            return sorted(self._due.values(), key=lambda entry: (entry.due_at, entry.key))[: max(0, limit)]

    def due_entry(self, key: str) -> DueEntry | None:
        """See `StateStore.due_entry`."""
        with self._lock:
            return self._due.get(key)

    def due_count(self) -> int:
        """See `StateStore.due_count`."""
        with self._lock:
            return sum(not (entry.parked or entry.attempts) for entry in self._due.values())
