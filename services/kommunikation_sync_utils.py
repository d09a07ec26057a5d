"""The manager: keeps the communication data of one Beteiligter equal in Advoware and EspoCRM.

    sync_manager = KommunikationSyncManager(AdvowareService(), EspoCrmService())
    result = sync_manager.sync_bidirectional(beteiligte_id="...", betnr=12345, direction="both")

Without a state store the markers in Advoware are the base; `services.bootstrap.build_manager()` wires one with Redis.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from services.errors import InvalidInput, NeedsPerson, RecordProblem, SyncError
from services.kommunikation_plan import Rules
from services.kommunikation_report import Report
from services.kommunikation_run import Run
from services.kommunikation_sides import Memory, Sides
from services.kommunikation_table import ConflictPolicy, Direction
from services.kommunikation_writer import is_for_advoware
from services.state import MemoryState, RecordState, RecordStatus, RunEnd
from services.tally import REQUESTS, failure_counts, run_counts, value_failures

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping

    from services.advoware_service import AdvowareService
    from services.espocrm import EspoCrmService
    from services.kommunikation_plan import Plan
    from services.kommunikation_rest import Reading
    from services.kommunikation_types import Base
    from services.scope import Scope
    from services.state import Lease, Rest, StateStore

AnyRun = TypeVar("AnyRun", bound=Sides)

_ESPO_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")


class KommunikationSyncManager:
    """Synchronises pairs of records. Thread-safe: several pairs may be worked on at once, one pair by one worker."""

    def __init__(
        self,
        advoware: AdvowareService,
        espocrm: EspoCrmService,
        *,
        state: StateStore | None = None,
        policy: ConflictPolicy | None = None,
        scope: Scope | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Wire the manager. `policy`, `scope` None: from the environment (KOMM_CONFLICT_POLICY, KOMM_MODE, KOMM_PILOT)."""
        self._advoware, self._espocrm = advoware, espocrm
        self._state: StateStore = state if state is not None else MemoryState()
        self._policy, self.scope = _from_environment(policy, scope)
        self._now = now
        self._memory: dict[int, Memory] = {}

    def sync_bidirectional(
        self,
        beteiligte_id: str,
        betnr: int,
        direction: str = "both",
        *,
        dry_run: bool = False,
        allow_removals: bool = False,
        expected: str = "",
    ) -> dict[str, Any]:
        """Make both sides equal, as far as `direction` allows ('both', 'to_espocrm', 'to_advoware').

        `beteiligte_id` is EspoCRM's id, `betnr` Advoware's number. `dry_run` only says what would be done.
        `allow_removals` releases the valve for this run. `expected` is the `fingerprint` of a dry run: only what that one
        planned is carried out, else `PlanOutdated` is raised and nothing was written.

        Returns counts and errors per direction, and `plan`, `conflicts`, `held_back`, `notices`, `pending`, `valve`.
        Raises an `errors.SyncError` where the pair as a whole can't be synchronised; no value has been touched then that
        a later run would not find again. Texts of errors hold ids, never values.
        """
        report = Report(_checked_id(beteiligte_id), _checked_betnr(betnr), _direction(direction), dry_run)
        rules = Rules(self._policy, report.direction, allow_removals)
        if dry_run:
            return report.result(self._run(report, rules, Run).dry())
        return self._work(report, rules, Run, Run.carry_out, expected=expected)

    def sync_record(self, beteiligte_id: str, direction: str, *, stop_removals: bool = False) -> dict[str, Any]:
        """Like `sync_bidirectional` for the Beteiligter the record itself names.

        `stop_removals`: the valve of a run over many records has tripped, so this one removes nothing either.
        """
        report = Report(_checked_id(beteiligte_id), 0, _direction(direction), dry_run=False)
        rules = Rules(self._policy, report.direction, stop_removals=stop_removals)
        return self._work(report, rules, Run, Run.carry_out)

    def look_at_record(self, beteiligte_id: str, reading: Reading | None = None) -> dict[str, Any]:
        """What a sync would do, from one GET per side; remembers what both sides agree on where nothing is to be written.

        The result has more keys: `writes_espocrm` and `writes_advoware` (whether a run in that direction is needed),
        `removals` (different values it would remove) and `linked` (different values both sides have agreed on).
        `reading`: both sides, of a record that was at rest when they were read; then they need not be read again.
        """
        report = Report(_checked_id(beteiligte_id), 0, Direction.BOTH, dry_run=True)
        seen: dict[str, Any] = {}

        def look(run: Run, lease: Lease) -> Plan:
            plan = run.look(lease)
            writes_advoware = any(is_for_advoware(operation) for operation in plan.operations)
            seen["writes_espocrm"] = run.live and bool(plan.arrays)
            # What is decided by something not being there needs a second reading, also where nothing is written.
            seen["writes_advoware"] = run.live and (writes_advoware or plan.absence or run.repairs)
            seen["removals"], seen["linked"] = plan.removals, plan.linked
            return plan

        return self._work(report, Rules(self._policy), Run, look, name="look", reading=reading) | seen

    def _run(
        self, report: Report, rules: Rules, kind: type[AnyRun], expected: str = "", reading: Reading | None = None
    ) -> AnyRun:
        return kind(
            self._advoware,
            self._espocrm,
            self._state,
            rules,
            report,
            memory=self._memory,
            now=self._now,
            scope=self.scope,
            expected=expected,
            reading=reading,
        )

    def _work(
        self,
        report: Report,
        rules: Rules,
        kind: type[AnyRun],
        work: Callable[[AnyRun, Lease], Plan],
        *,
        expected: str = "",
        reading: Reading | None = None,
        name: str = "sync",
    ) -> dict[str, Any]:
        begun, finished = time.perf_counter(), False
        with self._state.acquire(report.espo_id) as lease:
            report.run = f"{report.espo_id}.{lease.fence}"
            try:
                run = self._run(report, rules, kind, expected, reading)
                plan = work(run, lease)
                result = report.result(plan)
                end = _end(report, plan, result, run.base, run.rest)
                outcome = "written" if report.writes and not report.errors else end.status.state.value
                counts = run_counts(name, outcome, time.perf_counter() - begun) + _noted(report)
                if self._state.finish(lease, replace(end, counts={**end.counts, **counts})):
                    result["news"] = True  # for the flow: there may be something to tell staff in EspoCRM
                finished = True
            except SyncError as error:
                outcome = "parked" if _needs_person(error) else "postponed"
                self._remember_failure(report, error, run_counts(name, outcome, time.perf_counter() - begun))
                raise
            except Exception as error:
                with suppress(SyncError):
                    self._state.count(**run_counts(name, "bug", time.perf_counter() - begun), **failure_counts(error))
                raise
            finally:
                if not finished:
                    self._note_writes(report)
        return result

    def _note_writes(self, report: Report) -> None:
        if report.writes:
            self._state.journal(report.espo_id, report.journal)
            self._state.count(**report.counts)

    def _remember_failure(self, report: Report, error: SyncError, counts: Counter[str]) -> None:
        if error.system == "Redis":
            return
        if isinstance(error, RecordProblem) and error.cause == "missing in EspoCRM":
            self._state.register_link(report.espo_id, None)
        state = RecordState.PARKED if _needs_person(error) else RecordState.FAILED
        cause = f"{error.cause}: {error}" if isinstance(error, RecordProblem) else str(error)
        status = RecordStatus(report.betnr or None, state, cause)
        self._state.set_status(report.espo_id, status, counts + failure_counts(error) + REQUESTS.take())


def detect_kommunikation_changes(old_bet: Mapping[str, Any], new_bet: Mapping[str, Any]) -> bool:
    """Whether any entry came, went or changed between two answers of Advoware, by the entries' `rowId`s.

    An answer without `kommunikation` is a bad answer, not a change.
    """
    old, new = _row_ids(old_bet), _row_ids(new_bet)
    return old is not None and new is not None and old != new


def _row_ids(beteiligter: Mapping[str, Any]) -> dict[Any, Any] | None:
    members = {str(name).lower(): value for name, value in beteiligter.items()}
    entries = members.get("kommunikation")
    if not isinstance(entries, list):
        return None
    lowered = [{str(name).lower(): value for name, value in entry.items()} for entry in entries]
    return {entry.get("id"): entry.get("rowid") for entry in lowered}


def detect_espocrm_kommunikation_changes(old_data: Mapping[str, Any], new_data: Mapping[str, Any]) -> bool:
    """Whether `emailAddressData` or `phoneNumberData` differ between two answers of EspoCRM; order does not matter.

    An answer without an array (a list never holds them) says nothing about it.
    """
    for name in ("emailAddressData", "phoneNumberData"):
        old, new = old_data.get(name), new_data.get(name)
        if isinstance(old, list) and isinstance(new, list) and _as_set(old) != _as_set(new):
            return True
    return False


def _as_set(items: list[Any]) -> set[str]:
    # Not by `repr`, in which every masked value looks like any other.
    return {json.dumps(item, sort_keys=True) for item in items}


def _needs_person(error: SyncError) -> bool:
    return isinstance(error, NeedsPerson) and error.counts_against_record


def _noted(report: Report) -> Counter[str]:
    """What else a run that got through adds to the counters of the metrics."""
    refused = value_failures("espocrm", len(report.to_espocrm_errors)) + value_failures(
        "advoware", len(report.to_advoware_errors)
    )
    return refused + REQUESTS.take()


def _end(report: Report, plan: Plan, result: Mapping[str, Any], base: Base | None, rest: Rest | None) -> RunEnd:
    """What is remembered of a run: the base, and status, lists and journal for the people who run it."""
    open_ends = plan.pending or plan.valve or (report.dry_run and plan.operations)
    state = RecordState.FAILED if report.errors else RecordState.PENDING if open_ends else RecordState.EQUAL
    counts = {name: len(result[name]) for name in ("conflicts", "held_back", "notices", "pending")}
    counts["withheld"] = len(plan.valve)
    counts["planned"] = len(plan.operations) if report.dry_run else 0
    return RunEnd(
        status=RecordStatus(report.betnr, state, report.errors[0] if report.errors else "", counts=counts),
        base=base,
        conflicts=result["conflicts"],
        held_back=[*result["held_back"], *result["valve"]["removals"]],
        notices=result["notices"],
        journal=report.journal,
        counts=report.counts,
        rest=rest if state is RecordState.EQUAL and not any(counts.values()) else None,
    )


def _from_environment(policy: ConflictPolicy | None, scope: Scope | None) -> tuple[ConflictPolicy, Scope]:
    if policy is not None and scope is not None:
        return policy, scope
    # Imported late: a manager wired by hand needs no configuration.
    from services.config import SyncSettings

    settings = SyncSettings.from_environment()
    return policy or settings.conflict_policy, scope or settings.scope


def _direction(direction: str) -> Direction:
    try:
        return Direction(direction)
    except ValueError:
        names = ", ".join(one.value for one in Direction)
        raise InvalidInput(f"Unknown direction; it is one of {names}.") from None


def _checked_id(beteiligte_id: str) -> str:
    if not isinstance(beteiligte_id, str) or not _ESPO_ID.fullmatch(beteiligte_id):
        raise InvalidInput("beteiligte_id is not an id of EspoCRM (1 to 36 letters, digits, - and _).")
    return beteiligte_id


def _checked_betnr(betnr: int) -> int:
    if isinstance(betnr, bool) or not isinstance(betnr, int) or betnr <= 0:
        raise InvalidInput("betnr is not a number of a Beteiligter (a positive integer).")
    return betnr
