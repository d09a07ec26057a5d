"""The scheduled job that sends webhooks: takes events out of the queue, sends, and looks at the receiver's answer."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import logging
import time
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import sqlite3

    from sandbox.espocrm.store import EspoStore

_REFUSED = 0
"""What stands for "no connection" among the receiver's statuses."""
_TRY_AGAIN = {_REFUSED, 401, 403, 404, 405, 408, 500, 503}
_GONE = 410
_TIMEOUT_SECONDS, _CONNECT_SECONDS = 10.0, 5.0
_REACHABLE = {"127.0.0.1", "localhost", "::1"}
"""The sandbox sends to this machine only; any other target counts as refused."""

_log = logging.getLogger(__name__)


def signatures(webhook_id: str, secret: str, payload: bytes) -> tuple[str, str]:
    """Return the headers `Signature` (hex digest inside) and `X-Signature` (raw digest inside) of a delivery."""
    mac = hmac.new(secret.encode(), payload, hashlib.sha256)
    new = f"{webhook_id}:{mac.hexdigest()}".encode()
    old = webhook_id.encode() + b":" + mac.digest()
    return base64.b64encode(new).decode(), base64.b64encode(old).decode()


class Deliverer:
    """Runs the job, at an interval and on demand, never twice at a time."""

    def __init__(self, store: EspoStore, interval: float) -> None:
        self._store = store
        self._interval = interval
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        # Once: it takes longer than a delivery, and what is measured by webhooks is not this.
        self._tls = httpx.create_ssl_context(trust_env=False)

    def start(self) -> None:
        """Begin to run at the interval (needs a running event loop)."""
        self._task = asyncio.create_task(self._loop())

    async def stop(self) -> None:
        """End."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _loop(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.run()
            except Exception:  # noqa: BLE001 - a bug in one run must not end the job silently
                _log.exception("A run of the delivery job failed")

    async def run(self) -> int:
        """Run once; returns how many items were delivered."""
        async with self._lock:
            return await self._run()

    async def flush(self) -> int:
        """Run until nothing is left that was not tried yet; returns how many items were delivered."""
        delivered = 0
        async with self._lock:
            while True:
                delivered += await self._run()
                if not self._store.events.waiting():
                    return delivered

    async def _run(self) -> int:
        events, moment = self._store.events, time.time()
        events.spread()
        delivered = 0
        for webhook_id in events.due(moment):
            webhook, items = events.batch(webhook_id, moment)
            if webhook is None:
                continue
            status = await self._send(webhook, items)
            if 200 <= status < 400:  # noqa: PLR2004 - a redirect is not followed and counts as delivered
                events.done(items)
                delivered += len(items)
            elif status == _GONE:
                events.drop_webhook(webhook_id)
            else:
                again_at = time.time() + self._store.switches.retry_delay_seconds if status in _TRY_AGAIN else None
                events.failed(items, again_at=again_at)
        return delivered

    async def _send(self, webhook: sqlite3.Row, items: list[sqlite3.Row]) -> int:
        payload = ("[" + ",".join(item["data"] for item in items) + "]").encode()
        new, old = signatures(webhook["id"], webhook["secretKey"], payload)
        headers = {"Accept": "*/*", "Content-Type": "application/json", "X-Signature": old}
        if self._store.switches.signature_header:
            headers["Signature"] = new
        limit = httpx.Timeout(_TIMEOUT_SECONDS, connect=_CONNECT_SECONDS)
        try:
            # Built by hand: a client of httpx would add headers that EspoCRM doesn't send.
            request = httpx.Request("POST", webhook["url"], headers=headers, content=payload)
            if request.url.host not in _REACHABLE:
                return _REFUSED
            client = httpx.AsyncClient(timeout=limit, trust_env=False, verify=self._tls)
            async with asyncio.timeout(_TIMEOUT_SECONDS), client:
                request.extensions["timeout"] = limit.as_dict()
                return (await client.send(request)).status_code
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError):
            return _REFUSED
