"""Live updates: server-sent events with counts and a version, read from Redis once a second for all who listen.

Not a value and not a name is in them. What is new the browser fetches as the page itself, with its session.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, StreamingResponse

from page.guard import COOKIE, record_id
from services.errors import InvalidInput, SyncError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from page.desk import Desk

LISTENERS = 50
EVERY_SECONDS = 1.0
SESSION_SECONDS = 10.0
"""So often a listener's session is looked at; it also keeps the connection from looking dead."""


def stand(desk: Desk) -> dict[str, int]:
    """The counts of the overview."""
    state = desk.store
    counters = state.counters()
    return {
        **state.status_counts(),
        **state.list_counts(),
        "due": state.due_count(),
        "writes": counters.get("writes", 0),
    }


def stand_of(desk: Desk, espo_id: str) -> dict[str, str]:
    """What of one record makes its page another."""
    state = desk.store
    status, last = state.status(espo_id), state.journal_of(espo_id, 1)
    lists = state.lists(espo_id)
    facts = [
        status.state.value if status else "",
        status.cause if status else "",
        last[0]["n"] if last else 0,
        sorted((kind, str(one["id"]), bool(one.get("seen"))) for kind, entries in lists.items() for one in entries),
    ]
    return {"record": state.digest(json.dumps(facts))}


def version(desk: Desk, espo_id: str = "") -> str:
    """What a page says it shows, so that the browser knows whether an event is news to it."""
    return _version(dict(stand_of(desk, espo_id)) if espo_id else dict(stand(desk)))


def _version(found: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class Live:
    """Who listens, and what they were told last."""

    desk: Desk
    _listeners: int = 0
    _read: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def endpoint(self, request: Request) -> Response:
        """The stream of one listener. `satz`: the record whose page he looks at."""
        ticket, espo_id = request.cookies.get(COOKIE, ""), request.query_params.get("satz", "")
        try:
            if not await self._may_listen(ticket):
                return PlainTextResponse("Nicht angemeldet.", 403)
            await self._now(record_id(espo_id) if espo_id else "")
        except InvalidInput:
            return PlainTextResponse("Kein solcher Datensatz.", 404)
        except SyncError:
            return PlainTextResponse("Redis ist nicht erreichbar.", 503)
        if self._listeners >= LISTENERS:
            return PlainTextResponse("Zu viele offene Seiten.", 503)
        headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
        return StreamingResponse(self._stream(ticket, espo_id), media_type="text/event-stream", headers=headers)

    async def _may_listen(self, ticket: str) -> bool:
        return await run_in_threadpool(lambda: self.desk.doors.is_open(ticket, used=False))

    async def _now(self, espo_id: str) -> dict[str, Any]:
        """What stands now; everybody who asks within a second gets the same answer."""
        read: Callable[[], dict[str, Any]] = (
            (lambda: dict(stand_of(self.desk, espo_id))) if espo_id else (lambda: dict(stand(self.desk)))
        )
        async with self._lock:
            at, found = self._read.get(espo_id, (0.0, {}))
            if time.monotonic() - at >= EVERY_SECONDS * 0.9:
                found = await run_in_threadpool(read)
                self._read = {key: one for key, one in self._read.items() if time.monotonic() - one[0] < SESSION_SECONDS}
                self._read[espo_id] = (time.monotonic(), found)
            return found

    async def _stream(self, ticket: str, espo_id: str) -> AsyncIterator[str]:
        self._listeners += 1
        last, checked = "", time.monotonic()
        try:
            yield "retry: 3000\n\n"
            while True:
                try:
                    found = await self._now(espo_id)
                    if _version(found) != last:
                        last = _version(found)
                        counts = {} if espo_id else found
                        yield f"event: stand\ndata: {json.dumps({'version': last, 'counts': counts})}\n\n"
                    if time.monotonic() - checked >= SESSION_SECONDS:
                        checked = time.monotonic()
                        if not await self._may_listen(ticket):
                            yield "event: ende\ndata: {}\n\n"
                            return
                        yield ": da\n\n"
                except SyncError:
                    yield "event: stoerung\ndata: {}\n\n"
                    last = ""
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            self._listeners -= 1
