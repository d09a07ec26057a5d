"""A small world for one failure at a time: a sandbox, a Redis that may lose power, and the flow without Motia."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from services import flow
from services.flow_wiring import Wiring, use
from services.whole_pass import carry
from tests.http.support import Clients, clients, connect_state
from tests.state.support import Server, running
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from services.state_redis import RedisState

PREFIX = "komm:"


class SmallWorld:
    """Everything is real but Motia: its steps' functions are called one after the other."""

    sandbox: Sandbox
    server: Server
    state: RedisState

    def __init__(self, folder: Path, *, batch: int = 25) -> None:
        self._folder, self._batch, self._stack = folder, batch, ExitStack()

    def __enter__(self) -> Self:
        self.sandbox = self._stack.enter_context(Sandbox())
        self.server = self._stack.enter_context(running(self._folder))
        self._clients: Clients = self._stack.enter_context(clients(self.sandbox))
        self._connect()
        self.tick()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _connect(self) -> None:
        """Wire the flow as a new process would: nothing of an earlier one is remembered."""
        self.state = self._stack.enter_context(closing(connect_state(self.server.url, PREFIX)))
        parts: dict[str, object] = {"advoware": self._clients.advoware, "espocrm": self._clients.espocrm}
        wired = Wiring(self.state, self._batch, workers=4, walk=100, slot_limit=5, delete_slots=False, _parts=parts)
        self._stack.enter_context(use(wired))

    def tick(self) -> dict[str, Any]:
        """One tick of `reconcile` with everything that follows from it; gives the tick's summary."""
        result = flow.reconcile()
        carry(result["events"])
        return dict(result["summary"])

    def writes(self) -> list[str]:
        """What was written to either system since the logs were cleared."""
        rows = [*self.sandbox.advoware.requests(path="ommunikation"), *self.sandbox.espocrm.requests("PUT")]
        return [row["method"] for row in rows if row["method"] != "GET"]

    def clear_logs(self) -> None:
        """Forget the calls so far."""
        self.sandbox.advoware.clear_log()
        self.sandbox.espocrm.clear_log()

    # ------------------------------------------------------------------------------------------------- loss of power

    def on_disk(self) -> OnDisk:
        """What of Redis would survive a loss of power right now: the end of its append-only file."""
        (log,) = self._folder.glob("appendonlydir/*.incr.aof")
        return OnDisk(log, log.stat().st_size)

    def lose_power(self, survives: OnDisk) -> None:
        """End Redis with everything lost that was written after `survives`, and start it on what is left."""
        self.server.kill()
        with survives.log.open("r+b") as log:
            log.truncate(survives.size)
        self.server.start()
        self._connect()


@dataclass(frozen=True)
class OnDisk:
    """So much of the append-only file."""

    log: Path
    size: int
