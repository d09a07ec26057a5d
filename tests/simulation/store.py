"""The store in memory with a stop before every call, leases that run out, and eyes on every base that is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.errors import LeaseBusy, LeaseLost, Unreachable
from services.state import MemoryState
from services.state_types import LEASE_SECONDS, Lease
from tests.simulation.hub import DIE_AFTER, OK, SLEEP_AFTER, Call, Hub, Violation, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from services.kommunikation_types import Base
    from services.state import DueEntry

STEPPED = (
    "waiting", "call", "gather", "settle_resting", "load", "register_link", "register_links", "espo_ids", "next_links", "ring", "due", "due_token", "settle", "postpone",
    "park", "set_status", "set_lists", "journal", "count", "counters", "get_mark", "set_mark",
)  # fmt: skip


class SimLease(Lease):
    """A lease that is renewed as long as its holder's process lives and is awake, as `RedisLease` is by its thread."""

    def __init__(self, store: SimStore, espo_id: str, fence: int, holder: Worker | None) -> None:
        super().__init__(espo_id, str(fence), fence)
        self.store, self.holder = store, holder
        self.until: float | None = None
        """When it runs out; None while it is renewed."""

    @property
    def alive(self) -> bool:
        """Whether it has not run out."""
        return self.until is None or self.store.hub.clock < self.until

    @property
    def ours(self) -> bool:
        """Whether nobody else has the record and it has not run out."""
        return self.store.leases.get(self.espo_id) is self and self.alive

    def check(self) -> None:
        """See `Lease.check`."""
        # A pause between this and the arrival of the write is a window neither system can close (`Lease`): no sleep here.
        self.store.stepped(Call("S", "check", what=self.espo_id), self._check, sleeps=False)

    def _check(self) -> None:
        if not self.ours:
            raise LeaseLost(f"The lease on record {self.espo_id} ran out.")
        self.until = None

    def release(self) -> None:
        """See `Lease.release`: never fails."""
        self.store.stepped(Call("S", "release", what=self.espo_id), self._release, fails=False)

    def _release(self) -> None:
        if self.store.leases.get(self.espo_id) is self:
            del self.store.leases[self.espo_id]


class SimStore(MemoryState):
    """`MemoryState` behind the hub. `on_save` sees each base before it is stored, and the one it takes the place of."""

    def __init__(self, hub: Hub, *, keeps_base: bool) -> None:
        super().__init__(keeps_base=keeps_base, clock=hub.now)
        self.hub = hub
        hub.on_sleep = self.sleep
        self.leases: dict[str, SimLease] = {}
        self.bases: dict[str, Base] = {}
        """As they are: writing them down and reading them back is what the tests of the store are about."""
        self.on_save: Callable[[str, Base | None, Base], None] = lambda *_: None
        self.conflicts_seen: dict[str, list[Mapping[str, Any]]] = {}

    def stepped(self, call: Call, effect: Callable[[], Any], *, fails: bool = True, sleeps: bool = True) -> Any:
        """One call: stop, then the effect, in the ways the scheduler orders."""
        order = self.hub.ask(call)
        if order == "redis lost before" and fails:
            raise Unreachable("Redis can't be reached.", system="Redis", maybe_done=True)
        self.hub.inside += 1
        try:
            result = effect()
        finally:
            self.hub.inside -= 1
        if order == "redis lost after" and fails:
            raise Unreachable("Redis can't be reached.", system="Redis", maybe_done=True)
        assert order in {OK, DIE_AFTER, SLEEP_AFTER, "redis lost before", "redis lost after"}, order
        if sleeps or order != SLEEP_AFTER:
            self.hub.after(order)
        return result

    def acquire(self, espo_id: str) -> SimLease:  # type: ignore[override]  # a lease of the simulation's own
        """See `StateStore.acquire`."""
        try:
            return self.stepped(Call("S", "acquire", what=espo_id), lambda: self._acquire(espo_id))  # type: ignore[no-any-return]
        except Unreachable:
            # Taken, perhaps, and nobody knows: it is not renewed.
            if (lease := self.leases.get(espo_id)) is not None and lease.holder is self.hub.current:
                lease.until = self.hub.clock + LEASE_SECONDS
            raise

    def _acquire(self, espo_id: str) -> SimLease:
        held = self.leases.get(espo_id)
        if held is not None and held.alive:
            raise LeaseBusy(f"Another worker has record {espo_id}.")
        self._fence += 1
        self.leases[espo_id] = SimLease(self, espo_id, self._fence, self.hub.current)
        self.leases[espo_id].rest = self._rests.get(espo_id)
        return self.leases[espo_id]

    def load(self, espo_id: str, lease: Lease | None = None) -> Base | None:
        """See `StateStore.load`."""

        def effect() -> Base | None:
            base = self.bases.get(espo_id)
            if self.hub.current is not None:
                self.hub.current.known[espo_id] = base
            return base

        return self.stepped(Call("S", "load", what=espo_id), effect)  # type: ignore[no-any-return]

    def save(self, lease: Lease, base: Base) -> None:
        """See `StateStore.save`."""

        def effect() -> None:
            lease.check()
            self.on_save(lease.espo_id, self.bases.get(lease.espo_id), base)
            if self.keeps_base:
                self.bases[lease.espo_id] = base
                self._rests.pop(lease.espo_id, None)

        self.stepped(Call("S", "save", what=lease.espo_id), effect)

    def erase(self, espo_id: str, betnr: int | None = None) -> None:
        """See `StateStore.erase`."""
        self.bases.pop(espo_id, None)
        super().erase(espo_id, betnr)

    def _is_held(self, espo_id: str) -> bool:
        held = self.leases.get(espo_id)
        return held is not None and held.alive

    def _still_held(self, lease: Lease) -> None:
        # Part of `finish`, not a call of its own.
        if isinstance(lease, SimLease) and not lease.ours:
            raise LeaseLost(f"The lease on record {lease.espo_id} ran out.")

    def postpone(self, key: str, cause: str, *, counts: bool) -> DueEntry:
        """See `StateStore.postpone`."""
        if cause.startswith("Bug"):
            raise Violation("bug", f"record {key}: {cause}")
        return self.stepped(Call("S", "postpone", what=key), lambda: MemoryState.postpone(self, key, cause, counts=counts))  # type: ignore[no-any-return]

    def set_lists(
        self,
        espo_id: str,
        *,
        conflicts: Sequence[Mapping[str, Any]] | None = None,
        held_back: Sequence[Mapping[str, Any]] | None = None,
        notices: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """See `StateStore.set_lists`; what was listed once was shown to people, whatever becomes of Redis."""

        def effect() -> None:
            self.conflicts_seen.setdefault(espo_id, []).extend(conflicts or ())
            MemoryState.set_lists(self, espo_id, conflicts=conflicts, held_back=held_back, notices=notices)

        self.stepped(Call("S", "set_lists", what=espo_id), effect)

    def sleep(self, worker: Worker) -> None:
        """The worker's machine stops: nobody renews its leases."""
        for lease in self.leases.values():
            if lease.holder is worker and lease.until is None:
                lease.until = self.hub.clock + LEASE_SECONDS

    def wake(self, worker: Worker) -> None:
        """The worker's machine goes on: what has not run out is renewed again."""
        for lease in self.leases.values():
            if lease.holder is worker and lease.alive:
                lease.until = None

    def wipe(self) -> None:
        """Everything Redis held is gone, leases too."""
        self.leases.clear()
        kept = self.conflicts_seen, self.on_save
        self.__init__(self.hub, keeps_base=self.keeps_base)  # type: ignore[misc]  # the same object, empty
        self.conflicts_seen, self.on_save = kept


def _stepped(name: str) -> Callable[..., Any]:
    plain = getattr(MemoryState, name)

    def method(self: SimStore, *args: Any, **kwargs: Any) -> Any:
        return self.stepped(Call("S", name), lambda: plain(self, *args, **kwargs))

    method.__name__, method.__doc__ = name, f"See `StateStore.{name}`."
    return method


for _name in STEPPED:
    if _name not in vars(SimStore):
        setattr(SimStore, _name, _stepped(_name))
