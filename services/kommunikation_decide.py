"""A person's decision about a conflict: made in EspoCRM's array as a person would make it there, then carried over."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from services.errors import InvalidInput, NotInScope
from services.kommunikation_arrays import ArrayEdit
from services.kommunikation_base import items_by_key
from services.kommunikation_mapper import canonical_key, espo_form
from services.kommunikation_ops import AddItem, RemoveItem, ReplaceItem
from services.kommunikation_run import Run
from services.kommunikation_types import Art, EspoItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.kommunikation_plan import Plan
    from services.state import Lease

REASON = "a person decided the conflict"


class Choice(Enum):
    """Which value of a conflict stays."""

    BOTH = "both"
    ESPOCRM = "espocrm"
    ADVOWARE = "advoware"

    def keeps(self, conflict: Mapping[str, Any]) -> list[str]:
        """The values that stay."""
        sides = ("espocrm", "advoware") if self is Choice.BOTH else (self.value,)
        return [conflict[side] for side in sides]

    def removes(self, conflict: Mapping[str, Any]) -> list[str]:
        """The values that go."""
        kept = {canonical_key(value) for value in self.keeps(conflict)}
        return [conflict[side] for side in ("espocrm", "advoware") if canonical_key(conflict[side]) not in kept]


class DecideRun(Run):
    """A run that begins with a person's decision."""

    def carry_out_decision(self, lease: Lease, conflict: Mapping[str, Any], choice: Choice) -> Plan:
        """Write the decision to EspoCRM, then work as usual. Raises `NotInScope`, or `InvalidInput` if it can't be made."""
        self._lease = lease
        self._begin()
        if not self.live:
            raise NotInScope(f"Record {self._espo_id} may not be written: see KOMM_MODE and KOMM_PILOT.")
        # What an undo had taken back is decided now, too.
        self.forget_refusals(lease, {canonical_key(conflict[side]) for side in ("espocrm", "advoware")})
        changes = self._changes(conflict, choice)
        if changes:
            self._ask_betnr()
            edit = ArrayEdit(self._record, self._holders)
            for change in changes:
                edit.take(change)
            arrays = edit.arrays()
            self._writing().check()
            self._espocrm.put_arrays(self._espo_id, emails=arrays.emails, phones=arrays.phones, version=self._record.version)
            self._record = self._read_espocrm()
            self._report.items_written(changes, arrays)
        return self.carry_out(lease)

    def _changes(self, conflict: Mapping[str, Any], choice: Choice) -> list[AddItem | ReplaceItem | RemoveItem]:
        art, held = Art(conflict["art"]), items_by_key(self._record)
        wanted = {canonical_key(value): self._item(value, art) for value in choice.keeps(conflict)}
        going = [held[key] for key in map(canonical_key, choice.removes(conflict)) if key in held]
        missing = {key: item for key, item in wanted.items() if key not in held}
        if not going and len(missing) == len(wanted):
            return []  # both values have been changed or removed since: what people made of it counts
        changes: list[AddItem | ReplaceItem | RemoveItem] = []
        for key, item in missing.items():
            if going:
                old = going.pop()
                new = EspoItem(item.art, item.value, old.type, opt_out=old.opt_out)
                changes.append(ReplaceItem(7, REASON, None, old=old, item=new, key=key))
            else:
                changes.append(AddItem(7, REASON, None, item=item, key=key))
        return changes + [RemoveItem(7, REASON, None, old=old, key=canonical_key(old.value)) for old in going]

    def _item(self, value: str, art: Art) -> EspoItem:
        form = espo_form(value, art)
        if form is None:
            raise InvalidInput("EspoCRM does not take the value that is to stay: correct it in Advoware.")
        kind = next((item.type for item in self._record.phones if art is Art.PHONE), "")
        return EspoItem(art, form, kind)
