"""What people ask for by hand: undo a run, decide a conflict, try a value again, explain a record, forget a person.

The command line and every other front end use these, so that a decision is made in one way wherever it is made. Results hold
client values: whoever calls asked to see them.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any

from services.errors import InvalidInput, NotFound, NotInScope, RecordProblem, SyncError
from services.espocrm import MAX_ROWS
from services.kommunikation_decide import Choice, DecideRun
from services.kommunikation_explain import explain
from services.kommunikation_mapper import canonical_key, parse_remark
from services.kommunikation_plan import Rules
from services.kommunikation_report import Report, describe
from services.kommunikation_run import Run
from services.kommunikation_sync_utils import KommunikationSyncManager
from services.kommunikation_table import Direction
from services.kommunikation_undo_run import UndoRun
from services.secrecy import klar, plainly
from services.state import ListKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.kommunikation_plan import Plan
    from services.kommunikation_types import EspoListRow
    from services.kommunikation_undo import UndoPlan
    from services.state import Lease

__all__ = ["ByHand", "Choice"]

_NAMES_AT_ONCE = 20
"""Ids in one question to EspoCRM: more would not fit into an address."""


class Left(Enum):
    """What is left of a person when the sync has forgotten him; each has to be removed by hand, where that is wanted."""

    MARKERS = "markers"
    SLOTS = "slots"


class ByHand(KommunikationSyncManager):
    """The manager with what people do by hand. Needs a store for all but `explain`."""

    def explain(self, espo_id: str) -> dict[str, Any]:
        """For every value: both sides, the base and where it is known from, the row that applies, and what comes of it."""
        report = Report(espo_id, 0, Direction.BOTH, dry_run=True)
        run = self._run(report, Rules(self._policy), Run)
        plan = run.dry()
        told = {
            "beteiligte_id": espo_id,
            "betnr": report.betnr,
            "writes_allowed": run.live,
            "base_known": run.base_known,
            "values": explain(plan),
            "plan": [describe(operation) for operation in plan.operations],
            "valve": [finding.as_dict() for finding in plan.valve],
        }
        return dict(plainly(told))

    def undo(self, run: str, *, dry_run: bool) -> dict[str, Any]:
        """Take back what a run did (`<record>.<number>`, as the journal names it); values changed since are kept.

        `dry_run` only shows it. Raises `InvalidInput` for a run the journal does not know, `NotInScope` in shadow mode.
        """
        espo_id = run.rpartition(".")[0]
        report = Report(espo_id, 0, Direction.BOTH, dry_run=dry_run)
        if dry_run:
            return self._undone(self._undo_run(report).show_undo(run), report, run)
        with self._state.acquire(espo_id) as lease:
            report.run = f"{espo_id}.{lease.fence}"
            try:
                plan = self._undo_run(report).carry_out_undo(lease, run)
            finally:
                self._note_writes(report)
        return self._undone(plan, report, run)

    def _undo_run(self, report: Report) -> UndoRun:
        return self._run(report, Rules(self._policy), UndoRun)

    @staticmethod
    def _undone(plan: UndoPlan, report: Report, run: str) -> dict[str, Any]:
        told = {
            "undoes": run,
            "beteiligte_id": report.espo_id,
            "betnr": report.betnr,
            "dry_run": report.dry_run,
            "run": report.run if report.writes else "",
            "plan": [describe(operation) for operation in plan.operations] if report.dry_run else report.done,
            "kept": [kept.as_dict() for kept in plan.kept],
            "errors": report.errors,
        }
        return dict(plainly(told))

    def decide(self, espo_id: str, conflict_id: str, choice: Choice) -> dict[str, Any]:
        """Decide a conflict: keep both values, or EspoCRM's, or Advoware's, on both sides. It is off the list then.

        The decision is made in EspoCRM, as a person would make it there, and carried over by an ordinary run.
        """
        listed = self._state.lists(espo_id)[ListKind.CONFLICTS.value]
        conflict = next((entry for entry in listed if entry["id"] == conflict_id), None)
        if conflict is None:
            raise InvalidInput(f"Record {espo_id} has no such conflict on its list.")
        removed = choice.removes(conflict)
        rules = Rules(self._policy, released=frozenset(canonical_key(value) for value in removed))

        def work(run: DecideRun, lease: Lease) -> Plan:
            return run.carry_out_decision(lease, conflict, choice)

        result = self._work(Report(espo_id, 0, Direction.BOTH, dry_run=False), rules, DecideRun, work)
        self._state.acknowledge(espo_id, conflict_id)
        return result

    def retry(self, espo_id: str, entry_id: str | None = None) -> dict[str, Any]:
        """Try held back values again now: one entry of the list, or all of the record. What was undone is done again."""
        listed = self._state.lists(espo_id)[ListKind.HELD_BACK.value]
        wanted = [entry for entry in listed if entry_id in {None, entry["id"]}]
        if not wanted:
            raise InvalidInput(f"Record {espo_id} has no such entry on its list.")
        keys = {canonical_key(entry.get("value") or "") for entry in wanted}

        def work(run: Run, lease: Lease) -> Plan:
            run.forget_refusals(lease, keys if entry_id else None)
            return run.carry_out(lease)

        return self._work(Report(espo_id, 0, Direction.BOTH, dry_run=False), Rules(self._policy), Run, work)

    def release_valve(self, espo_id: str) -> dict[str, Any]:
        """Carry out, once, the removals that the valve keeps."""
        report = Report(espo_id, 0, Direction.BOTH, dry_run=False)
        return self._work(report, Rules(self._policy, allow_removals=True), Run, Run.carry_out)

    def forget(self, espo_id: str) -> dict[str, Any]:
        """Erase what the sync holds about a person, and tell what stands in both systems beside the values themselves.

        A record that is still linked is met anew by the next full pass: unlink or delete it first.
        """
        betnr, linked = self._betnr_of(espo_id)
        told = len(self._state.told(espo_id))
        with self._state.acquire(espo_id):
            self._state.erase(espo_id, betnr)
        left = dict.fromkeys((one.value for one in Left), 0)
        try:
            entries = self._advoware.get_beteiligter(betnr).kommunikation if betnr else ()
        except NotFound:
            entries = ()
        for raw in entries:
            marker = parse_remark(raw.bemerkung, raw.tlf).marker
            if marker is not None:
                left[Left.SLOTS.value if marker.is_slot else Left.MARKERS.value] += 1
        result = {"beteiligte_id": espo_id, "betnr": betnr, "still_linked": linked, "left_in_advoware": left}
        return result | ({"notices_left_in_espocrm": told} if told else {})

    def _betnr_of(self, espo_id: str) -> tuple[int | None, bool]:
        """The number of the Beteiligter, and whether EspoCRM still has the record linked to it."""
        status = self._state.status(espo_id)
        known = status.betnr if status is not None else None
        try:
            record = self._espocrm.get_record(espo_id)
        except NotFound:
            return known, False
        return record.betnr or known, record.betnr is not None

    def betnr_of(self, espo_id: str) -> int:
        """The number of the Beteiligter a record is linked to. Raises `RecordProblem` where it has none."""
        betnr = self._espocrm.get_record(espo_id).betnr
        if betnr is None:
            raise RecordProblem(f"Record {espo_id} has no betnr.", cause="no betnr")
        return betnr

    def linked(self) -> list[EspoListRow]:
        """All linked records, by id."""
        rows: list[EspoListRow] = []
        while True:
            page = self._espocrm.list_linked(after_id=rows[-1].id if rows else None, limit=MAX_ROWS)
            rows += page
            if len(page) < MAX_ROWS:
                return rows

    def search(self, text: str, *, limit: int) -> list[dict[str, Any]]:
        """Records whose id, number of Beteiligter or name (a part of it) this is: id, betnr and name of each."""
        text = text.strip()
        if len(text) < 2 and not text.isdigit():  # noqa: PLR2004 - one letter finds everybody
            raise InvalidInput("A search needs two letters or a number.")
        rows = {row.id: row for row in self._espocrm.find_named(text=text, limit=limit)}
        ids: list[str] = []
        if text.isascii() and text.isdigit() and len(text) <= 10:  # noqa: PLR2004 - EspoCRM's ids have 17
            ids = [row.id for row in self._espocrm.find_by_betnr([int(text)])]
        elif re.fullmatch(r"[A-Za-z0-9]{17}", text):
            ids = [text]
        found = {row.id: row for row in self._espocrm.find_named(ids=ids)} if ids else {}
        return [dict(plainly({"id": one.id, "betnr": one.betnr, "name": one.name})) for one in (found | rows).values()]

    def names(self, espo_ids: Sequence[str]) -> dict[str, str]:
        """The names of records, by id; those EspoCRM no longer has are left out."""
        ids = list(dict.fromkeys(espo_ids))
        parts = [ids[at : at + _NAMES_AT_ONCE] for at in range(0, len(ids), _NAMES_AT_ONCE)]
        return {row.id: klar(row.name) for part in parts for row in self._espocrm.find_named(ids=part)}

    def check_scope(self, espo_id: str) -> None:
        """Raise `NotInScope` where the record may not be written."""
        if not self.scope.allows(espo_id, self._betnr_of(espo_id)[0]):
            raise NotInScope(f"Record {espo_id} may not be written: see KOMM_MODE and KOMM_PILOT.")

    def resolve(self, name: str) -> str:
        """EspoCRM's id for an id or the number of a Beteiligter (up to ten digits).

        Raises `RecordProblem` where no record, or more than one, has that number.
        """
        if not (name.isascii() and name.isdigit() and len(name) <= 10):  # noqa: PLR2004 - EspoCRM's ids have 17
            return name
        rows = self._espocrm.find_by_betnr([int(name)])
        if len(rows) == 1:
            return rows[0].id
        known = self._state.espo_ids([int(name)])[int(name)] if not rows else ()
        if len(known) == 1:
            return known[0]
        count = "no record" if not rows else f"{len(rows)} records"
        raise RecordProblem(f"EspoCRM has {count} with betnr {name}.", cause="no record" if not rows else "linked twice")


def failure(error: SyncError) -> dict[str, str]:
    """An error as part of a result."""
    return {"error": str(error), "kind": type(error).__name__}
