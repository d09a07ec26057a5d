"""Carries an undo out: like a run it reads, plans, reads again, writes, reads back, remembers.

The order is chosen for crashes. What the undo takes back is noted in the base store before the first write: a sync that
comes by after a crash half-way finds values on one side only, and must neither bring them back nor take their missing for a
deletion. The same undo, run again, finds what is done as it was and does the rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.errors import BadAnswer, Bug, InvalidInput, NotInScope, RetryLater
from services.kommunikation_base import base_after, fresh_base, items_by_key
from services.kommunikation_run import MAX_ROUNDS
from services.kommunikation_sides import Sides
from services.kommunikation_types import Base, KommunikationWrite
from services.kommunikation_undo import CHANGED_SINCE, Kept, UndoPlan, make_undo
from services.kommunikation_undo_journal import of_run

if TYPE_CHECKING:
    from services.kommunikation_ops import RestoreEntry
    from services.kommunikation_types import Kommunikation
    from services.state import Lease

ALL_ENTRIES = 1000
"""The journal keeps no more of a record."""


class UndoRun(Sides):
    """One undo of one run of one pair of records."""

    def show_undo(self, run: str) -> UndoPlan:
        """Only looks. Raises `InvalidInput` where the journal does not know the run."""
        self._begin()
        self._writes = self._journal(run)
        return self._plan_undo()

    def carry_out_undo(self, lease: Lease, run: str) -> UndoPlan:
        """Takes the run back. Raises `NotInScope` in shadow mode; run again after any other error, it goes on."""
        self._lease = lease
        self._begin()
        if not self.live:
            raise NotInScope(f"Record {self._espo_id} may not be written: see KOMM_MODE and KOMM_PILOT.")
        self._writes = self._journal(run)
        for _ in range(MAX_ROUNDS):
            plan = self._plan_undo()
            if not plan.operations or not self._moved(espocrm=True, advoware=True):
                break
        else:
            raise RetryLater(f"Record {self._espo_id} keeps changing; undo it when nobody works on it.")
        if plan.operations:
            plan = self._write_undo(plan)
        return plan

    def _journal(self, run: str) -> list[dict[str, Any]]:
        writes = of_run(self._state.journal_of(self._espo_id, ALL_ENTRIES), run)
        if not writes:
            raise InvalidInput(f"The journal knows no run of this name of record {self._espo_id}.")
        return writes

    def _plan_undo(self) -> UndoPlan:
        plan = make_undo(self._writes, self._person, self._record, self._view, self._holders)
        while any(plan.questions.values()):
            for art, pairs in plan.questions.items():
                if pairs:
                    self._ask_holders(art, pairs)
            plan = make_undo(self._writes, self._person, self._record, self._view, self._holders)
        return plan

    def _write_undo(self, plan: UndoPlan) -> UndoPlan:
        self._note_undone(plan)
        if plan.arrays:
            self._put_back(plan)
        kept = self._restore(plan)
        self._remember_undo(plan)
        return replace(plan, kept=(*plan.kept, *kept))

    def _note_undone(self, plan: UndoPlan) -> None:
        if not self._state.keeps_base:
            raise Bug("An undo needs a store.")
        known = self._known or Base(self._betnr, fresh_base(self._person, self._view))
        known = replace(known, undone=tuple(sorted(self._view.undone | plan.undone)))
        self._state.save(self._held(), known)
        self._known = known
        self._view = replace(self._view, base=known)

    def _put_back(self, plan: UndoPlan) -> None:
        self._writing().check()
        emails, phones = plan.arrays.emails, plan.arrays.phones
        self._espocrm.put_arrays(self._espo_id, emails=emails, phones=phones, version=self._record.version)
        self._record = self._read_espocrm()
        held = items_by_key(self._record)
        wanted = {operation.key for operation in plan.items if hasattr(operation, "item")}
        if not wanted <= held.keys():
            raise BadAnswer(f"EspoCRM did not store what was put back into record {self._espo_id}.", system="EspoCRM")
        self._report.items_written(plan.items, plan.arrays)

    def _restore(self, plan: UndoPlan) -> list[Kept]:
        """Puts the entries back, one request each. What a person has edited since the plan was made is left alone."""
        planned = {raw.id: raw for raw in self._person.kommunikation}
        self._person = self._read_advoware()
        now = {raw.id: raw for raw in self._person.kommunikation}
        kept, sent = [], []
        for operation in plan.entries:
            entry_id = operation.entry.id if operation.entry is not None else 0
            if now.get(entry_id) != planned.get(entry_id):
                kept.append(Kept("advoware", entry_id, CHANGED_SINCE, operation.value))
                continue
            body = KommunikationWrite(operation.value, operation.bemerkung, operation.kz, online=operation.online)
            self._writing().check()
            self._advoware.update_kommunikation(self._betnr, entry_id, body)
            sent.append(operation)
        if sent:
            self._person = self._read_advoware()
        for operation in sent:
            self._judge_restored(operation)
        return kept

    def _judge_restored(self, operation: RestoreEntry) -> None:
        entry_id = operation.entry.id if operation.entry is not None else 0
        stored: Kommunikation | None = next((raw for raw in self._person.kommunikation if raw.id == entry_id), None)
        found = (stored.tlf or "", stored.bemerkung or "") if stored is not None else None
        if found == (operation.value, operation.bemerkung):
            self._report.entry_restored(operation)
        else:
            text = f"Advoware, entry {entry_id} of Beteiligter {self._betnr}: not stored."
            self._report.to_advoware_errors.append(text)

    def _remember_undo(self, plan: UndoPlan) -> None:
        """The base as it was before the run for what went back; of the rest as it is."""
        view = replace(self._view, agreed={**self._view.agreed, **plan.bases})
        base = base_after(self._person, self._record, view, moves={}, refused=self._refused, withheld=self._view.withheld)
        self._state.save(self._held(), base)
