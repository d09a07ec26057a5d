"""Everything of one history: both systems, the store, workers with their own processes' parts, and what people know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from services import flow
from services.flow_wiring import Wiring, use
from services.kommunikation_mapper import make_hash_marker, make_marker, make_slot_marker
from services.kommunikation_sync_utils import KommunikationSyncManager
from services.kommunikation_table import ConflictPolicy
from services.kommunikation_types import Art, EspoItem
from services.scope import Scope
from tests.simulation.advoware import AdvowareWorld, SimAdvoware
from tests.simulation.espocrm import EspoWorld, Record, SimEspoCrm
from tests.simulation.hub import Hub, Worker
from tests.simulation.model import Act, RecordModel, live
from tests.simulation.store import SimStore
from tests.simulation.values import CATALOGUE, Sort, espo_spelled, spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

JSON = dict[str, Any]


class Serial:
    """Stands in for a thread pool: records of one event come one after the other, several events side by side."""

    def __init__(self, _: int) -> None:
        """As `ThreadPoolExecutor`."""

    def map(self, work: Callable[[Any], Any], things: Iterable[Any]) -> Iterator[Any]:
        """As `Executor.map`."""
        return map(work, things)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """As `Executor`."""


class World:
    """One history's state, made from its description (`init`)."""

    def __init__(self, init: JSON) -> None:
        self.init = init
        self.hub = Hub(init["workers"])
        self.advoware = AdvowareWorld(limit=init["limit"], cuts=init["cuts"])
        self.espocrm = EspoWorld(skew=init["skew"], clock=self.hub.now)
        self.store = SimStore(self.hub, keeps_base=init["keeps_base"])
        self.a, self.e = SimAdvoware(self.hub, self.advoware), SimEspoCrm(self.hub, self.espocrm)
        self.queue: list[tuple[str, JSON]] = []
        self.webhooks: list[int] = []
        self.espocrm.on_change = self._changed
        self.models: dict[int, RecordModel] = {}
        self.parted: dict[int, dict[str, int]] = {}
        """Record -> on which side it is missing or linked elsewhere, each with the step since when."""
        self.only_marked: dict[int, list[Act]] = {}
        """Record -> removals that only old markers speak of."""
        for number, record in enumerate(init["records"], start=1):
            self._fill(number, record)
        self._protect(init["protected"])
        self.parts = {worker.number: self._wiring() for worker in self.hub.workers}
        self.outside = self._wiring()
        self.hub.on_death = self._died

    def _fill(self, number: int, record: JSON) -> None:
        self.models[number] = RecordModel()
        self.advoware.people[number] = {}
        self.espocrm.records[number] = Record(number, number)
        for entry in record["entries"]:
            value = spelled(entry["letter"], entry["spell"]) if entry["letter"] else ""
            base = spelled(entry["base"], 0) if entry.get("base") else value
            make = {"full": make_marker, "hash": make_hash_marker}.get(entry["marker"])
            marker = make(base, entry["kz"]) if make and base else ""
            marker = make_slot_marker(entry["kz"]) if entry["marker"] == "slot" else marker
            remark = f"{marker} {entry['text']}" if marker and entry["text"] else marker or entry["text"]
            row = self.advoware.add(number, entry["kz"], value, remark, online=True)
            self.models[number].in_advoware({}, {row.id: row})
        self.models[number].twins = max([1, *live(self.advoware.people[number].values()).values()])
        items = [
            EspoItem(
                art(i["letter"]),
                espo_spelled(i["letter"], i["spell"]),
                i["type"] if art(i["letter"]) is Art.PHONE else "",
                opt_out=i["opt"],
                invalid=i["invalid"],
            )
            for i in record["items"]
        ]
        arrays = {a: [item for item in items if item.art is a] for a in Art}
        self.espocrm.put(number, arrays, by_sync=False)
        self.models[number].in_espocrm(set(), self.espocrm.letters(number))
        self.models[number].phase.looks = self.espocrm.types(number)
        held = self.espocrm.letters(number)
        marked = {entry["letter"] for entry in record["entries"] if entry["marker"] in {"full", "hash"}}
        # A marker says that both sides once agreed on the value: what is missing in EspoCRM was removed, or changed there.
        missing = [Act(letter, "E", entered=False) for letter in sorted(marked - held - {""})]
        if held or not self.init["keeps_base"]:
            self.models[number].phase.acts += missing
        else:
            # No base, no deletion: a store that knows nothing of the record must not take markers alone for a removal.
            # An empty EspoCRM shows it for certain; what a person enters there may be what one of them was changed into.
            self.only_marked[number] = missing

    def _protect(self, letters: list[str]) -> None:
        for key in [(art(letter), _key(letter)) for letter in letters]:
            if key in self.espocrm.shared:
                self.espocrm.protected.add(key)

    def _changed(self, number: int, by_sync: bool) -> None:
        if not by_sync and "first contact" in self.models[number].phase.vague:
            self.models[number].phase.acts += self.only_marked.pop(number, [])
        if not (by_sync and self.init["skip_own"]):
            self.webhooks.append(number)

    def _wiring(self) -> Wiring:
        policy = ConflictPolicy(self.init["policy"])
        manager = KommunikationSyncManager(self.a, self.e, state=self.store, policy=policy, scope=Scope(), now=self.hub.now)
        parts: dict[str, object] = {"manager": manager, "advoware": self.a, "espocrm": self.e}
        return Wiring(self.store, 25, 1, 100, 5, delete_slots=False, _parts=parts, now=self.hub.now, pool=Serial)  # type: ignore[arg-type]

    def _died(self, worker: Worker) -> None:
        """Nobody renews its leases, and a new process takes its place."""
        self.store.sleep(worker)
        for lease in self.store.leases.values():
            if lease.holder is worker:
                lease.holder = None
        self.parts[worker.number] = self._wiring()

    # ------------------------------------------------------------------------------------------------------- jobs

    def work(self, wired: Wiring, job: tuple[str, JSON]) -> Callable[[], list[tuple[str, JSON]]]:
        """A step as a function that gives the events it emits."""
        topic, data = job

        def run() -> list[tuple[str, JSON]]:
            with use(wired):
                match topic:
                    case "reconcile":
                        return [("detect", event) for event in flow.reconcile()["events"]]
                    case "accept":
                        return [("detect", event) for event in flow.accept(data["ids"], data["quelle"], together=True)]
                    case "detect":
                        found = flow.detect(data)
                        return [(t, event) for t in ("to_espocrm", "to_advoware") for event in found[t]]
                    case "to_espocrm" | "to_advoware":
                        other = "to_advoware" if topic == "to_espocrm" else "to_espocrm"
                        return [(other, event) for event in flow.sync(data, topic)["follow_up"]]
                    case _:
                        wired.manager.sync_bidirectional(data["id"], data["betnr"], data["direction"])
                        return []

        return run

    def begin(self, worker: Worker, job: tuple[str, JSON]) -> None:
        """Give a worker a job."""
        what = job[1].get("ids") or job[1].get("id") or ""
        self.hub.start(worker, f"{job[0]} {what}", self.work(self.parts[worker.number], job), self.queue.extend)

    def close(self) -> None:
        """End what still runs, so that nothing of this history goes on in the next."""
        for worker in self.hub.busy():
            self.hub.kill(worker)


def art(letter: str) -> Art:
    """The array of a sendable letter."""
    return Art.EMAIL if CATALOGUE[letter].sort is Sort.EMAIL else Art.PHONE


def _key(letter: str) -> str:
    return spelled(letter, 0).lower() if art(letter) is Art.EMAIL else spelled(letter, 0)
