"""Who goes on: workers as greenlets that stop at every call, and the one place that lets them continue.

A worker that makes a call to either system or to the store stops here and says what it is about to do. The scheduler
resumes it with an order: carry it out, or let it fail in one of the ways in `faults`, or die before or after its effect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from greenlet import getcurrent, greenlet

from services.errors import SyncError
from services.state_types import LEASE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

OK, DIE_AFTER, SLEEP_AFTER = "ok", "die after", "sleep after"
SECONDS_A_CALL = 0.05
PAUSE_SECONDS = LEASE_SECONDS + 1
"""How long a machine stands still after a call: just long enough for others to take what it held."""
START = 1_800_000_000.0
NEVER = 2**63


class Killed(BaseException):
    """The worker's process was killed. No handler of the code under test may see it as an error."""


class Violation(BaseException):
    """An invariant of the design does not hold. `invariant`: its id."""

    def __init__(self, invariant: str, text: str) -> None:
        super().__init__(f"{invariant}: {text}")
        self.invariant = invariant


@dataclass(slots=True)
class Call:
    """What a worker is about to do. `system`: A(dvoware), E(spoCRM) or S(tore); `what`: letters and ids for the story."""

    system: str
    name: str
    write: bool = False
    record: int = 0
    entry: int = 0
    letters: frozenset[str] = frozenset()
    what: str = ""


@dataclass(slots=True)
class Seen:
    """What a worker last read of one side of a record, and when (`clock`).

    `others`: calls it made elsewhere since; `dirty`: it wrote since.
    """

    step: int
    held: Any
    clock: float
    others: int = 0
    dirty: bool = False


@dataclass(slots=True)
class Worker:
    """One process of the sync with one job at a time."""

    number: int
    thread: greenlet | None = None
    call: Call | None = None
    dead: bool = False
    asleep: bool = False
    job: str = ""
    seen: dict[tuple[str, int], Seen] = field(default_factory=dict)
    proved: set[tuple[int, int, str]] = field(default_factory=set)
    """Record, entry and letter of what it saw both sides hold."""
    missed: set[tuple[str, int]] = field(default_factory=set)
    """Side and record of what it was told is not there (404)."""
    wrote: set[tuple[str, int]] = field(default_factory=set)
    """Side and record of what it wrote in this job."""
    asked: int = NEVER
    """When in this job it first asked EspoCRM for other holders of values, in steps of the hub."""
    known: dict[str, Any] = field(default_factory=dict)
    """Record -> the base it loaded."""


class Hub:
    """Greenlets, time and the count of steps. `steps` orders everything that happens, whoever does it."""

    def __init__(self, workers: int) -> None:
        self.workers = [Worker(n) for n in range(workers)]
        self.current: Worker | None = None
        self.clock = START
        self.steps = 0
        self.trace: list[str] = []
        self.inside = 0
        self.unproved: set[tuple[str, int]] = set()
        """Side and record of writes that nobody has read back yet."""
        self.on_death: Callable[[Worker], None] = lambda _: None
        self.on_sleep: Callable[[Worker], None] = lambda _: None
        self._main = getcurrent()

    def now(self) -> float:
        """The time of the machines the sync runs on."""
        return self.clock

    def tell(self, line: str) -> None:
        """Add a line to the protocol of the history."""
        self.trace.append(line)

    # -------------------------------------------------------------------------------------------- the worker's side

    def ask(self, call: Call) -> str:
        """Stop before a call and wait for the order. Outside a worker, and inside the store, nothing stops."""
        worker = self.current
        if worker is None or self.inside:
            return OK
        if worker.dead:
            raise Killed
        worker.call = call
        order: str = self._main.switch()
        worker.call = None
        self.steps += 1
        if call.system != "S":
            self.clock += SECONDS_A_CALL
            for (system, _), seen in worker.seen.items():
                seen.others += not (call.write and system == call.system)
        self.trace.append(f"  {worker.number} {call.system} {call.name} {call.record} {call.what} -> {order}")
        return order

    def die(self) -> None:
        """The present worker's process ends here."""
        if self.current is not None:
            self.current.dead = True
            self.on_death(self.current)
        raise Killed

    def after(self, order: str) -> None:
        """What happens to the worker's machine between a call's effect and the moment the worker learns of it."""
        if order == DIE_AFTER:
            self.die()
        if order == SLEEP_AFTER and self.current is not None and not self.inside:
            # What comes next is the worker's own doing: a check of the lease, if the code under test has one. Where the
            # scheduler could only pause it before a call, the write itself would be next, and that window is open.
            self.on_sleep(self.current)
            self.current.asleep = True
            self.clock += PAUSE_SECONDS
            if self.ask(Call("S", "awake")) == DIE_AFTER:
                self.die()

    # ----------------------------------------------------------------------------------------- the scheduler's side

    def start(self, worker: Worker, job: str, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Give an idle worker something to do, up to its first call."""

        def run(_: str) -> None:
            try:
                done(work())
            except Killed:
                pass
            except SyncError as error:
                self.tell(f"  {worker.number} job ends: {type(error).__name__}")

        worker.job, worker.dead, worker.asleep, worker.call = job, False, False, None
        worker.seen.clear()
        worker.proved.clear()
        worker.missed.clear()
        worker.wrote.clear()
        worker.asked = NEVER
        worker.thread = greenlet(run)
        self.tell(f"worker {worker.number} begins {job}")
        self.resume(worker, OK)

    def resume(self, worker: Worker, order: str) -> None:
        """Let a worker go on to its next call, or to the end."""
        assert worker.thread is not None
        self.current = worker
        try:
            worker.thread.switch(order)
        finally:
            self.current = None
            self._reap(worker)

    def kill(self, worker: Worker) -> None:
        """End a worker where it stands."""
        if worker.thread is None:
            return
        worker.dead = True
        self.on_death(worker)
        self.current = worker
        try:
            worker.thread.throw(Killed)
        finally:
            self.current = None
            self._reap(worker)

    @staticmethod
    def _reap(worker: Worker) -> None:
        if worker.thread is not None and worker.thread.dead:
            worker.thread, worker.call = None, None

    def busy(self) -> list[Worker]:
        """Workers with a job."""
        return [worker for worker in self.workers if worker.thread is not None]

    def idle(self) -> list[Worker]:
        """Workers without one."""
        return [worker for worker in self.workers if worker.thread is None]
