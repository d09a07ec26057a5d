"""Works on the records of one event, several at once, and keeps the due list right about each of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.errors import LeaseBusy, NeedsPerson, RecordProblem, SyncError
from services.kommunikation_rest import read_both, rest_text
from services.state_forms import PAUSE_SECONDS, noticed_id
from services.state_types import RecordState, RecordStatus, Waiting
from services.tally import REQUESTS, failure_counts, run_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from services.advoware_service import AdvowareService
    from services.espocrm import EspoCrmService
    from services.flow_wiring import Wiring
    from services.kommunikation_rest import Reading
    from services.state_types import Rest

    Work = Callable[[str], dict[str, Any]]

BUSY_SECONDS = 5.0

WORK_SECONDS = 90.0
"""No record is begun later than this: the step's time limit is 120 s, and what is left comes back from the due list."""


@dataclass(slots=True)
class Outcome:
    """What became of one record. `result` None: it failed, or was not begun."""

    espo_id: str
    token: str
    rest: Rest | None = None
    result: dict[str, Any] | None = field(default=None, repr=False)
    resting: bool = False
    """Whether both sides showed what `rest` tells, so that nothing was compared."""
    seconds: float = 0.0


class Batch:
    """One event's records. A failure is put on the due list with its cause; it never stops the others.

    Where a system is down, one record finds out, and the rest is put off at once instead of waiting for it in turn.
    """

    def __init__(self, wired: Wiring) -> None:
        self._wired, self._state = wired, wired.state
        self._down: SyncError | None = None
        self._until = time.monotonic() + WORK_SECONDS
        self._lock = threading.Lock()
        self._counts = {"records": 0, "failed": 0, "postponed": 0, "errors": 0, "to_espocrm": 0, "to_advoware": 0}

    def each(self, ids: Sequence[str], maker: Callable[[], Work], *, only_due: bool = True) -> list[Outcome]:
        """Works on every id and gives the outcomes in order of the ids. `maker` gives the work, where there is any.

        `only_due`: an id that is not due any more was settled by an earlier event for it, so there is nothing left to do.
        """
        tokens = self._state.due_token(list(ids)) if ids else {}
        outcomes = [Outcome(espo_id, tokens.get(espo_id, "")) for espo_id in ids if tokens.get(espo_id) or not only_due]

        def by_id() -> Callable[[Outcome], dict[str, Any]]:
            work = maker()
            return lambda outcome: work(outcome.espo_id)

        return self._all(outcomes, by_id)

    def _all(self, outcomes: list[Outcome], maker: Callable[[], Callable[[Outcome], dict[str, Any]]]) -> list[Outcome]:
        self._counts["records"] = len(outcomes)
        if not outcomes:
            return []
        work = maker()
        workers = min(self._wired.workers, len(outcomes))
        waiting = iter(outcomes)  # of a list, so that several threads may draw from it

        def draw(_: int) -> None:
            for outcome in waiting:
                self._one(outcome, work)

        with self._wired.pool(workers) as pool:
            list(pool.map(draw, range(workers)))
        return outcomes

    def look(self, known: Mapping[str, Waiting], *, only_due: bool) -> list[Outcome]:
        """Looks at every record. One that is at rest costs a GET a side: no lease, no comparison, nothing to store."""
        outcomes = [Outcome(espo_id, *one) for espo_id, one in known.items() if one.token or not only_due]

        def look() -> Callable[[Outcome], dict[str, Any]]:
            # Made here, by one thread: each client holds the connections of all.
            advoware, espocrm = self._wired.advoware, self._wired.espocrm
            return lambda outcome: self._look(outcome, advoware, espocrm)

        return self._all(outcomes, look)

    def _look(self, outcome: Outcome, advoware: AdvowareService, espocrm: EspoCrmService) -> dict[str, Any]:
        rest = outcome.rest
        if rest is None:
            return self._compare(outcome.espo_id)
        begun = time.perf_counter()
        try:
            reading = read_both(advoware, espocrm, outcome.espo_id, rest)
        except SyncError as error:
            if error.system != "Redis":
                status = RecordStatus(rest.betnr, RecordState.FAILED, str(error))
                counts = run_counts("look", "postponed", time.perf_counter() - begun) + failure_counts(error)
                self._state.set_status(outcome.espo_id, status, counts + REQUESTS.take())
            raise
        if reading is None or self._state.digest(rest_text(reading.record, reading.person)) != rest.digest:
            return self._compare(outcome.espo_id, reading)
        outcome.resting = True
        nothing: dict[str, Any] = {"errors": []}
        return {
            "writes_espocrm": False,
            "writes_advoware": False,
            "removals": 0,
            "linked": rest.linked,
            "advoware_to_espocrm": nothing,
            "espocrm_to_advoware": nothing,
        }

    def _compare(self, espo_id: str, reading: Reading | None = None) -> dict[str, Any]:
        with self._lock:
            # Loaded for the first record that is not at rest: with it come the comparison and the numbering plans.
            manager = self._wired.manager
        return manager.look_at_record(espo_id, reading)

    def _one(self, outcome: Outcome, work: Callable[[Outcome], dict[str, Any]]) -> None:
        if self._down is not None or time.monotonic() > self._until:
            self._put_off(outcome.espo_id, str(self._down or "no time left in this step"), counts=False)
            return
        begun = time.perf_counter()
        try:
            outcome.result = work(outcome)
            outcome.seconds = time.perf_counter() - begun
        except SyncError as error:
            self._failed(outcome, error)
        except Exception as error:  # noqa: BLE001 - a bug in one record must not stop the others; its text may hold values
            self._put_off(outcome.espo_id, f"Bug: {type(error).__name__}", counts=True)

    def _failed(self, outcome: Outcome, error: SyncError) -> None:
        if isinstance(error, LeaseBusy):
            # Whoever has the record may have read it before this change: come again soon, at no cost.
            self._state.ring([outcome.espo_id], delay=BUSY_SECONDS)
            self._count(postponed=1)
            return
        system_down = not error.counts_against_record
        if system_down:
            self._down = error
        if isinstance(error, RecordProblem):
            # Its status says parked and why. It is looked at again when either side rings, or the walk comes by.
            self._state.settle(outcome.espo_id, outcome.token)
            self._count(failed=1)
            return
        if isinstance(error, NeedsPerson) and error.counts_against_record:
            self._keep_due(outcome.espo_id)
            self._state.park(outcome.espo_id, str(error))
            self._tell(outcome.espo_id)
            self._count(failed=1, errors=1)
            return
        self._put_off(outcome.espo_id, str(error), counts=error.counts_against_record)

    def _keep_due(self, espo_id: str) -> None:
        """The walk comes by records that nobody rang for, and another worker may have settled this one meanwhile.

        What is put on the due list then has no token, every event for it would take it for settled, and it would stay on
        the list for ever, unseen to.
        """
        self._state.ring([espo_id], delay=PAUSE_SECONDS)

    def _put_off(self, espo_id: str, cause: str, *, counts: bool) -> None:
        self._keep_due(espo_id)
        entry = self._state.postpone(espo_id, cause, counts=counts)
        if entry.parked and counts:
            self._tell(espo_id)
        self._count(postponed=1, failed=int(counts))

    def _tell(self, key: str) -> None:
        """A record that rests is something for its staff; notices that can't be written are not."""
        if self._state.tells and noticed_id(key) is None:
            self._state.tell([key])

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Takes records off the due list that are through. One with errors of single values stays on it."""
        through: dict[str, str] = {}
        resting: dict[str, Waiting] = {}
        counts: Counter[str] = Counter()
        for outcome in outcomes:
            if outcome.result is None:
                continue
            if outcome.resting:
                resting[outcome.espo_id] = Waiting(outcome.token, outcome.rest)
                counts.update(run_counts("look", RecordState.EQUAL.value, outcome.seconds))
                continue
            errors = outcome.result["advoware_to_espocrm"]["errors"] + outcome.result["espocrm_to_advoware"]["errors"]
            if errors:
                self._count(errors=1)
                self._put_off(outcome.espo_id, errors[0], counts=True)
            elif outcome.token:
                through[outcome.espo_id] = outcome.token
        self._state.settle_all(through)
        if busy := self._state.settle_resting(resting, counts + REQUESTS.take() if resting else counts):
            # Whoever has the record, or had it while it was read, may have read it before this change.
            self._state.ring(busy, delay=BUSY_SECONDS)
            self._count(postponed=len(busy))

    def _count(self, **more: int) -> None:
        with self._lock:
            for name, number in more.items():
                self._counts[name] += number

    def summary(self) -> dict[str, int]:
        """Counts for the log."""
        return {name: number for name, number in self._counts.items() if number or name == "records"}
