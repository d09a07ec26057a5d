"""What the open page is told while it stands, as server-sent events: nobody has to ask whether there is news."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sandbox.page.pair import in_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sandbox.page.compare import Overview
    from sandbox.page.journal import Journal
    from sandbox.page.trouble import Troubles

_TOGETHER_SECONDS = 0.1
"""Changes within this time are told as one."""
_BUSY_SECONDS, _QUIET_SECONDS = 1.0, 10.0
"""The journal is looked at so often after a call to either system, and otherwise (which keeps the connection open, too)."""
_BUSY_LOOKS = 8


class Bell:
    """Wakes all streams; rung after every call to either system, since each of them may have changed something."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self.closed = False

    def ring(self) -> None:
        """Something may have changed."""
        for event in self._waiting:
            event.set()

    def close(self) -> None:
        """End all streams."""
        self.closed = True
        self.ring()

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """Give an event that is set with each ring."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)


class Live:
    """Makes the streams. The stores are read by the event loop's thread (SQLite wants one), Redis by others."""

    def __init__(self, overview: Overview, troubles: Troubles, journal: Journal | None) -> None:
        self._overview = overview
        self._troubles = troubles
        self._journal = journal
        self.bell = Bell()

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        """Tell of the record with this key ('': none) from now on: each event once at the start, then when it differs.

        Events: `list` (version of all records; ask for the list again), `record`, `journal`, `faults`.
        """
        told: dict[str, str] = {}
        looks = _BUSY_LOOKS
        with self.bell.listening() as rung:
            while not self.bell.closed:
                news = await self._look(name)
                changed = {event: text for event, text in news.items() if told.get(event) != text}
                told |= changed
                for event, text in changed.items():
                    yield f"event: {event}\ndata: {text}\n\n".encode()
                if not changed:
                    yield b": still here\n\n"
                looks = max(0, looks - 1)
                try:
                    await asyncio.wait_for(rung.wait(), _BUSY_SECONDS if looks and self._journal else _QUIET_SECONDS)
                except TimeoutError:
                    continue
                looks = _BUSY_LOOKS
                await asyncio.sleep(_TOGETHER_SECONDS)
                rung.clear()

    async def _look(self, name: str) -> dict[str, str]:
        news: dict[str, Any] = {"list": self._overview.version, "faults": self._troubles.shown()}
        if name:
            record = self._overview.record(name)
            news["record"] = None if record is None else in_rows(record)
            news["journal"] = await self._journal_of((record or {}).get("espocrm"))
        return {event: json.dumps(value, ensure_ascii=False) for event, value in news.items()}

    async def _journal_of(self, espocrm: dict[str, Any] | None) -> dict[str, Any] | None:
        """None: there is no Redis to read. Only records of this sandbox are asked for."""
        if self._journal is None:
            return None
        if espocrm is None:
            return {"trouble": "", "entries": [], "status": None, "conflicts": [], "held_back": []}
        return await asyncio.to_thread(self._journal.of, espocrm["id"])
