"""What staff have been told in EspoCRM, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.state_forms import notice_key, what_is_open
from services.state_memory_due import MemoryDueList

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from threading import RLock

    from services.state_types import RecordStatus


class MemoryTold(MemoryDueList):
    """What `StateStore` keeps about notices."""

    tells = False

    def __init__(self, lock: RLock, clock: Callable[[], float]) -> None:
        super().__init__(lock, clock)
        self._told: dict[str, dict[str, str]] = {}
        self._open: dict[str, str] = {}

    def _note_open(
        self,
        espo_id: str,
        status: RecordStatus,
        *lists: Sequence[Mapping[str, Any]],
        wrote: bool = False,
        delay: float = 0.0,
    ) -> bool:
        text = what_is_open(status, *lists)
        news = self.tells and (self._open.get(espo_id, "") != text or (wrote and espo_id in self._told))
        if news:
            self._open[espo_id] = text
            self.ring([notice_key(espo_id)], delay=delay)
        return news

    def tell(self, espo_ids: Sequence[str]) -> None:
        """See `StateStore.tell`."""
        if self.tells:
            with self._lock:
                self._open |= dict.fromkeys(espo_ids, "?")
                self.ring([notice_key(espo_id) for espo_id in espo_ids])

    def told(self, espo_id: str) -> dict[str, str]:
        """See `StateStore.told`."""
        with self._lock:
            return dict(self._told.get(espo_id, {}))

    def set_told(self, espo_id: str, cause: str, notice: str | None) -> None:
        """See `StateStore.set_told`."""
        with self._lock:
            told = self._told.setdefault(espo_id, {})
            told.pop(cause, None)
            if notice is not None:
                told[cause] = notice
            if not told:
                del self._told[espo_id]

    def told_records(self) -> list[str]:
        """See `StateStore.told_records`."""
        with self._lock:
            return sorted(self._told)

    def _forget_told(self, espo_id: str) -> None:
        self._told.pop(espo_id, None)
        self._open.pop(espo_id, None)
