"""What both simulated clients share: a call stops at the hub, has its effect or not, and ends as the order says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from services.errors import NotFound
from tests.simulation.faults import NO_EFFECT, SLOW_SECONDS, read_error, write_error
from tests.simulation.hub import DIE_AFTER, OK, SLEEP_AFTER, Call, Hub, Seen, Worker
from tests.simulation.values import letter_of

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Side:
    """One system. `before_write` sees each write at the moment of its effect; `later`: where late effects wait."""

    system = ""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.before_write: Callable[[Call], None] = lambda _: None
        self.later: Callable[[Call, Callable[[], Any]], None] = lambda *_: None
        self.writes = 0
        self.reads = 0

    def reading(self, call: Call, effect: Callable[[str], T], held: Callable[[T], Any] | None = None) -> T:
        """One read. `held`: what of the answer is remembered as the worker's knowledge of this record."""
        order = self.hub.ask(call)
        self.reads += 1
        if order not in {OK, DIE_AFTER, SLEEP_AFTER, "shortened"}:
            self.hub.clock += SLOW_SECONDS if order == "slow" else 0.0
            raise read_error(order, self.system)
        worker = self.hub.current
        try:
            result = effect(order)
        except NotFound:
            if worker is not None:
                worker.missed.add((self.system, call.record))
            raise
        if worker is not None:
            worker.missed.discard((self.system, call.record))
        self.hub.unproved.discard((self.system, call.record))
        if worker is not None and held is not None:
            worker.seen[self.system, call.record] = Seen(self.hub.steps, held(result), self.hub.clock)
            self._prove(worker, call.record)
        self.hub.after(order)
        return result

    @staticmethod
    def _prove(worker: Worker, record: int) -> None:
        a, e = worker.seen.get(("A", record)), worker.seen.get(("E", record))
        if a is None or e is None or a.dirty or e.dirty:
            return
        found = ((entry_id, letter_of(tlf)) for entry_id, (tlf, _) in a.held.items())
        worker.proved.update((record, entry_id, letter) for entry_id, letter in found if letter in e.held)

    def writing(self, call: Call, effect: Callable[[], T]) -> T | None:
        """One write. What the answer does not show is None."""
        order = self.hub.ask(call)
        worker = self.hub.current
        if worker is not None:
            worker.wrote.add((self.system, call.record))
            self.hub.unproved.add((self.system, call.record))
        if worker is not None and (seen := worker.seen.get((self.system, call.record))) is not None:
            seen.dirty = True

        def carried_out() -> T:
            self.before_write(call)
            self.writes += 1
            return effect()

        if order.startswith("slow"):
            self.hub.clock += SLOW_SECONDS
        if order in {OK, DIE_AFTER, SLEEP_AFTER}:
            result = carried_out()
            self.hub.after(order)
            return result
        if order == "slow, later":
            self.later(call, carried_out)
        elif order not in NO_EFFECT:
            carried_out()
        error = write_error(order, self.system)
        if error is not None:
            raise error
        return None
