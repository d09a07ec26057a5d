"""The part of a run that writes to EspoCRM: announce, PUT, read back, and take note of what that proves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.errors import (
    BadAnswer,
    Conflict,
    ServerError,
    SyncError,
    Unreachable,
    Validation,
)
from services.kommunikation_base import (
    fresh_base,
    items_by_key,
)
from services.kommunikation_mapper import canonical_key
from services.kommunikation_ops import AddItem, RemoveItem, ReplaceItem
from services.kommunikation_sides import Sides
from services.kommunikation_types import Base
from services.kommunikation_writer import (
    AdvowareOperation,
    announced,
)

if TYPE_CHECKING:
    from services.kommunikation_plan import Plan


class EspoCrmWrites(Sides):
    """Writes EspoCRM's arrays, and notes in the base store what is about to be written and what was seen."""

    def _announce(self, plan: Plan, writes: list[AdvowareOperation]) -> None:
        if not self._state.keeps_base:
            return
        # What an earlier round, or an interrupted run, had announced still explains what is found: a second crash must not
        # make it forgotten. The newest comes first and counts first; a run that gets through clears them all.
        self._open = tuple(dict.fromkeys((*(announced(op) for op in writes), *self._open)))
        known = self._known
        entries = dict(known.entries) if known is not None else fresh_base(self._person, self._view)
        entries |= {entry_id: base for entry_id, base in self._adopting.items() if entry_id not in self._view.agreed}
        self._note = Base(
            self._betnr,
            entries,
            dict(plan.moves),
            self._open,
            dict(self._refused),
            tuple(sorted(plan.withheld)),
            agreed=dict(self._view.agreed),
            undone=tuple(sorted(self._view.undone)),
        )
        self._state.save(self._held(), self._note)
        self._announced = True

    def _note_agreed(self) -> None:
        """Notes what EspoCRM was just seen to hold.

        Whatever interrupts before the markers are set, the next run need not guess: it could not tell a value that had yet
        to leave EspoCRM from one that a person has entered there again.
        """
        if self._note is not None:
            self._note = replace(self._note, agreed=dict(self._view.agreed))
            self._state.save(self._held(), self._note)

    def _write_espocrm(self, plan: Plan) -> Plan | None:
        """PUT and read back. None: somebody was faster, plan anew. Otherwise the plan as it was really carried out."""
        doubt: SyncError | None = None
        try:
            plan = self._put(plan)
        except Conflict:
            self._record = self._read_espocrm()
            return None
        except (ServerError, BadAnswer) as error:
            doubt = error
        except Unreachable as error:
            if not error.maybe_done:
                raise
            doubt = error
        self._record = self._read_espocrm()
        if not plan.arrays:
            return plan
        self._take_over(plan, doubt)
        self._report.arrays_written(plan, plan.arrays)
        return plan

    def _put(self, plan: Plan) -> Plan:
        try:
            self._put_once(plan)
        except Validation as error:
            return self._find_culprits(plan, error)
        return plan

    def _put_once(self, plan: Plan) -> None:
        if not plan.arrays:
            return
        self._writing().check()
        emails, phones = plan.arrays.emails, plan.arrays.phones
        self._espocrm.put_arrays(self._espo_id, emails=emails, phones=phones, version=self._record.version)

    def _find_culprits(self, plan: Plan, error: Validation) -> Plan:
        """A 400 names the field, not the item: new values go one by one, and those that fail are held back."""
        keys = list(dict.fromkeys(op.key for op in plan.operations if isinstance(op, (AddItem, ReplaceItem))))
        if not keys:
            raise error
        as_planned, stored = self._record, False
        self._refused |= {"e:" + key: self._now() for key in keys}
        for key in keys if len(keys) > 1 else ():
            when = self._refused.pop("e:" + key)
            try:
                self._put_once(self._make_plan())
            except Validation:
                self._refused["e:" + key] = when
            else:
                stored = True
                self._record = self._read_espocrm()
        self._record = as_planned
        plan = self._make_plan()
        if not stored:
            self._put_once(plan)
        return plan

    def _take_over(self, plan: Plan, doubt: SyncError | None) -> None:
        """What the reading back proves both sides agree on, and what it does not."""
        held = items_by_key(self._record)
        wanted = {op.key for op in plan.operations if isinstance(op, (AddItem, ReplaceItem))}
        unwanted = {op.key for op in plan.operations if isinstance(op, RemoveItem)}
        live = {entry.key for entry in plan.comparison.entries}
        replaced = {canonical_key(op.old.value) for op in plan.operations if isinstance(op, ReplaceItem)} - wanted - live
        # Where the PUT was not answered nobody can tell who brought the new value: a replaced one that is still there has
        # yet to leave. Where it was answered, somebody has entered that one again.
        staying = replaced & set(held) if doubt is not None else set()
        agreed = dict(self._view.agreed)
        for entry in plan.comparison.entries:
            left = entry.changed and entry.base_key in (unwanted | replaced) - set(held)
            if entry.key in held and (left or entry.key in wanted) and entry.base_key not in staying:
                agreed[entry.id] = entry.tlf
            elif (entry.blank and entry.base_key in unwanted - set(held)) or (left and entry.key in wanted):
                # The second: both left the old value, and the new one was taken away again before it was read back.
                agreed[entry.id] = None
        if agreed != self._view.agreed:
            self._view = replace(self._view, agreed=agreed)
            self._note_agreed()
        missing = len(wanted - set(held)) + len(unwanted & set(held)) + len(staying)
        if missing and doubt is not None:
            raise doubt
        if missing:
            self._report.to_espocrm_errors.append(f"EspoCRM did not store {missing} change(s) of record {self._espo_id}.")
