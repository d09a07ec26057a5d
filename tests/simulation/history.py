"""One history: a described beginning and a list of actions, drawn from a seed or given, and what has to be true after it.

Actions are JSON lists, so that a failing history can be shrunk and kept:

    ["go", worker, calls, order]   let a worker make so many calls; the last one ends as ordered
    ["pass", worker, calls, order] the same in calls to the two systems; stops before the next one, whatever the store is asked
    ["kill", worker] ["sleep", worker, seconds] ["wake", worker]
    ["job", position]              an idle worker takes an event from the queue;  ["lose", position]  ["repeat", position]
    ["hook", position]             EspoCRM delivers a webhook;  ["lose hook", position]  ["repeat hook", position]
    ["tick"] ["ring", record] ["direct", record, direction] ["wait", seconds] ["wipe"] ["clock", seconds]
    ["A" or "E", ...]              a person's edit (tests/simulation/people.py, parting.py)
    ["settle"]                     everything comes to rest and is checked; a new phase begins
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.errors import SyncError
from tests.simulation import checks
from tests.simulation.faults import NO_EFFECT, READ_FAULTS, STORE_FAULTS, WRITE_FAULTS
from tests.simulation.hub import DIE_AFTER, OK, Call, Violation, Worker
from tests.simulation.parting import at_rest
from tests.simulation.people import People
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

Action = list[Any]
JSON = dict[str, Any]

MOST_TICKS = 60
"""Ticks of `reconcile` after which everything has to be at rest (I1)."""


class History:
    """Carries out actions on a world. `done`: the actions that fitted, as they can be replayed."""

    def __init__(self, init: JSON) -> None:
        self.init = init
        self.world = World(init)
        self.people = People(self.world)
        self.watch = checks.Watch(self.world, self.people)
        self.hub = self.world.hub
        self.done: list[Action] = []
        self.late: list[tuple[Call, Callable[[], Any]]] = []
        self.shortened: dict[tuple[str, int], bool] = {}
        self.disturbed = False
        self.world.a.later = self.world.e.later = lambda call, effect: self.late.append((call, effect))
        for side in (self.world.a, self.world.e):
            fence = side.before_write
            side.before_write = lambda call, fence=fence: (fence(call), self._overtaken(call))

    # ----------------------------------------------------------------------------------------------------- actions

    def do(self, action: Action) -> bool:
        """Carry out one action. False: it does not fit (any more)."""
        name, *rest = action
        self.done.append(action)
        self.hub.tell(f"{action}")
        if name in {"A", "E"}:
            number = rest[1]
            fits = self.people.do(action)
            if fits:
                self._stale(name, number)
                # A type or flag of a value that is on its way late is another record's, too, as soon as that holds it.
                named = {part for part in rest if isinstance(part, str)}
                self.late = [
                    one for one in self.late if one[0].record != number and not (name == "E" and named & one[0].letters)
                ]
        else:
            fits = getattr(self, "_" + name.replace(" ", "_"))(*rest)
        if not fits:
            self.done.pop()
        return bool(fits)

    def _stale(self, side: str, number: int) -> None:
        """A value moved from EspoCRM to Advoware by hand while a run had read EspoCRM before and Advoware after it.

        The run sees both hold it, though they never did at once. No reading of two systems is one moment (a known limit).
        """
        if side == "E" and ("E", number) in self.hub.unproved:
            # Whether a value was there before a PUT, or was entered again after it, nobody can tell who has not read it back.
            self.world.models[number].phase.vague.add("edited before an own PUT was read back")
        acts, now = self.world.models[number].phase.acts, self.world.espocrm.letters(number)
        seen = [worker.seen.get(("E", number)) for worker in self.hub.busy()]
        held = set().union(*(one.held for one in seen if one is not None))
        # A text shortened right after the sync wrote it looks as if Advoware had cut it, and is written once more.
        # A change of type takes several writes: an entry edited between them keeps its text, and so does the new one.
        self.world.models[number].phase.texts_vague |= side == "A" and any(("A", number) in w.wrote for w in self.hub.busy())
        for act in acts:
            if side == "A" and act.side == "A" and act.entered and act.letter in held - now:
                act.again = True

    def _go(self, number: int, calls: int, order: str) -> bool:
        worker = self.hub.workers[number]
        if worker.thread is None or worker.asleep:
            return False
        for left in range(calls, 0, -1):
            if worker.thread is None:
                return True
            self.step(worker, order if left == 1 else OK)
        return True

    def _pass(self, number: int, calls: int, order: str) -> bool:
        worker = self.hub.workers[number]
        if worker.thread is None or worker.asleep:
            return calls == 0
        while worker.call is not None and (calls > 0 or worker.call.system == "S"):
            system = worker.call.system != "S"
            calls -= system
            faulty = system and calls == 0 and order != OK
            self.step(worker, order if faulty else OK)
            if faulty:
                break
        return True

    def step(self, worker: Worker, order: str) -> None:
        """Let a worker make one call."""
        call = worker.call
        assert call is not None
        order = self._fitting(order, call, worker)
        if call.write and order not in NO_EFFECT and self.watch.in_window(call, worker):
            self.watch.windows += 1
            order = "refused"
        if order == "die before":
            self._kill(worker.number)
            return
        if order != OK:
            self.disturbed = True
        self.hub.resume(worker, order)

    def _fitting(self, order: str, call: Call, worker: Worker) -> str:
        """The order as it makes sense for this call; what does not fit is carried out normally."""
        if order in {OK, "die before", DIE_AFTER}:
            return order
        faults = STORE_FAULTS if call.system == "S" else WRITE_FAULTS if call.write else READ_FAULTS
        if order not in faults or (call.system == "S" and call.name == "release"):
            return OK
        if order == "shortened":
            # A list may come shortened once; twice in a row is not to be told from the truth.
            key = call.system, call.record
            if call.name != "get" or self.shortened.get(key) or self._hides_an_edit(call, worker):
                order = OK
            self.shortened[key] = order != OK
        elif call.name == "get":
            self.shortened.pop((call.system, call.record), None) if order == OK else None
        return order

    def _hides_an_edit(self, call: Call, worker: Worker) -> bool:
        """Whether a shortened list could look just as before an edit made within the second of the last reading.

        Where the entity has no version number, not even `modifiedAt` would tell then: nothing can.
        """
        seen = worker.seen.get((call.system, call.record))
        if call.system != "E" or seen is None or self.people.recent.records.get(call.record, -1) < seen.step:
            return False
        return self.world.espocrm.records[call.record].modified == int(seen.clock) + self.world.espocrm.skew

    def _kill(self, number: int) -> bool:
        worker = self.hub.workers[number]
        if worker.thread is None:
            return False
        self.disturbed = True
        self.hub.kill(worker)
        return True

    def _sleep(self, number: int, seconds: int) -> bool:
        worker = self.hub.workers[number]
        # A pause between the lease's check and the write itself is a window neither system can close (`Lease`).
        if worker.thread is None or worker.asleep or (worker.call is not None and worker.call.write):
            return False
        worker.asleep = True
        self.world.store.sleep(worker)
        self.hub.clock += seconds
        return True

    def _wake(self, number: int) -> bool:
        worker = self.hub.workers[number]
        if not worker.asleep:
            return False
        worker.asleep = False
        self.world.store.wake(worker)
        return True

    def _job(self, position: int) -> bool:
        idle, queue = self.hub.idle(), self.world.queue
        if not idle or position >= len(queue):
            return False
        self._begin(idle[0], queue.pop(position))
        return True

    def _lose(self, position: int) -> bool:
        return position < len(self.world.queue) and bool(self.world.queue.pop(position))

    def _repeat(self, position: int) -> bool:
        if position >= len(self.world.queue):
            return False
        self.world.queue.append(self.world.queue[position])
        return True

    def _hook(self, position: int) -> bool:
        hooks = self.world.webhooks
        if not self.hub.idle() or position >= len(hooks):
            return False
        self._begin(self.hub.idle()[0], ("accept", {"ids": [f"rec{hooks.pop(position)}"], "quelle": "espocrm"}))
        return True

    def _lose_hook(self, position: int) -> bool:
        return position < len(self.world.webhooks) and bool(self.world.webhooks.pop(position))

    def _repeat_hook(self, position: int) -> bool:
        if position >= len(self.world.webhooks):
            return False
        self.world.webhooks.append(self.world.webhooks[position])
        return True

    def _tick(self) -> bool:
        if not self.hub.idle():
            return False
        self._begin(self.hub.idle()[0], ("reconcile", {}))
        return True

    def _ring(self, number: int) -> bool:
        if not self.hub.idle() or number not in self.world.models:
            return False
        self._begin(self.hub.idle()[0], ("accept", {"ids": [str(number)], "quelle": "advoware"}))
        return True

    def _direct(self, number: int, direction: str) -> bool:
        if not self.hub.idle() or number not in self.world.models:
            return False
        job = {"id": f"rec{number}", "betnr": number, "direction": direction}
        self._begin(self.hub.idle()[0], ("direct", job))
        return True

    def _begin(self, worker: Worker, job: tuple[str, JSON]) -> None:
        if job[0] == "reconcile" and job[1].get("ids"):
            return
        self.world.begin(worker, job)

    def _wait(self, seconds: int) -> bool:
        self.hub.clock += seconds
        return True

    def _clock(self, seconds: int) -> bool:
        self.world.espocrm.skew += seconds
        return True

    def _wipe(self) -> bool:
        # As with a pause: a write whose lease was checked a moment ago goes out first.
        if any(worker.call is not None and worker.call.write for worker in self.hub.busy()):
            return False
        self.world.store.wipe()
        for model in self.world.models.values():
            model.phase.vague.add("Redis emptied")
        return True

    def _overtaken(self, call: Call) -> None:
        """A write that was only slow never comes after a later one: that would be another firm's clock, not a fault."""
        self.late = [late for late in self.late if late[0].record != call.record or late[0].system != call.system]

    def _land(self) -> bool:
        """What was slow arrives after its sender gave up."""
        late, self.late = self.late, []
        for call, effect in late:
            self.hub.tell(f"late: {call.system} {call.name} {call.record} {call.what}")
            try:
                effect()
            except SyncError:
                self.hub.tell("  refused")
        return bool(late)

    # -------------------------------------------------------------------------------------------------- coming to rest

    def _settle(self) -> bool:
        self._rest()
        for number in at_rest(self.world):
            checks.valve_held(self.world, number)
        for _ in range(3):
            waiting = [n for n in at_rest(self.world) if checks.listed(self.world, n)[2]]
            if not waiting:
                break
            for number in waiting:
                self.world.outside.manager.sync_bidirectional(f"rec{number}", number, "both", allow_removals=True)
            self._rest()
        if not self.world.store.keeps_base:
            self._forgive_without_store()
        checks.settled(self.world, self.people)
        self._quiet()
        for number in at_rest(self.world):
            self.world.models[number].begin(self.world.advoware.people[number].values(), self.world.espocrm.types(number))
        self.disturbed = False
        return True

    def _forgive_without_store(self) -> None:
        """Without a store a gone entry leaves no trace, and neither does what an interrupted run had done."""
        for model in self.world.models.values():
            model.phase.vague.add("no store")

    def _rest(self) -> None:
        """Faults stop, everybody finishes, and `reconcile` ticks until a whole tick has nothing to do."""
        for worker in self.hub.workers:
            self._wake(worker.number)
        self._finish()
        self._land()
        for _ in range(MOST_TICKS):
            writes = self.world.a.writes + self.world.e.writes
            while self.world.webhooks:
                self._hook(0)
                self._finish()
            self._work_off()
            self._tick()
            self._finish()
            self._work_off()
            if writes == self.world.a.writes + self.world.e.writes and not self.world.webhooks:
                upcoming = [entry.due_at for entry in self.world.store.due_entries(1000)]
                if not upcoming:
                    return
                self.hub.clock = max(self.hub.clock, min(upcoming))
            self.hub.clock += 61
        left = [(entry.key, entry.cause) for entry in self.world.store.due_entries(10)]
        raise Violation("I1", f"not at rest after {MOST_TICKS} ticks; due: {left}")

    def _finish(self) -> None:
        while busy := self.hub.busy():
            for worker in busy:
                while worker.thread is not None:
                    self.step(worker, OK)

    def _work_off(self) -> None:
        rounds = 0
        while self.world.queue:
            self._job(0)
            self._finish()
            rounds += 1
            if rounds > 200:
                raise Violation("I1", "events call forth events without end")

    def _quiet(self) -> None:
        """One more look at each record reads each side once and writes nothing (I9)."""
        a, e = self.world.a, self.world.e
        looks = [self.world.outside.manager.look_at_record(f"rec{number}") for number in at_rest(self.world)]
        if any(look["writes_espocrm"] or look["writes_advoware"] for look in looks):
            self._rest()  # the last look remembered something that made work: once more is finite, twice is not
        for number in at_rest(self.world):
            reads, writes = (a.reads, e.reads), a.writes + e.writes
            result = self.world.outside.manager.look_at_record(f"rec{number}")
            if (a.reads - reads[0], e.reads - reads[1]) != (1, 1) or a.writes + e.writes != writes:
                raise Violation("I9", f"record {number}: a look at rest read more than once or wrote")
            # Without a store only the process that has tried knows which remarks have no room for a marker.
            knows = self.world.store.keeps_base or any(step["operation"] != "set_marker" for step in result["plan"])
            if (result["writes_espocrm"] or result["writes_advoware"]) and knows:
                raise Violation("I9", f"record {number}: at rest, and yet there is something to write")

    def close(self) -> None:
        """End all workers."""
        self.world.close()


def replay(init: JSON, actions: list[Action]) -> tuple[History, Violation | None]:
    """Carry out given actions; a settling at the end is added. Gives the history and what it violated."""
    history = History(init)
    try:
        for action in actions:
            history.do(action)
        if not actions or actions[-1] != ["settle"]:
            history.do(["settle"])
    except Violation as violation:
        return history, violation
    finally:
        history.close()
    return history, None


def lasting(init: JSON, actions: list[Action]) -> list[Action]:
    """The same history told in calls to the systems, so that it outlives a change of what the store is asked."""
    history, told = History(init), []
    try:
        for action in actions:
            before = len(history.hub.trace)
            if history.do(action) and action[0] == "go":
                made = [line.split()[1] for line in history.hub.trace[before:] if " -> " in line]
                if made and (action[3] == OK or made[-1] != "S"):
                    told.append(["pass", action[1], sum(system != "S" for system in made), action[3]])
                    continue
            told.append(action)
    except Violation:
        pass
    finally:
        history.close()
    return told
